"""Two tables of one folder as one: texts here, labels there, joined by the column that names the cases in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from diascope.core.errors import DataRefused
from diascope.sources.folders.files import contents, stem_of
from diascope.sources.tables.files import read_table
from diascope.sources.tables.sheet import Cells, Sheet

MATCHED = 0.5
"""Share of the rows of the smaller table that must find their partner."""
ENDINGS = (".csv", ".tsv", ".parquet", ".pq")
DIGITS = "0123456789"


def tables_in(folder: Path) -> list[Path]:
    """Table files that lie directly in a folder."""
    return [folder / name for name in contents(folder)[1] if name.lower().endswith(ENDINGS)]


def read_joined(main: Path, other: Path | None) -> Sheet:
    """The rows of the main table, in its order, with the columns of the other one.

    Args:
        main: Whose rows are the cases.
        other: A row belongs to the case that it names; None: nothing is joined.

    Raises:
        DataRefused: When the tables cannot be read or joined, or contradict each other.
    """
    sheet = read_table(main)
    return sheet if other is None else joined(sheet, read_table(other))


def joined(sheet: Sheet, other: Sheet) -> Sheet:
    """The columns of another table beside those of a sheet.

    Raises:
        DataRefused: When no column names the rows in both, or a column of both says different things.
    """
    mine, theirs, partner = _keys(sheet, other)
    new = [name for name in other.columns if name != theirs and name not in sheet.columns]
    for name in set(other.columns) & set(sheet.columns) - {theirs, mine}:
        _refuse_other(sheet, other, name, partner)
    nothing: Cells = dict.fromkeys(new)
    rows = [
        {**row, **({name: partner[place][name] for name in new} if place in partner else nothing)}
        for place, row in enumerate(sheet.rows)
    ]
    notes = [f"{other.path.name} was joined by its column {theirs!r}, which is {mine!r} in {sheet.path.name}"]
    if alone := len(sheet.rows) - len(partner):
        notes.append(f"{alone} of {len(sheet.rows)} rows of {sheet.path.name} have no row in {other.path.name}")
    if unused := len(other.rows) - len(partner):
        notes.append(f"{unused} of {len(other.rows)} rows of {other.path.name} have no row in {sheet.path.name}")
    return replace(
        sheet,
        columns=(*sheet.columns, *new),
        rows=tuple(rows),
        notes=(*sheet.notes, *other.notes, *notes),
    )


def _keys(sheet: Sheet, other: Sheet) -> tuple[str, str, dict[int, Cells]]:
    """The columns that name the rows in both tables, and for each row of the first its partner."""
    best: tuple[int, str, str, dict[str, int], dict[str, int]] | None = None
    ours = {name: keys for name in sheet.columns if (keys := _names_rows(sheet, name))}
    theirs = {name: keys for name in other.columns if (keys := _names_rows(other, name))}
    for one, mine in ours.items():
        for two, their in theirs.items():
            found = len(mine.keys() & their.keys())
            if best is None or found > best[0]:
                best = found, one, two, mine, their
    if best is None or best[0] < max(1.0, MATCHED * min(len(sheet.rows), len(other.rows))):
        raise DataRefused(
            f"{sheet.path.name} and {other.path.name} have no column by which they could be joined",
            given=f"{', '.join(sheet.columns)}; {', '.join(other.columns)}"[:300],
            todo="Give both a column with the same ids, each id once",
        )
    _, one, two, mine, their = best
    partner = {place: other.rows[their[key]] for key, place in mine.items() if key in their}
    return one, two, partner


def _names_rows(sheet: Sheet, column: str) -> dict[str, int] | None:
    """Key of each row by a column in which every cell is there once; without what all of them begin and end with."""
    cells = [row[column] for row in sheet.rows]
    if None in cells or len(set(cells)) < len(cells):
        return None
    keys = bare([cell or "" for cell in cells])
    return {key: place for place, key in enumerate(keys)} if len(set(keys)) == len(keys) else None


def bare(cells: Sequence[str]) -> list[str]:
    """Ids without a common beginning, and file names without their ending: `CXR12` and `12.txt` are `12`.

    Example:
        >>> bare(["CXR1", "CXR12"]), bare(["a/7.txt", "a/8.txt"]), bare(["7", "77"])
        (['1', '12'], ['7', '8'], ['7', '77'])
    """
    stems = [stem_of(cell) for cell in cells]
    stems = stems if len(set(stems)) == len(stems) else list(cells)
    prefix = _beginning(stems).rstrip(DIGITS)
    # A word is no beginning of an id: only what numbers follow is one.
    if not all(stem[len(prefix) :].isdecimal() for stem in stems):
        prefix = prefix[: prefix.rfind("/") + 1]
    return [stem[len(prefix) :] for stem in stems]


def _beginning(words: Sequence[str]) -> str:
    """What all words begin with: what the first and the last in their order share, all between them share as well."""
    first, last = min(words), max(words)
    length = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]


def _refuse_other(sheet: Sheet, other: Sheet, name: str, partner: dict[int, Cells]) -> None:
    for place, row in partner.items():
        if row[name] is not None and sheet.rows[place][name] not in (None, row[name]):
            raise DataRefused(
                f"the column {name!r} says different things in {sheet.path.name} and {other.path.name}",
                given=f"{sheet.rows[place][name]!r} and {row[name]!r}",
                todo="Rename it in one of the tables",
            )
