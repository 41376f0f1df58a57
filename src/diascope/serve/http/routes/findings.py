"""Findings: what releases said, at every revision, which objects were written of it, and where they went."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import Connection, RowMapping, Select, insert, select, update

from diascope.core.errors import Conflict
from diascope.serve.access.refusals import Missing
from diascope.serve.database.tables import deliveries, jobs, peers, result_objects, results, series, studies
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, Id, InPath, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, listed
from diascope.serve.http.routes.jobs import Job
from diascope.serve.http.routes.jobs import shown as job_shown
from diascope.serve.reading.keeping import MESSAGES, SEND_PRIORITY

router = APIRouter(prefix="/findings", tags=["findings"])

State = Literal["answered", "unavailable"]
Kind = Literal["seg", "sr", "sc", "pdf", "oru", "fhir", "webhook"]
Label = Annotated[str | None, Query(max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", description="`name@version`")]


class Result(Answer):
    """What a release said about a series at one revision."""

    id: str
    """For ever."""
    project: str
    """Id of the project of the study."""
    study: str
    """Study Instance UID."""
    series: str
    """Series Instance UID."""
    revision: int
    """Of the series."""
    release: str
    """`name@version`."""
    seal: str
    """Hash of the release; empty where it could not be opened."""
    rule: str
    """Of the rules that asked for it."""
    state: State
    """`unavailable`: not available, because of `reason`; never a negative."""
    reason: str
    """Why it is not available."""
    completed: Time
    """When the series was complete: latency counts from here."""
    answered: Time
    """When it was said."""
    superseded: Time | None
    """Since when a later revision counts; null where this one does."""


class Written(Answer):
    """An object that was written of a result; it lies in the archive as any other."""

    kind: str
    """seg, sr, sc, pdf."""
    instance: str
    """SOP Instance UID."""


class Delivery(Answer):
    """What was sent where."""

    kind: str
    """Of the object or message."""
    peer: str
    """Name."""
    state: Literal["unsigned", "waiting", "sent", "failed"]
    """Where it is; `unsigned`: a report that goes when a reader signs it."""
    reason: str
    """Why it waits or failed."""
    at: Time
    """Since when."""


class Whole(Result):
    """A result with everything about it."""

    findings: dict[str, Any]
    """The record `Findings`, as `diascope predict` writes it."""
    objects: list[Written]
    """What was written of it."""
    deliveries: list[Delivery]
    """Where it went."""
    others: list[Result]
    """What the same release said about the same series at other revisions, the newest first."""


class Again(Body):
    """What is sent again."""

    peer: Id
    """Id of the peer."""
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=7)]
    """Objects and messages."""


class Sent(Answer):
    """What was put on its way."""

    jobs: list[Job]
    """One for each kind."""


@router.get("", openapi_extra=operation("findings.list"))
def list_findings(
    asked: Who,
    paging: Paged,
    study: Annotated[str | None, Query(pattern=r"^[0-9.]{1,64}$", description="Study Instance UID")] = None,
    release: Label = None,
    state: Annotated[State | None, Query(description="Only those")] = None,
    superseded: Annotated[bool, Query(description="Also those that a later revision supersedes")] = False,
) -> Page[Result]:
    """Results, the newest first."""
    query = _results().where(asked.within(studies.c.project_id))
    query = query if superseded else query.where(results.c.superseded.is_(None))
    for column, wanted in ((studies.c.uid, study), (results.c.release, release), (results.c.state, state)):
        query = query if wanted is None else query.where(column == wanted)
    asked.service.audit.tell(asked.event("study.queried", of="results"))
    return listed(asked, query, (results.c.answered, results.c.id), paging, shown, newest_first=True)


@router.get("/{result}", openapi_extra=operation("findings.read"))
def read_findings(asked: Who, result: InPath) -> Whole:
    """A result: what was said, what was written of it, where it went, and what was said at other revisions."""
    row = found(asked, result)
    with asked.service.database.reading() as connection:
        content = {
            **vars(shown(row)),
            "findings": row["findings"],
            "objects": _objects(connection, result),
            "deliveries": _deliveries(connection, result),
            "others": _others(connection, row),
        }
    asked.service.audit.tell(asked.event("study.viewed", row["study"], project=row["project"], result=result))
    return Whole.model_validate(content)


@router.post("/{result}/send", status_code=202, openapi_extra=operation("findings.send"))
def send_again(asked: Who, once: Once, result: InPath, body: Again) -> Sent:
    """Send a result to a peer, again or for the first time; what arrives twice is the same object."""
    project = found(asked, result)["project"]

    def work(connection: Connection) -> Sent:
        row = still(connection, result, project)
        peer = connection.execute(select(peers).where(peers.c.id == body.peer)).mappings().first()
        if peer is None or peer["project_id"] != row["project"]:
            raise Missing("peer", body.peer)
        if not peer["enabled"]:
            raise Conflict("the peer is not in service", given=peer["name"])
        there = {one.kind for one in _objects(connection, result)}
        for kind in body.kinds:
            if kind not in there and kind not in MESSAGES:
                raise Conflict("there is no such object of this result", given=kind)
        made = [_put(asked, connection, row, peer["id"], kind) for kind in dict.fromkeys(body.kinds)]
        detail = {"peer": peer["name"], "kinds": ",".join(body.kinds)}
        asked.record(connection, "result.sent_again", result, row["project"], **detail)
        rows = connection.execute(select(jobs).where(jobs.c.id.in_(made)).order_by(jobs.c.id)).mappings()
        return Sent(jobs=[job_shown(one) for one in rows])

    answer = once.change(Sent, work)
    asked.service.stirred.set()
    return answer


def found(asked: Asked, result: str) -> RowMapping:
    """The row of a result, for those who may do with it what they ask. Never in a transaction: a refusal is audited.

    Raises:
        NotFound: When there is none, or the caller may not know of it.
        Forbidden: When the caller may not do this to it.
    """
    with asked.service.database.reading() as connection:
        row = connection.execute(_results().where(results.c.id == result)).mappings().first()
    asked.on("" if row is None else row["project"], f"result:{result}")
    if row is None:
        raise NotFound("there is no such result", given=result)
    return row


def still(connection: Connection, result: str, project: str) -> RowMapping:
    """The same in a transaction, where the study is still in the project that was looked at.

    Raises:
        NotFound: When it was deleted or moved meanwhile.
    """
    mine = (results.c.id == result) & (studies.c.project_id == project)
    row = connection.execute(_results().where(mine)).mappings().first()
    if row is None:
        raise NotFound("there is no such result any more", given=result)
    return row


def shown(row: RowMapping) -> Result:
    """A result as the API writes it."""
    return Result.model_validate(dict(row))


def _results() -> Select[Any]:
    columns = [one for one in results.c if one.name not in ("study_id",)]
    named = (studies.c.uid.label("study"), series.c.uid.label("series"), studies.c.project_id.label("project"))
    joined = select(*columns, *named).join(studies, studies.c.id == results.c.study_id)
    return joined.join(series, series.c.id == results.c.series_id)


def _objects(connection: Connection, result: str) -> list[Written]:
    query = select(result_objects).where(result_objects.c.result_id == result).order_by(result_objects.c.kind)
    return [Written(kind=row.kind, instance=row.instance_uid) for row in connection.execute(query)]


def _deliveries(connection: Connection, result: str) -> list[Delivery]:
    query = select(deliveries, peers.c.name.label("peer")).join(peers, peers.c.id == deliveries.c.peer_id)
    query = query.where(deliveries.c.result_id == result).order_by(deliveries.c.id)
    return [Delivery.model_validate(dict(row)) for row in connection.execute(query).mappings()]


def _others(connection: Connection, row: RowMapping) -> list[Result]:
    same = (results.c.series_id == row["series_id"]) & (results.c.release == row["release"])
    query = _results().where(same & (results.c.id != row["id"])).order_by(results.c.revision.desc())
    return [shown(one) for one in connection.execute(query).mappings()]


def _put(asked: Asked, connection: Connection, row: RowMapping, peer: str, kind: str) -> str:
    result = row["id"]
    mine = (deliveries.c.result_id == result) & (deliveries.c.kind == kind) & (deliveries.c.peer_id == peer)
    values = {"state": "waiting", "reason": "", "at": asked.service.clock()}
    if not connection.execute(update(deliveries).where(mine).values(**values)).rowcount:
        connection.execute(insert(deliveries).values(result_id=result, kind=kind, peer_id=peer, **values))
    payload = {"result": result, "kind": kind, "peer": peer}
    by = asked.caller.actor
    return asked.service.queue.put(connection, "send", payload, project=row["project"], by=by, priority=SEND_PRIORITY)
