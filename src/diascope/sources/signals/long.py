"""Tables of several recordings one below the other: a column that says whose a row is, a time, and channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diascope.core.errors import DataRefused, DiascopeError
from diascope.formats.tables.encoding import head_of
from diascope.formats.waveforms.grid import on_grid, seconds_of
from diascope.formats.waveforms.moments import by_moment, moments_of
from diascope.formats.waveforms.numbers import SUFFIXES, Floats, Numbers, head_of_numbers, numbers_of
from diascope.formats.waveforms.timed import COUNTS, TIMES
from diascope.sources.signals.running import samples_in
from diascope.sources.tables.columns import CASE, PATIENT, plain

KEYS = (
    *CASE,
    *("record", "record_id", "recording", "recording_id", "subject_record", "record_name", "signal_id", "ecg_id"),
    *("stay_id", "icustay_id", "encounter_id", "hadm_id", "admission_id", "episode_id", "session_id", "series_id"),
    *PATIENT,
    "id",
)
"""Names of a column that says whose a row is: the first that is there and comes again in many rows."""
FEWEST = 16
"""Rows of a recording in the middle: tables of visits have fewer."""
ROWS, HEAD = 20_000, 1 << 22
"""Rows, and characters, that are looked at."""
COUNTED = frozenset(COUNTS) - {"index", "n", ""}
"""Plain names of columns that count the samples of a recording, and nothing else."""


@dataclass(frozen=True)
class Recordings:
    """What a table of several recordings holds.

    Args:
        key: Name of the column that tells them apart.
        time: Name of the column of times.
        channels: Names of the columns that change within a recording.
        describing: Names of those that do not.
        uneven: Why most of them are no samples at equal steps; empty where they are.
    """

    key: str
    time: str
    channels: tuple[str, ...]
    describing: tuple[str, ...]
    uneven: str = ""

    @property
    def why(self) -> str:
        """In words."""
        return f"rows over {self.time!r} for each {self.key!r}: recordings of {', '.join(self.channels)}"


def recordings_in(path: Path) -> Recordings | None:
    """What a table holds by its beginning; None where it is no table of several recordings. Never raises."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return None
    try:
        table = head_of_numbers(path, head_of(path, HEAD), ROWS)
    except (OSError, ValueError, DiascopeError):
        return None
    return _told(table, whole=path.stat().st_size < HEAD and len(table.values) < ROWS) if table.header else None


def holds_signals(path: Path) -> bool:
    """Whether a table holds signals, in its rows or below each other. Never raises."""
    return samples_in(path) is not None or recordings_in(path) is not None


def described(path: Path, found: Recordings) -> dict[str, dict[str, str | None]]:
    """Name of each recording to what the columns that do not change say of it.

    Raises:
        DataRefused: When one of them changes all the same, further down than was looked at.
    """
    table, _ = moments_of(path, found.key)
    keys = table.cells(table.names.index(found.key))
    columns = {name: table.cells(table.names.index(name)) for name in found.describing}
    cells: dict[str, dict[str, str | None]] = {}
    for row, key in enumerate(keys):
        if key is None:
            raise DataRefused(f"row {row + 1} of {path.name} belongs to no recording", todo=f"Fill in {found.key!r}")
        said = {name: column[row] for name, column in columns.items()}
        known = cells.setdefault(key, said)
        if known != said:
            changed = next(name for name in said if said[name] != known[name])
            raise DataRefused(
                f"{changed!r} changes within the recording {key}",
                given=f"{known[changed]} and {said[changed]}",
                todo="Give it one value a recording, or leave it out",
            )
    return cells


def channels_of(path: Path, found: Recordings) -> tuple[str, ...]:
    """Names of the channels of all recordings: of a table in the tidy form, those further down than was looked at too.

    Raises:
        UnreadableFile: When the table cannot be read.
    """
    written = numbers_of(path).names
    below = tuple(name for name in moments_of(path, found.key)[0].names if name not in written)
    return below or found.channels


def _told(table: Numbers, whole: bool) -> Recordings | None:
    plainly = {plain(name): name for name in reversed(table.names)}
    time = next((name for names in (TIMES, COUNTED) for name in table.names if _plainly(name) in names), None)
    if time is None:
        return None
    for key in [plainly[name] for name in KEYS if name in plainly and plainly[name] != time]:
        wide = by_moment(table, (key,)).table
        times = _times(wide, wide.names.index(time))
        if times is None:
            return None
        groups = _groups(wide.cells(wide.names.index(key)), whole)
        long = bool(groups) and float(np.median([len(rows) for rows in groups])) >= FEWEST
        # One recording alone, as somebody gives who wants it read: only where it looks like one.
        if long and (len(groups) > 1 or not _uneven(times[groups[0]])):
            return _recordings(wide, (key, time), times, groups)
    return None


def _plainly(name: str) -> str:
    return plain(name).replace("_", " ")


def _recordings(table: Numbers, named: tuple[str, str], times: Floats, groups: list[list[int]]) -> Recordings | None:
    channels, describing = [], []
    for place, name in enumerate(table.names):
        if name in named:
            continue
        if not any(_changes(table, place, rows) for rows in groups):
            describing.append(name)
        elif place not in table.words:
            channels.append(name)
    wrong = [why for rows in groups if (why := _uneven(times[rows]))]
    uneven = wrong[0] if 2 * len(wrong) >= len(groups) else ""
    return Recordings(*named, tuple(channels), tuple(describing), uneven) if channels else None


def _times(table: Numbers, place: int) -> Floats | None:
    """Times in some unit; None where a cell is none."""
    if place not in table.words:
        return table.values[:, place]
    known = [None if cell is None else seconds_of(cell) for cell in table.words[place]]
    return None if None in known else np.array(known, float)


def _groups(keys: Sequence[str | None], whole: bool) -> list[list[int]]:
    """Rows of each recording, in the order of the table; without the last where the table may go on."""
    found: dict[str | None, list[int]] = {}
    for row, key in enumerate(keys):
        found.setdefault(key, []).append(row)
    groups = list(found.values())
    return groups if whole else groups[:-1]


def _uneven(times: Floats) -> str:
    """Why the samples at these times do not come at equal steps; empty where they do."""
    try:
        on_grid(np.sort(times), np.zeros((len(times), 1)))
    except DataRefused as error:
        return str(error.wrong)
    return ""


def _changes(table: Numbers, place: int, rows: Sequence[int]) -> bool:
    if place in table.words:
        return len({table.words[place][row] for row in rows}) > 1
    values = table.values[rows, place]
    known = values[np.isfinite(values)]
    return bool(len(known)) and bool(known.min() < known.max())
