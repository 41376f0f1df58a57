"""What a row of a table is called: by a column of cases, one that counts the rows, or its place."""

from __future__ import annotations

from diascope.core.errors import DataRefused
from diascope.sources.tables.cells import values_of
from diascope.sources.tables.columns import CASE, first_of
from diascope.sources.tables.sheet import Sheet


def case_ids(sheet: Sheet) -> list[str]:
    """One id a row: of a column `case`, of one that counts the rows, or the number of the row.

    Raises:
        DataRefused: When two rows are one case.
    """
    column = first_of(sheet.columns, CASE)
    if column is None:
        column = next((name for name in sheet.columns if counts_rows(sheet, name)), None)
    found = [(row[column] if column else None) or f"row-{number}" for number, row in enumerate(sheet.rows, 1)]
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise DataRefused(
            f"two rows of {sheet.path.name} are one case",
            given=twice,
            todo=f"Give every row its own cell in {column!r}, or rename that column",
        )
    return found


def counts_rows(sheet: Sheet, name: str) -> bool:
    """Whether a column only says which row it is."""
    cells = [row[name] for row in sheet.rows]
    return None not in cells and len(set(cells)) == len(cells) and values_of(name, cells).kind == "running"
