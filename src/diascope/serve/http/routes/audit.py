"""The audit trail: read, taken out, verified. Reading it stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import ColumnElement, RowMapping, Select, select

from diascope.serve.audit_messages import written
from diascope.serve.database.tables import audit
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.fields import PLAIN, Answer, Moment, Time, seconds
from diascope.serve.http.paging import Page, Paged, listed

router = APIRouter(prefix="/audit", tags=["audit"])

XML = "application/xml"
CHUNK = 1000


class Record(Answer):
    """A record of the trail."""

    sequence: int
    """From 1, without gaps over the whole trail."""
    at: Time
    """When."""
    actor: str
    """User, peer or part of the service: `user:li`, `peer:CT1`, `service`."""
    action: str
    """`noun.verb`."""
    outcome: str
    """`success`, `failure` or `refused`."""
    object: str
    """What it was done to: a UID or an id."""
    project: str
    """Id of the project that the object belongs to; empty for none."""
    address: str
    """Network address that it came from."""
    detail: dict[str, Any]
    """More about it; no identities."""
    digest: str
    """Keyed hash of this record and of the digest before it."""


class Verified(Answer):
    """What a verification found."""

    sound: bool
    """Whether all records are as they were written, and all are there."""
    records: int
    """How many there are."""
    first_bad: int | None
    """Number of the first record that is wrong or missing; null where all are sound."""
    reason: str
    """What is wrong with it."""
    head: str
    """Digest of the last record."""


Word = Annotated[str | None, Query(max_length=128, pattern=PLAIN)]


async def _wanted(
    actor: Annotated[Word, Query(description="Only what this one did: `user:li`")] = None,
    action: Annotated[Word, Query(description="Only this: `study.viewed`")] = None,
    since: Annotated[Moment | None, Query(description="Not before")] = None,
    until: Annotated[Moment | None, Query(description="Before")] = None,
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for column, value in ((audit.c.actor, actor), (audit.c.action, action)):
        if value is not None:
            found.append(column == value)
    if since is not None:
        found.append(audit.c.at >= seconds(since))
    if until is not None:
        found.append(audit.c.at < seconds(until))
    return found


Wanted = Annotated[list[ColumnElement[bool]], Depends(_wanted)]


@router.get("", openapi_extra=operation("audit.read"))
def read_audit(asked: Who, wanted: Wanted, paging: Paged) -> Page[Record]:
    """Records of the trail, the newest first."""
    asked.service.audit.tell(asked.event("audit.read", "audit"))
    return listed(asked, _query(asked, wanted), (audit.c.sequence,), paging, _shown, newest_first=True)


@router.get(
    "/export",
    openapi_extra=operation("audit.export"),
    response_class=StreamingResponse,
    responses={200: {"description": "DICOM audit messages", "content": {XML: {"schema": {"type": "string"}}}}},
)
def export_audit(asked: Who, wanted: Wanted) -> StreamingResponse:
    """The trail as DICOM audit messages (PS3.15, section A.5), the oldest first."""
    asked.service.audit.tell(asked.event("audit.exported", "audit"))
    headers = {"Content-Disposition": 'attachment; filename="audit.xml"'}
    return StreamingResponse(written(_rows(asked, _query(asked, wanted))), media_type=XML, headers=headers)


@router.get("/verification", openapi_extra=operation("audit.verify"))
def verify_audit(asked: Who) -> Verified:
    """Read the whole trail and name the first record that is not what it was."""
    found = asked.service.audit.verify()
    outcome: Literal["success", "failure"] = "success" if found.first_bad is None else "failure"
    asked.service.audit.tell(asked.event("audit.verified", "audit", outcome, records=found.records))
    return Verified(
        sound=found.first_bad is None,
        records=found.records,
        first_bad=found.first_bad,
        reason=found.reason,
        head=found.head,
    )


def _query(asked: Asked, wanted: list[ColumnElement[bool]]) -> Select[Any]:
    return select(audit).where(asked.within(audit.c.project_id), *wanted)


def _rows(asked: Asked, query: Select[Any]) -> Iterator[RowMapping]:
    """All of them, a piece at a time, so that memory stays flat."""
    last = 0
    while True:
        part = query.where(audit.c.sequence > last).order_by(audit.c.sequence).limit(CHUNK)
        with asked.service.database.reading() as connection:
            rows = connection.execute(part).mappings().all()
        yield from rows
        if len(rows) < CHUNK:
            return
        last = rows[-1]["sequence"]


def _shown(row: RowMapping) -> Record:
    return Record.model_validate({**row, "project": row["project_id"]})
