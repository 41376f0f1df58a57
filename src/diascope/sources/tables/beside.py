"""The table that lies beside images, matched to the cases that the folders gave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diascope.core.case import Case, FileRef
from diascope.sources.tables.describe import Rows
from diascope.sources.tables.sheet import Sheet, from_first_line, match_rows, sheet_beside


def rows_beside(folder: Path, cases: Sequence[Case]) -> tuple[Rows | None, list[str]]:
    """Rows of an `index.csv` or `metadata.csv` in the folder, and notes; None where there is no table.

    Args:
        folder: The root of the data set.
        cases: Each belongs to the row that names the file of its first input.

    Raises:
        DataRefused: When the table names none of the files, or one of them twice.
    """
    sheet = sheet_beside(folder)
    return (None, []) if sheet is None else rows_of(sheet, cases)


def rows_of(sheet: Sheet, cases: Sequence[Case]) -> tuple[Rows, list[str]]:
    """Rows of a table, matched to files by the column that names most of them, and notes."""
    files = {case.id: _first_path(case) for case in cases}
    sheet = from_first_line(sheet, files)
    matched = match_rows(sheet, files)
    notes = [*sheet.notes, f"{sheet.path.name}: the column {matched.column!r} names the images"]
    if matched.unused:
        notes.append(f"{matched.unused} rows of {sheet.path.name} name no image")
    alone = len(files) - len(matched.rows)
    if alone:
        notes.append(f"{alone} of {len(files)} images have no row in {sheet.path.name}")
    return Rows(sheet.columns, matched.rows, frozenset({matched.column})), notes


def _first_path(case: Case) -> str:
    return next(ref.paths[0] for ref in case.inputs.values() if isinstance(ref, FileRef))
