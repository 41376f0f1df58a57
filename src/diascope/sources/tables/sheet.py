"""A CSV file as rows of text, and which row belongs to which file."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from diascope.core.errors import DataRefused, UnreadableFile
from diascope.formats.tables.lines import DELIMITERS
from diascope.formats.tables.words import MISSING
from diascope.sources.folders.files import stem_of
from diascope.sources.tables.targets import names_file

BESIDE = ("index.csv", "metadata.csv")
"""Names of a table that lies beside images and says more about them."""

UNNAMED = re.compile(r"(unnamed: ?\d+)?", re.IGNORECASE)
"""Names of columns that have none: trailing commas, and the index that pandas writes (and names when it reads it)."""

Cells = Mapping[str, str | None]
"""One row: column to text, None where nothing is known."""


@dataclass(frozen=True)
class Sheet:
    """A table.

    Args:
        path: The file.
        columns: Names of the columns, in the order of the file.
        rows: One mapping a line.
        notes: What was left out.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Cells, ...]
    notes: tuple[str, ...] = ()


def read_sheet(path: Path) -> Sheet:
    """Read a CSV file in UTF-8, with a header, separated by comma, semicolon or tab.

    Columns without a name are left out, with a note.

    Raises:
        UnreadableFile: When it is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(path, f"not UTF-8 at byte {error.start}", "Save the table as CSV in UTF-8") from error
    except OSError as error:
        raise UnreadableFile(path, str(error.strerror)) from error
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    try:
        lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise UnreadableFile(path, f"line {reader.line_num}: {error}") from error
    if not lines:
        raise UnreadableFile(path, "the table is empty")
    header_cells = [name.strip() for name in lines[0][1]]
    columns = _named(header_cells)
    refuse_same_names(path, columns)
    rows = []
    for number, line in lines[1:]:
        if len(line) != len(header_cells):
            raise UnreadableFile(
                path, f"line {number} has {len(line)} cells and the header {len(header_cells)}", "Mend the line"
            )
        cells = zip(header_cells, line, strict=True)
        rows.append({name: cell_text(cell) for name, cell in cells if not UNNAMED.fullmatch(name)})
    unnamed = len(header_cells) - len(columns)
    notes = (f"columns of {path.name} without a name: {unnamed}, left out",) if unnamed else ()
    return Sheet(path, columns, tuple(rows), notes)


def _named(columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in columns if not UNNAMED.fullmatch(name))


def refuse_same_names(path: Path, columns: tuple[str, ...]) -> None:
    """Refuse a table in which two columns have one name.

    Raises:
        UnreadableFile: Names them.
    """
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise UnreadableFile(path, f"two columns have one name: {', '.join(map(repr, twice))}", "Rename one of them")


def cell_text(cell: str) -> str | None:
    """The text of a cell, None where it holds nothing (see `MISSING`)."""
    text = cell.strip()
    return None if text.lower() in MISSING else text


def read_columns(path: Path) -> tuple[str, ...]:
    """Names of the columns, without reading the rows; empty where the file is no table in UTF-8."""
    with path.open("rb") as stream:
        try:
            header = stream.readline(65536).decode("utf-8-sig")
        except UnicodeDecodeError:
            return ()
    delimiter = max(DELIMITERS, key=header.count)
    return _named(name.strip() for name in next(csv.reader([header], delimiter=delimiter), []))


def sheet_beside(folder: Path) -> Sheet | None:
    """The table that lies beside images (see `BESIDE`), None where there is none.

    Raises:
        DataRefused: When there are two.
    """
    found = [folder / name for name in BESIDE if (folder / name).is_file()]
    if len(found) > 1:
        raise DataRefused(
            f"two tables lie in {folder}: {' and '.join(path.name for path in found)}", todo="Keep one of them"
        )
    return read_sheet(found[0]) if found else None


@dataclass(frozen=True)
class Matched:
    """Which row belongs to which case.

    Args:
        column: The column that names the files.
        rows: Case id to row.
        unused: Number of rows that belong to no case.
    """

    column: str
    rows: Mapping[str, Cells]
    unused: int


def match_rows(sheet: Sheet, files: Mapping[str, str], what: str = "images") -> Matched:
    """Find the column that names most of the files: by relative path or name, with, without or with another ending.

    Args:
        sheet: The table.
        files: Case id to path relative to the folder of the table.
        what: What they are, for errors.

    Raises:
        DataRefused: When no column names any file, or two rows name one file.
    """
    keys = _keys(files)
    best, column = _best_column(sheet, keys)
    if not best:
        raise DataRefused(
            f"no column of {sheet.path.name} names any of the {len(files)} {what}",
            given=", ".join(sheet.columns),
            todo=f"Give it a column with the path, name or stem of each of the {what}",
        )
    rows: dict[str, Cells] = {}
    for row, case in zip(sheet.rows, (_case_of(row[column], keys) for row in sheet.rows), strict=True):
        if case is None:
            continue
        if case in rows and rows[case] != row:
            raise DataRefused(
                f"two rows of {sheet.path.name} name one file and differ", given=row[column], todo="Keep one of them"
            )
        rows[case] = row
    return Matched(column, rows, sum(_case_of(row[column], keys) is None for row in sheet.rows))


def from_first_line(sheet: Sheet, files: Mapping[str, str]) -> Sheet:
    """The sheet; where its first line names a file itself (`A00001,N`), this is a row, and columns have no names.

    Args:
        sheet: As it was read, with the first line as its header.
        files: Case id to path relative to the folder of the table.
    """
    keys = _keys(files)
    _, column = _best_column(sheet, keys)
    own = _case_of(column, keys) if column else None
    if own is None or any(_case_of(row[column], keys) == own for row in sheet.rows):
        return sheet
    names = {name: f"column_{number}" for number, name in enumerate(sheet.columns, 1)}
    first = {new: cell_text(name) for name, new in names.items()}
    rows = [first, *({new: row[name] for name, new in names.items()} for row in sheet.rows)]
    note = f"{sheet.path.name} has no header: columns are called {', '.join(names.values())}"
    return replace(sheet, columns=tuple(names.values()), rows=tuple(rows), notes=(*sheet.notes, note))


def _best_column(sheet: Sheet, keys: Mapping[str, str | None]) -> tuple[int, str]:
    best, column = 0, ""
    for name in sheet.columns:
        named = {case for row in sheet.rows if (case := _case_of(row[name], keys)) is not None}
        if len(named) > best:
            best, column = len(named), name
    return best, column


def _keys(files: Mapping[str, str]) -> dict[str, str | None]:
    """What a cell may say for a file; a name that fits two files maps to None."""
    keys: dict[str, str | None] = {}
    for case, path in files.items():
        name = path.rsplit("/", 1)[-1]
        for key in {path, stem_of(path), name, stem_of(name)}:
            keys[key] = case if keys.get(key, case) == case else None
    return keys


def _case_of(cell: str | None, keys: Mapping[str, str | None]) -> str | None:
    """The case that a cell names; `I0.jpg` is also `I0.png`, where nothing is called `I0.jpg`."""
    if cell is None:
        return None
    name = cell.replace("\\", "/").removeprefix("./")
    return keys.get(stem_of(name) if name not in keys and names_file(name) else name)
