"""Axes of images as other programs order them: letters say towards what an axis rises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.errors import BadUsage

ALONG = ("ZSI", "YPA", "XLR")
"""Letters of the axes z, y, x of our arrays: the bare axis, towards which it rises, and the other way."""
FLAT, DEEP = "YX", "SPL"
"""Our own order, of pictures and of volumes."""


def places(axes: str) -> tuple[int, ...]:
    """Which of our axes (0 is z) each axis of a file is.

    Raises:
        BadUsage: When the letters do not name two or three different axes.
    """
    found = tuple(next((place for place, letters in enumerate(ALONG) if one in letters), -1) for one in axes)
    if sorted(found) not in ([1, 2], [0, 1, 2]):
        raise BadUsage(
            "axes are named by a letter each: YX or XY of pictures; of volumes towards what they rise, as SPL or RAS",
            given=repr(axes),
            todo="S head, I feet, P back, A front, L left, R right; Z, Y, X where images know no directions",
        )
    return found


def flipped(axes: str) -> tuple[bool, ...]:
    """Which axes of a file run the other way than ours."""
    return tuple(one == ALONG[place][2] for one, place in zip(axes, places(axes), strict=True))


def ours(values: Sequence[Any], axes: str, missing: Any) -> list[Any]:
    """Numbers of the axes of a file in our order (z, y, x); `missing` for the z of pictures."""
    found = [missing] * 3
    for value, place in zip(values, places(axes), strict=True):
        found[place] = value
    return found


def arranged(images: npt.NDArray[Any], axes: str, channels_last: bool) -> npt.NDArray[Any]:
    """(B, C, Z, Y, X) in the order of a file: (B, C, ...), or (B, ..., C)."""
    order = places(axes)
    if len(order) == 2:
        images = images[:, :, 0]
        order = tuple(place - 1 for place in order)
    turned = images.transpose(0, 1, *(2 + place for place in order))
    turned = turned[
        (slice(None), slice(None), *(slice(None, None, -1) if flip else slice(None) for flip in flipped(axes)))
    ]
    return np.ascontiguousarray(np.moveaxis(turned, 1, -1) if channels_last else turned)
