"""What a data check found."""

from __future__ import annotations

from typing import ClassVar, Literal

from diascope.core.figure import Figure
from diascope.core.finding import Measure
from diascope.core.record import Field, Record

Severity = Literal["refuse", "warn", "note"]


class Problem(Record):
    """One thing that is wrong, or worth knowing, about a data set."""

    check: str
    """Name of the plug-in in `checks/`."""
    severity: Severity
    title: str
    """One line with the numbers: `17 exact duplicates in 16 groups`."""
    detail: str
    """What it means and what was done about it, or what to do."""
    cases: tuple[str, ...] = ()
    """Ids of the cases concerned (all of them)."""
    exclude: tuple[str, ...] = ()
    """Ids that the repair takes out of the data set."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Ids that must stay on one side of a split (near duplicates where patients are unknown)."""
    measures: dict[str, Measure] = Field(default_factory=dict)
    figure: Figure | None = None


class Problems(Record):
    """`problems.json`: what the checks found in a data set."""

    SCHEMA: ClassVar[int] = 1
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    """What the source noticed: columns taken as patient, series chosen and why."""
