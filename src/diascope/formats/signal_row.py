"""A row of a table as a signal: the columns are samples (UCR archive, ARFF, tables of beats).

The item says which: `17/att1:att140` are the columns from `att1` to `att140` of row 17 (the first row after the header
is 1). Several spans are channels: `17/I_1:I_500/II_1:II_500`. What is missing at the end of a row is not part of it. A
`signal.json` as second file says what a table cannot: `{"rate": 125, "channels": ["II"], "units": ["mV"]}`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from diascope.core.errors import BadUsage, UnreadableFile
from diascope.core.signal import Signal
from diascope.formats.files.reading import foreign
from diascope.formats.waveforms.beside import beside
from diascope.formats.waveforms.numbers import SUFFIXES, Floats, Numbers, numbers_of

CHANNEL = "signal"
"""Name of a channel that nobody named."""


class SignalRow:
    """CSV, TSV, columns of numbers between blanks, ARFF."""

    kind = "signal"
    suffixes: tuple[str, ...] = SUFFIXES
    writes: bool = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return False  # a row is an item, which no name of a file tells

    def read(self, paths: Sequence[Path], item: str | None = None) -> Signal:
        """One row.

        Raises:
            UnreadableFile: When the table is broken, has no such row or columns, or a sample is no number.
        """
        path, declared = beside(paths)
        with foreign(path):
            table = numbers_of(path)
            row, spans = _meant(path, table, item)
            columns = [_samples(path, table, row, span) for span in spans]
            length = max(_filled(one) for one in columns)
            if not length:
                raise UnreadableFile(path, f"row {row + 1} holds no sample")
            names = [CHANNEL] if len(spans) == 1 else [_stem(table.names[span.start]) for span in spans]
            values = np.stack([one[:length] for one in columns], axis=1).astype(np.float32)
            return declared.applied(Signal(values, 0.0, tuple(names)), path)

    def extent(self, paths: Sequence[Path], item: str | None = None) -> None:
        return None

    def write(self, image: Any, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("rows of tables are only read", given=path)


def _meant(path: Path, table: Numbers, item: str | None) -> tuple[int, list[range]]:
    number, _, rest = (item or "").partition("/")
    if not number.isdecimal() or not rest:
        raise UnreadableFile(
            path, f"there is no item {item!r}", "Name a row and its first and last column: 17/att1:att140"
        )
    if not 1 <= int(number) <= len(table.values):
        raise UnreadableFile(path, f"there is no row {number}; the last one is {len(table.values)}")
    spans = []
    for part in rest.split("/"):
        ends = [unquote(name) for name in part.split(":")]
        for name in ends:
            if name not in table.names:
                raise UnreadableFile(path, f"there is no column {name!r}", f"It has {', '.join(table.names)}"[:200])
        spans.append(range(table.names.index(ends[0]), table.names.index(ends[-1]) + 1))
    if len({len(span) for span in spans}) > 1 or not all(spans):
        raise UnreadableFile(path, f"the channels of {item!r} have different numbers of samples")
    return int(number) - 1, spans


def _samples(path: Path, table: Numbers, row: int, span: range) -> Floats:
    for column in span:
        if column in table.words and table.words[column][row] is not None and np.isnan(table.values[row, column]):
            raise UnreadableFile(
                path,
                f"row {row + 1}: {table.names[column]} is {table.words[column][row]!r} and no number",
                "Mend the cell",
            )
    found: Floats = table.values[row, span.start : span.stop]
    return found


def _filled(samples: Floats) -> int:
    """Samples up to the last one that is there."""
    known = np.flatnonzero(~np.isnan(samples))
    return int(known[-1]) + 1 if len(known) else 0


def _stem(name: str) -> str:
    """`I_001` is a sample of the channel `I`."""
    return re.sub(r"[\s_.\-]*\d+$", "", name) or name


FORMAT = SignalRow()
