"""Gantry tilt: slices that are stacked along another direction than their normal, put onto an upright grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.geometry import Geometry


def upright(array: npt.NDArray[Any], geometry: Geometry) -> tuple[npt.NDArray[Any], Geometry]:
    """Shear each slice in its own plane (linear interpolation), so that the stacking direction becomes the normal.

    The grid grows so that no voxel is lost; what is new has the smallest value of the image.

    Args:
        array: (C, Z, Y, X).
        geometry: Sheared: its z column is not perpendicular to the others.

    Returns:
        The array on the upright grid, in its dtype, and that grid.
    """
    from scipy.ndimage import shift

    affine = np.array(geometry.affine)
    plane = affine[:3, 1:3]
    # Voxels (y, x) by which slice k lies further than slice 0, a slice.
    drift = np.linalg.lstsq(plane, affine[:3, 0], rcond=None)[0]
    offsets = np.arange(array.shape[1])[:, None] * drift
    low = np.floor(offsets.min(axis=0) + 1e-6).astype(int)
    high = np.ceil(offsets.max(axis=0) - 1e-6).astype(int)
    grown = (*array.shape[:2], array.shape[2] + high[0] - low[0], array.shape[3] + high[1] - low[1])
    fill = array.min()
    out = np.full(grown, fill, dtype=array.dtype)
    for channel in range(array.shape[0]):
        for k, offset in enumerate(offsets):
            canvas = np.full(grown[2:], fill, dtype=np.float32)
            canvas[: array.shape[2], : array.shape[3]] = array[channel, k]
            moved = shift(canvas, offset - low, order=1, mode="constant", cval=float(fill), prefilter=False)
            out[channel, k] = np.rint(moved) if array.dtype.kind in "iu" else moved
    affine[:3, 0] -= plane @ drift
    affine[:3, 3] += plane @ low
    return out, replace(geometry, affine=affine)
