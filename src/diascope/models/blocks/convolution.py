"""Convolutions of two or three dimensions with instance normalisation, and the residual block of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.models.blocks.instance_norm import SLOPE, InstanceNorm

Size = tuple[int, ...]
"""Kernel or stride (Z, Y, X); a 2-D network uses the last two."""


def convolution(
    dimensions: Literal[2, 3],
    channels: tuple[int, int],
    kernel: Sequence[int],
    stride: Sequence[int],
    bias: bool = True,
) -> nn.Conv2d | nn.Conv3d:
    """A convolution that keeps the size but for its stride, with He's normal weights.

    Args:
        dimensions: 2 uses the last two numbers of `kernel` and `stride`.
        channels: In and out.
        kernel: Odd (Z, Y, X).
        stride: (Z, Y, X).
        bias: Whether it adds one; not needed before a normalisation.
    """
    kernel, stride = tuple(kernel)[-dimensions:], tuple(stride)[-dimensions:]
    padding = tuple(k // 2 for k in kernel)
    make = nn.Conv2d if dimensions == 2 else nn.Conv3d
    layer: nn.Conv2d | nn.Conv3d = make(*channels, kernel, stride, padding, bias=bias)  # type: ignore[arg-type]
    initialise(layer)
    return layer


def upsampling(
    dimensions: Literal[2, 3], channels: tuple[int, int], stride: Sequence[int]
) -> nn.ConvTranspose2d | nn.ConvTranspose3d:
    """A transposed convolution whose kernel is its stride: each voxel becomes a block of voxels."""
    size = tuple(stride)[-dimensions:]
    make = nn.ConvTranspose2d if dimensions == 2 else nn.ConvTranspose3d
    layer: nn.ConvTranspose2d | nn.ConvTranspose3d = make(*channels, size, size)  # type: ignore[arg-type]
    initialise(layer)
    return layer


def initialise(layer: nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d) -> None:
    """He's normal weights for leaky ReLUs (arXiv:1502.01852), bias zero."""
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class ConvNorm(nn.Module):
    """Convolution, instance normalisation, leaky ReLU."""

    def __init__(
        self,
        dimensions: Literal[2, 3],
        channels: tuple[int, int],
        kernel: Sequence[int],
        stride: Sequence[int] = (1, 1, 1),
        activated: bool = True,
    ) -> None:
        super().__init__()
        self.convolution = convolution(dimensions, channels, kernel, stride, bias=False)
        self.norm = InstanceNorm(channels[1], activated)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to (B, D, ...)."""
        y: Tensor = self.norm(self.convolution(x))
        return y


class Residual(nn.Module):
    """Two convolutions beside a shortcut, as the residual encoder of nnU-Net has them (arXiv:2404.09556).

    The shortcut averages where the block strides, and projects where the channels change. The second normalisation
    starts at zero, so that the block starts as its shortcut.
    """

    def __init__(
        self,
        dimensions: Literal[2, 3],
        channels: tuple[int, int],
        kernel: Sequence[int],
        stride: Sequence[int] = (1, 1, 1),
    ) -> None:
        super().__init__()
        self.first = ConvNorm(dimensions, channels, kernel, stride)
        self.second = ConvNorm(dimensions, (channels[1], channels[1]), kernel, activated=False)
        nn.init.zeros_(self.second.norm.weight)
        shortcut: list[nn.Module] = []
        if max(stride) > 1:
            z, y, x = stride
            shortcut.append(nn.AvgPool2d((y, x)) if dimensions == 2 else nn.AvgPool3d((z, y, x)))
        if channels[0] != channels[1]:
            shortcut.append(ConvNorm(dimensions, channels, (1, 1, 1), activated=False))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to (B, D, ...)."""
        return functional.leaky_relu(torch.add(self.second(self.first(x)), self.shortcut(x)), SLOPE)
