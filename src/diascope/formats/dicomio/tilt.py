"""Gantry tilt: slices that are stacked along another direction than their normal, put onto an upright grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from diascope.core.geometry import Geometry


def straightened(degrees: float) -> str:
    """What is remembered of an image that was put upright."""
    return f"gantry tilt of {degrees:.1f}° corrected by resampling in each slice (linear)"


@dataclass(frozen=True, eq=False)
class Upright:
    """The upright grid of a sheared one.

    Args:
        shape: (Z, Y, X): it grows so that no voxel is lost.
        geometry: Of it.
        offsets: Voxels (y, x) by which each slice is moved.
    """

    shape: tuple[int, int, int]
    geometry: Geometry
    offsets: npt.NDArray[np.float64]

    @classmethod
    def of(cls, shape: tuple[int, int, int], geometry: Geometry) -> Self:
        """Of an image of this shape (Z, Y, X) on a sheared grid."""
        affine = np.array(geometry.affine)
        plane = affine[:3, 1:3]
        # Voxels (y, x) by which slice k lies further than slice 0, a slice.
        drift = np.linalg.lstsq(plane, affine[:3, 0], rcond=None)[0]
        offsets = np.arange(shape[0])[:, None] * drift
        low = np.floor(offsets.min(axis=0) + 1e-6).astype(int)
        high = np.ceil(offsets.max(axis=0) - 1e-6).astype(int)
        grown = (shape[0], int(shape[1] + high[0] - low[0]), int(shape[2] + high[1] - low[1]))
        affine[:3, 0] -= plane @ drift
        affine[:3, 3] += plane @ low
        return cls(grown, replace(geometry, affine=affine), offsets - low)


def upright(array: npt.NDArray[Any], geometry: Geometry) -> tuple[npt.NDArray[Any], Geometry]:
    """Shear each slice in its own plane (linear interpolation), so that the stacking direction becomes the normal.

    What is new has the smallest value of the image.

    Args:
        array: (C, Z, Y, X).
        geometry: Sheared: its z column is not perpendicular to the others.

    Returns:
        The array on the upright grid, in its dtype, and that grid.
    """
    from scipy.ndimage import shift

    z, y, x = array.shape[1:]
    grid = Upright.of((z, y, x), geometry)
    fill = array.min()
    out = np.full((array.shape[0], *grid.shape), fill, dtype=array.dtype)
    for channel in range(array.shape[0]):
        for k, offset in enumerate(grid.offsets):
            canvas = np.full(grid.shape[1:], fill, dtype=np.float32)
            canvas[:y, :x] = array[channel, k]
            moved = shift(canvas, offset, order=1, mode="constant", cval=float(fill), prefilter=False)
            out[channel, k] = np.rint(moved) if array.dtype.kind in "iu" else moved
    return out, grid.geometry
