"""Tables of samples as one row a moment: those in the tidy form (`time,channel,value`) are made so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from diascope.core.errors import UnreadableFile
from diascope.formats.waveforms.numbers import KEPT, Floats, Numbers, numbers_of
from diascope.formats.waveforms.timed import is_time

CHANNEL = (
    *("channel", "channel_id", "channel_name", "lead", "lead_name", "derivation", "electrode", "sensor", "sensor_id"),
    *("kind", "variable", "variable_name", "parameter", "signal", "signal_name", "dim", "dim_id", "dimension"),
    *("通道", "导联"),
)
VALUE = ("value", "values", "val", "valuenum", "amplitude", "reading", "measurement", "sample_value", "voltage", "数值")
UNIT = ("unit", "units", "uom", "valueuom", "单位")
"""Plain names of the columns of a table that holds one sample of one channel a row."""


@dataclass(frozen=True)
class Moments:
    """A table of one row a moment and one column a channel.

    Args:
        table: It.
        twice: The row of the file that gives a channel a second value at one moment; None where none does.
        word: The row of the file in which a value is no number; None where none is.
    """

    table: Numbers
    twice: int | None = None
    word: int | None = None


def by_moment(table: Numbers, keys: Sequence[str]) -> Moments:
    """A table as it is; one in the tidy form with a row a moment and a column a channel.

    Args:
        table: As it stands in its file.
        keys: Columns that tell recordings apart: the same time in two of them is two moments.
    """
    channel, value, unit = (_named(table, names) for names in (CHANNEL, VALUE, UNIT))
    time = next((place for place, name in enumerate(table.names) if is_time(name)), None)
    if channel is None or value is None or time is None:
        return Moments(table)
    placed = [time, *(table.names.index(key) for key in keys if key in table.names)]
    moment, first = _grouped([table.cells(place) for place in placed])
    channels = _channels(table, channel, unit)
    column, _ = _grouped([channels])
    names = list(dict.fromkeys(channels))
    found = table.values[:, value]
    samples: Floats = np.full((len(first), len(names)), np.nan)
    samples[moment, column] = found
    kept = [place for place in range(len(table.names)) if place not in (channel, value, unit)]
    wide = Numbers(
        names=(*(table.names[place] for place in kept), *names),
        header=True,
        values=np.hstack([table.values[first][:, kept], samples]),
        words={at: [table.words[place][row] for row in first] for at, place in enumerate(kept) if place in table.words},
        first=table.first,
        lines=tuple(int(row) + table.first for row in first),
    )
    return Moments(wide, _second(moment * len(names) + column), _word(table, value))


def moments_of(path: Path, key: str = "") -> tuple[Numbers, Mapping[str, npt.NDArray[np.intp]]]:
    """A table as one row a moment, and the rows of each recording by its cell in the column `key`; kept for the next.

    Raises:
        UnreadableFile: When it is no such table, a value is no number, or there are two at one moment.
    """
    numbers_of(path)  # refuses what is no table, each time alike
    stat = path.stat()
    return _kept(str(path), key, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=KEPT)
def _kept(path: str, key: str, changed: int, size: int) -> tuple[Numbers, Mapping[str, npt.NDArray[np.intp]]]:
    """See `moments_of`; the times only tell a new file."""
    table = numbers_of(Path(path))
    if key and key not in table.names:
        raise UnreadableFile(path, f"there is no column {key!r}", f"It has {', '.join(table.names)}"[:200])
    found = by_moment(table, (key,) if key else ())
    _refuse(path, table, found, key)
    rows: dict[str, list[int]] = {}
    for number, cell in enumerate(found.table.cells(found.table.names.index(key)) if key else ()):
        if cell is not None:
            rows.setdefault(cell, []).append(number)
    return found.table, {cell: np.array(numbers, np.intp) for cell, numbers in rows.items()}


def _refuse(path: str, table: Numbers, found: Moments, key: str) -> None:
    if found.word is not None:
        value = _named(table, VALUE)
        raise UnreadableFile(
            path,
            f"line {table.line(found.word)}: {table.names[value or 0]} is "
            f"{table.words[value or 0][found.word]!r} and no number",
            "Mend the cell, or leave it empty where nothing was recorded",
        )
    if found.twice is not None:
        raise UnreadableFile(
            path,
            f"line {table.line(found.twice)} gives a channel a second value at one time",
            f"Mend it, or name recordings apart in the column {key!r}" if key else "Give each recording a name",
        )


def _named(table: Numbers, names: Sequence[str]) -> int | None:
    """The column whose name comes first in `names`."""
    plainly = {re.sub(r"\W+", "_", name.strip().lower()).strip("_"): place for place, name in enumerate(table.names)}
    return next((plainly[name] for name in names if name in plainly), None)


def _grouped(columns: Sequence[Sequence[str | None]]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The group of each row of equal cells, in the order in which they come, and the first row of each."""
    frame = pd.DataFrame({str(number): np.array(cells, object) for number, cells in enumerate(columns)})
    groups = np.asarray(frame.groupby(list(frame), sort=False, dropna=False).ngroup(), np.intp)
    return groups, np.asarray(np.unique(groups, return_index=True)[1], np.intp)


def _channels(table: Numbers, channel: int, unit: int | None) -> list[str]:
    """Name of the channel of each row, with its unit in brackets where one is said."""
    cells = [cell or "" for cell in table.cells(channel)]
    if unit is None:
        return cells
    units: dict[str, str] = {}
    for cell, said in zip(cells, table.cells(unit), strict=True):
        if said is not None:
            units.setdefault(cell, said)
    return [f"{cell} [{units[cell]}]" if cell in units else cell for cell in cells]


def _second(pairs: npt.NDArray[np.intp]) -> int | None:
    """The first row that comes again."""
    again = pd.Series(pairs).duplicated().to_numpy()
    return int(again.argmax()) if again.any() else None


def _word(table: Numbers, value: int) -> int | None:
    """The first row whose value is a word."""
    cells = table.words.get(value, ())
    return next(
        (row for row, cell in enumerate(cells) if cell is not None and np.isnan(table.values[row, value])), None
    )
