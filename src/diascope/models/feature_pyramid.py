"""Feature pyramid on a small residual network: maps of several strides, each of which has seen the coarser ones.

The top-down path of Lin et al. (FPN, arXiv:1612.03144) on basic residual blocks (arXiv:1512.03385). There is no
smoothing convolution after the sums: the head of a task has its own, and a level that no head reads then costs little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from diascope.core.errors import BadUsage
from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.convolution import convolution
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.topology import spatial

STAGES = 4
"""Of the pyramid: strides 4, 8, 16 and 32 of the input."""
WIDER = (1, 2, 4, 5)
"""Channels of each stage as multiples of the first: the last one has few positions, and tells of the surroundings."""
ANISOTROPIC = 2.0
"""An axis whose steps are this much coarser than the finest is not halved, and has flat kernels, until others are."""


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which averages where the block strides (ResNet-D, arXiv:1812.01187).

    A strided 1x1 convolution as shortcut would leave out three of four positions, and oneDNN (torch 2.13) writes beyond
    its memory in the backward pass of one with less than 16 channels and channels last.
    """

    def __init__(
        self, dimensions: Literal[2, 3], channels: tuple[int, int], kernel: Sequence[int], stride: Sequence[int]
    ) -> None:
        super().__init__()
        entered, left = channels
        self.first = convolution(dimensions, (entered, left), kernel, stride, bias=False)
        self.first_norm = _norm(dimensions, left)
        self.second = convolution(dimensions, (left, left), kernel, (1, 1, 1), bias=False)
        self.second_norm = _norm(dimensions, left)
        # The block starts as its shortcut (arXiv:1706.02677).
        nn.init.zeros_(self.second_norm.weight)
        shortcut: list[nn.Module] = []
        if max(stride) > 1:
            size = tuple(stride)[-dimensions:]
            pool = nn.AvgPool2d if dimensions == 2 else nn.AvgPool3d
            shortcut.append(pool(size, size, ceil_mode=True, count_include_pad=False))  # type: ignore[arg-type]
        if entered != left:
            shortcut += [convolution(dimensions, channels, (1, 1, 1), (1, 1, 1), bias=False), _norm(dimensions, left)]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to (B, D, ...)."""
        y = functional.relu(self.first_norm(self.first(x)), inplace=True)
        y = self.second_norm(self.second(y))
        return functional.relu(y + self.shortcut(x), inplace=True)


class FeaturePyramid(nn.Module):
    """Stem, four stages of residual blocks, and a top-down path that adds each coarser map to the finer one.

    Args:
        spec: Input channels and dimensions.
        options: `width` (channels of the first stage; every map that is given has twice as many), `depth` (blocks of
            each stage), `strides` (Z, Y, X) of the stem and of each stage.

    Attributes:
        channels: Of each map, fine to coarse.
        strides: (Z, Y, X) of each map, in voxels of the input.
    """

    gives: Gives = "pyramid"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        dimensions = spatial(spec, "feature_pyramid")
        depth, strides = options["depth"], options["strides"]
        if len(strides) != len(depth) + 1 or len(depth) > STAGES:
            raise BadUsage(
                "feature_pyramid has at most 4 stages, and a stride for the stem and for each", given=strides
            )
        width, out = int(options["width"]), 2 * int(options["width"])
        self.flat = dimensions == 2
        entered = max(8, width // 2)
        kernels = [[3 if step > 1 else 1 for step in stride] for stride in strides]
        self.stem = convolution(dimensions, (spec.channels, entered), kernels[0], strides[0], bias=False)
        self.stem_norm = _norm(dimensions, entered)
        self.stages, self.laterals = nn.ModuleList(), nn.ModuleList()
        for stage, (count, stride) in enumerate(zip(depth, strides[1:], strict=True)):
            left = width * WIDER[stage]
            kernel = [max(column) for column in zip(*kernels[: stage + 2], strict=True)]
            first = Block(dimensions, (entered, left), kernel, stride)
            rest = [Block(dimensions, (left, left), kernel, (1, 1, 1)) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(first, *rest))
            self.laterals.append(convolution(dimensions, (left, out), (1, 1, 1), (1, 1, 1)))
            entered = left
        self.channels = (out,) * len(depth)
        self.strides = _running(strides)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, Z, Y, X) to maps (B, D, Z', Y', X'), fine to coarse."""
        x = x.squeeze(2) if self.flat else x
        x = functional.relu(self.stem_norm(self.stem(x)), inplace=True)
        maps = []
        for stage, lateral in zip(self.stages, self.laterals, strict=True):
            x = stage(x)
            maps.append(lateral(x))
        for level in range(len(maps) - 2, -1, -1):
            above = functional.interpolate(maps[level + 1], size=maps[level].shape[2:], mode="nearest")
            maps[level] = maps[level] + above
        return [one.unsqueeze(2) for one in maps] if self.flat else maps


class FeaturePyramidModel:
    """Strides 4 to 32; about a million weights, which two cores can train from scratch."""

    takes = frozenset({"image"})
    dimensions = frozenset({2, 3})
    gives: Gives = "pyramid"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        flat = spatial(spec, "feature_pyramid") == 2
        strides = [[1, 2, 2]] * (STAGES + 1) if flat else _volume_strides(spec)
        return {
            "depth": [2, 2, 2, 1] if flat else [1, 1, 1, 1],
            "width": 48 if flat else 24,
            "strides": strides,
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return FeaturePyramid(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return _running(options["strides"])[-1]

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        z, y, x = (-(-side // step) * step for side, step in zip(spec.shape, self.stride(options), strict=True))
        return estimate(lambda: self.build(spec, options), replace(spec, shape=(z, y, x)))


def _norm(dimensions: Literal[2, 3], channels: int) -> nn.BatchNorm2d | nn.BatchNorm3d:
    return nn.BatchNorm2d(channels) if dimensions == 2 else nn.BatchNorm3d(channels)


def _running(strides: Sequence[Sequence[int]]) -> tuple[tuple[int, int, int], ...]:
    """(Z, Y, X) of each stage's map in voxels of the input."""
    total, found = [1, 1, 1], []
    for stride in strides:
        total = [a * b for a, b in zip(total, stride, strict=True)]
        found.append((total[0], total[1], total[2]))
    return tuple(found[1:])


def _volume_strides(spec: InputSpec) -> list[list[int]]:
    """Stem and stages: the axes whose steps are less than twice the finest are halved."""
    step, strides = list(spec.spacing), []
    for _ in range(STAGES + 1):
        chosen = [axis for axis in range(3) if step[axis] < ANISOTROPIC * min(step)]
        for axis in chosen:
            step[axis] *= 2
        strides.append([2 if axis in chosen else 1 for axis in range(3)])
    return strides


MODEL: Model = FeaturePyramidModel()
