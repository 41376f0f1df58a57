"""Distances between many points, and the nearest of a set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
ROWS = 256
"""Points whose distances to a whole set are held at once."""
CROWD = 50
"""Neighbours that say how far apart points are around here (Carlini et al. 2023, arXiv:2301.13188)."""


@dataclass(frozen=True)
class Nearest:
    """The nearest reference of each of N points.

    Args:
        index: (N,) which one.
        distance: (N,) Euclidean.
        relative: (N,) the same as a share of the mean distance to the next `CROWD` references: 0 is a copy, about 1 a
            point that is no nearer to one reference than to many. A blurred picture is near to all of them, and its
            share stays large.
    """

    index: npt.NDArray[np.intp]
    distance: Floats
    relative: Floats


def distances(points: Floats, others: Floats) -> Floats:
    """Euclidean distances (N, M) between points (N, D) and (M, D)."""
    squares = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] - 2 * points @ others.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def nearest(points: Floats, references: Floats, copies: int = 1) -> Nearest:
    """The nearest reference of each point.

    Args:
        points: (N, D).
        references: (M, D).
        copies: Of each reference, one after the other (a picture and its mirror image): the crowd begins after them.
    """
    found = [_nearest(some, references, copies) for some in _parts(points)]
    index, distance, relative = (np.concatenate(column) for column in zip(*found, strict=True))
    return Nearest(index, distance, relative)


def _nearest(points: Floats, references: Floats, copies: int) -> tuple[npt.NDArray[np.intp], Floats, Floats]:
    apart = distances(points, references).reshape(len(points), len(references) // copies, copies).min(axis=2)
    index = apart.argmin(axis=1)
    distance = apart[np.arange(len(points)), index]
    crowd = np.sort(apart, axis=1)[:, 1 : CROWD + 1]
    usual = crowd.mean(axis=1) if crowd.shape[1] else distance
    return index, distance, distance / np.maximum(usual, 1e-12)


def _parts(points: Floats) -> Iterator[Floats]:
    return (points[start : start + ROWS] for start in range(0, max(1, len(points)), ROWS))
