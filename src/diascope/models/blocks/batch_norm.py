"""The residual block of ResNet, in two and three dimensions (arXiv:1512.03385)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from diascope.models.blocks.convolution import convolution


class BatchNormBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(
        self, dimensions: Literal[2, 3], channels: tuple[int, int], kernel: Sequence[int], stride: Sequence[int]
    ) -> None:
        super().__init__()
        width = channels[1]
        self.first = convolution(dimensions, channels, kernel, stride, bias=False)
        self.first_norm = norm(dimensions, width)
        self.second = convolution(dimensions, (width, width), kernel, (1, 1, 1), bias=False)
        self.second_norm = norm(dimensions, width)
        # The block starts as its shortcut (arXiv:1706.02677).
        nn.init.zeros_(self.second_norm.weight)
        self.shortcut: nn.Module = nn.Identity()
        if max(stride) > 1 or channels[0] != width:
            project = convolution(dimensions, channels, (1, 1, 1), stride, bias=False)
            self.shortcut = nn.Sequential(project, norm(dimensions, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to (B, D, ...)."""
        y = functional.relu(self.first_norm(self.first(x)), inplace=True)
        y = self.second_norm(self.second(y))
        return functional.relu(y + self.shortcut(x), inplace=True)


def norm(dimensions: Literal[2, 3], channels: int) -> nn.BatchNorm2d | nn.BatchNorm3d:
    """Batch normalisation of maps of so many dimensions."""
    return nn.BatchNorm2d(channels) if dimensions == 2 else nn.BatchNorm3d(channels)
