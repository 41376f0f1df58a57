"""Putting a label image on another grid in the same patient space."""

from __future__ import annotations

import numpy as np

from diascope.core.errors import UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.core.image import Image


def place_on(mask: Image, grid: Geometry, shape: tuple[int, int, int]) -> Image:
    """Put a mask on the grid of an image.

    Exact where the voxels of both coincide; else each voxel takes the label of the nearest voxel of the mask, in mm.
    Outside of the mask is background.

    Args:
        mask: Labels (1, Z, Y, X).
        grid: Geometry of the image.
        shape: (Z, Y, X) of the image.

    Returns:
        Labels (1, *shape) with geometry `grid`.

    Raises:
        UnsoundGeometry: Another frame of reference; one has millimetres and the other none; nothing in common.
    """
    ours, theirs = mask.geometry.frame_of_reference, grid.frame_of_reference
    if ours and theirs and ours != theirs:
        raise UnsoundGeometry(
            "mask and image have different frames of reference",
            given=f"{ours} and {theirs}",
            todo="Register them first",
        )
    if not (mask.geometry.physical and grid.physical):
        if mask.shape != shape:
            raise UnsoundGeometry(
                "mask and image have no millimetres in common, and different sizes", given=f"{mask.shape} and {shape}"
            )
        return mask.with_array(mask.array, grid)
    to_mask = np.linalg.inv(mask.geometry.affine) @ _as_index_map(grid)
    whole = np.rint(to_mask)
    corners = np.array([[z, y, x, 1] for z in (0, shape[0]) for y in (0, shape[1]) for x in (0, shape[2])])
    exact = bool(np.abs(corners @ (to_mask - whole).T).max() < 0.02)
    return _sampled(mask, grid, shape, whole if exact else to_mask, exact)


def _as_index_map(geometry: Geometry) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(geometry.affine)


def _sampled(
    mask: Image,
    grid: Geometry,
    shape: tuple[int, int, int],
    to_mask: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    exact: bool,
) -> Image:
    """Nearest neighbour, one slice of the image at a time."""
    limits = np.array(mask.shape)
    out = np.zeros((1, *shape), dtype=mask.array.dtype)
    y, x = np.meshgrid(np.arange(shape[1]), np.arange(shape[2]), indexing="ij")
    plane = y[..., None] * to_mask[:3, 1] + x[..., None] * to_mask[:3, 2] + to_mask[:3, 3]
    hit = False
    for z in range(shape[0]):
        index = np.floor(plane + z * to_mask[:3, 0] + 0.5).astype(np.intp)
        inside = ((index >= 0) & (index < limits)).all(axis=-1)
        if inside.any():
            hit = True
            found = index[inside]
            out[0, z][inside] = mask.array[0, found[:, 0], found[:, 1], found[:, 2]]
    if not hit:
        raise UnsoundGeometry("mask and image have no place in common", todo="Is this the mask of another image?")
    note = "" if exact else "mask put on the image's grid (nearest neighbour)"
    return mask.with_array(out, grid, note)
