"""Contours in millimetres as labels on the grid of a series: a voxel belongs where its centre is inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from diascope.core.errors import UnsoundGeometry
from diascope.core.geometry import Geometry

Points = npt.NDArray[np.float64]

BESIDE = 0.5
"""Slices by which a point may lie beside the plane of its slice."""

EXACT = 6
"""Decimals of a voxel to which positions are taken as they are."""

ONE_PLANE = 0.1
"""Slices by which contours of one region that fall on one slice may differ in height."""


def on_slices(
    contours: Sequence[Points], geometry: Geometry, shape: tuple[int, int, int], name: str
) -> dict[int, list[Points]]:
    """Which slice each contour lies on, and where.

    Args:
        contours: Each (N, 3): points (x, y, z) in mm.
        geometry: Of the series.
        shape: (Z, Y, X) of the series.
        name: Of the region of interest, for the error.

    Returns:
        Slice to contours (N, 2): row and column, in voxels.

    Raises:
        UnsoundGeometry: When a contour lies on no slice, or two at different heights lie on one; names the region.
    """
    found: dict[int, list[Points]] = {}
    heights: dict[int, float] = {}
    for points in contours:
        place = geometry.to_voxel(points)
        height = float(place[:, 0].mean())
        number = int(np.clip(np.rint(height), 0, shape[0] - 1)) if np.isfinite(height) else 0
        beside = np.abs(place[:, 0] - number).max()
        if not beside <= BESIDE + 1e-6:
            raise UnsoundGeometry(
                f"a contour of the region {name!r} lies on no slice of the series",
                given=f"points at {place[:, 0].min():.2f} to {place[:, 0].max():.2f} of slices 0 to {shape[0] - 1}",
                todo="Is this the series that it was drawn on? Export series and structure set together",
            )
        if abs(heights.setdefault(number, height) - height) > ONE_PLANE:
            raise UnsoundGeometry(
                f"contours of the region {name!r} at different heights fall on one slice ({number})",
                given=f"{heights[number]:.2f} and {height:.2f} slices",
                todo="It was drawn on thinner slices: give the series that it was drawn on",
            )
        # Many programs draw through the centres of voxels: rounding of floats must not decide which of them belong.
        found.setdefault(number, []).append(np.round(place[:, 1:], EXACT))
    return found


def fill(contours: Sequence[Points], shape: tuple[int, int]) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
    """The pixels whose centres are inside, by the even-odd rule over all contours together.

    So a contour within another is a hole, and so is what a keyhole contour goes around. A centre that lies exactly on
    a contour belongs where the area lies at growing row or column index, so that contours side by side share no pixel.

    Args:
        contours: Each (N, 2): row and column of the corners, in pixels; closed from the last to the first.
        shape: Rows and columns of the slice.

    Returns:
        The box that holds every such pixel, and the pixels in it.
    """
    starts = np.concatenate(contours)
    ends = np.concatenate([np.roll(one, -1, axis=0) for one in contours])
    # Each edge from its lower row on: the two sides of a keyhole's slit must give the very same numbers.
    turned = (starts[:, 0] > ends[:, 0])[:, None]
    low, high = np.where(turned, ends, starts), np.where(turned, starts, ends)
    (top, left), (bottom, right) = (
        np.clip(np.ceil(side), 0, shape).astype(np.intp) for side in (starts.min(axis=0), starts.max(axis=0))
    )
    first = np.clip(np.ceil(low[:, 0]), top, bottom).astype(np.intp)
    count = np.clip(np.ceil(high[:, 0]), top, bottom).astype(np.intp) - first
    edge = np.repeat(np.arange(len(low)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    share = (row - low[edge, 0]) / (high[edge, 0] - low[edge, 0])
    column = low[edge, 1] + share * (high[edge, 1] - low[edge, 1])
    width = right - left + 1
    at = np.clip(np.ceil(np.round(column, EXACT + 3)), left, right).astype(np.intp) - left
    crossings = np.bincount((row - top) * width + at, minlength=(bottom - top) * width).reshape(bottom - top, width)
    inside = np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1
    return (slice(top, bottom), slice(left, right)), inside
