"""Lines of cells between commas, semicolons, tabs or blanks, with or without a header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from diascope.core.errors import UnreadableFile
from diascope.formats.tables.encoding import text_of
from diascope.formats.tables.header import has_header
from diascope.formats.tables.words import trimmed

DELIMITERS = (",", ";", "\t")

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


def read_lines(path: Path) -> tuple[Layout, list[list[str]]]:
    """How a table of lines is written, and the cells of each row after the header, as they stand there.

    Raises:
        UnreadableFile: When it is no such table.
    """
    text = text_of(path)
    layout = layout_of(path, text)
    if layout is None:
        raise UnreadableFile(path, "the table is empty")
    try:
        lines = list(_lines(text, layout.delimiter, strict=True))
    except csv.Error as error:
        raise UnreadableFile(path, f"{error}", "Mend the line") from error
    if layout.header is not None:
        lines = lines[1:]
    return layout, _fitted(path, lines, layout)


def layout_of(path: Path, text: str) -> Layout | None:
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


def rows_of_head(head: str, layout: Layout) -> Iterator[list[str]]:
    """Cells of the rows that the first characters of a table hold, without its header; the last may be cut."""
    lines = _lines(head, layout.delimiter)
    return (cells for _, cells in islice(lines, int(layout.header is not None), None))


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
