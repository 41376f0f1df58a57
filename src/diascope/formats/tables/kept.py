"""A table that many inputs lie in: read once and kept, so that each case finds its cells at once.

An item says where: `17/report` is the column `report` of row 17 (the first row after the header is 1), `17/a/b` two
columns in this order, and `17/first:last` all columns from one to another. In names `%`, `/` and `:` are written as in
a URL (`%25`, `%2F`, `%3A`).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from diascope.core.errors import DiascopeError, MissingPackage, UnreadableFile
from diascope.formats.tables.lines import read_lines

LINES = (".csv", ".tsv")
PARQUET = (".parquet", ".pq")
SUFFIXES = (*LINES, *PARQUET)
"""Endings of tables whose cells can be inputs."""

KEPT = 2
"""Tables that a process keeps: one of the data set, and one that a case of another input lies in."""

Row = Sequence[str | None]


@dataclass(frozen=True)
class Table:
    """Rows of a table as they stand in the file.

    Args:
        names: Column to its place.
        rows: Cells of each row; None where a typed file says that there is nothing.
    """

    names: dict[str, int]
    rows: Sequence[Row]


def item_of(row: int, columns: Sequence[str]) -> str:
    """The item of some cells of a row, in this order.

    Args:
        row: The first row after the header is 1.
        columns: Their names.
    """
    return "/".join((str(row), *map(escaped, columns)))


def span_of(row: int, first: str, last: str) -> str:
    """The item of all cells of a row from one column to another."""
    return f"{row}/{escaped(first)}:{escaped(last)}"


def columns_of(item: str | None) -> list[str]:
    """The columns that an item names; of a span its ends."""
    parts = (item or "").split("/")[1:]
    return [unquote(name) for part in parts for name in part.split(":")]


def escaped(name: str) -> str:
    """A column's name as it stands in an item."""
    return name.replace("%", "%25").replace("/", "%2F").replace(":", "%3A")


def cells_at(path: Path, item: str | None) -> list[tuple[str, str]]:
    """Column and text of each cell that an item names; empty where the cell holds nothing.

    Raises:
        UnreadableFile: When the table cannot be read, or has no such row or column.
        MissingPackage: When Parquet is given and the package that reads it is not installed.
    """
    if item is None:
        raise UnreadableFile(path, "which cell is meant?", "Name row and column: 17/report")
    row, _, rest = item.partition("/")
    table = table_of(path)
    if not row.isdecimal() or not rest:
        raise UnreadableFile(path, f"there is no item {item!r}", "Name row and column: 17/report")
    if not 1 <= int(row) <= len(table.rows):
        raise UnreadableFile(path, f"there is no row {row}; the last one is {len(table.rows)}")
    cells = table.rows[int(row) - 1]
    return [(name, (cells[place] or "").strip()) for name, place in _places(path, table, rest)]


def _places(path: Path, table: Table, rest: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for part in rest.split("/"):
        ends = [unquote(name) for name in part.split(":")]
        for name in ends:
            if name not in table.names:
                raise UnreadableFile(path, f"there is no column {name!r}", f"It has {', '.join(table.names)}"[:300])
        first, last = table.names[ends[0]], table.names[ends[-1]]
        found += [(name, place) for name, place in table.names.items() if first <= place <= last]
    return found


def table_of(path: Path) -> Table:
    """The table, kept for the next cell as long as the file stays as it is.

    Raises:
        UnreadableFile: When it cannot be read.
        MissingPackage: When Parquet is given and the package that reads it is not installed.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise UnreadableFile(path, str(error.strerror)) from error
    found = _kept(str(path), stat.st_mtime_ns, stat.st_size)
    if isinstance(found, DiascopeError):
        raise found
    return found


@lru_cache(maxsize=KEPT)
def _kept(path: str, changed: int, size: int) -> Table | DiascopeError:
    """A table, or why it cannot be read: each of its thousand cells would ask anew. The times only tell a new file."""
    try:
        return _read(Path(path))
    except (UnreadableFile, MissingPackage) as error:
        return error


def _read(path: Path) -> Table:
    if path.name.lower().endswith(PARQUET):
        names, columns = _parquet(path)
        return Table(_numbered(path, names), list(zip(*columns, strict=True)))
    layout, rows = read_lines(path)
    return Table(_numbered(path, layout.names), rows)


def _numbered(path: Path, names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, name in enumerate(names):
        if name and name in found:
            raise UnreadableFile(path, f"two columns have one name: {name!r}", "Rename one of them")
        found[name] = place
    return found


def _parquet(path: Path) -> tuple[list[str], list[list[str | None]]]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise MissingPackage("pyarrow", "tables", "a Parquet table") from error
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise UnreadableFile(path, str(error)) from error
    columns = [[None if one is None else str(one) for one in column.to_pylist()] for column in table.columns]
    return list(table.column_names), columns
