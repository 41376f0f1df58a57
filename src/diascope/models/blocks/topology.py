"""Rules that shape a U-Net: how often each axis is halved, and where a kernel is flat (nnU-Net, arXiv:1904.08128)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from diascope.core.errors import BadUsage
from diascope.models import InputSpec

SMALLEST_EDGE = 4
"""No axis is halved below this many voxels."""
MOST_STAGES: dict[int, int] = {2: 7, 3: 6}
WIDEST: dict[int, int] = {2: 512, 3: 320}
"""Dimensions to the most channels of a stage, as in nnU-Net."""


def spatial(spec: InputSpec, name: str) -> Literal[2, 3]:
    """The dimensions of an image input.

    Raises:
        BadUsage: When the input is no image of two or three dimensions.
    """
    if spec.kind != "image" or spec.dimensions < 2:
        raise BadUsage(f"the model {name} encodes images", given=f"an input of kind {spec.kind!r}")
    if spec.dimensions == 2 and spec.shape[0] != 1:
        raise BadUsage("a 2-D model takes images with Z = 1", given=f"shape {spec.shape}")
    return 2 if spec.dimensions == 2 else 3


def halvings(spec: InputSpec) -> tuple[list[list[int]], list[list[int]]]:
    """Strides and kernels (Z, Y, X) of each stage, from the patch and its spacing.

    An axis is halved while at least `SMALLEST_EDGE` voxels remain, and only while its steps are less than twice the
    finest; a kernel is 1 along axes that are still that much coarser. Thick slices so meet in-plane detail late.
    """
    size, step = list(spec.shape), list(spec.spacing)
    axes = (1, 2) if spec.dimensions == 2 else (0, 1, 2)
    strides: list[list[int]] = [[1, 1, 1]]
    kernels = [_kernel(size, step, axes)]
    while len(strides) < MOST_STAGES[len(axes)]:
        able = [axis for axis in axes if size[axis] >= 2 * SMALLEST_EDGE]
        if not able:
            break
        finest = min(step[axis] for axis in able)
        chosen = [axis for axis in able if step[axis] < 2 * finest]
        for axis in chosen:
            size[axis], step[axis] = size[axis] // 2, step[axis] * 2
        strides.append([2 if axis in chosen else 1 for axis in range(3)])
        kernels.append([max(a, b) for a, b in zip(_kernel(size, step, axes), kernels[-1], strict=True)])
    return strides, kernels


def widths(base: int, stages: int, dimensions: int) -> list[int]:
    """Channels of each stage: doubling from `base` up to `WIDEST`."""
    return [min(base * 2**stage, WIDEST[dimensions]) for stage in range(stages)]


def narrowed(options: Mapping[str, Any], base: int, dimensions: int) -> dict[str, Any]:
    """The options of a U-Net with other widths: the first stage has `base` channels."""
    return {**options, "features": widths(base, len(options["features"]), dimensions)}


def divisor(strides: Sequence[Sequence[int]]) -> tuple[int, int, int]:
    """The product of all strides: what (Z, Y, X) of an input must be divisible by."""
    total = [1, 1, 1]
    for stride in strides:
        total = [a * b for a, b in zip(total, stride, strict=True)]
    return total[0], total[1], total[2]


def _kernel(size: Sequence[int], step: Sequence[float], axes: Sequence[int]) -> list[int]:
    finest = min(step[axis] for axis in axes)
    return [3 if axis in axes and size[axis] > 1 and step[axis] < 2 * finest else 1 for axis in range(3)]
