"""Rotation, scaling, shear, translation and elastic deformation in one resampling.

The sampling positions are a cubic B-spline of a coarse grid of control points. Such a spline reproduces linear
functions exactly, so the affine part is put into the control points as well, and the dense grid costs three small
matrix products.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from diascope.transforms import Params
from diascope.transforms.augmentation.draws import Floats, between, chance, where_drawn
from diascope.transforms.resampling.matrices import basis

Shape = tuple[int, int, int]
ROUNDS = 6
"""Of the fixed point by which an elastic map is turned around; each makes the error smaller by the field's slope."""


class AffineElastic:
    """Moves voxels. Lengths are millimetres of the working grid: `spacing` (z, y, x), default 1.

    Params: `probability` that each part is used (0.2); `rotation` largest angle in degrees, one or one for each axis
    (z, y, x) turned about (30); `scale` [lowest, highest] magnification ([0.7, 1.4]); `shear` largest tangent (0);
    `translation` largest shift in mm (0); `elastic` standard deviation of the control points in mm (0); `distance`
    between control points in mm (16). Flat images (Z = 1) move in their plane. Beyond the border its values continue.
    """

    scope: Literal["batch"] = "batch"
    spatial = True

    def draw(self, rng: np.random.Generator, count: int, shape: Shape, params: Params) -> Params:
        probability, spacing = params.get("probability", 0.2), np.asarray(params.get("spacing", (1.0, 1.0, 1.0)))
        free = np.asarray(shape) > 1
        parts = {name: chance(rng, count, probability) for name in ("rotation", "scale", "shear", "translation")}
        matrix = _rotations(_angles(rng, count, free, params) * parts["rotation"][:, None])
        magnified = np.where(parts["scale"], between(rng, count, params.get("scale", (0.7, 1.4))), 1.0)
        matrix = matrix / np.where(free, magnified[:, None], 1.0)[:, None, :]
        slant = np.triu(rng.uniform(-1, 1, (count, 3, 3)), 1) * params.get("shear", 0.0) * np.outer(free, free)
        matrix = matrix @ (np.eye(3) + slant * parts["shear"][:, None, None])
        shift = rng.uniform(-1, 1, (count, 3)) * params.get("translation", 0.0) * free / spacing
        elastic = chance(rng, count, probability if params.get("elastic", 0.0) else 0.0)
        cells = np.maximum(1, np.round(np.asarray(shape) * spacing / params.get("distance", 16.0)).astype(int))
        field = rng.normal(size=(count, *(cells + 3), 3)) * params.get("elastic", 0.0) * free / spacing
        return {
            "on": np.any([*parts.values(), elastic], axis=0),
            "matrix": matrix / spacing[:, None] * spacing,
            "shift": shift * parts["translation"][:, None],
            "field": (field * elastic[:, None, None, None, None]).astype(np.float32),
        }

    def apply(self, images: Tensor, masks: Tensor | None, drawn: Params) -> tuple[Tensor, Tensor | None]:
        rows = np.flatnonzero(drawn["on"])
        if not len(rows):
            return images, masks
        z, y, x = images.shape[2:]
        grid = _grid((z, y, x), *(drawn[key][rows] for key in ("matrix", "shift", "field"))).to(images.device)

        def sample(some: Tensor, mode: str) -> Tensor:
            return functional.grid_sample(some, grid, mode=mode, padding_mode="border", align_corners=False)

        moved = where_drawn(images, drawn["on"], lambda some, _: sample(some, "bilinear"))
        if masks is None:
            return moved, None
        return moved, where_drawn(masks, drawn["on"], lambda some, _: sample(some.float(), "nearest").round())

    def move(self, points: Floats, shape: Shape, drawn: Params) -> Floats:
        rows = np.flatnonzero(drawn["on"])
        found, half = np.array(points, np.float64), np.asarray(shape, np.float64) / 2
        for row in rows:
            back, field = np.linalg.inv(drawn["matrix"][row]), drawn["field"][row]
            from_centre = found[row] - half - drawn["shift"][row]
            place = from_centre @ back.T
            for _ in range(ROUNDS if field.any() else 0):
                place = (from_centre - _displacement(place + half, shape, field)) @ back.T
            found[row] = place + half
        return found


def _displacement(points: Floats, shape: Shape, field: npt.NDArray[Any]) -> Floats:
    """(N, 3) voxels by which the control points (cells + 3 along z, y, x, 3) move points (N, 3)."""
    cells = np.asarray(field.shape[:3]) - 3
    inside = np.clip(points / np.asarray(shape, np.float64), 0, 1) * cells + 1
    z, y, x = (basis(inside[:, axis], field.shape[axis]) for axis in range(3))
    return np.asarray(np.einsum("nz,ny,nx,zyxc->nc", z, y, x, field, optimize=True))


def _angles(rng: np.random.Generator, count: int, free: npt.NDArray[np.bool_], params: Params) -> Floats:
    """(count, 3) radians about (z, y, x); a flat image turns about z only."""
    largest = np.broadcast_to(np.asarray(params.get("rotation", 30.0), dtype=np.float64), 3)
    turnable = free[[1, 0, 0]] & free[[2, 2, 1]]
    return np.deg2rad(rng.uniform(-1, 1, (count, 3)) * largest * turnable)


def _rotations(angles: Floats) -> Floats:
    """(count, 3) angles about (z, y, x) to (count, 3, 3) rotations of (z, y, x) vectors."""
    result = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for axis, (first, second) in enumerate(((1, 2), (0, 2), (0, 1))):
        turn = np.broadcast_to(np.eye(3), (len(angles), 3, 3)).copy()
        turn[:, first, first] = turn[:, second, second] = np.cos(angles[:, axis])
        turn[:, first, second] = -np.sin(angles[:, axis])
        turn[:, second, first] = np.sin(angles[:, axis])
        result = result @ turn
    return result


def _grid(shape: Shape, matrix: Floats, shift: Floats, field: npt.NDArray[Any]) -> Tensor:
    """Where to sample, as `grid_sample` wants it.

    Args:
        shape: (Z, Y, X) of image and result.
        matrix: (N, 3, 3), offset from the centre in the result to that in the image, voxels (z, y, x).
        shift: (N, 3) voxels.
        field: (N, cells + 3 along z, y, x, 3) displacement of the control points, voxels.

    Returns:
        (N, Z, Y, X, 3) float32 as (x, y, z), faces of the box at -1 and 1.
    """
    size = np.asarray(shape, dtype=np.float64)
    cells = np.asarray(field.shape[1:4]) - 3
    axes = [(np.arange(n + 3) - 1) * edge / n for n, edge in zip(cells, size, strict=True)]
    place = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) - size / 2
    moved = np.einsum("nij,zyxj->nzyxi", matrix, place) + shift[:, None, None, None] + field
    control = torch.from_numpy((moved * (2 / size))[..., ::-1].astype(np.float32))
    z, y, x = (
        basis((np.arange(edge) + 0.5) * n / edge + 1, n + 3).astype(np.float32)
        for n, edge in zip(cells.tolist(), shape, strict=True)
    )
    dense = torch.from_numpy(z) @ control.flatten(2)
    dense = torch.from_numpy(y) @ dense.reshape(len(matrix), shape[0], y.shape[1], -1)
    dense = dense.flatten(0, 2) @ torch.from_numpy(np.kron(x.T, np.eye(3, dtype=np.float32)))
    return dense.reshape(len(matrix), *shape, 3)


TRANSFORM = AffineElastic()
