"""Boxes in an image: what is where, as it is drawn by people or said by a model.

One convention. A box is its start and its stop along (z, y, x), in voxels of the image as it was read, counted at the
*faces* of voxels: voxel i reaches from i to i + 1, and a box around voxels 3, 4 and 5 reaches from 3 to 6 (half-open,
as `Place` in `core/finding.py`). A flat image is one voxel deep: its boxes reach from 0 to 1 along z. The centre of
voxel i, where `Geometry` counts from, lies at i + 1/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from diascope.core.record import Record

Corners = tuple[float, float, float, float, float, float]
Array = npt.NDArray[np.float64]
DIGITS = 3
"""Of a voxel: what is written of a place."""


class Boxes(Record):
    """The boxes of one image, held in the manifest itself; none is a statement as well: there is nothing."""

    kind: Literal["boxes"] = "boxes"
    corners: tuple[Corners, ...] = ()
    """Start (z, y, x) and stop (z, y, x) of each, in voxels counted at their faces."""
    labels: tuple[str, ...] = ()
    """Name of the label of each."""
    ignored: tuple[int, ...] = ()
    """Which of them are neither learnt nor scored (difficult, a crowd): their numbers, from 0."""
    scores: tuple[float, ...] = ()
    """How sure a model is of each, 0 to 1; empty where people drew them."""

    @model_validator(mode="after")
    def _lengths_fit(self) -> Self:
        if len(self.labels) != len(self.corners) or (self.scores and len(self.scores) != len(self.corners)):
            raise ValueError(f"{len(self.corners)} boxes, {len(self.labels)} labels, {len(self.scores)} scores")
        if any(not 0 <= number < len(self.corners) for number in self.ignored):
            raise ValueError("a box that is to be ignored does not exist")
        return self

    @classmethod
    def of(
        cls, corners: npt.ArrayLike, labels: Sequence[str], ignored: Sequence[int] = (), scores: Sequence[float] = ()
    ) -> Self:
        """Build from an array (N, 6)."""
        rows = np.round(np.asarray(corners, np.float64).reshape(-1, 6), DIGITS).tolist()
        return cls(
            corners=tuple((a, b, c, d, e, f) for a, b, c, d, e, f in rows),
            labels=tuple(labels),
            ignored=tuple(int(number) for number in ignored),
            scores=tuple(float(score) for score in scores),
        )

    @property
    def array(self) -> Array:
        """(N, 6) start and stop (z, y, x)."""
        return np.array(self.corners, np.float64).reshape(-1, 6)

    def chosen(self, numbers: Sequence[int]) -> Boxes:
        """Some of the boxes, in that order."""
        kept = {int(number): place for place, number in enumerate(numbers)}
        return Boxes(
            corners=tuple(self.corners[number] for number in kept),
            labels=tuple(self.labels[number] for number in kept),
            ignored=tuple(kept[number] for number in self.ignored if number in kept),
            scores=tuple(self.scores[number] for number in kept) if self.scores else (),
        )

    def without_extent(self) -> tuple[int, ...]:
        """Numbers of boxes that enclose nothing: a stop that does not lie behind its start."""
        return tuple(n for n, box in enumerate(self.corners) if not all(box[a] < box[a + 3] for a in range(3)))

    def outside(self, shape: tuple[int, int, int]) -> tuple[int, ...]:
        """Numbers of boxes with extent that lie wholly outside of an image of (Z, Y, X)."""
        empty = set(self.without_extent())
        clipped = _clipped(self.array, shape)
        gone = ~(clipped[:, :3] < clipped[:, 3:]).all(axis=1)
        return tuple(n for n in np.flatnonzero(gone).tolist() if n not in empty)

    def reaching_out(self, shape: tuple[int, int, int]) -> tuple[int, ...]:
        """Numbers of boxes that lie partly outside of an image of (Z, Y, X), by more than a voxel."""
        away = np.abs(_clipped(self.array, shape) - self.array).max(axis=1) > 1 if self.corners else np.zeros(0, bool)
        left_out = {*self.without_extent(), *self.outside(shape)}
        return tuple(n for n in np.flatnonzero(away).tolist() if n not in left_out)

    def drawn_twice(self) -> tuple[int, ...]:
        """Numbers of boxes that repeat an earlier one, corners and label alike."""
        seen: set[tuple[Corners, str]] = set()
        found = []
        for number, key in enumerate(zip(self.corners, self.labels, strict=True)):
            if key in seen:
                found.append(number)
            seen.add(key)
        return tuple(found)

    def usable(self, shape: tuple[int, int, int]) -> Boxes:
        """What can be learnt and scored in an image of (Z, Y, X): inside of it, with extent, each drawn once."""
        left_out = {*self.without_extent(), *self.outside(shape), *self.drawn_twice()}
        kept = self.chosen([number for number in range(len(self.corners)) if number not in left_out])
        return Boxes.of(_clipped(kept.array, shape), kept.labels, kept.ignored, kept.scores)

    def moved(self, matrix: Array) -> Boxes:
        """The boxes around where these go.

        Args:
            matrix: (4, 4) takes a homogeneous voxel index (z, y, x, 1), which counts from centres, to another one.
        """
        return Boxes.of(moved_corners(self.array, matrix), self.labels, self.ignored, self.scores)


def moved_corners(corners: Array, matrix: Array) -> Array:
    """Boxes (N, 6) around where boxes (N, 6) go by an affine map of voxel indices (4, 4)."""
    if not len(corners):
        return corners
    ends = np.stack([corners[:, :3], corners[:, 3:]], axis=1) - 0.5
    picks = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    points = ends[:, picks, np.arange(3)]
    there = points @ matrix[:3, :3].T + matrix[:3, 3] + 0.5
    return np.concatenate([there.min(axis=1), there.max(axis=1)], axis=1)


def _clipped(corners: Array, shape: tuple[int, int, int]) -> Array:
    return np.clip(corners, 0, np.tile(np.asarray(shape, np.float64), 2))
