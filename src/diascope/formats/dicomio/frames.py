"""A series as frames in order, each decoded only when it is asked for: what a viewer shows.

Where the series is a volume, its frames and their grid are those that `formats/dicom.py` gives to a release, so that
places and masks of findings fit. What is no volume is a plain list of frames by instance number, without a place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.errors import DataRefused, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.formats.dicomio.decoder import Decoder
from diascope.formats.dicomio.headers import Instance, series
from diascope.formats.dicomio.stack import Slice, Stack, stack
from diascope.formats.dicomio.tilt import Upright, straightened, upright
from diascope.formats.dicomio.values import TURNED, is_colour, is_turned, jobs, smallest_type

TYPES = (np.uint8, np.int16, np.uint16, np.int32)
"""Whole numbers that frames are given as: films of 16 bits take half the bytes of the `int32` that a release reads."""

COPIES_AT_ONCE = 8
"""Pairs of slices at one place that are compared together."""


MOST_PARTS = 100
"""Volumes in one series: more are time points of a film in motion, and shown as a list."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames that share size and type.

    Args:
        slices: One a frame, in order.
        geometry: Of the whole, upright; None where it is no volume.
        dtype: Of the values.
        why: Why it is no volume.
        remarks: What was corrected while reading, in words.
        name: What tells it from the other parts of its series: `echo 1`; empty where it is whole.
        sheared: Geometry of a volume with gantry tilt, before it is put upright: its frames depend on one another.
        size: Rows and columns, where they are not those of the files.
    """

    slices: tuple[Slice, ...]
    geometry: Geometry | None
    dtype: np.dtype[Any]
    why: str = ""
    remarks: tuple[str, ...] = ()
    name: str = ""
    sheared: Geometry | None = None
    size: tuple[int, int] | None = None

    @property
    def first(self) -> Instance:
        """Any one of them: for what all share."""
        return self.slices[0].instance

    @property
    def samples(self) -> int:
        """1, or 3 of colours."""
        return 3 if is_colour(self.first) else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        rows, columns = self.size or (self.first.rows, self.first.columns)
        return len(self.slices), rows, columns

    @property
    def frame_bytes(self) -> int:
        """Of one frame."""
        _, rows, columns = self.shape
        return rows * columns * self.samples * self.dtype.itemsize

    @property
    def spacing(self) -> tuple[float, float] | None:
        """Millimetres between rows and between columns, where all frames say the same."""
        if self.geometry is not None:
            return self.geometry.spacing[1:] if self.geometry.physical else None
        said = {one.plane.spacing for one in self.slices}
        return said.pop() if len(said) == 1 else None


def frames_of(instances: Sequence[Instance], reader: Decoder) -> tuple[Frames, ...]:
    """The frames of one series: one part where it is a volume or can be shown as one list, else several.

    Parts are the volumes that `headers.series` finds (echoes, time points, orientations); where they are none, frames
    of one size and coding each.

    Args:
        instances: Headers of the series.
        reader: Compares slices at one place, and decodes nothing else.

    Raises:
        DataRefused: When nothing in it can be shown.
    """
    images = [one for one in instances if one.is_image and one.pixel_bytes and not one.tiled]
    if not images:
        raise DataRefused("there are no pictures in this series")
    try:
        return (_volume(images, reader),)
    except UnsoundGeometry as error:
        why = _in_words(error.wrong, images)
    return _volumes(images, reader) or tuple(_listed(images, why))


def pixels(frames: Frames, wanted: range, reader: Decoder) -> npt.NDArray[Any]:
    """Decode some frames of what is not tilted.

    Args:
        frames: Of which.
        wanted: Numbers from 0.
        reader: That decodes.

    Returns:
        (frames, rows, columns), or (frames, rows, columns, 3) of colours.

    Raises:
        UnreadableFile: When one can't be decoded.
    """
    return _decoded(frames.slices[wanted.start : wanted.stop], frames.dtype, reader)


def straight(frames: Frames, reader: Decoder) -> npt.NDArray[Any]:
    """All frames of a tilted volume, put upright as `formats/dicom.py` does it.

    Raises:
        UnreadableFile: When one can't be decoded.
    """
    if frames.sheared is None:
        raise DataRefused("this series is not tilted")
    values = _decoded(frames.slices, frames.dtype, reader)
    channels = values[None] if frames.samples == 1 else np.moveaxis(values, -1, 0)
    moved, _ = upright(channels, frames.sheared)
    return moved[0] if frames.samples == 1 else np.ascontiguousarray(np.moveaxis(moved, 0, -1))


def _decoded(slices: Sequence[Slice], dtype: npt.DTypeLike, reader: Decoder) -> npt.NDArray[Any]:
    first = slices[0].instance
    shape = (len(slices), first.rows, first.columns, *((3,) if is_colour(first) else ()))
    return reader.pixels(jobs(slices), shape, dtype)


def _volume(images: Sequence[Instance], reader: Decoder) -> Frames:
    """One sound volume (or one single picture).

    Raises:
        UnsoundGeometry: When it is none.
        UnreadableFile: When copies of a slice can't be decoded.
    """
    stacked = stack(images)
    _check_copies(stacked, reader)
    remarks = [*stacked.notes]
    for copy, of in stacked.copies:
        remarks.append(
            f"{_numbered(copy.instance)} is an exact copy of {_numbered(stacked.slices[of].instance)}: dropped"
        )
    remarks += [TURNED] if is_turned(stacked.slices[0].instance) else []
    whole = Frames(stacked.slices, stacked.geometry, _type([*stacked.slices, *(copy for copy, _ in stacked.copies)]))
    if stacked.tilt:
        grid = Upright.of(whole.shape, stacked.geometry)
        whole = replace(whole, geometry=grid.geometry, sheared=stacked.geometry, size=grid.shape[1:])
        remarks.append(straightened(stacked.tilt))
    return replace(whole, remarks=tuple(remarks))


def _check_copies(stacked: Stack, reader: Decoder) -> None:
    """Refuse two different slices at one place; the first pairs tell it of a series of several time points.

    Raises:
        UnsoundGeometry: When there are.
    """
    for start in range(0, len(stacked.copies), COPIES_AT_ONCE):
        some = stacked.copies[start : start + COPIES_AT_ONCE]
        pairs = [one for copy, of in some for one in (copy, stacked.slices[of])]
        values = _decoded(pairs, _type(pairs), reader)
        if not np.array_equal(values[::2], values[1::2], equal_nan=values.dtype.kind == "f"):
            raise UnsoundGeometry("there are different slices at one place")


def _volumes(images: Sequence[Instance], reader: Decoder) -> tuple[Frames, ...]:
    """The parts of a series of which each is a volume of several slices; nothing where one is not."""
    parts = series(images)
    if not 1 < len(parts) <= MOST_PARTS or any(len(part.instances) < 2 for part in parts):
        return ()
    try:
        return tuple(replace(_volume(part.instances, reader), name=part.part) for part in parts)
    except UnsoundGeometry:
        return ()


def _listed(images: Sequence[Instance], why: str) -> Iterator[Frames]:
    """Frames by instance number, those of one size and coding together."""
    groups: dict[tuple[object, ...], list[Slice]] = {}
    for one in sorted(images, key=lambda image: (image.instance_number or 0.0, image.sop_uid)):
        kind = (one.modality, one.rows, one.columns, one.samples, one.photometric, one.signed, one.value_table)
        planes = one.planes if len(one.planes) == one.frames else one.planes[:1] * one.frames
        groups.setdefault(kind, []).extend(Slice(one, number, plane) for number, plane in enumerate(planes))
    for slices in groups.values():
        remarks = (TURNED,) if is_turned(slices[0].instance) else ()
        yield Frames(tuple(slices), None, _type(slices), why, remarks)


def _type(slices: Sequence[Slice]) -> np.dtype[Any]:
    return np.dtype(smallest_type(slices, TYPES))


def _numbered(one: Instance) -> str:
    """An instance for people who have never seen our files: by its number."""
    return "one without a number" if one.instance_number is None else f"instance {one.instance_number:g}"


def _in_words(why: str, images: Sequence[Instance]) -> str:
    """A reason without the names of our files."""
    for one in images:
        why = why.replace(one.path.name, _numbered(one))
    return why
