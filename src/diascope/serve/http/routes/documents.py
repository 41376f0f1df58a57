"""Texts about a study: reports, histories, letters, with what releases of entities marked in them."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field, StringConstraints
from sqlalchemy import Connection, RowMapping, insert, select

from diascope.formats.dicomio.srreading import SOP_CLASSES
from diascope.serve.access.refusals import Missing
from diascope.serve.beside import documents as kept
from diascope.serve.beside import speakers, structured
from diascope.serve.beside.asking import ask, markers
from diascope.serve.database.beside_tables import documents
from diascope.serve.database.tables import jobs
from diascope.serve.database.tables import studies as table
from diascope.serve.http import objects
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, InPath, Line, Moment, Time, seconds
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, page
from diascope.serve.http.routes import studies
from diascope.serve.http.routes.jobs import Job
from diascope.serve.http.routes.jobs import shown as job_shown
from diascope.store.archive import Stored

router = APIRouter(tags=["documents"])

Language = Annotated[str, StringConstraints(max_length=16, pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})?)?$")]


class NewDocument(Body):
    """A text. It may name the patient: it is kept in the archive, sealed where that is."""

    kind: kept.Kind = "report"
    """What it is."""
    text: str = Field(min_length=1, max_length=2 * kept.LONGEST)
    """Its words, plain text, 200,000 characters at most; lines may end in either way."""
    language: Language = ""
    """`en`, `zh`; empty is told by its letters."""
    written: Moment | None = None
    """When its author wrote it; null where nobody said."""


class NewMark(Body):
    """What is asked for."""

    release: Line
    """A release of entities that is in service: `name@version`."""


class Span(Answer):
    """A part of a text."""

    label: str
    """What it is."""
    start: int
    """Its first character, from 0, in Unicode code points."""
    stop: int
    """The one behind its last."""
    probability: float | None
    """How sure the release is, calibrated; null where it does not say."""


class Mark(Answer):
    """What a release said of a text."""

    release: str
    """`name@version`."""
    state: str
    """`answered`, or `unavailable`: not available is never nothing found."""
    reason: str
    """Why it is not available."""
    spans: list[Span]
    """In the order of the text."""
    at: Time
    """When."""


class Document(Answer):
    """A text without its words."""

    id: str
    """For ever."""
    study: str
    """Study Instance UID."""
    kind: str
    """`report`, `history`, `letter`, `note`."""
    language: str
    """`en`, `zh`, another BCP 47 tag, or empty where it is not known."""
    written: Time | None
    """When its author wrote it; null where nobody said."""
    by: str
    """Who brought it."""
    at: Time
    """When it arrived."""
    marked: list[str]
    """Releases that said something of it, or why they can't."""


class WholeDocument(Document):
    """A text."""

    text: str
    """Its words: lines end with a line feed, and spans count its characters."""
    marks: list[Mark]
    """By the name of the release."""


class ReportText(Answer):
    """The words of a DICOM structured report."""

    study: str
    """Study Instance UID."""
    instance: str
    """SOP Instance UID."""
    title: str
    """Of its SOP class."""
    complete: str
    """`PARTIAL`, `COMPLETE`, or empty."""
    verified: str
    """`UNVERIFIED`, `VERIFIED`, or empty."""
    text: str
    """Its headings, texts, codes and numbers, in the order of its tree."""


@router.post("/studies/{study}/documents", status_code=201, openapi_extra=operation("documents.write"))
def keep_document(asked: Who, once: Once, study: studies.UidInPath, body: NewDocument) -> Document:
    """Bring a text in; every release in service that reads texts and knows its language marks it, or answers."""
    row = studies.found(asked, study)
    written = kept.as_kept(body.text, body.language)
    values: dict[str, Any] = {
        "id": secrets.token_hex(16),
        "kind": body.kind,
        "language": written.language,
        "by": asked.caller.name,
    }
    values |= {"sha256": written.sha256, "written": body.written and seconds(body.written)}
    answer = _kept(asked, once, row, values, written)
    asked.service.stirred.set()
    return answer


@router.get("/studies/{study}/documents", openapi_extra=operation("documents.read"))
def list_documents(asked: Who, study: studies.UidInPath, paging: Paged) -> Page[Document]:
    """Texts about a study without their words, those that arrived last first."""
    row = studies.found(asked, study)
    query = select(documents).where(documents.c.study_id == row["id"])
    with asked.service.database.reading() as connection:
        order = (documents.c.at, documents.c.id)
        rows, following = page(asked, connection, query, order, paging, newest_first=True)
        said = kept.marks_of(connection, [one["id"] for one in rows])
    asked.service.audit.tell(asked.event("study.viewed", study, project=row["project_id"], part="documents"))
    items = [_head(study, one, [each["release"] for each in said[one["id"]]]) for one in rows]
    return Page(items=items, next=following)


@router.get("/studies/{study}/documents/{document}", openapi_extra=operation("documents.read"))
def read_document(asked: Who, study: studies.UidInPath, document: InPath) -> WholeDocument:
    """A text with its words, and what releases marked in them."""
    row = _found(asked, study, document)
    with asked.service.database.reading() as connection:
        said = kept.marks_of(connection, [document])[document]
    text = kept.words_of(asked.service, row)
    asked.service.audit.tell(asked.event("document.read", study, project=row["project"], document=document))
    head = _head(study, row, [one["release"] for one in said])
    return WholeDocument(**vars(head), text=text, marks=[Mark.model_validate(dict(one)) for one in said])


@router.post("/studies/{study}/documents/{document}/marks", status_code=202, openapi_extra=operation("documents.write"))
def mark_document(asked: Who, once: Once, study: studies.UidInPath, document: InPath, body: NewMark) -> Job:
    """Let a release of entities mark a text; the same again gives the same job while it is under way."""
    row = _found(asked, study, document)
    with asked.service.database.reading() as connection:
        known = [one.label for one in markers(asked.service, connection)]
    if body.release not in known:
        raise Missing("release of entities in service", body.release)

    def work(connection: Connection) -> Job:
        studies.still(connection, study, row["project"])
        by = asked.caller.actor
        job = ask(asked.service, connection, document, body.release, row["project"], by)
        asked.record(connection, "document.asked", study, row["project"], document=document, release=body.release)
        return job_shown(connection.execute(select(jobs).where(jobs.c.id == job)).mappings().one())

    answer = once.change(Job, work)
    asked.service.stirred.set()
    return answer


@router.get("/studies/{study}/instances/{instance}/text", openapi_extra=operation("documents.read"))
def read_report(asked: Who, study: studies.UidInPath, instance: studies.UidInPath) -> ReportText:
    """The words of a DICOM structured report that arrived with a study."""
    row = studies.found(asked, study)
    with asked.service.database.reading() as connection:
        found = structured.row_of(connection, study, instance)
    if found is None:
        raise NotFound("there is no such report", given=instance)
    read = structured.read(asked.service, found)
    asked.service.audit.tell(asked.event("document.read", study, project=row["project_id"], instance=instance))
    return ReportText(study=study, instance=instance, title=SOP_CLASSES[found["sop_class"]], **vars(read))


def _found(asked: Asked, study: str, document: str) -> RowMapping:
    """The row of a text, for those who may do with it what they ask. Never in a transaction: a refusal is audited.

    Raises:
        NotFound: When there is none in this study, or the caller may not know of it.
        Forbidden: When the caller may not do this to it.
    """
    studies.found(asked, study)
    with asked.service.database.reading() as connection:
        row = kept.row_of(connection, document, table.c.uid == study)
    if row is None:
        raise NotFound("there is no such text", given=document)
    return row


def _kept(asked: Asked, once: Once, row: RowMapping, values: dict[str, Any], written: kept.Written) -> Document:
    """Keep it, and ask who marks or reads such texts."""
    service = asked.service
    with service.database.reading() as connection:
        asked_for = [one.label for one in markers(service, connection) if one.reads(written.language)]
        known = speakers.speakers(service, connection, speakers.TEXT)
        answering = [one.label for one in known if one.knows(written.language)]

    def work(connection: Connection, stored: Stored) -> Document:
        still = studies.still(connection, row["uid"], row["project_id"])
        whole = {**values, "study_id": still["id"], "key": stored.key, "at": service.clock()}
        connection.execute(insert(documents).values(**whole))
        for release in asked_for:
            ask(service, connection, values["id"], release, still["project_id"], asked.caller.actor)
        for release in answering:
            speakers.ask(service, connection, still, release, (values["id"], asked.caller.actor))
        detail = {"document": values["id"], "kind": values["kind"], "marked_by": asked_for, "read_by": answering}
        asked.record(connection, "document.kept", row["uid"], still["project_id"], **detail)
        return _head(row["uid"], whole, [])

    return objects.keep(asked, once, Document, written.content, work)


def _head(study: str, row: RowMapping | dict[str, Any], marked: list[str]) -> Document:
    return Document.model_validate({**row, "study": study, "marked": marked})
