"""Contact sheets: many small pictures as one, real ones beside made ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from diascope.core.figure import Picture
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.reports.pictures import slice_picture
from diascope.tasks.sampling.spaces import Bytes

WIDE = 4
"""Pictures in a row: the page shows figures in squares."""
GAP = 2
"""Pixels between pictures."""
WHITE = 255


def sheet(above: Bytes, below: Bytes, caption: str) -> Picture:
    """Pairs of pictures, one above the other, four pairs in a row; both (N, C, Y, X) of at least one pair."""
    pairs = [(above[at : at + WIDE], below[at : at + WIDE]) for at in range(0, len(above), WIDE)]
    lines = [_line(row, min(WIDE, len(above))) for pair in pairs for row in pair]
    gap = np.full((lines[0].shape[0], GAP, lines[0].shape[2]), WHITE, np.uint8)
    parts = [part for line in lines for part in (line, gap)][:-1]
    whole = np.concatenate(parts, axis=1)[:, None]
    return slice_picture(Image(whole, Geometry.unknown(), unit="grey"), caption=caption)


def _line(row: Bytes, wide: int) -> npt.NDArray[np.uint8]:
    """(C, Y, X) of pictures side by side, filled up with white."""
    count, channels, height, width = row.shape
    blank = np.full((wide - count, channels, height, width), WHITE, np.uint8)
    padded = np.pad(np.concatenate([row, blank]), ((0, 0), (0, 0), (0, 0), (0, GAP)), constant_values=WHITE)
    return np.asarray(padded.transpose(1, 2, 0, 3).reshape(channels, height, -1)[..., :-GAP])


def spread(count: int, most: int) -> list[int]:
    """At most so many places, spread evenly over `count`."""
    return [int(place) for place in np.linspace(0, count - 1, min(count, most)).round()] if count else []
