"""Feedback that was gathered: readings and answers as folders of label changes that can be learnt from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import Connection, select

from diascope.serve.database.tables import jobs
from diascope.serve.feedback.gathering import FOLDER, RECORD
from diascope.serve.http import nouns
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Body, Id, Line, Moment, seconds
from diascope.serve.http.idempotency import Once
from diascope.serve.http.nouns import InAddress, Owned, WithRecord
from diascope.serve.http.paging import Page, Paged
from diascope.serve.http.routes.jobs import Job, shown

router = APIRouter(prefix="/gathered", tags=["feedback"])


class Gathering(Body):
    """Which answers are turned into label changes; see `diascope feedback --help`."""

    project: Id = "default"
    """Id of the project whose readers answered."""
    release: Line = ""
    """`name@version`: only what was said about it; empty is every release."""
    labelling: Line = ""
    """Name: only what was said on that label page; empty is every one."""
    since: Moment | None = None
    """From this moment on; null is from the beginning."""
    newest: Annotated[bool, Field(strict=True)] = False
    """Where readers disagree the newest answer counts; otherwise nothing is learnt of that label."""


@router.get("", openapi_extra=operation("datasets.list"))
def list_gathered(asked: Who, paging: Paged) -> Page[Owned]:
    """Gathered feedback by name; each is a path of the source `feedback`."""
    return nouns.listed(asked, FOLDER, paging)


@router.post("", status_code=202, openapi_extra=operation("datasets.write"))
def gather_feedback(asked: Who, once: Once, body: Gathering) -> Job:
    """Turn answers into label changes with author and time, beside pseudonymised copies of the images."""
    asked.on(body.project, f"project:{body.project}")
    payload = {
        "release": body.release, "labelling": body.labelling, "newest": body.newest,
        "since": None if body.since is None else seconds(body.since),
    }  # fmt: skip

    def work(connection: Connection) -> Job:
        made = asked.service.queue.put(connection, "feedback", payload, project=body.project, by=asked.caller.actor)
        asked.record(connection, "feedback.asked", f"job:{made}", body.project)
        return shown(connection.execute(select(jobs).where(jobs.c.id == made)).mappings().one())

    answer = once.change(Job, work)
    asked.service.stirred.set()
    return answer


@router.get("/{gathered}", openapi_extra=operation("datasets.read"))
def read_gathered(asked: Who, gathered: InAddress) -> WithRecord:
    """The label changes: who said what of which case, and when; and what is left open."""
    noun, path = nouns.found(asked, FOLDER, gathered)
    return nouns.with_record(noun, path / RECORD)


@router.delete("/{gathered}", status_code=204, openapi_extra=operation("datasets.delete"))
def remove_gathered(asked: Who, gathered: InAddress) -> None:
    """Delete gathered feedback; the answers that it was made of stay."""
    nouns.deleted(asked, FOLDER, gathered)
