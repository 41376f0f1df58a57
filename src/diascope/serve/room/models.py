"""The releases as their pages show them: what they are, where they stand, what they have read and what readers said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from sqlalchemy import ColumnElement, Connection, false, func, select, true

from diascope.core.finding import Measure
from diascope.serve import nouns
from diascope.serve.access.matrix import Caller, reach
from diascope.serve.database.tables import results, served, studies, users
from diascope.serve.reading.served import WITHDRAWN
from diascope.serve.room.models_evidence import Evidence, evidence
from diascope.serve.room.watching import Decision, agreement, decisions
from diascope.serve.service import Service

State = Literal["in service", "candidate", "withdrawn", "unreadable"]


@dataclass(frozen=True)
class Model:
    """A release in a list.

    Args:
        evidence: Its index and evaluation.
        state: Signed releases are in service unless somebody withdrew them.
        reason: Why it was withdrawn, or can't be read.
        by: Who put it into service or withdrew it; "" where nobody did.
        at: When, seconds since 1970.
        read: Studies of the caller's projects that it has answered about.
        verdicts: Of readers about what it said there, by name.
        accepted: Share of their decisions that accept; None without any.
    """

    evidence: Evidence
    state: State
    reason: str = ""
    by: str = ""
    at: float | None = None
    read: int = 0
    verdicts: Mapping[str, int] = field(default_factory=dict)
    accepted: Measure | None = None

    @property
    def label(self) -> str:
        """`name@version`."""
        return self.evidence.label


def models(service: Service, caller: Caller) -> list[Model]:
    """Every release, those in service first, then by name, the newest version first."""
    names = [name for name in nouns.names(service.workspace, "releases") if "@" in name]
    found = found_of(service, caller, names)
    order = ("in service", "candidate", "withdrawn", "unreadable")
    return sorted(found, key=lambda one: (order.index(one.state), name_of(one.label), -version_of(one.label)))


def found_of(service: Service, caller: Caller, labels: Sequence[str]) -> list[Model]:
    """Some releases with what is known of them.

    Raises:
        Missing: When one of them is not there.
    """
    known = [evidence(service.workspace, label) for label in labels]
    with service.database.reading() as connection:
        rows = {row.release: row for row in connection.execute(select(served)).all()}
        read = _studies_read(connection, within("findings.list", caller))
        said = decisions(connection, within("readings.list", caller), releases=labels)
    by_release: dict[str, list[Decision]] = {}
    for each in said:
        by_release.setdefault(each.release, []).append(each)
    made = []
    for one in known:
        state, reason = _state(one, rows.get(one.label))
        row, mine = rows.get(one.label), by_release.get(one.label, [])
        verdicts = Counter(each.verdict for each in mine)
        by, at = (str(row.by), float(row.at)) if row else ("", None)
        made.append(Model(one, state, reason, by, at, read.get(one.label, 0), verdicts, agreement(mine)))
    return made


def signs_as(connection: Connection, user: str) -> str:
    """The name that stands under what a user signs."""
    row = connection.execute(select(users.c.display, users.c.name).where(users.c.id == user)).first()
    return (row.display or row.name) if row else ""


def address_of(label: str) -> str:
    """Of the page of a release."""
    return f"/models/{quote(label, safe='@')}"


def within(operation: str, caller: Caller, project: ColumnElement[str] = studies.c.project_id) -> ColumnElement[bool]:
    """Condition on a column that names projects: those where the caller may do something, and no others."""
    found = reach(operation, caller)
    if found.everywhere:
        return true()
    return project.in_(sorted(found.projects)) if found.projects else false()


def name_of(label: str) -> str:
    """`chest` of `chest@3`."""
    return label.rpartition("@")[0]


def version_of(label: str) -> int:
    """3 of `chest@3`; 0 where it is no number."""
    version = label.rpartition("@")[2]
    return int(version) if version.isdecimal() and len(version) < 10 else 0


def _state(one: Evidence, row: object) -> tuple[State, str]:
    if one.release is None:
        return "unreadable", one.wrong
    if row is not None and getattr(row, "state", "") == WITHDRAWN:
        return "withdrawn", str(getattr(row, "reason", ""))
    return ("in service" if one.release.signed_by else "candidate"), ""


def _studies_read(connection: Connection, mine: ColumnElement[bool]) -> dict[str, int]:
    query = (
        select(results.c.release, func.count(results.c.study_id.distinct()))
        .join(studies, studies.c.id == results.c.study_id)
        .where(mine, results.c.state == "answered")
        .group_by(results.c.release)
    )
    return {release: many for release, many in connection.execute(query)}
