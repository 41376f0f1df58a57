"""Windows over a volume: where they lie, how they are blended, and how the working grid lies in the original one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from diascope.core.errors import BadUsage, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.transforms.resampling.volume import along

Shape = tuple[int, int, int]
Rows = tuple[int, int]
"""Half-open range along one axis."""

SIGMA = 0.125
"""Standard deviation of Gaussian blending as a share of the window, as in nnU-Net and MONAI."""
BLOCK = 64
"""Rows interpolated at once: the matrix of linear weights is banded, so small blocks waste little."""


@dataclass(frozen=True)
class WindowPlan:
    """How a volume is covered.

    Args:
        patch: (Z, Y, X) of a window.
        overlap: Share of a window that the next one covers again, from 0 to below 1.
        blend: Weight of a window's outputs: falling towards its faces, or constant.
        mirror_axes: Average over the network's answers to the volume mirrored along these axes (0 = z, 1 = y, 2 = x).
        skip_empty: Leave out windows without any voxel above `empty_below` in the first channel.
        empty_below: In units of the volume; None is the smallest value of the volume.
        memory_bytes: Bound of what stitching holds (not the volume, the labels and the network); None is no bound.
        batch: Windows a call.
    """

    patch: Shape
    overlap: float = 0.5
    blend: Literal["gaussian", "constant"] = "gaussian"
    mirror_axes: tuple[int, ...] = ()
    skip_empty: bool = False
    empty_below: float | None = None
    memory_bytes: int | None = None
    batch: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1 or self.batch < 1 or min(self.patch) < 1:
            raise BadUsage("a window needs a positive patch and batch, and an overlap from 0 to below 1", given=self)


def window_starts(size: int, patch: int, overlap: float) -> list[int]:
    """First voxels of the windows along one axis of `size` >= `patch`; the last window ends with the volume."""
    step = max(1, int(patch * (1 - overlap)))
    return [*range(0, size - patch, step), size - patch]


def axis_weights(starts: list[int], patch: int, blend: str) -> dict[int, Tensor]:
    """Start of each window to its weights (patch,) along one axis; at every voxel those of all windows add up to 1."""
    offset = np.arange(patch) - (patch - 1) / 2
    shape = np.exp(-0.5 * (offset / (patch * SIGMA)) ** 2) if blend == "gaussian" else np.ones(patch)
    total = np.zeros(starts[-1] - starts[0] + patch)
    for start in starts:
        total[start - starts[0] :][:patch] += shape
    shares = {start: shape / total[start - starts[0] :][:patch] for start in starts}
    return {start: torch.from_numpy(share.astype(np.float32)) for start, share in shares.items()}


@dataclass(frozen=True)
class Placement:
    """Where the original grid lies in the working grid, which has the same axes.

    Args:
        shape: (Z, Y, X) of the original grid.
        scale: Working voxels from one original row to the next, along (z, y, x).
        offset: Place of the original voxel (0, 0, 0) in working voxels.
    """

    shape: Shape
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]

    @classmethod
    def same_box(cls, working: Shape, original: Shape) -> Self:
        """Both grids fill the same box: the working grid is the original one resampled."""
        z, y, x = (new / old for new, old in zip(working, original, strict=True))
        return cls(original, (z, y, x), (z / 2 - 0.5, y / 2 - 0.5, x / 2 - 0.5))

    @classmethod
    def between(cls, working: Geometry, original: Geometry, shape: Shape) -> Self:
        """From geometries: the working grid may be resampled, cropped and padded, but not turned.

        Raises:
            UnsoundGeometry: When the axes of the two grids differ.
        """
        matrix = np.linalg.inv(working.affine) @ original.affine
        z, y, x = np.diag(matrix)[:3]
        rest = np.abs(matrix[:3, :3] - np.diag((z, y, x))).max()
        if rest * max(shape) > 0.01 or min(z, y, x) <= 0:
            raise UnsoundGeometry("the working grid is not the original one resampled", given=matrix.tolist())
        c, b, a = matrix[:3, 3]
        return cls(shape, (float(z), float(y), float(x)), (float(c), float(b), float(a)))

    def rows_inside(self, axis: int, size: int) -> Rows:
        """Original rows whose centres lie in the working grid of `size` rows."""
        at = self.offset[axis] + self.scale[axis] * np.arange(self.shape[axis])
        inside = np.flatnonzero((at > -0.5 - 1e-6) & (at < size - 0.5 + 1e-6))
        return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)

    def positions(self, axis: int, rows: Rows, size: int) -> npt.NDArray[np.float64]:
        """Places of original rows in working rows, from 0 to size - 1; whole numbers are exact."""
        return np.clip(np.round(self.offset[axis] + self.scale[axis] * np.arange(*rows), 6), 0, size - 1)

    def needed(self, axis: int, rows: Rows, size: int) -> Rows:
        """Working rows from which original rows are interpolated."""
        at = self.positions(axis, rows, size)
        return int(np.floor(at[0])), int(np.ceil(at[-1])) + 1

    def rows_final(self, axis: int, rows: Rows, size: int, final: int) -> int:
        """Where the original rows end that need only working rows below `final`."""
        return rows[0] + int(np.searchsorted(np.ceil(self.positions(axis, rows, size)), final, side="left"))

    def interpolate(self, scores: Tensor, axis: int, rows: Rows, size: int) -> Tensor:
        """Scores (K, z, y, x) of the working rows that are `needed`, linearly to the original `rows` along one axis."""
        at = self.positions(axis, rows, size)
        at = at - np.floor(at[0])
        if np.array_equal(at, np.arange(scores.shape[axis + 1])):
            return scores
        blocks = []
        for part in np.split(at, range(BLOCK, len(at), BLOCK)):
            first, stop = int(np.floor(part[0])), int(np.ceil(part[-1])) + 1
            distance = np.abs(part[:, None] - np.arange(first, stop))
            matrix = torch.from_numpy(np.maximum(0, 1 - distance).astype(np.float32))
            matrices = [matrix if other == axis else None for other in range(3)]
            blocks.append(along(scores.narrow(axis + 1, first, stop - first), matrices))
        return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=axis + 1)
