"""A series of recordings as it is shown: its groups of leads, and their samples, opened once and kept open."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, RowMapping, exists, select

from diascope.core.errors import DataRefused
from diascope.formats.dicom_waveform import names_of
from diascope.formats.dicomio.headers import WAVEFORM
from diascope.formats.waveforms.units import ucum
from diascope.serve.access.refusals import Missing
from diascope.serve.database.tables import instances
from diascope.serve.http.fields import CONTROL
from diascope.serve.reading.materialising import laid_out
from diascope.serve.reading.question import Source
from diascope.serve.service import Service
from diascope.serve.viewing.series import viewing_decoder

AUDIO = f"{WAVEFORM}4."
"""How the SOP classes of sounds begin: a voice says whose it is, and is not shown (PS3.4 B.5)."""

MOST_VALUES = 1 << 28
"""Samples of one group that can be shown: a day of 12 leads at 250 Hz."""

LONGEST = 64
"""Characters of a name in the header that are shown."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Group:
    """Leads that were sampled together.

    Args:
        number: From 1, through all objects of the series.
        source: SOP Instance UID.
        path: Of the file.
        place: Number of the group in that file, from 0.
        said: What the decoder says of it.
    """

    number: int
    source: str
    path: Path
    place: int
    said: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """(samples, leads)."""
        return self.said["samples"], len(self.said["channels"])

    def to_json(self) -> dict[str, Any]:
        """Without anything of the header but what is needed to draw it."""
        names = names_of([channel["name"] for channel in self.said["channels"]])
        leads = [
            {"name": plain(name), "unit": plain(ucum(channel["unit"])), "filters": channel["filters"]}
            for name, channel in zip(names, self.said["channels"], strict=True)
        ]
        told = {name: self.said[name] for name in ("original", "rate", "samples", "start")}
        return {
            "number": self.number,
            "instance": self.source,
            "label": plain(self.said["label"]),
            "leads": leads,
        } | told


@dataclass(eq=False)
class Recording:
    """A series whose waveforms were parsed.

    Args:
        groups: In the order of the objects.
        files: Closed when nobody looks any more.
    """

    groups: tuple[Group, ...]
    files: ExitStack
    _read: dict[int, Floats] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def group(self, number: int) -> Group:
        """A group by its number, from 1.

        Raises:
            Missing: When there is none.
        """
        if not 1 <= number <= len(self.groups):
            raise Missing("group of leads in this series", str(number))
        return self.groups[number - 1]

    def samples(self, number: int) -> Floats:
        """All samples of a group (samples, leads) in the units of the leads; nan where there is none.

        Raises:
            DataRefused: When they are too many.
            UnreadableFile: When they can't be decoded.
        """
        group = self.group(number)
        if group.shape[0] * group.shape[1] > MOST_VALUES:
            raise DataRefused("this recording is too long to be shown", given=f"{group.shape[0]} samples")
        with self._lock:
            if number not in self._read:
                values = viewing_decoder().samples(group.path, group.place, group.shape)
                with tempfile.TemporaryFile() as file:  # a day of an ECG need not stay in memory
                    kept = np.memmap(file, np.float32, "w+", shape=values.shape)
                kept[...] = values
                self._read[number] = kept
            return self._read[number]

    def close(self) -> None:
        """Remove the files."""
        self._read.clear()
        self.files.close()


def is_recording() -> ColumnElement[bool]:
    """Condition on `instances`: it holds sampled curves that are no sound."""
    return instances.c.sop_class.startswith(WAVEFORM) & ~instances.c.sop_class.startswith(AUDIO)


def is_signal(connection: Connection, series: int) -> bool:
    """Whether a series, by the id of its row, holds recordings."""
    there = exists().where(instances.c.series_id == series, is_recording())
    return bool(connection.execute(select(there)).scalar())


@contextmanager
def opened(service: Service, row: RowMapping) -> Iterator[Recording]:
    """A series of recordings, opened; it stays open for whoever asks next.

    Args:
        service: That has it.
        row: Of `series_row`.

    Raises:
        DataRefused: When it holds none, or an object is not what arrived.
    """
    key = (row["study_uid"], row["id"], row["revision"], row["objects"], row["newest"], "signal")
    with service.shelf.borrowed(key, lambda: _open(service, row)) as found:
        yield found


def between(samples: Floats, rate: float, seconds: tuple[float, float | None]) -> Floats:
    """The samples of a stretch of time (samples, leads).

    Args:
        samples: Of a group.
        rate: Hz.
        seconds: From the first sample on, begin and end; None is the end of the recording.
    """
    begin, end = seconds
    return samples[round(begin * rate) : None if end is None else round(end * rate)]


def overview(samples: Floats, step: int) -> Floats:
    """The smallest and the largest value of every `step` samples (2, bins, leads); of the last bin of what is left.

    A bin without any sample is nan.
    """
    starts = np.arange(0, len(samples), step)
    return np.stack([np.fmin.reduceat(samples, starts, axis=0), np.fmax.reduceat(samples, starts, axis=0)])


def plain(text: str) -> str:
    """A word of a header without control characters, and no longer than a name is."""
    return CONTROL.sub("", text)[:LONGEST].strip()


def _open(service: Service, row: RowMapping) -> Recording:
    query = select(instances.c.uid, instances.c.key, instances.c.sha256)
    query = query.where(instances.c.series_id == row["id"], instances.c.id <= (row["newest"] or 0), is_recording())
    if row["completed"] is not None:
        query = query.where(instances.c.received <= row["completed"])
    with service.database.reading() as connection:
        sources = [Source(*one) for one in connection.execute(query.order_by(instances.c.number, instances.c.id))]
    if not sources:
        raise DataRefused("this series holds no recording", todo="Ask for its frames, or its objects")
    with ExitStack() as undone:
        folder = undone.enter_context(laid_out(service, sources))
        return Recording(tuple(_groups(sources, sorted(folder.iterdir()))), undone.pop_all())


def _groups(sources: Sequence[Source], paths: Sequence[Path]) -> Iterator[Group]:
    number = 0
    for source, path in zip(sources, paths, strict=True):
        for place, said in enumerate(viewing_decoder().waveforms(path)):
            number += 1
            yield Group(number, source.uid, path, place, said)
