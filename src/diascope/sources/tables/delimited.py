"""A table of lines: cells between commas, semicolons, tabs or blanks, with or without a header."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from diascope.formats.tables.encoding import head_of
from diascope.formats.tables.lines import HEAD, Layout, layout_of, read_lines
from diascope.formats.tables.words import is_value
from diascope.sources.tables.sheet import Sheet
from diascope.sources.tables.text_cells import column_of, note_on_missing, sheet_of, with_points


def read_delimited(path: Path) -> Sheet:
    """Read a table of lines.

    Raises:
        UnreadableFile: When it is no such table.
    """
    layout, rows = read_lines(path)
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
    layout = layout_of(path, head_of(path, HEAD + 1))
    if layout is None or (path.suffix.lower() == ".txt" and not (layout.equal and layout.width > 1)):
        return ()
    return layout.names


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
