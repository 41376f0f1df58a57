"""What the latest reader of a result corrected: where a finding is instead, what is not there, what was missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, RowMapping, select

from diascope.core.errors import DataRefused
from diascope.core.image import Image
from diascope.core.result import Redrawn
from diascope.formats.dicomio.decoder import decoder
from diascope.formats.dicomio.frames import Frames, frames_of
from diascope.formats.dicomio.headers import headers
from diascope.serve.database.room_tables import drawings
from diascope.serve.database.tables import readings
from diascope.serve.service import Service
from diascope.serve.viewing.drawings import named, voxels_of


@dataclass(frozen=True)
class Drawing:
    """A drawing, and what it is of.

    Args:
        concept: Name of the finding; of what was added, what it is.
        row: Of the drawing.
        added: Whether the release missed it.
    """

    concept: str
    row: RowMapping
    added: bool


def absent_of(connection: Connection, result: str) -> tuple[str, ...]:
    """Names of the findings of which the latest reading of a result says that they are not there.

    Args:
        connection: Of the index.
        result: Id.
    """
    amended = (latest := _latest(connection, result)) and latest.amended
    said = amended.items() if isinstance(amended, Mapping) else ()
    return tuple(
        str(concept)
        for concept, one in said
        if isinstance(one, Mapping) and one.get("status") == "absent" and not one.get("drawing")
    )


def drawings_of(connection: Connection, result: str, series: int, revision: int) -> tuple[Drawing, ...]:
    """What the latest reading of a result refers to; only what was drawn on its series, at its revision.

    Args:
        connection: Of the index.
        result: Id.
        series: Id of the row of its series.
        revision: Of the series, when the release read it.
    """
    latest = _latest(connection, result)
    if latest is None:
        return ()
    wanted = [*_named(latest.amended, latest.added)]
    mine = (drawings.c.series_id == series) & (drawings.c.revision == revision)
    ids = sorted({one for _, one, _ in wanted})
    rows = connection.execute(select(drawings).where(mine, drawings.c.id.in_(ids))).mappings()
    there = {row["id"]: row for row in rows}
    return tuple(Drawing(concept, there[one], added) for concept, one, added in wanted if one in there)


def _latest(connection: Connection, result: str) -> Any:
    """`amended` and `added` of the latest reading; None without one."""
    query = select(readings.c.amended, readings.c.added).where(readings.c.result_id == result)
    return connection.execute(query.order_by(readings.c.at.desc(), readings.c.id.desc()).limit(1)).first()


def redrawn(service: Service, drawn: Sequence[Drawing], folder: Path) -> tuple[Redrawn, ...]:
    """The drawings as masks on the grid of the frames.

    Args:
        service: That has them.
        drawn: Of `drawings_of`.
        folder: With the files of the series and nothing else.

    Raises:
        DataRefused: When one does not lie on that grid.
        Tampered: When one is not what was kept.
    """
    if not drawn:
        return ()
    parts = frames_of(headers(sorted(folder.iterdir())), decoder())
    return tuple(_placed(service, one, parts[0]) for one in drawn)


def _named(amended: Any, added: Any) -> Iterator[tuple[str, str, bool]]:
    """Concept and id of each drawing, and whether it was added. A finding may be corrected without one."""
    for concept, one in amended.items() if isinstance(amended, Mapping) else ():
        if isinstance(one, Mapping) and isinstance(one.get("drawing"), str):
            yield str(concept), one["drawing"], False
    for one in added if isinstance(added, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("drawing"), str):
            yield str(one.get("concept", "")), one["drawing"], True


def _placed(service: Service, one: Drawing, frames: Frames) -> Redrawn:
    voxels = voxels_of(service, one.row)
    if frames.geometry is None or voxels.shape != frames.shape:
        raise DataRefused("a drawing does not lie on the slices of its series", given=one.row["id"])
    values = [label.value for label in named(one.row) if label.name == one.concept]
    inside = np.isin(voxels, values) if values else voxels > 0  # a drawing of one thing may call it otherwise
    return Redrawn(one.concept, Image(inside[None].astype(np.uint8), frames.geometry, unit="label"), one.added)
