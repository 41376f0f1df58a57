"""Feedback: readings turned into label changes, each with its author, for the next data set."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field, StrictBool, StrictFloat, StrictInt
from sqlalchemy import Connection, RowMapping, Select, insert, select

from diascope.serve.database.tables import feedback, readings, results, studies, users
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Answer, Body, Id, Line, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, listed
from diascope.serve.http.routes.findings import Label
from diascope.serve.http.routes.readings import found

router = APIRouter(prefix="/feedback", tags=["feedback"])

Value = StrictBool | StrictInt | StrictFloat | Line | None


class NewFeedback(Body):
    """Labels as they should be."""

    reading: Id
    """Id of the reading that says so."""
    labels: Annotated[dict[Line, Value], Field(min_length=1, max_length=1000)]
    """Name of the label to its value; null takes it away."""


class Feedback(Answer):
    """A label change."""

    id: str
    """For ever."""
    reading: str
    """Id of the reading."""
    result: str
    """Id of the result that was read."""
    project: str
    """Id of the project of the study."""
    study: str
    """Study Instance UID."""
    release: str
    """That the result is of."""
    verdict: str
    """Of the reading."""
    labels: dict[str, Any]
    """Name of the label to its value."""
    author: str
    """Name of whoever wrote it."""
    at: Time
    """When."""


@router.get("", openapi_extra=operation("feedback.list"))
def list_feedback(
    asked: Who,
    paging: Paged,
    release: Label = None,
) -> Page[Feedback]:
    """Label changes, the newest first."""
    query = _feedback().where(asked.within(studies.c.project_id))
    query = query if release is None else query.where(results.c.release == release)
    asked.service.audit.tell(asked.event("study.queried", of="feedback"))
    return listed(asked, query, (feedback.c.at, feedback.c.id), paging, _shown, newest_first=True)


@router.post("", status_code=201, openapi_extra=operation("feedback.write"))
def write_feedback(asked: Who, once: Once, body: NewFeedback) -> Feedback:
    """Turn a reading into a label change; neither the reading nor the result changes."""
    of, made = found(asked, body.reading), secrets.token_hex(16)

    def work(connection: Connection) -> Feedback:
        row = {"id": made, "reading_id": body.reading, "labels": body.labels, "author": asked.caller.id}
        connection.execute(insert(feedback).values(**row, at=asked.service.clock()))
        asked.record(
            connection, "feedback.written", of["result"], of["project"], feedback=made, labels=len(body.labels)
        )
        return _shown(connection.execute(_feedback().where(feedback.c.id == made)).mappings().one())

    return once.change(Feedback, work)


def _feedback() -> Select[Any]:
    named = (
        studies.c.uid.label("study"), studies.c.project_id.label("project"), results.c.release,
        results.c.id.label("result"), readings.c.verdict, readings.c.id.label("reading"), users.c.name.label("by"),
    )  # fmt: skip
    joined = select(feedback, *named).join(readings, readings.c.id == feedback.c.reading_id)
    joined = joined.join(results, results.c.id == readings.c.result_id)
    joined = joined.join(studies, studies.c.id == results.c.study_id)
    return joined.join(users, users.c.id == feedback.c.author, isouter=True)


def _shown(row: RowMapping) -> Feedback:
    return Feedback.model_validate({**row, "author": row["by"] or row["author"]})
