"""Surfaces of two masks and the distances between them, in millimetres."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]


def surface(mask: Mask, spacing: tuple[float, float, float]) -> Points:
    """Places (M, 3) in mm of the voxels of a mask that have a face neighbour outside it.

    The border of the image counts as outside, as in MONAI and DeepMind's `surface-distance`. An axis of one voxel
    (a 2-D image) has no neighbours: otherwise every pixel of a flat mask would be surface.

    Args:
        mask: (Z, Y, X) bool.
        spacing: Millimetres (z, y, x).
    """
    if not mask.any():
        return np.zeros((0, 3))
    box = tuple(_extent(mask, axis) for axis in range(3))
    part = mask[box]
    inside = part.copy()
    for axis in range(3):
        if mask.shape[axis] == 1:
            continue
        moved = np.moveaxis(part, axis, 0)
        kept = np.moveaxis(inside, axis, 0)
        kept[1:] &= moved[:-1]
        kept[:-1] &= moved[1:]
        kept[0] = kept[-1] = False
    start = np.array([edge.start for edge in box])
    places: Points = (np.argwhere(part & ~inside) + start) * np.asarray(spacing, np.float64)
    return places


def distances(one: Points, other: Points, limit: float = np.inf) -> npt.NDArray[np.float64]:
    """Distance (M,) in mm from each point of `one` to the nearest of `other`; infinite beyond `limit`.

    A k-d tree of the surface voxels is exact, and its time grows with the surface and not with the volume.
    """
    # Ties on a grid are the rule; without balancing the tree is built several times faster and finds the same.
    tree = cKDTree(other, balanced_tree=False, compact_nodes=False)
    found, _ = tree.query(one, distance_upper_bound=limit)
    return np.asarray(found, np.float64)


def surfaces(
    truth: npt.NDArray[Any], said: npt.NDArray[Any], spacing: tuple[float, float, float]
) -> tuple[Points, Points]:
    """The surfaces of two masks (Z, Y, X)."""
    return surface(truth.astype(bool), spacing), surface(said.astype(bool), spacing)


def _extent(mask: Mask, axis: int) -> slice:
    others = tuple(other for other in range(mask.ndim) if other != axis)
    filled = np.flatnonzero(mask.any(axis=others))
    return slice(int(filled[0]), int(filled[-1]) + 1)
