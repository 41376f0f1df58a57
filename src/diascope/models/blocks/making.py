"""A network that makes a picture of noise and a class: upsampled step by step, each step scaled by its style."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

COARSEST = 4
"""Pixels along the longer side of the first map."""
STYLE = 128
"""Numbers that noise and class become, by which every map is scaled."""
OF_CLASS = 32
"""Of them before: numbers that stand for a class."""
WIDEST = 8
"""Times the width at full size: the most channels of a coarse map."""
GROUPS = 8
"""Channels that are normalised together."""


class Styled(nn.Module):
    """Group normalisation whose scale and shift are read from the style (arXiv:1703.06868), then a leaky ReLU.

    It keeps no statistics of training, so that averaged weights make what they should (a batch norm would be scaled
    by statistics of weights that are not its own).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.groups = max(1, channels // GROUPS)
        self.of_style = nn.Linear(STYLE, 2 * channels)
        nn.init.zeros_(self.of_style.bias)

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:
        """(B, C, Y, X) and (B, STYLE) to (B, C, Y, X)."""
        scale, shift = self.of_style(style)[:, :, None, None].chunk(2, dim=1)
        normal = functional.group_norm(maps, self.groups)
        return functional.leaky_relu(normal * (1 + scale) + shift, 0.2)


class Finer(nn.Module):
    """Two convolutions beside a shortcut, after the map was brought to a finer size."""

    def __init__(self, channels: tuple[int, int], size: tuple[int, int]) -> None:
        super().__init__()
        entered, left = channels
        self.size = size
        self.first_norm, self.second_norm = Styled(entered), Styled(left)
        self.first = nn.Conv2d(entered, left, 3, padding=1)
        self.second = nn.Conv2d(left, left, 3, padding=1)
        self.shortcut = nn.Conv2d(entered, left, 1, bias=False)

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:
        """(B, C, Y, X) to (B, D, *size)."""
        changed = functional.interpolate(self.first_norm(maps, style), size=self.size, mode="nearest")
        changed = self.second(self.second_norm(self.first(changed), style))
        # A convolution of one pixel may as well be done on the coarser map.
        straight = functional.interpolate(self.shortcut(maps), size=self.size, mode="nearest")
        finer: Tensor = (changed + straight) / math.sqrt(2)
        return finer


class Maker(nn.Module):
    """Noise and class to a picture.

    Args:
        noise: D, numbers that a picture is made of.
        classes: How many there are; 0 where nothing is said about a picture.
        channels: Of the picture.
        size: (Y, X) of the picture.
        width: Channels of the maps at full size; coarser ones have up to eight times as many.
    """

    def __init__(self, noise: int, classes: int, channels: int, size: tuple[int, int], width: int) -> None:
        super().__init__()
        self.noise = noise
        self.of_class = nn.Embedding(classes, OF_CLASS) if classes else None
        entered = noise + (OF_CLASS if classes else 0)
        self.style = nn.Sequential(
            nn.Linear(entered, STYLE), nn.LeakyReLU(0.2), nn.Linear(STYLE, STYLE), nn.LeakyReLU(0.2)
        )
        sizes = finer_sizes(size)
        widths = [min(width * 2**step, WIDEST * width) for step in range(len(sizes))][::-1]
        self.first_size, self.first_width = sizes[0], widths[0]
        self.first = nn.Linear(STYLE, widths[0] * sizes[0][0] * sizes[0][1])
        steps = zip(widths[:-1], widths[1:], sizes[1:], strict=True)
        self.steps = nn.ModuleList(Finer((entered, left), finer) for entered, left, finer in steps)
        self.last_norm = Styled(widths[-1])
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, D) normal numbers and (B,) class indices to (B, C, 1, Y, X) in -1..1.

        Without classes the first one is meant, where there are any.
        """
        parts = [noise]
        if self.of_class is not None:
            known = torch.zeros(len(noise), dtype=torch.long, device=noise.device) if classes is None else classes
            parts.append(self.of_class(known))
        style = self.style(torch.cat(parts, dim=1))
        maps = self.first(style).view(-1, self.first_width, *self.first_size)
        for step in self.steps:
            maps = step(maps, style)
        return torch.tanh(self.last(self.last_norm(maps, style))).unsqueeze(2)


def finer_sizes(size: Sequence[int]) -> list[tuple[int, int]]:
    """(Y, X) of the maps from the coarsest to the full size, each twice as fine as the one before (rounded)."""
    sizes = [(int(size[0]), int(size[1]))]
    while max(sizes[0]) > COARSEST:
        y, x = sizes[0]
        sizes.insert(0, (-(-y // 2), -(-x // 2)))
    return sizes
