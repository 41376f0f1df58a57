"""Rows of a table as visits of patients: which came before which, and what changed since."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from diascope.core.errors import DataRefused
from diascope.sources.tables.cells import number_in
from diascope.sources.tables.columns import first_of, plain
from diascope.sources.tables.files import unit_of
from diascope.sources.tables.sheet import Cells

DATE = (
    *("date", "visit_date", "study_date", "studydate", "exam_date", "scan_date", "acquisition_date", "sample_date"),
    *("日期", "检查日期", "就诊日期", "随访日期", "采样日期", "检查时间", "就诊时间"),
    *("days", "day", "visit_day", "months", "month", "visit_month", "visit", "visit_number", "timepoint", "time_point"),
)
"""Columns that say when a row was taken, by their names (`docs/how-to/longitudinal.md` shows this list)."""
IN_DAYS = {
    "d": 1.0,
    "days": 1.0,
    "day": 1.0,
    "wk": 7.0,
    "mo": 30.4375,
    "months": 30.4375,
    "month": 30.4375,
    "a": 365.25,
}
"""Days of a unit (UCUM), or of a word in a column's name."""
YEAR = 365.25
SHORTEST = 1.0
"""Days below which no change a year is told."""
_DICOM = re.compile(r"\d{8}")
_WRITTEN = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]+(\d{1,2}:\d{2}.*))?")
"""Year first, as in `2024/5/31 8:30`; which number is the month where the year comes last would be a guess."""


@dataclass(frozen=True)
class Visits:
    """When each row was taken.

    Args:
        column: That says so.
        when: A number for each row, in days where `in_days`; None where it is not known.
        in_days: Whether the distance of two means days; visit numbers only say the order.
    """

    column: str
    when: tuple[float | None, ...]
    in_days: bool


def visits_of(rows: Sequence[Cells], columns: Sequence[str], asked: str | None = None) -> Visits:
    """When the rows of a table were taken.

    Raises:
        DataRefused: When no column says so, or a cell is no date (2024-05-31, 20240531) or, of numbers, no number.
    """
    column = asked or first_of({unit_of(name)[0]: name for name in columns}, DATE)
    if column is not None and column not in columns:
        column = next((name for name in columns if unit_of(name)[0] == column), None)
    if column is None:
        raise DataRefused(
            "no column says when a row was taken",
            given=", ".join(columns),
            todo=f"Call it one of {', '.join(DATE[:3])}, ... or name it with --date",
        )
    cells = [row[column] for row in rows]
    dates = [None if cell is None else _date(cell) for cell in cells]
    numbers = [None if cell is None else _number(cell) for cell in cells]
    known = {kind: sum(one is not None for one in values) for kind, values in (("date", dates), ("number", numbers))}
    kind = max(known, key=lambda one: known[one])
    found = dates if kind == "date" else numbers
    for number, (cell, value) in enumerate(zip(cells, found, strict=True), start=1):
        if cell is not None and value is None:
            raise DataRefused(
                f"row {number} of the column {column!r} is no {kind}", given=cell, todo="Write dates as 2024-05-31"
            )
    if kind == "date":
        return Visits(column, tuple(found), in_days=True)
    days = _days_of(column)
    return Visits(
        column, tuple(None if one is None else one * (days or 1.0) for one in found), in_days=days is not None
    )


def _date(cell: str) -> float | None:
    text = f"{cell[:4]}-{cell[4:6]}-{cell[6:]}" if _DICOM.fullmatch(cell) else cell.strip()
    if (found := _WRITTEN.fullmatch(text)) is not None:
        year, month, day, clock = found.groups()
        text = f"{year}-{month:0>2}-{day:0>2}"
        text += "" if clock is None else f" {clock.zfill(len(clock) + (clock[1] == ':'))}"
    try:
        moment = datetime.datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
    return (moment - datetime.datetime(1900, 1, 1)) / datetime.timedelta(days=1)


def _number(cell: str) -> float | None:
    value = number_in(cell)
    return float(value) if isinstance(value, int | float) else None


def _days_of(column: str) -> float | None:
    """Days of the unit of a column of numbers, None where they only count visits."""
    bare, unit = unit_of(column)
    words = (unit, *plain(bare).split("_"))
    return next((IN_DAYS[word] for word in words if word in IN_DAYS), None)


def earlier_of(patients: Sequence[str | None], visits: Visits) -> list[int | None]:
    """For each row the row of the same patient that came last before it, None where there is none.

    Raises:
        DataRefused: When two rows of a patient were taken at the same time: nobody can tell which came first.
    """
    of: dict[str, list[tuple[float, int]]] = {}
    for row, (patient, when) in enumerate(zip(patients, visits.when, strict=True)):
        if patient is not None and when is not None:
            of.setdefault(patient, []).append((when, row))
    found: list[int | None] = [None] * len(patients)
    for patient, places in of.items():
        places.sort()
        for (before, first), (after, second) in pairwise(places):
            if before == after:
                raise DataRefused(
                    f"two rows of the patient {patient!r} were taken at the same time",
                    given=f"rows {first + 1} and {second + 1}",
                    todo="Keep one of them, or give dates with times",
                )
            found[second] = first
    return found


def since(row: int, before: int | None, visits: Visits) -> float | None:
    """Days between two rows; None where they are not known."""
    if before is None or not visits.in_days:
        return None
    now, then = visits.when[row], visits.when[before]
    return None if now is None or then is None else now - then


def followed(row: Cells, earlier: Cells | None, days: float | None, columns: Sequence[str]) -> dict[str, str]:
    """What some columns of a row were before, and how fast numbers changed since, by the names of new columns."""
    found: dict[str, str] = {}
    for column in columns:
        then = earlier[column] if earlier is not None else None
        found[before_of(column)] = then or ""
        now_value, then_value = (None if cell is None else number_in(cell) for cell in (row[column], then))
        numbers = isinstance(now_value, int | float) and isinstance(then_value, int | float)
        if numbers and days is not None and days >= SHORTEST:
            found[change_of(column)] = f"{(float(now_value) - float(then_value)) / days * YEAR:.9g}"  # type: ignore[arg-type]
    return found


def before_of(column: str) -> str:
    """`glucose [mg/dL]` is `glucose before [mg/dL]`."""
    bare, unit = unit_of(column)
    return f"{bare} before [{unit}]" if unit else f"{column} before"


def change_of(column: str) -> str:
    """`glucose [mg/dL]` is `glucose change [mg/dL/a]`."""
    bare, unit = unit_of(column)
    return f"{bare} change [{unit}/a]" if unit else f"{column} change [/a]"
