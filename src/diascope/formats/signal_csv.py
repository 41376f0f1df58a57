"""A table of samples over time as a signal: one row a moment, one column a channel (CSV, TSV, columns between blanks).

A column `time` gives the rate; where it jumps there is a gap. Units stand in brackets (`ABP [mmHg]`) or in a second
line, as PhysioNet's rdsamp writes them. Where one table holds several recordings, the item says which rows are meant:
`patient/p17` are those whose cell in the column `patient` is `p17`, and `patient/p17/hr/spo2` two of their columns.
A table of one sample of one channel a row (`time,channel,value`) is brought to this form first.
Without times the rate is that of a `signal.json`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
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
from diascope.formats.waveforms.grid import on_grid
from diascope.formats.waveforms.moments import moments_of
from diascope.formats.waveforms.numbers import LINES, Floats, Numbers, head_of_numbers, numbers_of
from diascope.formats.waveforms.timed import Column, columns_of, in_order, is_count, scale_of, times_of, units_below
from diascope.formats.waveforms.units import ucum

LOOKED, HEAD = 30, 1 << 16
"""Rows, and characters, that tell whether a file is such a table."""


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
        return table.header and any(scale_of(one) for one in columns_of(table))

    def read(self, paths: Sequence[Path], item: str | None = None) -> Signal:
        """The signal, or the rows of one of several.

        Raises:
            UnreadableFile: When the table is broken, or its samples do not come at equal steps.
        """
        path, declared = beside(paths)
        with foreign(path):
            if not numbers_of(path).header:
                raise UnreadableFile(path, "it names no columns", "Give its first line the names of the channels")
            table, rows, key, wanted = _rows(path, item)
            columns = [one for one in columns_of(table) if one.place != key]
            time = next((one for one in columns if scale_of(one)), None)
            if time is None and item is not None and (count := next(filter(is_count, columns), None)):
                rows = in_order(table, rows, count)
            channels = [one for one in columns if one is not time and not is_count(one)]
            channels = [one for one in channels if not wanted or table.names[one.place] in wanted]
            channels = [one for one in channels if _is_channel(path, table, one, rows)]
            if not channels or np.isnan(table.values[rows][:, [one.place for one in channels]]).all():
                raise UnreadableFile(path, "no column holds samples", "Give one column a channel")
            values = table.values[rows][:, [one.place for one in channels]]
            if time is not None and item is not None:
                rows = in_order(table, rows, time)
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


def _rows(path: Path, item: str | None) -> tuple[Numbers, Any, int | None, tuple[str, ...]]:
    """The table, the rows that are meant (without one of units), the column that tells them, and the columns meant."""
    if item is None:
        table, _ = moments_of(path)
        return table, np.arange(1 if units_below(table) else 0, len(table.values)), None, ()
    name, cell, *wanted = (unquote(part) for part in (*item.split("/"), "")[: max(2, item.count("/") + 1)])
    table, rows = moments_of(path, name)
    if cell not in rows:
        raise UnreadableFile(path, f"no row has {cell!r} in the column {name!r}")
    return table, rows[cell], table.names.index(name), tuple(wanted)


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
            f"line {table.line(wrong[0])}: {column.name} is {cells[wrong[0]]!r} and no number",
            "Mend the cell, or leave it empty where nothing was recorded",
        )
    return True


def _signal(
    path: Path, table: Numbers, rows: Any, time: Column | None, rest: tuple[Sequence[Column], Floats]
) -> Signal:
    channels, values = rest
    names, units = tuple(one.name for one in channels), tuple(ucum(one.unit) for one in channels)
    try:
        if time is None:
            return Signal(values.astype(np.float32), 0.0, names, units)
        times = times_of(path, table, rows, time)
        samples, rate, note = on_grid(times, values)
        # Only what counts from the beginning of the recording is a start: a date says when it was.
        start = float(times[0]) if time.place not in table.words else 0.0
        return Signal(samples, rate, names, units, start, history=(note,) if note else ())
    except UnreadableFile:
        raise
    except DataRefused as error:
        raise UnreadableFile(path, error.wrong, str(error).removeprefix(f"{error.wrong}. ")) from error


FORMAT = SignalCsv()
