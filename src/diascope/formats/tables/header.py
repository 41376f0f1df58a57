"""Whether the first row of a table names its columns, or is a case already."""

from __future__ import annotations

import re
from collections.abc import Sequence

from diascope.formats.tables.words import is_missing, is_value, number_of

FEWEST_COUNTED = 3
"""Columns that pandas numbers for want of names (0, 1, 2, ...); two numbers in a row are more likely a case."""

NUCLEOTIDES = re.compile(r"[ACGTUN]{10,}", re.IGNORECASE)
"""A cell that is no name of a column."""
SENTENCE = re.compile(r"(?s:(?:\S+\s+){7,}\S*[.!]|.{15,}。)")
"""A cell of eight words and a full stop: more likely a report than a name."""

Row = Sequence[str]


def has_header(rows: Sequence[Row]) -> bool:
    """Whether the first row names the columns.

    It does not where most of its cells are values: numbers, dates, spellings of missing, or words that stand in the
    same column again. Names may be numbers where they count up from 0 or 1, or where another cell of the row is a word
    above nothing but numbers (`Age,1,2,3,Class`). A sequence of nucleotides is a case whatever stands beside it, a
    sentence where the words beside it come again.

    Args:
        rows: Trimmed cells of the first rows.
    """
    first = rows[0]
    if any(NUCLEOTIDES.fullmatch(cell) for cell in first):
        return False
    # A header that stands there twice (joined files) is no value of its own columns.
    below = [_column(rows[1:], index, first) for index in range(len(first))]
    again = [bool(cell) and cell in column for cell, column in zip(first, below, strict=True)]
    plain = [is_value(cell) or is_missing(cell) for cell in first]
    filled = [index for index, cell in enumerate(first) if cell]
    said = [SENTENCE.fullmatch(cell) is not None for cell in first]
    values = [index for index in filled if plain[index] or again[index] or said[index]]
    if 2 * len(values) <= len(filled):
        return True
    words = [index for index in filled if not plain[index]]
    if len({first[index] for index in filled}) < len(filled) or any(again[index] for index in words):
        return False
    return _count_up([first[index] for index in filled if plain[index]]) or any(
        below[index] and all(is_value(cell) for cell in below[index]) for index in words
    )


def _column(rows: Sequence[Row], index: int, first: Row) -> set[str]:
    """What stands in a column, but for missing cells and rows that repeat the first."""
    cells = {row[index] for row in rows if index < len(row) and list(row) != list(first)}
    return {cell for cell in cells if not is_missing(cell) or cell == first[index]}


def _count_up(cells: Sequence[str]) -> bool:
    numbers = [number_of(cell) for cell in cells]
    return len(numbers) >= FEWEST_COUNTED and any(
        numbers == [float(start + place) for place in range(len(numbers))] for start in (0, 1)
    )
