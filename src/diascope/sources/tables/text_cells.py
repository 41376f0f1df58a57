"""Cells of table files: which hold nothing, typed values as text, and columns of cells as a sheet."""

from __future__ import annotations

import datetime
import decimal
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from diascope.core.errors import UnreadableFile
from diascope.formats.tables.words import NO_SIGN, is_missing, trimmed
from diascope.sources.tables.sheet import UNNAMED, Sheet, refuse_same_names

SIGN = re.compile(r"[-+±/]*\+[-+±/]*")
"""`+`, `++`, `+/-`: the other answers of a test whose negative answer is `-`."""

COMMA_NUMBER = re.compile(r"[+-]?(?:\d+(?:,\d*)?|,\d+)(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
"""`7,800` is 7.8 or 7800: only the other cells of the table can tell."""

NAMELESS = re.compile(rf"(?:{UNNAMED.pattern}|__index_level_\d+__)", re.IGNORECASE)
"""Columns without a name, as a CSV and as pandas' Parquet have them."""

Column = list[str | None]
"""Cells of one column, None where nothing is known."""


def column_of(cells: Iterable[str | None], spelt: Counter[str]) -> Column:
    """Cells as text.

    Args:
        cells: As written; None where a typed file says that there is nothing.
        spelt: Is told how missing cells were written.
    """
    texts = [None if cell is None else trimmed(cell) for cell in cells]
    signs = any(SIGN.fullmatch(text) for text in set(texts) - {None} if text)
    column: Column = []
    for text in texts:
        if text is None or (is_missing(text) and not (signs and text in NO_SIGN)):
            column.append(None)
            if text:
                spelt[text] += 1
        else:
            column.append(text)
    return column


def with_points(names: Sequence[str], columns: Sequence[Column], table: str) -> tuple[list[Column], list[str]]:
    """Columns in which every number has a decimal comma, with points instead, and notes on them.

    A column of nothing but `7,800`, `1,015` and the like is left as text where no other column tells what the comma is.
    """
    found = [index for index, column in enumerate(columns) if _has_commas(column)]
    sure = any(not THOUSANDS.fullmatch(cell) for index in found for cell in columns[index] if cell and "," in cell)
    if found and not sure:
        notes = []
        for index in found:
            cell = next(cell for cell in columns[index] if cell and "," in cell)
            readings = f"{cell.replace(',', '')} or {cell.replace(',', '.')}"
            notes.append(f"{cell!r} in the column {names[index]!r} of {table} may be {readings}: left as text")
        return list(columns), notes
    pointed = [
        [cell and cell.replace(",", ".") for cell in column] if index in found else column
        for index, column in enumerate(columns)
    ]
    listed = ", ".join(names[index] for index in found)
    return pointed, [f"decimal commas of {table} were read as points: {listed}"] if found else []


def _has_commas(column: Column) -> bool:
    cells = {cell for cell in column if cell is not None}
    return any("," in cell for cell in cells) and all(COMMA_NUMBER.fullmatch(cell) for cell in cells)


def text_of_value(value: object) -> str | None:
    """A typed value as text that reads back equal; None where it is none or not a number.

    Raises:
        TypeError: When it is of a kind that no cell holds.
    """
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | decimal.Decimal():
            return str(value)
        case float():
            return None if math.isnan(value) else repr(value)
        case datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            raise TypeError(f"no cell holds {type(value).__name__}")


def sheet_of(path: Path, names: Sequence[str], columns: Sequence[Column], notes: Iterable[str] = ()) -> Sheet:
    """A sheet of columns; those without a name are left out, with a note.

    Args:
        path: The file.
        names: One a column.
        columns: All equally long.
        notes: What happened on the way.

    Raises:
        UnreadableFile: When two columns have one name, or there is nothing in the table.
    """
    named = {index: name for index, name in enumerate(names) if not NAMELESS.fullmatch(name)}
    kept = tuple(named.values())
    refuse_same_names(path, kept)
    if not kept:
        raise UnreadableFile(path, "the table has no column with a name", "Write the names into the first line")
    rows = tuple(dict(zip(kept, cells, strict=True)) for cells in zip(*(columns[i] for i in named), strict=True))
    if not rows:
        raise UnreadableFile(path, "the table has no rows", "Write one row a case")
    unnamed = len(names) - len(kept)
    left_out = [f"columns of {path.name} without a name: {unnamed}, left out"] if unnamed else []
    return Sheet(path, kept, rows, (*notes, *left_out))


def note_on_missing(path: Path, spelt: Counter[str]) -> list[str]:
    """How cells that hold nothing are written in a table, where they are not simply empty."""
    if not spelt:
        return []
    listed = ", ".join(f"{text!r} ({count})" for text, count in spelt.most_common())
    return [f"cells of {path.name} that count as missing: {listed}"]
