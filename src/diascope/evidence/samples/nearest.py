"""Distances between many points, and the nearest of a set."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from diascope.evidence.resampling import codes_of

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
ROWS = 256
"""Points whose distances to a whole set are held at once."""
CROWD = 50
"""Patients that say how far apart points are around here (Carlini et al. 2023, arXiv:2301.13188)."""


@dataclass(frozen=True)
class Nearest:
    """The nearest reference of each of N points.

    Args:
        index: (N,) which one.
        distance: (N,) Euclidean.
        relative: (N,) the same as a share of the mean distance to the next `CROWD` patients: 0 is a copy, about 1 a
            point that is no nearer to one of them than to many. A blurred picture is near to all of them, and its share
            stays large.
    """

    index: Indices
    distance: Floats
    relative: Floats


def distances(points: Floats, others: Floats) -> Floats:
    """Euclidean distances (N, M) between points (N, D) and (M, D)."""
    squares = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] - 2 * points @ others.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def nearest(points: Floats, references: Floats, copies: int = 1, patients: Sequence[Hashable] | None = None) -> Nearest:
    """The nearest reference of each point.

    Args:
        points: (N, D).
        references: (M, D).
        copies: Of each reference, one after the other (a picture and its mirror image).
        patients: (M / copies,) whose each reference is: many pictures of one patient are near to each other, and a copy
            of one of them is near to all. Without it each is of its own.
    """
    codes = codes_of(range(len(references) // copies) if patients is None else patients)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    found = [_nearest(some, references, copies, (order, starts)) for some in _parts(points)]
    index, distance, relative = (np.concatenate(column) for column in zip(*found, strict=True))
    return Nearest(index, distance, relative)


def _nearest(
    points: Floats, references: Floats, copies: int, of_patient: tuple[Indices, Indices]
) -> tuple[Indices, Floats, Floats]:
    apart = distances(points, references).reshape(len(points), len(references) // copies, copies).min(axis=2)
    index = apart.argmin(axis=1)
    distance = apart[np.arange(len(points)), index]
    order, starts = of_patient
    crowd = np.sort(np.minimum.reduceat(apart[:, order], starts, axis=1), axis=1)[:, 1 : CROWD + 1]
    usual = crowd.mean(axis=1) if crowd.shape[1] else distance
    return index, distance, distance / np.maximum(usual, 1e-12)


def _parts(points: Floats) -> Iterator[Floats]:
    return (points[start : start + ROWS] for start in range(0, max(1, len(points)), ROWS))
