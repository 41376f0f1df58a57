"""The working grid: to which spacing or size images are brought, and how large a patch is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diascope.core.plan import InputFacts

LARGEST_SIDE = 224
"""Pixels: films and photographs are scaled down to this edge (the field's habit since ImageNet)."""
WHOLE_VOXELS = 220_000
"""Voxels of a whole volume that a network on two cores can still see often enough."""
PATCH_VOXELS = {2: 256 * 256, 3: 100_000}
"""Voxels of a patch: about nnU-Net's patch for the hippocampus, which two cores train on."""
COARSE = 3.0
"""An axis this much coarser than the finest is resampled to its 10th percentile and not its median (nnU-Net)."""


@dataclass(frozen=True)
class Grid:
    """The working grid of the image inputs.

    Args:
        prepare: Transforms with parameters, in order.
        steps: (z, y, x) on the working grid; mm where physical.
        shape: (Z, Y, X) of what one training example shows.
        reason: One line.
        size: Median (Z, Y, X) of an image on the working grid.
    """

    prepare: list[list[Any]]
    steps: tuple[float, float, float]
    shape: tuple[int, int, int]
    reason: str
    size: tuple[float, float, float] = (1.0, 1.0, 1.0)


def whole_grid(facts: InputFacts, longest: int = LARGEST_SIDE, smaller: bool = False) -> Grid:
    """One common size, so that whole images make a batch.

    Args:
        facts: Of the first image.
        longest: Longest side of flat images in pixels.
        smaller: Whether it may become smaller where time is short.
    """
    median = facts.shapes[2]
    if facts.dimensions == 2:
        factor = min(1.0, longest / max(median[1:]))
        shape = (1, round(median[1] * factor), round(median[2] * factor))
        same = facts.shapes[0] == facts.shapes[4] == shape
        # Also where all pictures have one size: what is read later may have another. (It costs nothing where it fits.)
        prepare: list[list[Any]] = [["resample", {"shape": list(shape), "order": 3, "anti_alias": True}]]
        reason = "all images have this size" if same else f"median size, longest edge at most {longest}"
        size = _triple(np.array(shape)) if smaller else (1.0, 1.0, 1.0)
        return Grid(prepare, facts.spacings[2], shape, reason, size)
    extent = np.array(_extent(facts))
    steps = np.array(facts.spacings[2])
    while np.prod(np.ceil(extent / steps)) > WHOLE_VOXELS:
        steps[np.argmin(steps)] *= 1.1
    z, y, x = (int(np.ceil(v / 4) * 4) for v in extent / steps)
    if not facts.physical:
        return Grid(
            [["resample", {"shape": [z, y, x], "order": 3}]],
            _triple(steps),
            (z, y, x),
            "no millimetres: one size for all",
        )
    prepare = [
        ["resample", {"spacing": [round(float(s), 4) for s in steps], "order": 3, "anti_alias": True}],
        ["crop_pad", {"shape": [z, y, x]}],
    ]
    return Grid(
        prepare, _triple(steps), (z, y, x), "95th percentile of the extent in mm, at most what two cores see often"
    )


def patch_grid(facts: InputFacts) -> Grid:
    """One common spacing; patches are cut from it."""
    steps = np.array(facts.spacings[2], float)
    fine = steps.min()
    for axis in range(3):
        if facts.dimensions == 3 and steps[axis] > COARSE * fine:
            steps[axis] = (facts.spacings[1][axis] + facts.spacings[2][axis]) / 2
    varied = not np.allclose(facts.spacings[0], facts.spacings[4], rtol=0.02)
    prepare: list[list[Any]] = []
    reason = "all images have this spacing" if facts.physical else "no millimetres: pixels as they are"
    if varied and facts.physical:
        prepare = [["resample", {"spacing": [round(float(s), 4) for s in steps], "order": 3}]]
        reason = "median spacing of the training images"
    median = np.array(facts.shapes[2], float) * np.array(facts.spacings[2]) / steps
    return Grid(prepare, _triple(steps), fitted_patch(median, facts.dimensions, steps), reason, _triple(median))


def fitted_patch(size: Sequence[float] | np.ndarray, dimensions: int, steps: np.ndarray) -> tuple[int, int, int]:
    """The largest patch within the voxel limit with the image's proportions; a multiple of 8 (4 along short axes)."""
    patch = np.array(size, float)
    limit = PATCH_VOXELS[2 if dimensions == 2 else 3]
    axes = (1, 2) if dimensions == 2 else (0, 1, 2)
    while np.prod(patch) > limit:
        longest = max(axes, key=lambda axis: patch[axis] * steps[axis])
        patch[longest] *= 0.95
    return _triple_int(
        np.array(
            [max(1, round_to(patch[axis], 8 if patch[axis] >= 12 else 4)) if axis in axes else 1 for axis in range(3)]
        )
    )


def round_to(value: float, multiple: int) -> int:
    """Up to the next multiple, unless the last one is within a tenth."""
    return int(np.ceil((value - 0.1 * multiple) / multiple) * multiple)


def _extent(facts: InputFacts) -> tuple[float, float, float]:
    """What nearly all images cover.

    Scanners trade one for the other: many voxels are small ones, so the 95th percentile of the sizes times the median
    spacing covers far more than any image does, and the room would be paid for with a coarser grid. Only facts that
    were written before extents were measured lack them.
    """
    if facts.extents:
        return facts.extents[3]
    return _triple(np.array(facts.shapes[3], float) * np.array(facts.spacings[2]))


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return z, y, x


def _triple_int(values: np.ndarray) -> tuple[int, int, int]:
    z, y, x = (int(value) for value in values)
    return z, y, x
