"""A series as it is shown: which objects count at its revision, opened once and kept open for those who scroll."""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import RowMapping, Select, func, or_, select

from diascope.formats.dicomio.decoder import Decoder
from diascope.formats.dicomio.frames import Frames, frames_of, pixels, straight
from diascope.formats.dicomio.headers import Instance, headers
from diascope.serve.access.refusals import Missing
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.reading.materialising import laid_out
from diascope.serve.reading.question import Source
from diascope.serve.service import Service

SECONDS = 10.0
"""For one file; it gets one second more for each MB that it has."""

HEADERS_AT_ONCE = 64
"""Headers that one child reads in a row; where there are more, both do."""


@cache
def viewing_decoder() -> Decoder:
    """The decoder of those who look: releases that read, and objects that arrive, do not make them wait.

    Its children are kept ready once `refill` was called: somebody waits for the first picture.
    """
    shared = Decoder(seconds=SECONDS, spare=min(os.cpu_count() or 1, 2))
    atexit.register(shared.close)
    os.register_at_fork(after_in_child=shared.forget)
    return shared


@dataclass(eq=False)
class Opened:
    """A series whose headers were parsed.

    Args:
        parts: What can be shown of it; one where it is a volume.
        attributes: SOP instance UID to what the index keeps of it.
        files: Closed when nobody looks any more.
    """

    parts: tuple[Frames, ...]
    attributes: Mapping[str, Mapping[str, Any]]
    files: ExitStack
    _straight: dict[int, npt.NDArray[Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_burned_in(self) -> bool:
        """Whether letters in the pixels may say whose they are."""
        said = (str(one.get("BurnedInAnnotation", "")).upper() for one in self.attributes.values())
        return "YES" in said

    def part(self, number: int) -> Frames:
        """A part by its number, from 1.

        Raises:
            Missing: When there is none.
        """
        if not 1 <= number <= len(self.parts):
            raise Missing("part of this series", str(number))
        return self.parts[number - 1]

    def read(self, number: int, wanted: range) -> npt.NDArray[Any]:
        """Values of some frames (from 0) of a part: (frames, rows, columns), or (frames, rows, columns, 3).

        Raises:
            UnreadableFile: When one can't be decoded.
        """
        frames = self.part(number)
        if frames.sheared is None:
            return pixels(frames, wanted, viewing_decoder())
        return self._upright(number, frames)[wanted.start : wanted.stop]

    def close(self) -> None:
        """Remove the files."""
        self._straight.clear()
        self.files.close()

    def _upright(self, number: int, frames: Frames) -> npt.NDArray[Any]:
        """A tilted volume, in a file without a name: its slices are made of one another, so all are made at once."""
        with self._lock:
            if number not in self._straight:
                values = straight(frames, viewing_decoder())
                with tempfile.TemporaryFile() as file:
                    kept = np.memmap(file, values.dtype, "w+", shape=values.shape)
                kept[...] = values
                self._straight[number] = kept
            return self._straight[number]


def series_row(service: Service, study_uid: str, series_uid: str) -> RowMapping | None:
    """The row of a series, with `study_uid`, `project`, and which objects count: `objects` (how many), `newest`."""
    with service.database.reading() as connection:
        query = _rows().where(studies.c.uid == study_uid, series.c.uid == series_uid)
        return connection.execute(query).mappings().first()


def series_by_id(service: Service, number: int) -> RowMapping | None:
    """The same, by the id of the row."""
    with service.database.reading() as connection:
        return connection.execute(_rows().where(series.c.id == number)).mappings().first()


@contextmanager
def opened(service: Service, row: RowMapping) -> Iterator[Opened]:
    """A series, opened; it stays open for whoever asks next.

    Args:
        service: That has it.
        row: Of `series_row`.

    Raises:
        DataRefused: When there is nothing to be shown, or an object is not what arrived.
    """
    key = (row["study_uid"], row["id"], row["revision"], row["objects"], row["newest"])
    with service.shelf.borrowed(key, lambda: _open(service, row)) as found:
        yield found


def forget(service: Service, study_uid: str) -> None:
    """Close what is open of a study: it was deleted."""
    service.shelf.drop(lambda key: isinstance(key, tuple) and key[0] == study_uid)


def _rows() -> Select[Any]:
    """What came after a series was complete is of its next revision; until it is the first time, all counts."""
    mine = (instances.c.series_id == series.c.id) & or_(
        series.c.completed.is_(None), instances.c.received <= series.c.completed
    )
    count = select(func.count(instances.c.id)).where(mine).scalar_subquery().label("objects")
    newest = select(func.max(instances.c.id)).where(mine).scalar_subquery().label("newest")
    columns = (series.c.id, series.c.uid, series.c.study_id, series.c.revision, series.c.completed)
    named = (studies.c.uid.label("study_uid"), studies.c.project_id.label("project"))
    return select(*columns, *named, count, newest).join(studies, studies.c.id == series.c.study_id)


def _open(service: Service, row: RowMapping) -> Opened:
    query = select(instances.c.uid, instances.c.key, instances.c.sha256, instances.c.attributes)
    query = query.where(instances.c.series_id == row["id"], instances.c.id <= (row["newest"] or 0))
    if row["completed"] is not None:
        query = query.where(instances.c.received <= row["completed"])
    with service.database.reading() as connection:
        found = connection.execute(query.order_by(instances.c.id)).all()
    with ExitStack() as undone:
        folder = undone.enter_context(laid_out(service, [Source(*one[:3]) for one in found]))
        parts = frames_of(_headers(sorted(folder.iterdir())), viewing_decoder())
        return Opened(parts, {one.uid: one.attributes for one in found}, undone.pop_all())


def _headers(paths: Sequence[Path]) -> list[Instance]:
    """Headers in order, read by both children where there are many."""
    reader = viewing_decoder()
    some = [paths[start : start + HEADERS_AT_ONCE] for start in range(0, len(paths), HEADERS_AT_ONCE)]
    with ThreadPoolExecutor(reader.size) as threads:
        return [one for group in threads.map(lambda part: headers(part, reader=reader), some) for one in group]
