"""Readings: what people decided about results. They are only ever added; the result stays what the release said."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field, JsonValue
from sqlalchemy import Connection, RowMapping, Select, insert, select

from diascope.core.errors import BadUsage, Conflict
from diascope.serve.database.tables import readings, results, studies, users
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, Id, InPath, Line, Text, Time, refuse_odd
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, listed
from diascope.serve.http.routes import findings
from diascope.serve.http.routes.openings import seconds_since
from diascope.serve.reading.keeping import MESSAGES, send_again
from diascope.serve.reporting.corrections import (
    MOST,
    Correction,
    Missed,
    Reason,
    Verdict,
    drawn,
    refuse_other_drawings,
    refuse_other_findings,
)

router = APIRouter(prefix="/readings", tags=["readings"])

Facts = Annotated[dict[Line, JsonValue], Field(max_length=1000)]


class NewReading(Body):
    """What a reader decides."""

    result: Id
    """Id of the result."""
    verdict: Verdict
    """`amend`: right, but for what `amended` and `added` say. `unsure`: the reader can't tell."""
    reason: Reason | None = None
    """With `reject`, and only there: why."""
    shown: Facts
    """What the reader saw when deciding: series, windows, which findings, whether the answer was shown first."""
    amended: Annotated[dict[Line, Correction], Field(min_length=1, max_length=1000)] | None = None
    """With `amend`, and only there: what is right instead, by the name of the finding."""
    added: Annotated[list[Missed], Field(default_factory=list, max_length=MOST)]
    """With any verdict: what the release missed; what is told of the result is then an amendment."""
    comment: Text = ""
    """In words, no names of patients."""


class Reading(Answer):
    """What a reader decided."""

    id: str
    """For ever."""
    result: str
    """Id of the result."""
    project: str
    """Id of the project of the study."""
    study: str
    """Study Instance UID."""
    release: str
    """That the result is of."""
    reader: str
    """Name of whoever decided."""
    verdict: Verdict
    """What was decided."""
    reason: str
    """Of a rejection: why; empty in readings of before there were reasons."""
    shown: dict[str, Any]
    """What the reader saw."""
    amended: dict[str, Any] | None
    """What is right instead."""
    added: list[dict[str, Any]]
    """What the release missed."""
    comment: str
    """In words."""
    seconds: float | None
    """From when the reader opened the study; null where that is not known."""
    at: Time
    """When."""


@router.get("", openapi_extra=operation("readings.list"))
def list_readings(
    asked: Who,
    paging: Paged,
    result: Annotated[str | None, Query(pattern="^[A-Za-z0-9_-]{1,32}$", description="Id of a result")] = None,
    verdict: Annotated[Verdict | None, Query(description="Only those")] = None,
) -> Page[Reading]:
    """Readings, the newest first."""
    query = _readings().where(asked.within(studies.c.project_id))
    for column, wanted in ((readings.c.result_id, result), (readings.c.verdict, verdict)):
        query = query if wanted is None else query.where(column == wanted)
    asked.service.audit.tell(asked.event("study.queried", of="readings"))
    return listed(asked, query, (readings.c.at, readings.c.id), paging, _shown, newest_first=True)


@router.post("", status_code=201, openapi_extra=operation("readings.write"))
def write_reading(asked: Who, once: Once, body: NewReading) -> Reading:
    """Decide about a result; what was sent of it is sent anew, and says who reviewed it, and how."""
    _refuse_contradictions(body)
    amended = body.amended or {}
    result = findings.found(asked, body.result)
    project = result["project"]
    refuse_other_findings(amended, result["findings"])

    def work(connection: Connection) -> Reading:
        of = findings.still(connection, body.result, project)
        if of["superseded"] is not None:
            raise Conflict("a later revision supersedes this result", todo="Look at the newest one")
        refuse_other_drawings(connection, drawn(amended, body.added), of["series_id"], of["revision"])
        made, now = secrets.token_hex(16), asked.service.clock()
        row = {"id": made, "result_id": body.result, "reader": asked.caller.id, "at": now, **_kept(body)}
        row["seconds"] = seconds_since(connection, of["study"], asked.caller.id, now)
        connection.execute(insert(readings).values(**row))
        asked.record(connection, "reading.written", body.result, of["project"], reading=made, verdict=body.verdict)
        _tell_again(asked, connection, of)
        return _shown(connection.execute(_readings().where(readings.c.id == made)).mappings().one())

    answer = once.change(Reading, work)
    asked.service.stirred.set()
    return answer


@router.get("/{reading}", openapi_extra=operation("readings.read"))
def read_reading(asked: Who, reading: InPath) -> Reading:
    """What a reader decided."""
    row = found(asked, reading)
    asked.service.audit.tell(asked.event("study.viewed", row["study"], project=row["project"], reading=reading))
    return _shown(row)


def found(asked: Asked, reading: str) -> RowMapping:
    """The row of a reading, for those who may do with it what they ask. Never in a transaction: a refusal is audited.

    Raises:
        NotFound: When there is none, or the caller may not know of it.
        Forbidden: When the caller may not do this to it.
    """
    with asked.service.database.reading() as connection:
        row = connection.execute(_readings().where(readings.c.id == reading)).mappings().first()
    asked.on("" if row is None else row["project"], f"reading:{reading}")
    if row is None:
        raise NotFound("there is no such reading", given=reading)
    return row


def _readings() -> Select[Any]:
    named = (
        studies.c.uid.label("study"), studies.c.project_id.label("project"), results.c.release,
        results.c.id.label("result"), users.c.name.label("by"),
    )  # fmt: skip
    joined = select(readings, *named).join(results, results.c.id == readings.c.result_id)
    return joined.join(studies, studies.c.id == results.c.study_id).join(
        users, users.c.id == readings.c.reader, isouter=True
    )


def _shown(row: RowMapping) -> Reading:
    return Reading.model_validate({**row, "reader": row["by"] or row["reader"], "added": row["added"] or []})


def _refuse_contradictions(body: NewReading) -> None:
    """Refuse a verdict without what goes with it, or with what goes with another.

    Raises:
        BadUsage: When they do not fit.
    """
    if body.amended is not None and body.verdict != "amend":
        raise BadUsage("`amended` goes with the verdict `amend`, and with no other", given=body.verdict)
    if body.verdict == "amend" and not body.amended and not body.added:
        raise BadUsage("the verdict `amend` says in `amended` or `added` what is right", given=body.verdict)
    if (body.reason is not None) != (body.verdict == "reject"):
        raise BadUsage("a `reason` goes with the verdict `reject`, and with no other", given=body.verdict)
    refuse_odd([body.shown, list(body.amended or ())], "shown or amended")


def _kept(body: NewReading) -> Mapping[str, Any]:
    """The columns that are what the reader said."""
    amended = {name: one.model_dump(exclude_none=True) for name, one in (body.amended or {}).items()}
    return {
        "verdict": body.verdict,
        "reason": body.reason or "",
        "shown": body.shown,
        "amended": amended or None,
        "added": [one.model_dump(exclude_none=True) for one in body.added] or None,
        "comment": body.comment,
    }


def _tell_again(asked: Asked, connection: Connection, result: RowMapping) -> None:
    """Messages that went out say now who reviewed the result; its objects are written anew, and then sent."""
    send_again(asked.service, connection, result["id"], MESSAGES, asked.caller.actor)
    said = {"result": result["id"]}
    asked.service.queue.put(connection, "review", said, project=result["project"], by=asked.caller.actor)
