"""Masks on the grid of the frames: what a release said, read back from the object that was first written of it."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import RowMapping, select

from diascope.core.errors import DataRefused
from diascope.core.image import Image
from diascope.core.result import first_uid
from diascope.formats.dicomio.frames import Frames
from diascope.formats.dicomio.headers import Segment, headers
from diascope.formats.dicomio.placing import place_on
from diascope.formats.dicomio.segments import nested_image
from diascope.serve.database.tables import instances, series
from diascope.serve.service import Service
from diascope.serve.viewing.series import opened, viewing_decoder

LEVEL = 1
"""Of compression: masks are nearly empty, and somebody waits."""


@dataclass(frozen=True)
class Named:
    """What a voxel value means.

    Args:
        value: From 1.
        name: As the finding has it.
        code: `SCT:10200004`, or empty.
        within: Values of those that it lies within: a region is its own voxels and those of all that lie within it.
    """

    value: int
    name: str
    code: str = ""
    within: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mask:
    """Voxel values on the grid of a series.

    Args:
        shape: (z, y, x), as the frames.
        labels: What the values mean.
        packed: The voxels, uint8 in C order, as gzip.
        remarks: What was done to put it there.
    """

    shape: tuple[int, int, int]
    labels: tuple[Named, ...]
    packed: bytes
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, voxels: npt.NDArray[Any], labels: Sequence[Named], remarks: Sequence[str] = ()) -> Mask:
        """From an array (z, y, x) of values up to 255."""
        z, y, x = voxels.shape
        packed = gzip.compress(np.ascontiguousarray(voxels, dtype=np.uint8).tobytes(), LEVEL, mtime=0)
        return cls((z, y, x), tuple(labels), packed, tuple(remarks))

    @property
    def voxels(self) -> bytes:
        """Unpacked."""
        return gzip.decompress(self.packed)

    def close(self) -> None:
        """Nothing is open."""


def release_mask(service: Service, result: str, row: RowMapping) -> Mask | None:
    """What a release said, as a mask on the frames; None where it said none.

    Args:
        service: That has it.
        result: Id.
        row: Of its series, from `series_by_id`.

    Raises:
        DataRefused: When the series is no volume, or the mask lies nowhere on it.
    """
    seg = _first_object(service, result, row["study_id"])
    if seg is None:
        return None
    key = (row["study_uid"], "mask", result, row["revision"], row["objects"], row["newest"])
    with service.shelf.borrowed(key, lambda: _read(service, seg, row)) as found:
        return found if isinstance(found, Mask) else None


def _first_object(service: Service, result: str, study: int) -> Any:
    """The SEG that was written before anybody reviewed the result."""
    query = select(instances.c.key, instances.c.sha256).join(series, series.c.id == instances.c.series_id)
    mine = (instances.c.uid == first_uid(result, "seg")) & (series.c.study_id == study) & series.c.made
    with service.database.reading() as connection:
        return connection.execute(query.where(mine)).first()


def _read(service: Service, seg: Any, row: RowMapping) -> Mask:
    with opened(service, row) as shown:
        frames = shown.part(1)
    with service.archive.local(seg.key, seg.sha256) as path:
        return _placed(path, frames)


def _placed(path: Path, frames: Frames) -> Mask:
    if frames.geometry is None:
        raise DataRefused("the series is no volume any more, so the mask lies nowhere on it")
    (one,) = headers([path], reader=viewing_decoder())
    array, geometry, within = nested_image(one)
    if array.dtype != np.uint8:
        raise DataRefused("the mask has more than 255 segments")
    image = Image(array[None], geometry, unit="label")
    placed = place_on(image, frames.geometry, frames.shape)
    labels = [_named(part, within) for part in one.segments if part.number > 0]
    return Mask.of(placed.array[0], labels, placed.history)


def _named(segment: Segment, within: dict[int, tuple[int, ...]]) -> Named:
    known = segment.scheme and segment.code and not segment.scheme.startswith("99")
    code = f"{segment.scheme}:{segment.code}" if known else ""
    return Named(segment.number, segment.name, code, within.get(segment.number, ()))
