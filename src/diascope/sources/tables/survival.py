"""A time and an event column as one target: how long until the event, or until nobody looked any more."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from diascope.core.case import Case, Label, Scalar, Target
from diascope.core.errors import DataRefused
from diascope.core.problem import Problem
from diascope.formats.tables.words import number_of
from diascope.sources.tables.columns import EVENT, NOT_SEEN, SEEN, SURVIVAL, TIME, first_of, plain
from diascope.sources.tables.files import unit_of
from diascope.sources.tables.findings import columns_asked, says_presence
from diascope.sources.tables.sheet import Cells

UNITS = MappingProxyType(
    {
        "days": "d",
        "day": "d",
        "weeks": "wk",
        "months": "mo",
        "month": "mo",
        "years": "a",
        "天": "d",
        "月": "mo",
        "年": "a",
    }
)
"""Words in the name of a time, and their units (UCUM)."""

MOST_CAUSES = 6
"""Events that may compete."""
SAYS_SEEN = ("true", "yes", "y", "event")
"""Words that say that the event was seen, and not which."""

_ENDPOINT = re.compile(
    r"(os|dss|css|pfs|pfi|dfs|dfi|rfs|efs|mfs|dmfs|lrfs|ttp)"
    r"(_(time|days?|months?|years?|status|event|cens|censored|censor))?"
)
"""Endpoints of oncology as registries and trials write them (`PFI.time`, `dss_event`; Liu 2018)."""


@dataclass(frozen=True)
class Outcome:
    """The two columns, by their names in the table.

    Args:
        time: Until the event, or until nobody looked any more.
        event: Whether it was seen.
        counted: Whether the event column holds 1 and 2 instead of 0 and 1, as R's survival package writes it (`lung`).
        causes: Names of several events of which the first one was seen, by their codes 1, 2, ...; empty for one event.
    """

    time: str
    event: str
    counted: bool = False
    causes: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Of the time: in brackets behind its name, or in the name (`os_months`); empty where it says none."""
        stated = unit_of(self.time)[1]
        words = plain(self.time).split("_")
        return UNITS.get(stated, stated) or next((UNITS[word] for word in words if word in UNITS), "")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What a person must know of how the event was read."""
        if not self.counted:
            return ()
        title = f"THE COLUMN {self.event!r} HOLDS 1 AND 2: 2 counts as the event, 1 as censored"
        detail = (
            "As R's survival package writes it. Where it means something else, write 1 for the event and 0 for none."
        )
        return (Problem(check="target", severity="warn", title=title, detail=detail),)

    @property
    def target(self) -> Target:
        """What is learnt from them."""
        columns, labels = (
            (self.time, self.event),
            tuple(Label(name=one, value=n) for n, one in enumerate(self.causes, 1)),
        )
        kind = "time_to_first_event" if labels else "time_to_event"
        return Target(name=SURVIVAL, kind=kind, columns=columns, labels=labels, unit=self.unit)


def outcome_of(
    columns: Sequence[str], rows: Sequence[Cells], asked: str | None, without: Collection[str] = ()
) -> Outcome | None:
    """The columns of time and event: as asked (the target's name, or `TIME,EVENT`), else by their names; None without.

    Args:
        columns: Of the table.
        rows: Cells by column.
        asked: Name of the target, or of columns.
        without: Columns that mean something else, or are not looked at.

    Raises:
        UnknownName: When a column that was asked for is not there.
        DataRefused: When survival was asked for, and no columns are named like it.
    """
    named = columns_asked(asked, columns)
    if len(named) > 2 or (named and all(says_presence(row[name] for row in rows) for name in named)):
        return None  # labels that are learnt together
    if named:
        return _outcome(rows, *named)
    if asked not in (None, SURVIVAL):
        return None
    time, event = _named(columns, TIME), _named(columns, EVENT)
    if {time, event} & set(without):
        return None
    if (found := _sound(rows, time, event)) is not None:
        return found
    if asked == SURVIVAL and SURVIVAL not in columns:
        raise DataRefused(
            "no columns of the table are named like a time and an event",
            given=", ".join(columns),
            todo="Name them: --target TIME,EVENT",
        )
    return None


def is_endpoint(column: str) -> bool:
    """Whether a column is named like a time or an event of some follow-up."""
    name = plain(unit_of(column)[0])
    return name in (*TIME, *EVENT) or _ENDPOINT.fullmatch(name) is not None


def _sound(rows: Sequence[Cells], time: str | None, event: str | None) -> Outcome | None:
    """The two columns where their cells are what their names say."""
    if time is None or event is None or not _is_time(rows, time) or not _is_event(rows, event):
        return None
    return _outcome(rows, time, event)


def _outcome(rows: Sequence[Cells], time: str, event: str) -> Outcome:
    return Outcome(time, event, _counts_from_one(rows, event), _causes(rows, event))


def _named(columns: Sequence[str], names: tuple[str, ...]) -> str | None:
    bare = {unit_of(column)[0]: column for column in columns}
    found = first_of(bare, names)
    return None if found is None else bare[found]


def _is_time(rows: Sequence[Cells], name: str) -> bool:
    cells = [cell for row in rows if (cell := row[name]) is not None]
    return bool(cells) and all(number_of(cell) is not None for cell in cells)


def _is_event(rows: Sequence[Cells], name: str) -> bool:
    cells = {cell.strip().lower() for row in rows if (cell := row[name]) is not None}
    return bool(cells) and (cells <= {*SEEN, *NOT_SEEN} or _counts_from_one(rows, name) or bool(_causes(rows, name)))


def _counts_from_one(rows: Sequence[Cells], name: str) -> bool:
    return {number_of(cell) for row in rows if (cell := row[name]) is not None} == {1.0, 2.0}


def _causes(rows: Sequence[Cells], name: str) -> tuple[str, ...]:
    """Names of the events of a column that says which came first: 0, 1, 2, ..., or a word for none and one for each."""
    cells = [cell.strip() for row in rows if (cell := row[name]) is not None]
    codes = {number_of(cell) for cell in cells}
    if None not in codes:
        found = [code for code in sorted(code for code in codes if code is not None) if code > 0]
        told = 0 in codes and 2 <= len(found) <= MOST_CAUSES and found == [*range(1, len(found) + 1)]
        return tuple(f"event {code:g}" for code in found) if told else ()
    # `Death` and `death` are one event, called as it is written first.
    spelt: dict[str, str] = {}
    for cell in cells:
        spelt.setdefault(cell.lower(), cell)
    words = {cell for word, cell in spelt.items() if word not in NOT_SEEN}
    # A number among words is a slip, and `yes` names no event; several words for being dead are one.
    named = not any(number_of(word) is not None or word.lower() in SAYS_SEEN for word in words)
    several = {one.lower() for one in words} - {*SEEN}
    told = named and bool(several) and len(words) < len(spelt) and 2 <= len(words) <= MOST_CAUSES
    return tuple(sorted(words)) if told else ()


def with_outcome(cases: Sequence[Case], rows: Mapping[str, Cells], outcome: Outcome) -> list[Case]:
    """Cases with time (number) and event (1 or 0) as targets; None where a cell is empty.

    Raises:
        DataRefused: When a cell of the event column says neither that it was seen nor that it was not.
    """
    found = []
    for case in cases:
        row = rows.get(case.id, {})
        time = row.get(outcome.time)
        answer: dict[str, Scalar] = {
            outcome.time: None if time is None else number_of(time),
            outcome.event: _seen(row.get(outcome.event), outcome),
        }
        found.append(case.model_copy(update={"targets": {**case.targets, **answer}}))
    return found


def _seen(cell: str | None, outcome: Outcome) -> Scalar:
    if cell is None:
        return None
    word = cell.strip().lower()
    if outcome.counted:
        return int(number_of(word) == 2)
    if outcome.causes:
        names = {name.lower().removeprefix("event "): code for code, name in enumerate(outcome.causes, start=1)}
        return names.get(word if word in names else f"{number_of(word) or 0:g}", 0)
    if word not in (*SEEN, *NOT_SEEN):
        raise DataRefused(
            f"the column {outcome.event!r} does not say whether the event was seen",
            given=cell,
            todo="Write 1 where it was seen, 0 where it was not",
        )
    return int(word in SEEN)
