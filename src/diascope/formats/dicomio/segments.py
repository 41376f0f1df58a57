"""The frames of a DICOM SEG as one label image on a regular grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.errors import UnreadableFile, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.formats.dicomio.decoder import Job, decoder
from diascope.formats.dicomio.headers import Instance, Plane
from diascope.formats.dicomio.stack import axes_of

TOLERANCE = 0.1
"""A frame may lie this fraction of the slice spacing off the grid (positions are rounded in many headers)."""


def label_image(one: Instance, wanted: int | None) -> tuple[npt.NDArray[Any], Geometry, tuple[str, ...]]:
    """Decode a SEG.

    Args:
        one: Its header.
        wanted: A segment number, or None for all.

    Returns:
        Labels (Z, Y, X), where they lie, and what the user should know.

    Raises:
        UnreadableFile: When it cannot be decoded, or has no frame of the wanted segment.
        UnsoundGeometry: When the frames do not lie on one grid.
    """
    planes = one.planes
    if len(planes) != one.frames or one.tiled:
        raise UnreadableFile(one.path, "a tiled SEG, or one without a place for each frame, is not read")
    at, depth, geometry = _grid(one)
    use = [k for k, plane in enumerate(planes) if wanted is None or plane.segment in (wanted, None)]
    if not use and wanted is not None and wanted not in {segment.number for segment in one.segments}:
        raise UnreadableFile(one.path, f"no segment {wanted}", todo="Choose one of its segments")
    labels = np.zeros((depth, one.rows, one.columns), dtype=np.uint8 if _largest(one) < 256 else np.uint16)
    if not use:
        return labels, geometry, ()
    frames = _decoded(one, use)
    if one.segmentation_type == "LABELMAP":
        for k, frame in zip(use, frames, strict=True):
            labels[at[k]] = frame if wanted is None else np.where(frame == wanted, frame, 0)
        return labels, geometry, ()
    order = sorted(range(len(use)), key=lambda n: planes[use[n]].segment or 0)
    shared = 0
    for n in order:
        k = use[n]
        inside = frames[n] > (0.5 * one.largest_fraction if one.segmentation_type == "FRACTIONAL" else 0)
        target = labels[at[k]]
        shared += int(np.count_nonzero(target[inside]))
        target[inside] = planes[k].segment or 0
    note = f"segments overlap in {shared} voxels: there, the higher segment number was taken"
    return labels, geometry, (note,) if shared else ()


def nested_image(one: Instance) -> tuple[npt.NDArray[Any], Geometry, dict[int, tuple[int, ...]]]:
    """Decode a SEG whose segments may lie in one another, as regions do: the innermost one is on top.

    A voxel that several segments hold has the number of the smallest of them. What is hidden so is no loss where they
    are nested: a segment is its own voxels and those of the segments within it.

    Args:
        one: Its header.

    Returns:
        Labels (Z, Y, X), where they lie, and for each segment number those that it lies within.

    Raises:
        UnreadableFile: When it cannot be decoded.
        UnsoundGeometry: When the frames do not lie on one grid.
    """
    if one.segmentation_type != "BINARY" or len(one.planes) != one.frames or one.tiled:
        labels, geometry, _ = label_image(one, None)
        return labels, geometry, {}
    at, depth, geometry = _grid(one)
    frames = _decoded(one, range(one.frames)) > 0
    members: dict[int, list[int]] = {}
    for k, plane in enumerate(one.planes):
        members.setdefault(plane.segment or 0, []).append(k)
    sizes = {number: int(frames[some].sum()) for number, some in members.items()}
    labels = np.zeros((depth, one.rows, one.columns), dtype=np.uint8 if _largest(one) < 256 else np.uint16)
    within: dict[int, tuple[int, ...]] = {}
    for number in sorted(members, key=lambda segment: (-sizes[segment], segment)):
        under: set[int] = set()
        for k in members[number]:
            under |= {int(value) for value in np.unique(labels[at[k]][frames[k]])}
            labels[at[k]][frames[k]] = number
        whole = sorted(within) if under and 0 not in under else []
        within[number] = tuple(t for t in whole if all(value == t or t in within[value] for value in under))
    return labels, geometry, within


def _largest(one: Instance) -> int:
    return max((segment.number for segment in one.segments), default=1)


def _decoded(one: Instance, use: Sequence[int]) -> npt.NDArray[Any]:
    dtype = np.uint8 if one.bits_allocated <= 8 else np.int32
    count = len(use)
    job = Job(one.path, tuple(use), tuple(range(count)), (1.0,) * count, (0.0,) * count)
    return decoder().pixels([job], (count, one.rows, one.columns), dtype)


def _grid(one: Instance) -> tuple[list[int], int, Geometry]:
    """Slice of each frame, number of slices, and geometry; slices that the SEG leaves out are empty ones."""
    first = one.planes[0]
    if first.position is None or first.orientation is None:
        return _flat(one)
    for number, plane in enumerate(one.planes, 1):
        if plane.orientation is None or not np.allclose(plane.orientation, first.orientation, atol=1e-3):
            raise UnsoundGeometry(f"frame {number} of {one.path.name} has another orientation")
    normal, axes = axes_of(first, one.path.name)
    points = np.array([plane.position for plane in one.planes], dtype=np.float64)
    heights = points @ normal
    base = int(heights.argmin())
    step = _step(first, points, heights, normal)
    along = step / float(step @ normal)
    slots = (heights - heights[base]) / float(step @ normal)
    at = np.rint(slots).astype(int)
    strayed = np.linalg.norm(points - points[base] - (heights - heights[base])[:, None] * along, axis=1)
    off = np.maximum(np.abs(slots - at), strayed / np.linalg.norm(step))
    worst = int(off.argmax())
    if off[worst] > TOLERANCE:
        raise UnsoundGeometry(f"frame {worst + 1} of {one.path.name} does not lie on the grid of the others")
    row, column = first.spacing or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = step, axes[1] * row, axes[0] * column, points[base]
    return at.tolist(), int(at.max()) + 1, Geometry(affine, first.spacing is not None, one.frame_of_reference)


def _step(
    first: Plane,
    points: npt.NDArray[np.float64],
    heights: npt.NDArray[np.float64],
    normal: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Millimetres (x, y, z) from slice to slice: measured where frames differ in place, else as declared."""
    levels = np.unique(np.round(heights, 3))
    if len(levels) == 1:
        return np.asarray(normal * abs(first.between or first.thickness or 1.0))
    smallest = float(np.diff(levels).min())
    declared = abs(first.between or 0.0)
    # Where most slices were left out, the smallest gap may be a multiple of the declared spacing.
    size = declared if declared and abs(smallest / declared - round(smallest / declared)) < 0.05 else smallest
    low, high = points[heights.argmin()], points[heights.argmax()]
    count = max(1, round(float(levels[-1] - levels[0]) / size))
    return np.asarray((high - low) / count)


def _flat(one: Instance) -> tuple[list[int], int, Geometry]:
    """A SEG of a projection or a photograph: one place for all frames, no patient coordinates."""
    if len({plane.segment for plane in one.planes}) != len(one.planes):
        raise UnsoundGeometry(
            f"{one.path.name} has several frames of one segment and no positions",
            todo="Only segmentations of single images can do without positions",
        )
    spacing = one.planes[0].spacing
    geometry = Geometry.unknown() if spacing is None else Geometry.from_spacing((1.0, *spacing))
    return [0] * len(one.planes), 1, geometry
