"""A table of lines: cells between commas, semicolons, tabs or blanks, with or without a header."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from diascope.core.errors import UnreadableFile
from diascope.sources.tables.encoding import head_of, text_of
from diascope.sources.tables.header import has_header
from diascope.sources.tables.sheet import DELIMITERS, Sheet
from diascope.sources.tables.text_cells import column_of, is_value, note_on_missing, sheet_of, trimmed, with_points

BLANKS = " "
"""Any number of blanks and tabs between cells; only where the file is called `.txt`."""

MOST_LOOKED = 200
"""Rows that tell how a table is written: enough for a class to come again."""

HEAD = 1 << 22
"""Characters that hold them; of very wide tables fewer rows."""

Line = tuple[int, list[str]]
"""Number of the line in the file, and its cells."""


@dataclass(frozen=True)
class Layout:
    """How a table is written.

    Args:
        delimiter: What stands between cells.
        header: Cells of the first row, trimmed; None where it is a case.
        width: Number of cells of the first row.
        equal: Whether all rows that were looked at have as many.
    """

    delimiter: str
    header: tuple[str, ...] | None
    width: int
    equal: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns: those of the header, else `column_1`, `column_2`, ..."""
        return self.header or tuple(f"column_{number}" for number in range(1, self.width + 1))


def read_delimited(path: Path) -> Sheet:
    """Read a table of lines.

    Raises:
        UnreadableFile: When it is no such table.
    """
    text = text_of(path)
    layout = _layout(path, text)
    if layout is None:
        raise UnreadableFile(path, "the table is empty")
    try:
        lines = list(_lines(text, layout.delimiter, strict=True))
    except csv.Error as error:
        raise UnreadableFile(path, f"{error}", "Mend the line") from error
    if layout.header is not None:
        lines = lines[1:]
    rows = _fitted(path, lines, layout)
    spelt: Counter[str] = Counter()
    columns = [column_of(cells, spelt) for cells in zip(*rows, strict=True)] or [[] for _ in layout.names]
    notes = [*_note_on_header(path, layout), *note_on_missing(path, spelt)]
    if layout.delimiter != ",":
        columns, more = with_points(layout.names, columns, path.name)
        notes += more
    return sheet_of(path, layout.names, columns, notes)


def names_of_delimited(path: Path) -> tuple[str, ...]:
    """Names of the columns, from the first rows; a `.txt` is a table only where its rows are equally long.

    Raises:
        OSError: When it cannot be read.
        ValueError: When it is no text.
    """
    layout = _layout(path, head_of(path, HEAD + 1))
    if layout is None or (path.suffix.lower() == ".txt" and not (layout.equal and layout.width > 1)):
        return ()
    return layout.names


def _layout(path: Path, text: str) -> Layout | None:
    """How a text is written, by its head alone: so the names are the same before and after reading the whole."""
    blanks = path.suffix.lower() == ".txt"
    cut = len(text) > HEAD
    head = text[:HEAD]
    delimiter = _delimiter(head, cut, blanks)
    rows = _looked(head, delimiter, cut)
    if not rows:
        return None
    header = has_header(rows)
    names = tuple(" ".join(cell.split()) for cell in rows[0])
    return Layout(delimiter, names if header else None, len(names), len({len(row) for row in rows}) == 1)


def _delimiter(head: str, cut: bool, blanks: bool) -> str:
    """The delimiter that parts all rows into equally many cells, else the one that is most frequent in the first.

    Of two that do, the comma comes last: in `1,5;2,5` it is part of the numbers.
    """
    for delimiter in ("\t", ";", ","):
        widths = {len(row) for row in _looked(head, delimiter, cut)}
        if len(widths) == 1 and widths != {1}:
            return delimiter
    first = next((line for line in io.StringIO(head, newline="") if line.strip()), "")
    best = max(DELIMITERS, key=first.count)
    return BLANKS if blanks and best not in first else best


def _looked(head: str, delimiter: str, cut: bool) -> list[list[str]]:
    """Trimmed cells of the first rows; without the last of them where the head may have cut it."""
    rows = [[trimmed(cell) for cell in cells] for _, cells in islice(_lines(head, delimiter), MOST_LOOKED)]
    return rows[:-1] if cut and 1 < len(rows) < MOST_LOOKED else rows


def _lines(text: str, delimiter: str, *, strict: bool = False) -> Iterator[Line]:
    """Lines that hold anything.

    Raises:
        csv.Error: Names the line.
    """
    lines: Iterator[str] = io.StringIO(text, newline="")
    if delimiter == BLANKS:
        lines = (" ".join(line.split()) for line in lines)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise csv.Error(f"line {reader.line_num}: {error}") from error


def _fitted(path: Path, lines: Sequence[Line], layout: Layout) -> list[list[str]]:
    """Rows as wide as the first; cells of nameless last columns may be left out.

    Raises:
        UnreadableFile: When a line has more or fewer cells, or repeats the header.
    """
    width, header = layout.width, layout.header
    least = max((place for place, name in enumerate(layout.names, start=1) if name), default=width)
    whole = "the header" if header else "the first line"
    if lines and header and all(len(cells) == width + 1 for _, cells in lines):
        raise UnreadableFile(
            path, f"every line has {width + 1} cells and {whole} {width}", "Give the first column (row names?) a name"
        )
    rows = []
    for number, cells in lines:
        if not least <= len(cells) <= width:
            raise UnreadableFile(path, f"line {number} has {len(cells)} cells and {whole} {width}", "Mend the line")
        if header and tuple(" ".join(trimmed(cell).split()) for cell in cells) == header:
            raise UnreadableFile(path, f"line {number} repeats the header", "Remove the line")
        rows.append([*cells, *([""] * (width - len(cells)))])
    return rows


def _note_on_header(path: Path, layout: Layout) -> list[str]:
    if layout.header is None:
        names = layout.names
        called = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        return [f"{path.name} has no header: columns are called {called}"]
    numbers = [name for name in layout.header if is_value(name)]
    if 2 * len(numbers) > len(layout.header):
        listed = ", ".join(layout.header[:4])
        return [f"the first line of {path.name} was taken as its header, though it holds mostly numbers: {listed}, ..."]
    return []
