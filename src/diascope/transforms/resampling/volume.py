"""Volumes to another number of voxels (same box), and onto another grid in millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diascope.core.errors import BadUsage, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.transforms.resampling.matrices import nearest, sampling, weights

Shape = tuple[int, int, int]

CHUNK = 1 << 22
"""Voxels of the target grid that are sampled at once, to bound memory."""
ALIGNED = 1e-3
"""Voxels by which two grids may turn against each other from end to end and still be sampled axis by axis: 20 times as
fast (PET on the grid of a CT)."""


def along(volume: Tensor, matrices: Sequence[Tensor | None]) -> Tensor:
    """Multiply the three space axes with matrices, the most shrinking axis first.

    Args:
        volume: (C, Z, Y, X) float32.
        matrices: For z, y, x: (new, old); None leaves the axis alone.

    Returns:
        (C, Z', Y', X') float32.
    """
    given = [(axis, matrix) for axis, matrix in enumerate(matrices) if matrix is not None]
    for axis, matrix in sorted(given, key=lambda pair: pair[1].shape[0] / pair[1].shape[1]):
        if axis == 0:
            volume = (matrix @ volume.flatten(2)).reshape(volume.shape[0], -1, *volume.shape[2:])
        else:
            volume = matrix @ volume if axis == 1 else volume @ matrix.T
    return volume


def resize(volume: Tensor, shape: Shape, order: int = 3, anti_alias: bool = False) -> Tensor:
    """An image of the same box with another number of voxels.

    Args:
        volume: (C, Z, Y, X) float32.
        shape: (Z, Y, X) afterwards.
        order: 0 nearest, 1 linear, 3 cubic B-spline (as `scipy.ndimage.zoom(..., mode="nearest", grid_mode=True)`).
        anti_alias: Smooth axes that shrink.

    Returns:
        (C, Z', Y', X') float32; the same tensor where nothing changes.
    """
    old = _space(volume)
    if order == 0:
        return resize_labels(volume, shape)
    pairs = zip(old, shape, strict=True)
    return along(volume, [None if a == b else weights(a, b, order, anti_alias).to(volume.device) for a, b in pairs])


def resize_labels(volume: Tensor, shape: Shape) -> Tensor:
    """A mask (..., Z, Y, X) of any dtype with another number of voxels, by the nearest voxel."""
    for axis, (old, new) in enumerate(zip(volume.shape[-3:], shape, strict=True)):
        if old != new:
            volume = volume.index_select(axis - 3, nearest(old, new).to(volume.device))
    return volume


def onto(volume: Tensor, geometry: Geometry, target: Geometry, shape: Shape, order: int = 1) -> Tensor:
    """Sample a volume on any other grid of the same patient, in millimetres (also oblique).

    Args:
        volume: (C, Z, Y, X) float32, or integers (then nearest neighbour whatever `order` says).
        geometry: Where its voxels are.
        target: Where the new voxels are.
        shape: (Z, Y, X) of the new grid.
        order: 0 nearest, 1 linear.

    Returns:
        (C, *shape), same dtype. What lies outside of `volume` gets its smallest value (air); in masks 0.

    Raises:
        UnsoundGeometry: When the two are in different frames of reference.
        NotPhysical: When one of them has no millimetres.
    """
    if order not in (0, 1):
        raise BadUsage("the order of interpolation onto another grid is 0 or 1", given=order)
    frames = geometry.frame_of_reference, target.frame_of_reference
    if None not in frames and frames[0] != frames[1]:
        raise UnsoundGeometry(
            "two images lie in different frames of reference, so their millimetres cannot be compared",
            given=" and ".join(map(str, frames)),
            todo="Register them first, or leave one of them out",
        )
    if geometry.is_close(target) and _space(volume) == shape:
        return volume
    whole = not volume.is_floating_point()
    fill = 0.0 if whole else float(volume.min())
    start = geometry.to_voxel(target.to_mm(np.zeros(3)))
    step = geometry.to_voxel(target.to_mm(np.eye(3))) - start
    source, order = volume.float() - fill, 0 if whole else order
    if np.abs(step - np.diag(np.diag(step))).max() * max(shape) < ALIGNED:
        axes = zip(start, np.diag(step), shape, _space(volume), strict=True)
        matrices = [sampling(a + b * np.arange(new), old, order).to(volume.device) for a, b, new, old in axes]
        sampled = along(source, matrices) + fill
    else:
        sampled = _obliquely(source, start, step, shape, order) + fill
    return sampled.round().to(volume.dtype) if whole else sampled


def _obliquely(source: Tensor, start: np.ndarray, step: np.ndarray, shape: Shape, order: int) -> Tensor:
    """(C, *shape): each voxel's own place is computed, slab by slab."""
    mode = "bilinear" if order else "nearest"
    rows = max(1, CHUNK // (shape[1] * shape[2]))
    slabs = []
    for first in range(0, shape[0], rows):
        grid = _grid(start, step, (first, min(first + rows, shape[0])), shape, _space(source))
        slabs.append(functional.grid_sample(source[None], grid.to(source.device), mode=mode, align_corners=False)[0])
    return torch.cat(slabs, dim=1)


def _grid(start: np.ndarray, step: np.ndarray, rows: tuple[int, int], shape: Shape, size: Shape) -> Tensor:
    """(1, rows, Y, X, 3) sampling positions as grid_sample wants them: (x, y, z), faces of the box at -1 and 1."""
    z, y, x = np.arange(*rows), np.arange(shape[1]), np.arange(shape[2])
    place = start + z[:, None, None, None] * step[0] + y[:, None, None] * step[1] + x[:, None] * step[2]
    scaled = (2 * place + 1) / np.asarray(size, dtype=np.float64) - 1
    return torch.from_numpy(np.ascontiguousarray(scaled[None, ..., ::-1], dtype=np.float32))


def _space(volume: Tensor) -> Shape:
    z, y, x = volume.shape[-3:]
    return z, y, x
