"""Structured reports that arrived with a study, as texts that are only read; those that this service wrote are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, select

from diascope.formats.dicomio.srreading import SOP_CLASSES, state_of, words_of
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.incoming.decoding import strict_decoder
from diascope.serve.service import Service

MOST = 50
"""Reports of a study that are listed."""


@dataclass(frozen=True)
class Report:
    """The words of a structured report.

    Args:
        text: In the order of its tree.
        complete: `PARTIAL`, `COMPLETE`, or "" where it does not say.
        verified: `UNVERIFIED`, `VERIFIED`, or "".
    """

    text: str
    complete: str
    verified: str


def rows_of(connection: Connection, study: int) -> Sequence[RowMapping]:
    """The structured reports of a study, the newest first: `uid`, `sop_class`, `description`, `received`."""
    query = _query().where(series.c.study_id == study).order_by(instances.c.received.desc(), instances.c.id)
    return connection.execute(query.limit(MOST)).mappings().all()


def row_of(connection: Connection, study: str, instance: str) -> RowMapping | None:
    """One of them, by UID; with `project`."""
    mine: ColumnElement[bool] = (studies.c.uid == study) & (instances.c.uid == instance)
    return connection.execute(_query().where(mine)).mappings().first()


def read(service: Service, row: RowMapping) -> Report:
    """The words of a report; they are parsed in the decoder's child process.

    Raises:
        DataRefused: When it can't be parsed, holds no words, or more than a report has.
        StorageFailed: When the archive does not answer.
    """
    with service.archive.local(row["key"], row["sha256"]) as path:
        (header,) = strict_decoder().json([path])
    return Report(words_of(header), *state_of(header))


def _query() -> Select[Any]:
    named = (series.c.description, studies.c.uid.label("study"), studies.c.project_id.label("project"))
    columns = (instances.c.uid, instances.c.sop_class, instances.c.received, instances.c.key, instances.c.sha256)
    query = select(*columns, *named).join(series, series.c.id == instances.c.series_id)
    query = query.join(studies, studies.c.id == series.c.study_id)
    return query.where(series.c.made.is_(False), instances.c.sop_class.in_(sorted(SOP_CLASSES)))
