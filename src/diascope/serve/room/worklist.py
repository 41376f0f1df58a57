"""The worklist: which studies, in which order, and what is shown of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, func, nulls_last, or_, select

from diascope.serve.database.room_tables import openings, signatures
from diascope.serve.database.tables import instances, results, series, studies, users
from diascope.serve.room.standing import Standing, standing

SIZE = 50
"""Studies of a page."""

Tab = Literal["open", "unread", "reading", "signed", "all"]
TABS: Mapping[Tab, tuple[str, ...]] = {
    "open": ("unread", "reading"),
    "unread": ("unread",),
    "reading": ("reading",),
    "signed": ("signed",),
    "all": ("unread", "reading", "signed"),
}


@dataclass(frozen=True)
class Wanted:
    """What a reader chose to see; without a choice every study that is not signed.

    Args:
        tab: Where they stand.
        modality: `CT`.
        text: A part of the pseudonym or the description.
        since: Date of the study, `YYYYMMDD`, included.
        until: The same.
        release: `name@version` that has read them.
        page: From 1.
        patient: Pseudonyms that a search for people gave; empty where nobody was searched for.
    """

    tab: Tab = "open"
    modality: str = ""
    text: str = ""
    since: str = ""
    until: str = ""
    release: str = ""
    page: int = 1
    patient: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """What a release said about a series of a study.

    Args:
        release: `name@version`.
        says: The finding that is told first; "" where it only measured.
        probability: Of it, calibrated.
        state: answered, unavailable.
        reason: Why it is not available.
        priority: Of `reading/suggestion.py`.
        findings: The record as JSON.
    """

    release: str
    says: str
    probability: float | None
    state: str
    reason: str
    priority: int
    findings: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A study in the list.

    Args:
        study: Columns of the study with where it stands.
        modalities: Of its series.
        images: How many.
        suggestions: Of results that count, the most urgent first.
        who: Name of whoever opened it last, or signed it.
    """

    study: RowMapping
    modalities: tuple[str, ...] = ()
    images: int = 0
    suggestions: tuple[Suggestion, ...] = ()
    who: str = ""


@dataclass(frozen=True)
class Listing:
    """A page of the worklist.

    Args:
        rows: In order.
        counts: Of each state, with all filters but that of the state.
        everything: How many there are without any filter.
        modalities: That one may choose from.
        releases: That one may choose from.
    """

    rows: Sequence[Row]
    counts: Mapping[str, int]
    everything: int
    modalities: Sequence[str] = ()
    releases: Sequence[str] = ()
    wanted: Wanted = field(default_factory=Wanted)

    @property
    def found(self) -> int:
        """How many fit."""
        return sum(self.counts.get(state, 0) for state in TABS[self.wanted.tab])


def listing(connection: Connection, mine: ColumnElement[bool], wanted: Wanted, now: float) -> Listing:
    """A page of the worklist.

    Args:
        connection: Of the index.
        mine: Condition on `studies`: those that the reader may know of.
        wanted: What was chosen.
        now: Seconds since 1970.
    """
    found = standing(now)
    fits = [mine, *_conditions(wanted)]
    counted = found.query.where(*fits).subquery()
    grouped = select(counted.c.state, func.count()).group_by(counted.c.state)
    counts: dict[str, int] = {state: many for state, many in connection.execute(grouped)}
    everything = connection.execute(select(func.count()).select_from(studies).where(mine)).scalar_one()
    rows = connection.execute(_page(found, fits, wanted)).mappings().all()
    return Listing(
        rows=_filled(connection, rows),
        counts=counts,
        everything=everything,
        modalities=_values(connection, select(series.c.modality).where(series.c.made.is_(False)), series.c.modality),
        releases=_values(connection, select(results.c.release), results.c.release),
        wanted=wanted,
    )


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.modality:
        of_it = (series.c.study_id == studies.c.id) & (series.c.modality == wanted.modality)
        found.append(select(series.c.id).where(of_it).exists())
    if wanted.release:
        read = (results.c.study_id == studies.c.id) & (results.c.release == wanted.release)
        found.append(select(results.c.id).where(read, results.c.superseded.is_(None)).exists())
    if wanted.text:
        parts = (studies.c.description, studies.c.patient)
        found.append(or_(*(one.icontains(wanted.text, autoescape=True) for one in parts)))
    if wanted.patient:
        found.append(studies.c.patient.in_(wanted.patient))
    if wanted.since:
        found.append(studies.c.date >= wanted.since)
    if wanted.until:
        found.append(studies.c.date.between("0", wanted.until))
    return found


def _page(found: Standing, fits: Sequence[ColumnElement[bool]], wanted: Wanted) -> Any:
    ordered = found.query.where(*fits, found.state.in_(TABS[wanted.tab])).order_by(
        found.priority.desc(),
        nulls_last(found.probability.desc()),
        studies.c.date.desc(),
        studies.c.time.desc(),
        studies.c.id.desc(),
    )
    return ordered.limit(SIZE).offset((wanted.page - 1) * SIZE)


def _values(connection: Connection, query: Any, column: Any) -> list[str]:
    return [one for one in connection.execute(query.distinct().order_by(column)).scalars() if one]


def _filled(connection: Connection, rows: Sequence[RowMapping]) -> list[Row]:
    """The rows with what stands in other tables, in four queries."""
    ids = [row["id"] for row in rows]
    kinds: dict[int, list[str]] = {one: [] for one in ids}
    images: dict[int, int] = dict.fromkeys(ids, 0)
    inside = select(series.c.study_id, series.c.modality, func.count(instances.c.id)).join(
        instances, instances.c.series_id == series.c.id, isouter=True
    )
    of_these = series.c.study_id.in_(ids) & series.c.made.is_(False)
    grouped = inside.where(of_these).group_by(series.c.study_id, series.c.modality).order_by(series.c.modality)
    for study, modality, many in connection.execute(grouped):
        kinds[study] += [modality] if modality else []
        images[study] += many
    said = suggestions(connection, ids)
    people = _people(connection, ids)
    return [
        Row(
            row,
            tuple(kinds[row["id"]]),
            images[row["id"]],
            tuple(said[row["id"]]),
            people.get(row["id"], {}).get(row["state"], ""),
        )
        for row in rows
    ]


def suggestions(connection: Connection, ids: Sequence[int]) -> dict[int, list[Suggestion]]:
    """What counts of each study, the most urgent first."""
    found: dict[int, list[Suggestion]] = {one: [] for one in ids}
    columns = (
        results.c.study_id,
        results.c.release,
        results.c.says,
        results.c.probability,
        results.c.state,
        results.c.reason,
        results.c.priority,
        results.c.findings,
    )
    query = select(*columns).where(results.c.study_id.in_(ids), results.c.superseded.is_(None))
    ordered = query.order_by(results.c.priority.desc(), nulls_last(results.c.probability.desc()), results.c.release)
    for study, *rest in connection.execute(ordered):
        found[study].append(Suggestion(*rest))
    return found


def _people(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Who opened each study last, and who signed it last."""
    found: dict[int, dict[str, str]] = {}
    for state, table in (("reading", openings), ("signed", signatures)):
        query = select(table.c.study_id, users.c.name).join(users, users.c.id == table.c.reader)
        for study, name in connection.execute(query.where(table.c.study_id.in_(ids)).order_by(table.c.at)):
            found.setdefault(study, {})[state] = name
    return found
