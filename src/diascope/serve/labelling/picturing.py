"""What a series looks like in a few hundred numbers, where no release says it: an honest descriptor, no network.

Of up to three frames (at a quarter, the middle and three quarters of the series), in the window that a viewer shows
first:

- a thumbnail of 16 × 16, the mean of each field, less its own mean: what lies where;
- the share of pixels at 16 levels of grey: how bright, how much air;
- directions of edges in 4 × 4 fields, 8 directions each (Dalal and Triggs 2005): what shapes.

Each of the three has length 1; they are put in a row, the frames' rows are averaged, and the whole has length 1 again.
Two series are alike where the product of their vectors is near 1. It knows nothing of medicine: it tells a chest from a
hand, one protocol from another, and not a nodule from none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from diascope.modalities import Window

MADE_BY = "frames-16@1"
"""Name and version of what is described here: vectors of another version are made anew."""

FIELDS = 16
"""Along each side of the thumbnail."""
LEVELS = 16
EDGE_SIDE, EDGE_FIELDS, DIRECTIONS = 64, 4, 8
FRAMES = 3
LENGTH = FIELDS**2 + LEVELS + EDGE_FIELDS**2 * DIRECTIONS

Floats = npt.NDArray[np.float64]


def places(count: int) -> list[int]:
    """Which frames of `count` are described, from 0."""
    return sorted({count * part // (FRAMES + 1) for part in range(1, FRAMES + 1)})


def described(frames: Sequence[npt.NDArray[np.generic]], window: Window) -> Floats:
    """The descriptor of a series.

    Args:
        frames: (rows, columns) or (rows, columns, 3) each.
        window: In the unit of the values.

    Returns:
        (LENGTH,), of length 1; empty where the frames say nothing (of one value, not finite).
    """
    rows = np.mean([_frame(_grey(one, window)) for one in frames], axis=0)
    return _unit(rows) if np.linalg.norm(rows) > 0 else np.zeros(0)


def _grey(frame: npt.NDArray[np.generic], window: Window) -> Floats:
    """0 (black) to 1 (white)."""
    values = np.nan_to_num(frame.astype(np.float64), posinf=window.centre, neginf=window.centre, nan=window.centre)
    values = values.mean(axis=2) if values.ndim == 3 else values
    return np.clip((values - window.centre) / max(window.width, 1e-12) + 0.5, 0, 1)


def _frame(grey: Floats) -> Floats:
    small = _shrunk(grey, FIELDS)
    counts = np.histogram(grey, LEVELS, (0, 1))[0] / grey.size
    if grey.max() == grey.min():
        return np.zeros(LENGTH)
    return np.concatenate([_unit((small - small.mean()).ravel()), _unit(np.sqrt(counts)), _unit(_edges(grey))])


def _shrunk(grey: Floats, side: int) -> Floats:
    """(side, side): the mean of each field; a picture that is smaller is repeated first."""
    for axis in (0, 1):
        if grey.shape[axis] < side:
            grey = np.repeat(grey, -(-side // grey.shape[axis]), axis=axis)
        edges = np.linspace(0, grey.shape[axis], side + 1).astype(np.intp)
        sums = np.add.reduceat(grey, edges[:-1], axis=axis)
        shape = [1, 1]
        shape[axis] = side
        grey = sums / np.diff(edges).reshape(shape)
    return grey


def _edges(grey: Floats) -> Floats:
    """(EDGE_FIELDS² × DIRECTIONS,) how much edge of each direction there is in each field."""
    small = _shrunk(grey, EDGE_SIDE)
    down, right = np.gradient(small)
    strength, angle = np.hypot(down, right), np.arctan2(down, right) % np.pi
    direction = np.minimum((angle / np.pi * DIRECTIONS).astype(np.intp), DIRECTIONS - 1)
    at = np.arange(EDGE_SIDE) * EDGE_FIELDS // EDGE_SIDE
    field = at[:, None] * EDGE_FIELDS + at[None, :]
    sums = np.bincount((field * DIRECTIONS + direction).ravel(), strength.ravel(), EDGE_FIELDS**2 * DIRECTIONS)
    return np.sqrt(sums)


def _unit(row: Floats) -> Floats:
    length = float(np.linalg.norm(row))
    return row / length if length > 0 else row
