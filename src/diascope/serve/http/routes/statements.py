"""Statements: what releases say of texts and of laboratory results, and what in them led to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, select

from diascope.serve.access.refusals import Missing
from diascope.serve.beside import documents as texts
from diascope.serve.beside.speakers import TABLE, TEXT, ask, speakers
from diascope.serve.beside.statements import about
from diascope.serve.database.beside_tables import statements
from diascope.serve.database.tables import jobs
from diascope.serve.database.tables import studies as table
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, Id, Line, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, page
from diascope.serve.http.routes import studies
from diascope.serve.http.routes.jobs import Job
from diascope.serve.http.routes.jobs import shown as job_shown

router = APIRouter(tags=["statements"])


class NewStatement(Body):
    """What is asked for."""

    release: Line
    """One in service that reads a text alone, or laboratory results alone: `name@version`."""
    document: Id | None = None
    """Id of the text; null for the laboratory results of the study."""


class Part(Answer):
    """A part of what was read."""

    value: float
    """-1 to 1: what speaks for the finding is positive, what speaks against it negative; the strongest is 1 or -1."""
    start: int | None = None
    """Of a word of a text: its first character, from 0, in Unicode code points."""
    stop: int | None = None
    """The one behind its last."""
    name: str | None = None
    """Of a row: the column."""
    given: float | str | None = None
    """What stood there; null for whoever may not see laboratory results."""
    unit: str | None = None
    """Of it."""


class Attribution(Answer):
    """What led to a finding."""

    finding: str
    """Name of the finding."""
    passed: bool
    """Whether it depends on what was learnt (Adebayo 2018); only then it is shown."""
    similarity: float | None
    """Rank correlation with the same of random weights; null where there was nothing to compare."""
    limit: float
    """Highest similarity at which it passes."""
    parts: list[Part]
    """Words in the order of the text; columns, the strongest first. None where it did not pass."""


class Statement(Answer):
    """What a release says of a text or of laboratory results."""

    id: str
    """Of this one."""
    study: str
    """Study Instance UID."""
    document: str | None
    """Id of the text; null where it is about laboratory results."""
    release: str
    """`name@version`."""
    seal: str
    """Hash of the release; empty where it could not be opened."""
    basis: str
    """SHA-256 of what was read; empty where nothing could be."""
    state: str
    """`answered`, or `unavailable`: not available is never negative."""
    reason: str
    """Why it is not available."""
    findings: dict[str, Any]
    """The record `Findings`, as `diascope predict` writes it; empty where it is not available."""
    explainer: str
    """Which plug-in told what led to it; empty where there was none."""
    attributions: list[Attribution]
    """Of the surest findings."""
    unexplained: str
    """Why there are none; empty where there are."""
    at: Time
    """When it was said."""


@router.post("/studies/{study}/statements", status_code=202, openapi_extra=operation("predictions.request"))
def request_statement(asked: Who, once: Once, study: studies.UidInPath, body: NewStatement) -> Job:
    """Let a release read a text, or the laboratory results of a study; the same job while one is under way.

    Of a text it takes the right to bring texts in as well.
    """
    row = studies.found(asked, study)
    if body.document is not None:
        _refuse_text(asked, row, body.document)
    with asked.service.database.reading() as connection:
        reads = TEXT if body.document is not None else TABLE
        known = [one.label for one in speakers(asked.service, connection, reads)]
    if body.release not in known:
        what = "texts" if reads == TEXT else "laboratory results"
        raise Missing(f"release in service that reads {what}", body.release)

    def work(connection: Connection) -> Job:
        still = studies.still(connection, study, row["project_id"])
        about_what = (body.document, asked.caller.actor)
        job = ask(asked.service, connection, still, body.release, about_what)
        detail = {"release": body.release, "document": body.document or "", "part": "statements"}
        asked.record(connection, "prediction.requested", study, row["project_id"], **detail)
        return job_shown(connection.execute(select(jobs).where(jobs.c.id == job)).mappings().one())

    answer = once.change(Job, work)
    asked.service.stirred.set()
    return answer


@router.get("/studies/{study}/statements", openapi_extra=operation("findings.read"))
def list_statements(asked: Who, study: studies.UidInPath, paging: Paged) -> Page[Statement]:
    """What releases said of texts and laboratory results of a study, the newest first.

    Those about texts are shown to whoever may read the texts.
    """
    row = studies.found(asked, study)
    project = row["project_id"]
    mine = about(asked.may("documents.read", project), results=True)
    query = select(statements).where((statements.c.study_id == row["id"]) & mine)
    with asked.service.database.reading() as connection:
        order = (statements.c.at, statements.c.id)
        rows, following = page(asked, connection, query, order, paging, newest_first=True)
    asked.service.audit.tell(asked.event("study.viewed", study, project=project, part="statements"))
    values = asked.may("observations.list", project)
    return Page(items=[_shown(study, one, values) for one in rows], next=following)


def _refuse_text(asked: Asked, study: RowMapping, document: str) -> None:
    """Refuse a text that is not of the study, or whose words the caller may not use. Never in a transaction.

    Raises:
        NotFound: When there is none in this study.
        Forbidden: When the caller may not let it be read.
    """
    replace(asked, operation="documents.write").on(study["project_id"], study["uid"])
    with asked.service.database.reading() as connection:
        found = texts.row_of(connection, document, table.c.id == study["id"])
    if found is None:
        raise NotFound("there is no such text", given=document)


def _shown(study: str, row: RowMapping, values: bool) -> Statement:
    led = row["attributions"] if values or row["document_id"] else [_without(one) for one in row["attributions"]]
    return Statement.model_validate({**row, "study": study, "document": row["document_id"], "attributions": led})


def _without(one: Mapping[str, Any]) -> dict[str, Any]:
    """An attribution without what stood in the columns."""
    return {**one, "parts": [{**part, "given": None} for part in one["parts"]]}
