"""What people said about one series, as it stands in the index: the input of every judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from diascope.core.case import Target
from diascope.core.feedback import Kind
from diascope.core.finding import Finding
from diascope.core.presence import LABELS

KINDS: Mapping[str, Kind] = {
    "category": "class",
    LABELS: "presence",
    "number": "number",
    "mask": "mask",
    "boxes": "boxes",
}
"""Kind of a target to what of it a reader can answer; what is not here, nobody can (a time to an event, spans)."""


@dataclass(frozen=True)
class Where:
    """A series as a case.

    Args:
        series: Id of its row.
        case: Name of the case.
        patient: Pseudonym.
    """

    series: int
    case: str
    patient: str


@dataclass(frozen=True)
class Who:
    """Who said something, when, and where that is kept.

    Args:
        id: Of the reading, annotation or statement.
        author: Name.
        at: Seconds since 1970.
    """

    id: str
    author: str
    at: float


@dataclass(frozen=True)
class ReadingOf:
    """A reading of a result of a release.

    Args:
        where: The series that was read.
        who: The reader.
        result: Id.
        release: Label.
        target: That the release learnt; None where it can't be asked any more.
        findings: What it said.
        verdict: accept, amend, reject, unsure.
        reason: Of a rejection.
        amended: Concept to what is right instead.
        added: What was missed.
    """

    where: Where
    who: Who
    result: str
    release: str
    target: Target | None
    findings: Sequence[Finding]
    verdict: str
    reason: str = ""
    amended: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    added: Sequence[Mapping[str, Any]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the labels that the release knows, in the order of its findings."""
        if self.target is not None and self.target.labels:
            return tuple(label.name for label in self.target.labels)
        return tuple(dict.fromkeys(one.concept for one in self.findings))


@dataclass(frozen=True)
class AnnotationOf:
    """An answer on the label pages.

    Args:
        where: The series that was labelled.
        who: The reader.
        labelling: Name.
        asks: classes, masks, boxes.
        labels: Names that could be chosen.
        exclusive: Whether one of them holds.
        answer: As `annotations.answer` has it.
        unsure: Whether the reader couldn't tell.
    """

    where: Where
    who: Who
    labelling: str
    asks: str
    labels: Sequence[str]
    exclusive: bool
    answer: Mapping[str, Any]
    unsure: bool


@dataclass(frozen=True)
class StatementOf:
    """Labels as somebody stated them after a reading (`POST /feedback`).

    Args:
        where: The series that was read.
        who: The author.
        release: That the reading was of.
        target: That the release learnt; None where it can't be asked any more.
        labels: Name to value; None takes it away.
    """

    where: Where
    who: Who
    release: str
    target: Target | None
    labels: Mapping[str, Any]
