"""Tables of numbers, with or without names of columns, that signals lie in: read once, kept, and parsed by pandas.

A text table may have a hundred million cells: as text in Python they would take gigabytes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from diascope.core.errors import UnreadableFile
from diascope.formats.tables.encoding import text_of
from diascope.formats.tables.lines import BLANKS, Layout, layout_of
from diascope.formats.tables.words import MISSING_IN_TABLES, is_missing, trimmed

Floats = npt.NDArray[np.float64]

LINES, ARFF = (".csv", ".tsv", ".txt"), ".arff"
SUFFIXES = (*LINES, ARFF)
KEPT = 2
"""Tables that a process keeps: those of the training and of the test part."""

_ATTRIBUTE = re.compile(r"@attribute\s+(?P<name>'[^']*'|\"[^\"]*\"|\S+)\s+(?P<kind>.*)", re.IGNORECASE)
_SPELLINGS = sorted({form for word in MISSING_IN_TABLES for form in (word, word.upper(), word.title())})


@dataclass(frozen=True)
class Numbers:
    """A table.

    Args:
        names: Of the columns.
        header: Whether they stand in the file; else they are `column_1`, ...
        values: (N, D); nan where a cell is missing, or a word.
        words: Column to its cells as text (None where there is nothing), for columns that hold a word.
        first: Number of the line in the file at which the first row stands.
        lines: Of each row, where they do not follow each other.
    """

    names: tuple[str, ...]
    header: bool
    values: Floats
    words: Mapping[int, Sequence[str | None]] = field(default_factory=dict)
    first: int = 1
    lines: Sequence[int] | None = None

    def line(self, row: int) -> int:
        """Number of the line in the file at which a row stands."""
        return self.first + int(row) if self.lines is None else self.lines[row]

    def cells(self, column: int) -> list[str | None]:
        """A column as text; numbers as they are shortest."""
        if column in self.words:
            return list(self.words[column])
        found = self.values[:, column]
        return [
            None if np.isnan(one) else str(int(one)) if float(one).is_integer() else repr(float(one)) for one in found
        ]


def numbers_of(path: Path) -> Numbers:
    """A table, kept for the next row as long as the file stays as it is.

    Raises:
        UnreadableFile: When it is no such table.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise UnreadableFile(path, str(error.strerror)) from error
    found = _kept(str(path), stat.st_mtime_ns, stat.st_size)
    if isinstance(found, UnreadableFile):
        raise found
    return found


@lru_cache(maxsize=KEPT)
def _kept(path: str, changed: int, size: int) -> Numbers | UnreadableFile:
    """A table, or why it cannot be read: each of its rows would ask anew. The times only tell a new file."""
    try:
        return read_numbers(Path(path), text_of(Path(path)))
    except UnreadableFile as error:
        return error


def read_numbers(path: Path, text: str) -> Numbers:
    """A table from the text of its file (or from whole lines of its beginning).

    Raises:
        UnreadableFile: When it is no such table.
    """
    if path.suffix.lower() == ARFF:
        names, body, first = _arff(path, text)
        layout = Layout(",", names, len(names), True)
    else:
        found = layout_of(path, text)
        if found is None:
            raise UnreadableFile(path, "the table is empty")
        layout, (body, first) = found, _body(text, found.header is not None)
    _refuse_ragged(path, body, layout, first)
    try:
        frame = _parsed(body, layout)
    except (ValueError, csv.Error) as error:  # pandas' own errors are ValueErrors
        raise UnreadableFile(path, " ".join(str(error).split())[:200], "Mend the table") from error
    if not len(frame):
        raise UnreadableFile(path, "the table has no rows", "Write one row a case")
    values, words = _values(frame)
    return Numbers(tuple(layout.names), layout.header is not None, values, words, first)


def head_of_numbers(path: Path, text: str, rows: int) -> Numbers:
    """The first rows of a table, from the beginning of its text.

    Raises:
        UnreadableFile: When it is no such table.
    """
    lines: list[str] = []
    data = path.suffix.lower() != ARFF
    count = 0
    for line in io.StringIO(text, newline=""):
        lines.append(line)
        count += data and bool(line.strip())
        data = data or line.strip().lower() == "@data"
        if count > rows:
            break
    whole = lines[:-1] if len(lines) > 2 and not lines[-1].endswith(("\n", "\r")) else lines
    return read_numbers(path, "".join(whole))


def _body(text: str, header: bool) -> tuple[str, int]:
    """The lines of a table without its header, and the number of the first."""
    if not header:
        return text, 1
    stream = io.StringIO(text, newline="")
    for number, line in enumerate(iter(stream.readline, ""), 1):
        if line.strip():
            return stream.read(), number + 1
    return "", 1


def _arff(path: Path, text: str) -> tuple[tuple[str, ...], str, int]:
    """Names of the attributes and the lines of data (format of Weka: attributes, then `@data`)."""
    names = []
    stream = io.StringIO(text, newline="")
    number = 0
    for number, line in enumerate(iter(stream.readline, ""), 1):
        word = line.split(None, 1)[0].lower() if line.strip() else ""
        if word == "@data":
            break
        if word == "@attribute":
            found = _ATTRIBUTE.match(line.strip())
            if found is None or found["kind"].strip().lower().startswith("relational"):
                raise UnreadableFile(path, f"line {number} declares no plain attribute: {line.strip()[:60]!r}")
            names.append(found["name"].strip("'\""))
    else:
        raise UnreadableFile(path, "it has no line '@data'", "Give an ARFF file")
    body = "".join("\n" if line.lstrip().startswith("%") else line for line in stream)
    if not names or body.lstrip().startswith("{"):
        raise UnreadableFile(path, "it is sparse, or declares no attribute", "Write every cell")
    return tuple(names), body, number + 1


def _refuse_ragged(path: Path, body: str, layout: Layout, first: int) -> None:
    """Refuse a line that is longer or shorter: pandas would fill it up without a word."""
    for number, line in _filled(body, first):
        if '"' in line:
            continue  # a delimiter may stand within quotes: pandas knows
        cells = len(line.split()) if layout.delimiter == BLANKS else line.count(layout.delimiter) + 1
        if cells != layout.width:
            raise UnreadableFile(
                path,
                f"line {number} has {cells} cells, others have {layout.width}: is the file cut off?",
                "Mend the line",
            )


def _filled(body: str, first: int) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(body.splitlines(), first) if line.strip())


def _parsed(body: str, layout: Layout) -> Any:
    comma = layout.delimiter != "," and re.search(r"\d,\d", body[: 1 << 16]) is not None
    return pd.read_csv(
        io.StringIO(body),
        sep=r"\s+" if layout.delimiter == BLANKS else layout.delimiter,
        header=None,
        names=list(range(layout.width)),
        index_col=False,
        na_values=_SPELLINGS,
        keep_default_na=False,
        skipinitialspace=True,
        decimal="," if comma else ".",
        low_memory=False,
        float_precision="round_trip",
    )


def _values(frame: Any) -> tuple[Floats, dict[int, list[str | None]]]:
    values = np.full(frame.shape, np.nan)
    words: dict[int, list[str | None]] = {}
    for place in range(frame.shape[1]):
        column = frame[place]
        if column.dtype.kind in "fiu":
            values[:, place] = column.to_numpy(np.float64)
            continue
        cells = [None if one is None or one != one else trimmed(str(one)) for one in column]
        words[place] = [None if one is None or is_missing(one) else one for one in cells]
        values[:, place] = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(np.float64)
    values[np.isinf(values)] = np.nan
    return values, words
