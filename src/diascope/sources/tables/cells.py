"""Cells of a column as values: numbers, with limits of detection and stray words, or words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from diascope.core.case import LIMIT, Scalar
from diascope.formats.tables.words import number_of
from diascope.sources.tables.columns import plain
from diascope.sources.tables.targets import class_name, kind_of, scalar_of

MOSTLY = 0.9
"""A column of which so large a share are numbers is one of numbers; the other cells are missing values."""
MOST_WORDS = 5
"""A column of many numbers and so few different words (`haemolysed`) is one of numbers where more than half are."""
RUNNING = ("id", "index", "row", "no", "nr", "number", "record", "record_id", "key", "uid", "sample", "sample_id")
"""Columns that only count the rows, where no value occurs twice."""
IDS, CHINESE_IDS = ("id", "uid", "no", "nr"), ("编号", "序号", "病历号", "住院号", "门诊号")
"""Last words of names of ids (`stay_id`): whole numbers of which more than half are different are no measurements."""
SHOWN = 3

Kind = Literal["number", "category", "text", "files", "empty", "running"]


@dataclass(frozen=True)
class Values:
    """A column as a model may read it.

    Args:
        kind: `number` and `category` can be read; `running` only counts the rows.
        of: One value a row, None where it is missing.
        note: What was taken for missing or for its limit; empty where nothing was.
    """

    kind: Kind
    of: tuple[Scalar, ...]
    note: str = ""


def values_of(name: str, cells: Sequence[str | None]) -> Values:
    """A column of text cells as values.

    Args:
        name: Of the column, for notes and to tell a running number.
        cells: One a row.
    """
    present = [cell for cell in cells if cell is not None]
    if _only_counts(plain(name), present):
        return Values("running", ())
    numbers = {cell: number_in(cell) for cell in dict.fromkeys(present)}
    known = sum(numbers[cell] is not None for cell in present)
    words = sum(number is None for number in numbers.values())
    # `<5` and `>=5` alone are two classes.
    measured = sum(number_of(cell) is not None for cell in numbers)
    limited = sum(number is not None for number in numbers.values()) - measured
    kind = kind_of(cells)
    # What could not be read at all else.
    rest = kind == "text" and 2 * known > len(present) and words <= MOST_WORDS
    if (known >= MOSTLY * len(present) or rest) and measured > limited:
        return Values(
            "number", tuple(None if cell is None else number_in(cell) for cell in cells), _said(name, present)
        )
    if kind == "category":
        return Values("category", tuple(class_name(cell) for cell in cells))
    return Values(kind, ())


def _only_counts(name: str, cells: Sequence[str]) -> bool:
    """Whether a column says which row or whose it is, and nothing else."""
    different = len(set(cells))
    if cells and different == len(cells) and name in RUNNING:
        return True
    named = name.rpartition("_")[2] in IDS or name.endswith(CHINESE_IDS)
    return named and all(cell.isdecimal() for cell in cells) and 2 * different > len(cells)


def read_values(cells: Sequence[str | None]) -> Values:
    """A column that a release reads: numbers where cells are numbers, words otherwise; the plan says which it wants."""
    found = tuple(None if cell is None else scalar_of(class_name(cell)) for cell in cells)
    return Values("category" if any(isinstance(value, str) for value in found) else "number", found)


def number_in(cell: str) -> Scalar:
    """A cell as a number, a limit of detection as its limit; None where it is neither."""
    if number_of(cell) is not None:
        return scalar_of(cell)
    limit = LIMIT.match(cell)
    return scalar_of(limit["number"]) if limit and number_of(limit["number"]) is not None else None


def _said(name: str, present: Sequence[str]) -> str:
    limits = sorted({cell for cell in present if number_of(cell) is None and number_in(cell) is not None})
    words = [cell for cell in present if number_in(cell) is None]
    found = []
    if limits:
        found.append(f"limits of detection count as the limit ({_some(limits)})")
    if words:
        found.append(f"{len(words)} cells are no numbers and count as missing ({_some(sorted(set(words)))})")
    return f"{name}: {'; '.join(found)}" if found else ""


def _some(cells: Sequence[str]) -> str:
    return ", ".join(map(repr, cells[:SHOWN])) + (", ..." if len(cells) > SHOWN else "")


def usable(values: Mapping[str, Values]) -> list[str]:
    """Names of the columns that a model can read, in their order."""
    return [name for name, one in values.items() if one.kind in ("number", "category")]
