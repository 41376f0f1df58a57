"""What the page of a study shows: its series, what was said of them, what readers decided, and earlier studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from diascope.core.result import first_uid
from diascope.serve.database.room_tables import signatures
from diascope.serve.database.tables import instances, results, series, studies
from diascope.serve.database.tables import users as people
from diascope.serve.reporting.standing import newest_readings
from diascope.serve.room.standing import standing
from diascope.serve.viewing.signals import is_recording

MOST_EARLIER = 20


@dataclass(frozen=True)
class SeriesView:
    """A series that can be looked at.

    Args:
        uid: Series Instance UID.
        modality: `CT`.
        description: As it arrived.
        images: Instances with pixels; of a recording, those with curves.
        complete: Whether no more is expected.
        signal: Whether it is a recording, and no pictures.
    """

    uid: str
    modality: str
    description: str
    images: int
    complete: bool
    signal: bool = False


@dataclass(frozen=True)
class ResultView:
    """What a release said about a series, and what was decided about it.

    Args:
        id: Of the result.
        series: Series Instance UID.
        release: `name@version`.
        state: answered, unavailable.
        reason: Why it is not available.
        findings: The record as JSON.
        has_mask: Whether the release drew something.
        reading: The newest reading: its row, with the reader's `name` and `display`; None while there is none.
    """

    id: str
    series: str
    release: str
    state: str
    reason: str
    findings: Mapping[str, Any]
    has_mask: bool
    reading: RowMapping | None


@dataclass(frozen=True)
class StudyView:
    """A study as its page shows it.

    Args:
        study: Its row, with where it stands.
        series: That can be looked at, the largest of those that a release read first.
        results: That count.
        earlier: Other studies of the patient, the newest first.
        signed: Signatures, the newest first: id, reader, at, language.
    """

    study: RowMapping
    series: Sequence[SeriesView]
    results: Sequence[ResultView]
    earlier: Sequence[RowMapping]
    signed: Sequence[RowMapping]


def study_view(connection: Connection, study: int, mine: ColumnElement[bool], now: float) -> StudyView:
    """A study.

    Args:
        connection: Of the index.
        study: Id of its row.
        mine: Condition on `studies`: those that the reader may know of.
        now: Seconds since 1970.
    """
    row = connection.execute(standing(now).query.where(studies.c.id == study)).mappings().one()
    said = _results(connection, study)
    read = {one.series for one in said}
    shown = sorted(_series(connection, study), key=lambda one: (one.uid not in read, -one.images))
    return StudyView(row, shown, said, _earlier(connection, row, mine), _signed(connection, study))


def _series(connection: Connection, study: int) -> list[SeriesView]:
    many = func.count(instances.c.id).filter(instances.c.rows.is_not(None))
    curves = func.count(instances.c.id).filter(is_recording())
    query = (
        select(series.c.uid, series.c.modality, series.c.description, many, curves, series.c.completed)
        .join(instances, instances.c.series_id == series.c.id)
        .where(series.c.study_id == study, series.c.made.is_(False))
        .group_by(series.c.id)
        .order_by(series.c.number, series.c.id)
    )
    rows = connection.execute(query).all()
    return [
        SeriesView(uid, kind, text, images or recorded, done is not None, not images)
        for uid, kind, text, images, recorded, done in rows
        if images or recorded
    ]


def _results(connection: Connection, study: int) -> list[ResultView]:
    of_study = (results.c.study_id == study) & results.c.superseded.is_(None)
    query = select(results, series.c.uid.label("of")).join(series, series.c.id == results.c.series_id)
    rows = connection.execute(
        query.where(of_study).order_by(results.c.priority.desc(), results.c.probability.desc(), results.c.id)
    ).mappings()
    found = list(rows)
    names = [one["id"] for one in found]
    firsts = {first_uid(name, "seg"): name for name in names}  # later ones may hold nothing but what readers drew
    there = select(instances.c.uid).where(instances.c.uid.in_(firsts))
    masks = {firsts[uid] for uid in connection.execute(there).scalars()}
    decided = newest_readings(connection, names)
    return [
        ResultView(
            one["id"],
            one["of"],
            one["release"],
            one["state"],
            one["reason"],
            one["findings"],
            one["id"] in masks,
            decided.get(one["id"]),
        )
        for one in found
    ]


def _earlier(connection: Connection, row: RowMapping, mine: ColumnElement[bool]) -> Sequence[RowMapping]:
    others = (studies.c.patient == row["patient"]) & (studies.c.id != row["id"])
    query = select(studies.c.uid, studies.c.date, studies.c.time, studies.c.description).where(others, mine)
    newest = query.order_by(studies.c.date.desc(), studies.c.id.desc()).limit(MOST_EARLIER)
    return connection.execute(newest).mappings().all()


def _signed(connection: Connection, study: int) -> Sequence[RowMapping]:
    columns = (signatures.c.id, signatures.c.language, signatures.c.at, people.c.name.label("by"))
    query = select(*columns).join(people, people.c.id == signatures.c.reader, isouter=True)
    newest = query.where(signatures.c.study_id == study).order_by(signatures.c.at.desc())
    return connection.execute(newest).mappings().all()
