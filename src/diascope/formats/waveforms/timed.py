"""Columns of a table of samples over time: their names and units, and which of them is the time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diascope.core.errors import UnreadableFile
from diascope.formats.waveforms.grid import seconds_of
from diascope.formats.waveforms.numbers import Floats, Numbers

TIMES = {
    **dict.fromkeys(("time", "t", "seconds", "second", "sec", "s", "elapsed time", "elapsed", "timestamp"), 1.0),
    **dict.fromkeys(("datetime", "date time", "time s", "time sec", "time seconds", "elapsed s"), 1.0),
    **dict.fromkeys(("time stamp", "charttime", "chart time"), 1.0),
    **dict.fromkeys(("ms", "time ms", "milliseconds", "msec"), 1e-3),
    **dict.fromkeys(("minutes", "minute", "min", "time min", "time minutes"), 60.0),
    **dict.fromkeys(("hours", "hour", "time h", "time hours"), 3600.0),
}
"""Plain names of a column of times, and the seconds of one of its units."""
IN_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}
CLOCK = re.compile(r"(?:hh?:)?mm?:ss?(?:\.m*)?", re.IGNORECASE)
"""How a unit says that times stand as on a clock."""
COUNTS = (
    *("sample", "sample #", "sample number", "sample index", "sample id", "index", "frame", "frame number", "n", ""),
    *("step", "timestep", "time step", "tick", "reading id"),
)
"""Plain names of columns that count the samples."""

_NAME = re.compile(r"(?P<name>.*?)\s*[\[(](?P<unit>[^\[\]()]*(?:\[\w+\])?)[\])]")


@dataclass(frozen=True)
class Column:
    """A column: its place, name and unit."""

    place: int
    name: str
    unit: str


def columns_of(table: Numbers) -> list[Column]:
    """Columns with their units: in brackets, else those of a second line of words."""
    below = units_below(table)
    found = []
    for place, name in enumerate(table.names):
        plain = name.strip().strip("'\"").strip()
        match = _NAME.fullmatch(plain)
        unit = match["unit"] if match else (below[place] or "" if below else "")
        found.append(Column(place, match["name"] if match else plain, unit.strip("'\" ")))
    return found


def units_below(table: Numbers) -> list[str | None] | None:
    """The cells of the first row where it holds units and no samples."""
    if not table.words or not np.isnan(table.values[0]).all():
        return None
    first = [table.words[place][0] if place in table.words else None for place in range(len(table.names))]
    return first if sum(one is not None for one in first) > len(first) / 2 else None


def is_time(name: str) -> bool:
    """Whether a column is called as times are, or counts the samples."""
    match = _NAME.fullmatch(name.strip())
    return _plain(match["name"] if match else name) in {*TIMES, *COUNTS} - {""}


def is_count(column: Column) -> bool:
    """Whether a column counts the samples."""
    return column.name.lower() in COUNTS or _plain(column.name) in set(COUNTS) - {""}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()


def scale_of(column: Column) -> float:
    """Seconds of one unit of a column of times; 0 where it is none."""
    plain = _plain(column.name)
    if plain not in TIMES:
        return 0.0
    if not column.unit or CLOCK.fullmatch(column.unit):
        return TIMES[plain]
    return IN_SECONDS.get(column.unit.lower(), 0.0)


def in_order(table: Numbers, rows: Any, time: Column) -> Any:
    """Rows of one of several recordings by time: the table may be sorted by something else.

    A clock may go over midnight: such rows are left as they stand.
    """
    if time.place not in table.words:
        return rows[np.argsort(table.values[rows, time.place], kind="stable")]
    cells = [table.words[time.place][row] or "" for row in rows]
    seconds = [seconds_of(cell) if "-" in cell else None for cell in cells]
    return rows if None in seconds else rows[np.argsort(np.array(seconds, float), kind="stable")]


def times_of(path: Path, table: Numbers, rows: Any, time: Column) -> Floats:
    """Times of rows in seconds.

    Raises:
        UnreadableFile: When a cell is none; names its line.
    """
    if time.place not in table.words:
        found: Floats = table.values[rows, time.place] * scale_of(time)
        return found
    cells = [table.words[time.place][row] for row in rows]
    numbers = table.values[rows, time.place] * scale_of(time)
    seconds = [
        float(number) if np.isfinite(number) else None if cell is None else seconds_of(cell)
        for cell, number in zip(cells, numbers, strict=True)
    ]
    if None in seconds:
        at = seconds.index(None)
        raise UnreadableFile(path, f"line {table.line(rows[at])}: {cells[at]!r} is no time", "Mend the cell")
    return np.array(seconds, np.float64)
