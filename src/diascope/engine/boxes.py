"""Boxes on the way to a network: brought to the working grid, stacked, moved along with the images.

As arrays they are rows of 8: start and stop (z, y, x) in voxels of the grid, counted at their faces; the number of the
label; 1 where the box is to be ignored. Rows of nan are padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.boxes import Boxes
from diascope.core.case import Case, Target
from diascope.core.errors import BadUsage
from diascope.core.geometry import Geometry
from diascope.transforms import BatchTransform, Params, SpatialTransform

COLUMNS = 8
LEAST_SEEN = 0.4
"""Share of a box that must be left in the image for it to be one; less of it is ignored."""
Rows = npt.NDArray[np.float32]
Shape = tuple[int, int, int]


def with_boxes(case: Case, target: Target, stored: tuple[Geometry, Shape], grid: tuple[Geometry, Shape]) -> Case:
    """The case with its boxes as they lie on another grid of its image.

    What no network can learn and nobody should be measured by stays behind: boxes without extent, outside of the image,
    or drawn twice. The data check says which they are.

    Args:
        case: With boxes on the grid of the image as it was read.
        target: Which columns hold boxes.
        stored: Geometry and (Z, Y, X) of the image as it was read.
        grid: Geometry and (Z, Y, X) of the grid.
    """
    moved: dict[str, Any] = {}
    for column in target.columns:
        boxes = case.targets.get(column)
        if isinstance(boxes, Boxes):
            usable = boxes.usable(stored[1])
            same = stored[0] is grid[0]
            moved[column] = usable if same else usable.moved(stored[0].index_map(grid[0])).usable(grid[1])
    return case.model_copy(update={"targets": {**case.targets, **moved}}) if moved else case


def as_rows(boxes: Boxes, numbers: dict[str, int]) -> Rows:
    """(N, 8) of the boxes whose labels have a number."""
    known = [place for place, label in enumerate(boxes.labels) if label in numbers]
    rows = np.zeros((len(known), COLUMNS), np.float32)
    rows[:, :6] = boxes.array[known]
    rows[:, 6] = [numbers[boxes.labels[place]] for place in known]
    rows[:, 7] = [place in boxes.ignored for place in known]
    return rows


def middle_of_one(boxes: Rows, rng: np.random.Generator) -> tuple[int, ...] | None:
    """The voxel in the middle of a random box (N, 8) of a random label; None where there is no box to learn."""
    real = boxes[boxes[:, 7] == 0]
    if not len(real):
        return None
    one = rng.choice(real[real[:, 6] == rng.choice(np.unique(real[:, 6]))])
    return tuple(int(value) for value in (one[:3] + one[3:6]) / 2)


def stacked(cases: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Arrays of one shape but for their first axis, as one array: the shorter ones end in nan."""
    longest = max(len(one) for one in cases)
    found = np.full((len(cases), longest, *cases[0].shape[1:]), np.nan, cases[0].dtype)
    for number, one in enumerate(cases):
        found[number, : len(one)] = one
    return found


def moved(boxes: Rows, transform: BatchTransform, drawn: Params, shape: Shape) -> Rows:
    """Boxes (B, M, 8) around where what they hold goes.

    The box of a turned box would be too large: what people draw boxes around is roundish, so that the ellipsoid inside
    is turned. It is that of the six middles of the faces, and exact for every affine map.

    Raises:
        BadUsage: When the transform moves voxels and does not say where points go.
    """
    if not transform.spatial or not boxes.shape[1]:
        return boxes
    if not isinstance(transform, SpatialTransform):
        raise BadUsage(
            "this augmentation moves voxels, and cannot say where boxes go",
            given=type(transform).__name__,
            todo="Give it a method `move` (SpatialTransform), or leave it out of the recipe",
        )
    known = np.isfinite(boxes[..., 0])
    corners = np.where(known[..., None], boxes[..., :6], 0.0).astype(np.float64)
    middle, half = (corners[..., :3] + corners[..., 3:]) / 2, (corners[..., 3:] - corners[..., :3]) / 2
    reach = half[..., None, :] * np.eye(3)
    faces = np.concatenate([middle[..., None, :] - reach, middle[..., None, :] + reach], axis=-2)
    there = transform.move(faces.reshape(len(boxes), -1, 3), shape, drawn).reshape(*faces.shape)
    low, high = there[..., :3, :], there[..., 3:, :]
    centre = (low + high).mean(axis=-2) / 2
    extent = np.sqrt((((high - low) / 2) ** 2).sum(axis=-2))
    found = boxes.copy()
    found[..., :6] = np.where(known[..., None], np.concatenate([centre - extent, centre + extent], axis=-1), np.nan)
    return found


def seen(boxes: Rows, shape: Shape) -> Rows:
    """Boxes (B, M, 8) cut to what an image of (Z, Y, X) shows: one that is mostly outside is to be ignored."""
    size = np.tile(np.asarray(shape, np.float32), 2)
    inside = np.clip(boxes[..., :6], 0, size)
    whole, left = (np.prod(np.maximum(one[..., 3:] - one[..., :3], 0), axis=-1) for one in (boxes[..., :6], inside))
    share = np.divide(left, whole, out=np.zeros_like(left), where=whole > 0)
    found = boxes.copy()
    found[..., :6] = inside
    found[..., 7] = np.where(share < LEAST_SEEN, 1.0, boxes[..., 7])
    found[share <= 0] = np.nan
    return found
