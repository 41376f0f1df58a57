"""Where studies stand: unread, in reading, signed; and in which order they want to be read. Nothing of it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.sql.elements import KeyedColumnElement

from diascope.serve.database.room_tables import openings, signatures
from diascope.serve.database.tables import results, series, studies

READING = 600.0
"""Seconds after its newest opening that a study counts as being read."""


@dataclass(frozen=True)
class Standing:
    """Columns by which studies are filtered and ordered.

    Args:
        query: One row a study, with the columns below and those of the table.
        state: unread, reading, signed.
        priority: Of what releases say; see `reading/suggestion.py`.
        probability: Of the surest finding.
    """

    query: Select[Any]
    state: ColumnElement[str]
    priority: ColumnElement[int]
    probability: ColumnElement[float]


def standing(now: float) -> Standing:
    """Studies with where they stand.

    Args:
        now: Seconds since 1970.
    """
    said = (
        select(
            results.c.study_id,
            func.max(results.c.priority).label("priority"),
            func.max(results.c.probability).filter(results.c.priority == 2).label("probability"),
            func.max(results.c.answered).label("answered"),
        )
        .where(results.c.superseded.is_(None))
        .group_by(results.c.study_id)
        .subquery("said")
    )
    came = _newest("came", series.c.study_id, series.c.arrived, series.c.made.is_(False))
    signed = _newest("signed", signatures.c.study_id, signatures.c.at)
    opened = _newest("opened", openings.c.study_id, openings.c.at)
    is_signed = and_(
        signed.c.at.is_not(None),
        signed.c.at >= func.coalesce(came.c.at, 0.0),
        signed.c.at >= func.coalesce(said.c.answered, 0.0),
    )
    state = case((is_signed, "signed"), (opened.c.at > now - READING, "reading"), else_="unread")
    priority = func.coalesce(said.c.priority, 0)
    query = select(
        studies,
        state.label("state"),
        priority.label("priority"),
        said.c.probability,
        signed.c.at.label("signed_at"),
        opened.c.at.label("opened_at"),
    ).join(said, said.c.study_id == studies.c.id, isouter=True)
    for one in (came, signed, opened):
        query = query.join(one, one.c.study_id == studies.c.id, isouter=True)
    return Standing(query, state, priority, said.c.probability)


def _newest(name: str, study: KeyedColumnElement[Any], at: KeyedColumnElement[Any], *only: ColumnElement[bool]) -> Any:
    return select(study, func.max(at).label("at")).where(*only).group_by(study).subquery(name)
