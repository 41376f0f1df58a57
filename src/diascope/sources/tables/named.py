"""Columns of a table that are called as a kind of input is: such a table names the inputs of its cases."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from diascope.sources.folders.files import suffix_of
from diascope.sources.tables.drawn import sides_of
from diascope.sources.tables.sheet import read_columns
from diascope.sources.tables.written import first_rows

KINDS = ("image", "image_series", "signal", "curves", "text", "sequence")
"""A column `image`, `signal`, ...; further ones are `image:NAME`, ... An `image_series` is an image over time, `curves`
are those of its regions."""
FILES = ("image", "image_series", "signal", "curves")
"""Kinds whose cells are always files."""
MANIFEST = "manifest.csv"
LONGEST_NAME = 255
"""Characters of a file's name at most: a longer cell is no name."""


def named(columns: tuple[str, ...], kind: str) -> dict[str, str]:
    """Name of an input or mask to its column: `image` is "image", `image:flair` is "flair"."""
    found = {}
    for column in columns:
        prefix, colon, name = column.partition(":")
        if prefix.strip().lower() == kind:
            found[name.strip() if colon else kind] = column
    return found


def inputs_named(columns: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Name of each input to its kind and column."""
    return {name: (kind, column) for kind in KINDS for name, column in named(columns, kind).items()}


def is_manifest(table: Path) -> bool:
    """Whether a table names inputs: some of its cells are files, or its columns are inputs of several kinds.

    A column `image` may also say which film a report is about, and one column of texts or letters makes no manifest.
    """
    if not table.name.lower().endswith(".csv") or not table.is_file():
        return False
    columns = read_columns(table)
    inputs = inputs_named(columns)
    if not inputs or sides_of(columns) is not None:
        return False
    kinds = {kind for kind, _ in inputs.values()}
    own = {column for _, column in inputs.values()}
    return table.name == MANIFEST or _names_files(table, own, kinds) or len(kinds - set(FILES)) > 1


def _names_files(table: Path, columns: Collection[str], kinds: Collection[str]) -> bool:
    names, rows = first_rows(table)
    places = [place for place, name in enumerate(names) if name in columns]
    cells = [cell for row in rows for place in places if (cell := row[place].strip())]
    if not cells:
        return bool(set(FILES) & set(kinds))
    return any(_is_file(table.parent, cell) for cell in cells)


def _is_file(folder: Path, cell: str) -> bool:
    path = cell.replace("\\", "/").removeprefix("./")
    return len(path) <= LONGEST_NAME and (bool(suffix_of(path)) or (folder / path).exists())
