"""Masks that readers draw on the frames of a series: kept in the archive, never changed, never deleted alone."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import RowMapping, select

from diascope.core.errors import BadUsage, DataRefused, Tampered
from diascope.serve.database.room_tables import drawings
from diascope.serve.database.tables import series, studies, users
from diascope.serve.service import Service
from diascope.serve.viewing.masks import Mask, Named

Drawing = RowMapping | Mapping[str, Any]
"""A row of a drawing."""

LARGEST = 2 << 30
"""Voxels of a drawing."""


@dataclass(frozen=True)
class Drawn:
    """A mask that was sent, and found sound.

    Args:
        packed: As it is kept.
        counts: Name to the number of its voxels.
    """

    packed: bytes
    counts: Mapping[str, int]


def checked(content: bytes, labels: Mapping[int, str], shape: Sequence[int]) -> Drawn:
    """A mask that a client sent.

    Args:
        content: uint8 in C order, as zlib.
        labels: Voxel value to name.
        shape: (z, y, x) that it must have.

    Raises:
        BadUsage: When it is no zlib, has another size, or a value without a name.
    """
    voxels = _unpacked(content, prod(shape))
    if voxels is None:
        raise BadUsage(
            "this is no mask of this series",
            given=f"{len(content)} bytes",
            todo=f"Send {' × '.join(str(one) for one in shape)} values of one byte each, compressed with zlib",
        )
    counts = np.bincount(voxels, minlength=256)
    nameless = [int(value) for value in np.flatnonzero(counts[1:]) + 1 if int(value) not in labels]
    if nameless:
        raise BadUsage("the mask has values without a label", given=nameless[:10], todo="Name each value")
    # Packed anew: what is kept is what was checked, and nothing that a client put behind it.
    return Drawn(zlib.compress(voxels.tobytes(), 6), {name: int(counts[value]) for value, name in labels.items()})


def drawing_row(service: Service, drawing: str) -> RowMapping | None:
    """The row of a drawing, with `series`, `study`, `project`, and `by`: name of the reader."""
    named = (
        series.c.uid.label("series"), studies.c.uid.label("study"), studies.c.project_id.label("project"),
        users.c.name.label("name"),
    )  # fmt: skip
    query = select(drawings, *named).join(series, series.c.id == drawings.c.series_id)
    query = query.join(studies, studies.c.id == series.c.study_id)
    query = query.join(users, users.c.id == drawings.c.reader, isouter=True).where(drawings.c.id == drawing)
    with service.database.reading() as connection:
        return connection.execute(query).mappings().first()


def drawn_by(row: Drawing) -> str:
    """Name of the reader; the id of one who is gone."""
    return str(row["name"] or row["reader"])


def named(row: Drawing) -> list[Named]:
    """What the values of a drawing mean, by value."""
    return [Named(value, name) for value, name in sorted((int(key), name) for key, name in row["labels"].items())]


def voxels_of(service: Service, row: RowMapping) -> npt.NDArray[np.uint8]:
    """The voxels of a drawing, (z, y, x).

    Raises:
        Tampered: When they are not what was kept.
        StorageFailed: When the archive does not answer.
    """
    shape = tuple(int(one) for one in row["shape"])
    voxels = _unpacked(service.archive.read(row["key"], row["sha256"]), prod(shape))
    if voxels is None:
        raise Tampered("a drawing is not what was kept", given=row["id"], todo="Restore it from a back-up")
    return voxels.reshape(shape)


def drawn_mask(service: Service, row: RowMapping) -> Mask:
    """A drawing as a mask on the frames; raises as `voxels_of`."""
    return Mask.of(voxels_of(service, row), named(row))


def labels_of(given: Sequence[str]) -> dict[int, str]:
    """Labels as an address has them: `1:liver`.

    Raises:
        BadUsage: When one has no value from 1 to 255, no name, or stands twice.
    """
    found: dict[int, str] = {}
    for one in given:
        value, _, name = one.partition(":")
        number = int(value) if value.isascii() and value.isdigit() and len(value) <= 3 else 0
        if not 1 <= number <= 255 or not name.strip():
            raise BadUsage("a label is a value from 1 to 255 and a name", given=one, todo="Write label=1:liver")
        if number in found or name in found.values():
            raise BadUsage("a label stands twice", given=one)
        found[number] = name
    return found


def _unpacked(content: bytes, size: int) -> npt.NDArray[np.uint8] | None:
    """So many bytes of a zlib stream; None where it holds more or fewer, or is none."""
    if size > LARGEST:
        raise DataRefused("the series is too large to be drawn on", given=f"{size} voxels")
    engine = zlib.decompressobj()
    try:
        plain = engine.decompress(content, size + 1)
    except zlib.error:
        return None
    if len(plain) != size or not engine.eof or engine.unused_data:
        return None
    return np.frombuffer(plain, np.uint8)
