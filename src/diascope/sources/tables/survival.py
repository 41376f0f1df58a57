"""A time and an event column as one target: how long until the event, or until nobody looked any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from diascope.core.case import Case, Scalar, Target
from diascope.core.errors import DataRefused
from diascope.sources.tables.columns import EVENT, NOT_SEEN, SEEN, SURVIVAL, TIME, first_of, plain
from diascope.sources.tables.files import unit_of
from diascope.sources.tables.findings import columns_asked, says_presence
from diascope.sources.tables.sheet import Cells, Sheet
from diascope.sources.tables.targets import number_of

UNITS = MappingProxyType({"days": "d", "day": "d", "weeks": "wk", "months": "mo", "month": "mo", "years": "a"})
"""Words in the name of a time, and their units (UCUM)."""


@dataclass(frozen=True)
class Outcome:
    """The two columns, by their names in the table."""

    time: str
    event: str

    @property
    def unit(self) -> str:
        """Of the time: in brackets behind its name, or in the name (`os_months`); empty where it says none."""
        stated = unit_of(self.time)[1]
        words = plain(self.time).split("_")
        return stated or next((UNITS[word] for word in words if word in UNITS), "")

    @property
    def target(self) -> Target:
        """What is learnt from them."""
        return Target(name=SURVIVAL, kind="time_to_event", columns=(self.time, self.event), unit=self.unit)


def outcome_of(sheet: Sheet, asked: str | None, without: Collection[str] = ()) -> Outcome | None:
    """The columns of time and event: as asked (the target's name, or `TIME,EVENT`), else by their names; None without.

    Raises:
        UnknownName: When a column that was asked for is not there.
        DataRefused: When survival was asked for, and no columns are named like it.
    """
    columns = columns_asked(asked, sheet.columns)
    if len(columns) > 2 or (columns and all(says_presence(row[name] for row in sheet.rows) for name in columns)):
        return None  # labels that are learnt together
    if columns:
        return Outcome(*columns)
    if asked not in (None, SURVIVAL):
        return None
    named = _named(sheet, TIME), _named(sheet, EVENT)
    if set(named) & set(without):
        return None
    if (found := _sound(sheet, *named)) is not None:
        return found
    if asked == SURVIVAL and SURVIVAL not in sheet.columns:
        raise DataRefused(
            f"no columns of {sheet.path.name} are named like a time and an event",
            given=", ".join(sheet.columns),
            todo="Name them: --target TIME,EVENT",
        )
    return None


def _sound(sheet: Sheet, time: str | None, event: str | None) -> Outcome | None:
    """The two columns where their cells are what their names say."""
    if time is None or event is None or not _is_time(sheet, time) or not _is_event(sheet, event):
        return None
    return Outcome(time, event)


def _named(sheet: Sheet, names: tuple[str, ...]) -> str | None:
    bare = {unit_of(column)[0]: column for column in sheet.columns}
    found = first_of(bare, names)
    return None if found is None else bare[found]


def _is_time(sheet: Sheet, name: str) -> bool:
    cells = [cell for row in sheet.rows if (cell := row[name]) is not None]
    return bool(cells) and all(number_of(cell) is not None for cell in cells)


def _is_event(sheet: Sheet, name: str) -> bool:
    cells = {cell.strip().lower() for row in sheet.rows if (cell := row[name]) is not None}
    return bool(cells) and cells <= {*SEEN, *NOT_SEEN}


def with_outcome(cases: Sequence[Case], rows: Sequence[Cells], outcome: Outcome) -> list[Case]:
    """Cases with time (number) and event (1 or 0) as targets; None where a cell is empty.

    Raises:
        DataRefused: When a cell of the event column says neither that it was seen nor that it was not.
    """
    found = []
    for case, row in zip(cases, rows, strict=True):
        time = row[outcome.time]
        answer: dict[str, Scalar] = {
            outcome.time: None if time is None else number_of(time),
            outcome.event: _seen(row[outcome.event], outcome),
        }
        found.append(case.model_copy(update={"targets": {**case.targets, **answer}}))
    return found


def _seen(cell: str | None, outcome: Outcome) -> Scalar:
    if cell is None:
        return None
    word = cell.strip().lower()
    if word not in (*SEEN, *NOT_SEEN):
        raise DataRefused(
            f"the column {outcome.event!r} does not say whether the event was seen",
            given=cell,
            todo="Write 1 where it was seen, 0 where it was not",
        )
    return int(word in SEEN)
