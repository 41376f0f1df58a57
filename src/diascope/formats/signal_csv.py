"""A table of samples over time as a signal: one row a moment, one column a channel (CSV, TSV, columns between blanks).

A column `time` gives the rate; where it jumps there is a gap. Units stand in brackets (`ABP [mmHg]`) or in a second
line, as PhysioNet's rdsamp writes them. Where one table holds several recordings, the item says which rows are meant:
`patient/p17` are those whose cell in the column `patient` is `p17`, and `patient/p17/hr/spo2` two of their columns.
Without times the rate is that of a `signal.json`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from diascope.core.errors import BadUsage, DataRefused, UnreadableFile
from diascope.core.record import write_durably
from diascope.core.signal import Signal
from diascope.formats.files.reading import ends_with, foreign
from diascope.formats.tables.encoding import head_of
from diascope.formats.waveforms.beside import beside
from diascope.formats.waveforms.grid import on_grid, seconds_of
from diascope.formats.waveforms.numbers import LINES, Floats, Numbers, head_of_numbers, numbers_of
from diascope.formats.waveforms.units import ucum

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
COUNTS = ("sample", "sample #", "sample number", "index", "frame", "n", "")
"""Names of columns that count the samples."""
LOOKED, HEAD = 30, 1 << 16
"""Rows, and characters, that tell whether a file is such a table."""

_NAME = re.compile(r"(?P<name>.*?)\s*[\[(](?P<unit>[^\[\]()]*(?:\[\w+\])?)[\])]")


@dataclass(frozen=True)
class Column:
    """A column: its place, name and unit."""

    place: int
    name: str
    unit: str


class SignalCsv:
    """Tables in the long form; those in the wide form, one row a case, are `signal_row`."""

    kind = "signal"
    suffixes: tuple[str, ...] = LINES
    writes: bool = True

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        if not ends_with(path, self.suffixes):
            return False
        try:
            table = head_of_numbers(path, head_of(path, HEAD), LOOKED)
        except (OSError, ValueError, UnreadableFile):
            return False
        return table.header and any(_scale(one) for one in _columns(table))

    def read(self, paths: Sequence[Path], item: str | None = None) -> Signal:
        """The signal, or the rows of one of several.

        Raises:
            UnreadableFile: When the table is broken, or its samples do not come at equal steps.
        """
        path, declared = beside(paths)
        with foreign(path):
            table = numbers_of(path)
            if not table.header:
                raise UnreadableFile(path, "it names no columns", "Give its first line the names of the channels")
            rows, key, wanted = _rows(path, table, item)
            columns = [one for one in _columns(table) if one.place != key]
            time = next((one for one in columns if _scale(one)), None)
            channels = [one for one in columns if one is not time and one.name.lower() not in COUNTS]
            channels = [one for one in channels if not wanted or table.names[one.place] in wanted]
            channels = [one for one in channels if _is_channel(path, table, one, rows)]
            if not channels or np.isnan(table.values[rows][:, [one.place for one in channels]]).all():
                raise UnreadableFile(path, "no column holds samples", "Give one column a channel")
            values = table.values[rows][:, [one.place for one in channels]]
            if time is not None and item is not None:
                rows = _in_order(table, rows, time)
                values = table.values[rows][:, [one.place for one in channels]]
            signal = _signal(path, table, rows, time, (channels, values))
            return declared.applied(signal, path)

    def extent(self, paths: Sequence[Path], item: str | None = None) -> None:
        return None

    def write(self, image: Any, path: Path, like: Sequence[Path] = ()) -> None:
        """Write a signal so that `read` gives it back; one without times gets no column of them.

        Raises:
            BadUsage: When it is no signal, or its names cannot be told from units.
        """
        if not isinstance(image, Signal):
            raise BadUsage("only signals are written as tables of samples", given=type(image).__name__)
        if not ends_with(path, (".csv",)):
            raise BadUsage("a table of samples ends in .csv", given=path)
        if any(set(name) & set('[]()",;\t\n') for name in image.channels):
            raise BadUsage("names of channels hold no brackets and no delimiters", given=", ".join(image.channels))
        names = [f"{name} [{unit}]" if unit else name for name, unit in zip(image.channels, image.units, strict=True)]
        timed = bool(image.rate)
        stream = io.StringIO()
        stream.write(",".join((["time [s]"] if timed else []) + names) + "\n")
        for number, row in enumerate(image.values):
            moment = [f"{image.start + number / image.rate:.9g}"] if timed else []
            stream.write(",".join(moment + ["" if np.isnan(one) else repr(float(one)) for one in row]) + "\n")
        write_durably(path, stream.getvalue().encode())


def _columns(table: Numbers) -> list[Column]:
    """Columns with their units: in brackets, else those of a second line of words."""
    below = _units_below(table)
    found = []
    for place, name in enumerate(table.names):
        plain = name.strip().strip("'\"").strip()
        match = _NAME.fullmatch(plain)
        unit = match["unit"] if match else (below[place] or "" if below else "")
        found.append(Column(place, match["name"] if match else plain, unit.strip("'\" ")))
    return found


def _units_below(table: Numbers) -> list[str | None] | None:
    """The cells of the first row where it holds units and no samples."""
    if not table.words or not np.isnan(table.values[0]).all():
        return None
    first = [table.words[place][0] if place in table.words else None for place in range(len(table.names))]
    return first if sum(one is not None for one in first) > len(first) / 2 else None


def _scale(column: Column) -> float:
    """Seconds of one unit of a column of times; 0 where it is none."""
    plain = re.sub(r"[^a-z0-9]+", " ", column.name.lower()).strip()
    if plain not in TIMES:
        return 0.0
    if not column.unit or CLOCK.fullmatch(column.unit):
        return TIMES[plain]
    return IN_SECONDS.get(column.unit.lower(), 0.0)


def _rows(path: Path, table: Numbers, item: str | None) -> tuple[Any, int | None, tuple[str, ...]]:
    """The rows that are meant, without one of units, the column that tells them, and columns that alone are meant."""
    start = 1 if _units_below(table) else 0
    if item is None:
        return np.arange(start, len(table.values)), None, ()
    name, cell, *wanted = (unquote(part) for part in (*item.split("/"), "")[: max(2, item.count("/") + 1)])
    if name not in table.names:
        raise UnreadableFile(path, f"there is no column {name!r}", f"It has {', '.join(table.names)}"[:200])
    place = table.names.index(name)
    found = np.array([number for number, one in enumerate(table.cells(place)) if one == cell], np.intp)
    if not len(found):
        raise UnreadableFile(path, f"no row has {cell!r} in the column {name!r}")
    return found, place, tuple(wanted)


def _is_channel(path: Path, table: Numbers, column: Column, rows: Any) -> bool:
    """Whether a column holds samples; one of nothing but words does not.

    Raises:
        UnreadableFile: When a word stands between samples.
    """
    if column.place not in table.words:
        return not column.name.startswith("Unnamed") or bool(np.isfinite(table.values[rows, column.place]).any())
    if np.isnan(table.values[rows, column.place]).all():
        return False
    cells = table.words[column.place]
    wrong = [row for row in rows if cells[row] is not None and np.isnan(table.values[row, column.place])]
    if wrong:
        raise UnreadableFile(
            path,
            f"line {table.first + int(wrong[0])}: {column.name} is {cells[wrong[0]]!r} and no number",
            "Mend the cell, or leave it empty where nothing was recorded",
        )
    return True


def _in_order(table: Numbers, rows: Any, time: Column) -> Any:
    """Rows of one of several recordings by time: the table may be sorted by something else.

    A clock may go over midnight: such rows are left as they stand.
    """
    if time.place not in table.words:
        return rows[np.argsort(table.values[rows, time.place], kind="stable")]
    cells = [table.words[time.place][row] or "" for row in rows]
    seconds = [seconds_of(cell) if "-" in cell else None for cell in cells]
    return rows if None in seconds else rows[np.argsort(np.array(seconds, float), kind="stable")]


def _signal(
    path: Path, table: Numbers, rows: Any, time: Column | None, rest: tuple[Sequence[Column], Floats]
) -> Signal:
    channels, values = rest
    names, units = tuple(one.name for one in channels), tuple(ucum(one.unit) for one in channels)
    try:
        if time is None:
            return Signal(values.astype(np.float32), 0.0, names, units)
        times = _times(path, table, rows, time)
        samples, rate, note = on_grid(times, values)
        # Only what counts from the beginning of the recording is a start: a date says when it was.
        start = float(times[0]) if time.place not in table.words else 0.0
        return Signal(samples, rate, names, units, start, history=(note,) if note else ())
    except UnreadableFile:
        raise
    except DataRefused as error:
        raise UnreadableFile(path, error.wrong, str(error).removeprefix(f"{error.wrong}. ")) from error


def _times(path: Path, table: Numbers, rows: Any, time: Column) -> Floats:
    if time.place not in table.words:
        found: Floats = table.values[rows, time.place] * _scale(time)
        return found
    cells = [table.words[time.place][row] for row in rows]
    numbers = table.values[rows, time.place] * _scale(time)
    seconds = [
        float(number) if np.isfinite(number) else None if cell is None else seconds_of(cell)
        for cell, number in zip(cells, numbers, strict=True)
    ]
    if None in seconds:
        at = seconds.index(None)
        raise UnreadableFile(path, f"line {table.first + int(rows[at])}: {cells[at]!r} is no time", "Mend the cell")
    return np.array(seconds, np.float64)


FORMAT = SignalCsv()
