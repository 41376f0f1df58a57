"""What the pages of labelling show: how far labellings are, who may make one, and where two readers differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from diascope.serve.access.matrix import Caller, reach
from diascope.serve.database.labelling_tables import labellings
from diascope.serve.database.tables import projects, results, series, studies, users
from diascope.serve.labelling.agreeing import Agreement, Pair, agreement
from diascope.serve.labelling.cases import answered, fitting, read_by
from diascope.serve.labelling.progress import Progress, names_of, progress
from diascope.serve.room.models import within
from diascope.serve.service import Service

MOST = 200
"""Labellings in the list, the newest."""
MOST_DIFFER = 50
"""Disagreements that are shown."""
PER_PAGE = 50
"""Series on a page of the list."""


@dataclass(frozen=True)
class Listed:
    """A labelling in the list.

    Args:
        row: Of the table, with `author` and `project`: names.
        progress: How far it is.
    """

    row: RowMapping
    progress: Progress


@dataclass(frozen=True)
class Offer:
    """What a labelling can be made of.

    Args:
        projects: Id and name of those in which the visitor may.
        modalities: Of the series there.
        releases: That have read something there.
    """

    projects: Sequence[tuple[str, str]]
    modalities: Sequence[str]
    releases: Sequence[str]


@dataclass(frozen=True)
class Difference:
    """A series about which two readers differ.

    Args:
        series: Its row: study, uid, patient, date, description.
        pair: The two answers.
        readers: Names, in the order of the pair.
        is_hidden: The visitor may still be asked about it, and does not see what was said.
    """

    series: RowMapping
    pair: Pair
    readers: tuple[str, str]
    is_hidden: bool


@dataclass(frozen=True)
class View:
    """One labelling.

    Args:
        row: Of the table, with `author` and `project`.
        progress: How far it is.
        agreement: How well two readers agree.
        differences: Where they do not.
    """

    row: RowMapping
    progress: Progress
    agreement: Agreement
    differences: Sequence[Difference]


def listing(connection: Connection, caller: Caller) -> list[Listed]:
    """The labellings that a visitor may know of, the open ones first, then the newest."""
    query = _rows().where(within("labellings.list", caller, labellings.c.project_id))
    newest = query.order_by(labellings.c.closed.is_not(None), labellings.c.created.desc(), labellings.c.id)
    rows = connection.execute(newest.limit(MOST)).mappings().all()
    return [Listed(row, progress(connection, row, answered(connection, row))) for row in rows]


def offer(connection: Connection, caller: Caller) -> Offer:
    """What a visitor may make a labelling of; nothing where that is in no project."""
    found = reach("labellings.write", caller)
    mine = within("labellings.write", caller)
    own = select(projects.c.id, projects.c.name).order_by(projects.c.name)
    own = own if found.everywhere else own.where(projects.c.id.in_(sorted(found.projects)))
    kinds = select(series.c.modality).join(studies, studies.c.id == series.c.study_id).where(mine)
    kinds = kinds.where(series.c.made.is_(False), series.c.modality != "").distinct().order_by(series.c.modality)
    said = select(results.c.release).join(studies, studies.c.id == results.c.study_id).where(mine)
    said = said.where(results.c.state == "answered").distinct().order_by(results.c.release)
    named = [(str(row.id), str(row.name)) for row in connection.execute(own)]
    return Offer(named, connection.execute(kinds).scalars().all(), connection.execute(said).scalars().all())


def view(service: Service, labelling: str, reader: str, is_blind: bool) -> View:
    """One labelling, as it is told to a visitor.

    Args:
        service: That has it.
        labelling: Id of one that there is.
        reader: Id of the visitor.
        is_blind: Whether the visitor must not see what others say of series that he or she has not answered.
    """
    with service.database.reading() as connection:
        row = connection.execute(_rows().where(labellings.c.id == labelling)).mappings().one()
        given = answered(connection, row)
        now = progress(connection, row, given)
    told = agreement(service, row, given)
    with service.database.reading() as connection:
        own = read_by(connection, row, reader) if is_blind else set[int]()
        differ = [] if not told.differ else _differences(connection, row, told.differ[:MOST_DIFFER], is_blind, own)
    return View(row, now, told, differ)


def _differences(
    connection: Connection, row: RowMapping, pairs: Sequence[Pair], is_blind: bool, own: set[int]
) -> list[Difference]:
    wanted = [one.one.series for one in pairs]
    query = fitting(row).where(series.c.id.in_(wanted))
    there = {one["id"]: one for one in connection.execute(query).mappings()}
    names = names_of(connection, sorted({each.reader for one in pairs for each in (one.one, one.other)}))
    return [
        Difference(
            there[one.one.series],
            one,
            (names[one.one.reader], names[one.other.reader]),
            is_blind and one.one.series not in own,
        )
        for one in pairs
        if one.one.series in there
    ]


def _rows() -> Select[Any]:
    query = select(labellings, users.c.name.label("author"), projects.c.name.label("project"))
    query = query.join(users, users.c.id == labellings.c.by, isouter=True)
    return query.join(projects, projects.c.id == labellings.c.project_id)
