"""Whether a table beside class folders says something else about the images than the names of the folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from diascope.core.case import Case
from diascope.core.errors import BadUsage, DataRefused, UnreadableFile
from diascope.sources.folders.files import contents
from diascope.sources.tables.beside import rows_of
from diascope.sources.tables.columns import TARGET, plain
from diascope.sources.tables.describe import Rows
from diascope.sources.tables.sheet import BESIDE, read_columns, read_sheet
from diascope.sources.tables.targets import class_name, kind_of

MOST_COLUMNS = 200
"""A table with more of them holds pixels or genes."""


def refuse_rival(root: Path, cases: Sequence[Case], label: str, rows: Rows | None) -> None:
    """Refuse folders that may be mere portions (`images_part_1`, `images_part_2`) beside a table of diagnoses.

    A column that is named like a target and neither follows from the folders nor tells them apart is a label of its
    own, and which of the two is meant is for a person to say.

    Args:
        root: The data set.
        cases: With the folder's name as the target `label`.
        label: Name of that target.
        rows: Of the table that lies beside the images by its name; None where there is none.

    Raises:
        BadUsage: Names the folders and the column.
    """
    if rows is not None:
        column = _rival(rows, [name for name in rows.columns if name != label], cases, label)
        todo = f"Choose --target {label} (the folders) or --target {column}"
        if column is not None:
            raise _ambiguous(column, "the table beside them", cases, label, todo)
        return
    for name, table in _others(root, cases):
        column = _rival(table, table.columns, cases, label)
        if column is not None:
            todo = f"Call the table {BESIDE[1]}, so that it is read, or take it away"
            raise _ambiguous(column, name, cases, label, todo)


def _ambiguous(column: str, table: str, cases: Sequence[Case], label: str, todo: str) -> BadUsage:
    folders = sorted({str(case.targets[label]) for case in cases})
    return BadUsage(
        f"the classes may be the folders or the column {column!r} of {table}, and they do not agree",
        given=f"folders {', '.join(folders[:5])}{', ...' if len(folders) > 5 else ''}",
        todo=todo,
    )


def _rival(table: Rows, columns: Sequence[str], cases: Sequence[Case], label: str) -> str | None:
    """The first column that is named like a target and is a label of its own."""
    named = (column for column in columns if plain(column) in TARGET)
    return next((column for column in named if _is_rival(table.values(column, cases), cases, label)), None)


def _others(root: Path, cases: Sequence[Case]) -> Iterator[tuple[str, Rows]]:
    """Tables of other names that name images."""
    for name in contents(root)[1]:
        if not name.lower().endswith(".csv"):
            continue
        columns = read_columns(root / name)
        if len(columns) > MOST_COLUMNS or not any(plain(column) in TARGET for column in columns):
            continue
        try:
            yield name, rows_of(read_sheet(root / name), cases)[0]
        except (UnreadableFile, DataRefused):
            continue  # not about these images


def _is_rival(values: Sequence[str | None], cases: Sequence[Case], label: str) -> bool:
    if kind_of(values) != "category":
        return False
    pairs = {
        (class_name(value), case.targets[label]) for value, case in zip(values, cases, strict=True) if value is not None
    }
    words, folders = {word for word, _ in pairs}, {folder for _, folder in pairs}
    return len(words) > 1 and len(pairs) > max(len(words), len(folders))
