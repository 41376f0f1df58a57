"""A time and an event column as one target: how long until the event, or until nobody looked any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from diascope.core.case import Case, Scalar, Target
from diascope.core.errors import DataRefused, UnknownName
from diascope.sources.tables.columns import EVENT, NOT_SEEN, SEEN, SURVIVAL, TIME, first_of
from diascope.sources.tables.files import unit_of
from diascope.sources.tables.sheet import Cells, Sheet
from diascope.sources.tables.targets import number_of


@dataclass(frozen=True)
class Outcome:
    """The two columns, by their names in the table."""

    time: str
    event: str

    @property
    def target(self) -> Target:
        """What is learnt from them."""
        return Target(name=SURVIVAL, kind="time_to_event", columns=(self.time, self.event), unit=unit_of(self.time)[1])


def outcome_of(sheet: Sheet, asked: str | None, without: Collection[str] = ()) -> Outcome | None:
    """The columns of time and event: as asked (the target's name, or `TIME,EVENT`), else by their names; None without.

    Raises:
        UnknownName: When a column that was asked for is not there.
        DataRefused: When survival was asked for, and no columns are named like it.
    """
    if asked is not None and "," in asked and asked not in sheet.columns:
        time, event = (name.strip() for name in asked.split(",", 1))
        for name in (time, event):
            if name not in sheet.columns:
                raise UnknownName("column", name, sheet.columns)
        return Outcome(time, event)
    if asked not in (None, SURVIVAL):
        return None
    time, event = _named(sheet, TIME), _named(sheet, EVENT)
    if {time, event} & set(without):
        return None
    if time is not None and event is not None and _is_time(sheet, time) and _is_event(sheet, event):
        return Outcome(time, event)
    if asked == SURVIVAL and SURVIVAL not in sheet.columns:
        raise DataRefused(
            f"no columns of {sheet.path.name} are named like a time and an event",
            given=", ".join(sheet.columns),
            todo="Name them: --target TIME,EVENT",
        )
    return None


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
