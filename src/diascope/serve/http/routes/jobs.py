"""Jobs: what is to be done, what was done, what failed and why."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection, RowMapping, select

from diascope.serve.database.tables import jobs
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.events import MEDIA, Events, Listening
from diascope.serve.http.fields import Answer, InPath, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, listed
from diascope.serve.jobs.kinds.query import SEALED
from diascope.serve.jobs.queue import ENDED

router = APIRouter(prefix="/jobs", tags=["jobs"])

State = Literal["queued", "running", "done", "failed", "cancelled"]


class Progress(Answer):
    """How far a job is."""

    done: int
    """Parts that are done."""
    total: int
    """Parts that there are."""
    note: str = ""
    """What is being done."""


class Failure(Answer):
    """Why a job failed, or was put back."""

    wrong: str
    """What was wrong."""
    given: str | None = None
    """What was given."""
    todo: str = ""
    """What to do next."""


class Job(Answer):
    """A job."""

    id: str
    """For ever."""
    kind: str
    """What is to be done."""
    state: State
    """Where it is; `queued` with attempts behind it waits to be tried again."""
    project: str
    """Id of the project that it belongs to; empty for one of the service itself."""
    by: str
    """Who asked for it."""
    attempts: int
    """How often it was tried."""
    cancelling: bool
    """Whether it was told to stop and has not yet."""
    progress: Progress | None
    """How far it is; null where it does not say."""
    payload: dict[str, Any]
    """What it works on: ids and settings, no identities."""
    result: dict[str, Any] | None
    """What it gave; null before it is done."""
    error: Failure | None
    """Why the last attempt failed; null where none did."""
    ready: Time
    """Not begun before."""
    created: Time
    """When it was asked for."""
    started: Time | None
    """When the last attempt began."""
    ended: Time | None
    """When it was done, failed or cancelled."""


@router.get("", openapi_extra=operation("jobs.list"))
def list_jobs(
    asked: Who,
    paging: Paged,
    state: Annotated[State | None, Query(description="Only those")] = None,
    kind: Annotated[str | None, Query(max_length=32, pattern="^[a-z_.-]+$", description="Only those")] = None,
) -> Page[Job]:
    """Jobs, the newest first."""
    query = select(jobs).where(asked.within(jobs.c.project_id))
    for column, wanted in ((jobs.c.state, state), (jobs.c.kind, kind)):
        query = query if wanted is None else query.where(column == wanted)
    return listed(asked, query, (jobs.c.created, jobs.c.id), paging, shown, newest_first=True)


@router.get("/{job}", openapi_extra=operation("jobs.read"))
def read_job(asked: Who, job: InPath) -> Job:
    """A job."""
    return found_job(asked, job)


@router.get(
    "/{job}/events",
    openapi_extra=operation("jobs.read"),
    status_code=200,
    response_class=Events,
    responses={200: {"description": "A `Job` with each event", "content": {MEDIA: {"schema": {"type": "string"}}}}},
)
def follow_job(request: Request, asked: Who, job: InPath) -> Events:
    """Follow a job: `progress` whenever something changes, `end` when it has ended (server-sent events)."""
    found_job(asked, job)
    listening: Listening = request.app.state.listening
    listening.enter(asked.caller.id)

    def read() -> tuple[str, bool]:
        with asked.service.database.reading() as connection:
            now = shown(_row(connection, job))
        return now.model_dump_json(), now.state in ENDED

    return Events(listening, asked.caller.id, read)


@router.post("/{job}/cancel", openapi_extra=operation("jobs.cancel"))
def cancel_job(asked: Who, once: Once, job: InPath) -> Job:
    """Stop a job: at once where it waits, soon where it runs."""
    found = found_job(asked, job)

    def work(connection: Connection) -> Job:
        asked.service.queue.cancel(connection, job)
        asked.record(connection, "job.cancelled", f"job:{job}", found.project, kind=found.kind)
        return shown(_row(connection, job))

    return once.change(Job, work)


@router.post("/{job}/retry", openapi_extra=operation("jobs.retry"))
def retry_job(asked: Who, once: Once, job: InPath) -> Job:
    """Try a job again that has failed or was cancelled."""
    found = found_job(asked, job)

    def work(connection: Connection) -> Job:
        asked.service.queue.retry(connection, job)
        asked.record(connection, "job.retried", f"job:{job}", found.project, kind=found.kind)
        return shown(_row(connection, job))

    answer = once.change(Job, work)
    asked.service.stirred.set()
    return answer


def shown(row: RowMapping) -> Job:
    """A job as the API writes it; what is sealed stays with those who may open it."""
    open_ = {key: _open(row[key]) for key in ("payload", "result")}
    return Job.model_validate({**row, **open_, "project": row["project_id"]})


def _open(content: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if content is None else {key: value for key, value in content.items() if key != SEALED}


def found_job(asked: Asked, job: str) -> Job:
    """The job, for those who may know of it."""
    with asked.service.database.reading() as connection:
        row = connection.execute(select(jobs).where(jobs.c.id == job)).mappings().first()
    if row is None:
        raise asked.missing("job", job)
    asked.on(row["project_id"], f"job:{job}")
    return shown(row)


def _row(connection: Connection, job: str) -> RowMapping:
    row = connection.execute(select(jobs).where(jobs.c.id == job)).mappings().first()
    if row is None:
        raise NotFound("there is no such job", given=job)
    return row
