"""Signatures: reports of studies that a reader signed. They are only ever added; the newest of a study counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Self

from fastapi import APIRouter, Response
from pydantic import Field, model_validator
from sqlalchemy import Connection, RowMapping

from diascope.serve.database.room_tables import signatures
from diascope.serve.database.tables import studies
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, Id, InPath, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, listed
from diascope.serve.http.routes import studies as of_studies
from diascope.serve.http.routes.reports import Language
from diascope.serve.http.routes.studies import UidInPath
from diascope.serve.reporting import exporting, sending, signing
from diascope.serve.reporting.draft import Name
from diascope.serve.reporting.exporting import Leaving

router = APIRouter(tags=["reports"])

Prose = Annotated[str, Field(max_length=20_000, pattern=r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$")]
"""Several lines of text."""


class Signed(Body):
    """A section as it is signed."""

    name: Name
    """Of a section of the draft."""
    text: Prose
    """As the reader left it; lines end with a line feed."""


class NewSignature(Body):
    """A report that is signed."""

    language: Language
    """In which it is written."""
    sections: Annotated[list[Signed], Field(min_length=1, max_length=6)]
    """Each at most once, in the order in which they stand."""
    readings: Annotated[list[Id], Field(max_length=1000)]
    """Ids of the readings that the draft told of."""

    @model_validator(mode="after")
    def _is_a_report(self) -> Self:
        names = [one.name for one in self.sections]
        if len(set(names)) < len(names):
            raise ValueError("each section stands once")
        if not any(one.text.strip() for one in self.sections if one.name in ("findings", "impression")):
            raise ValueError("a report has findings or an impression")
        return self


class SignedSection(Answer):
    """A section of a signed report."""

    name: Name
    """The same in every language."""
    text: str
    """As it was signed."""


class Signature(Answer):
    """A signed report."""

    id: str
    """For ever."""
    project: str
    """Id of the project of the study."""
    study: str
    """Study Instance UID."""
    reader: str
    """Name of whoever signed."""
    display: str
    """What the reader was called when signing."""
    language: Language
    """Of the report."""
    sections: list[SignedSection]
    """What was signed."""
    readings: list[str]
    """Ids of the readings that it tells of."""
    addendum: str | None
    """Id of the signature before it; null where it is the first."""
    counts: bool
    """Whether it is the newest of the study."""
    at: Time
    """When."""


@router.post("/studies/{study}/signatures", status_code=201, openapi_extra=operation("signatures.write"))
def sign_report(asked: Who, once: Once, study: UidInPath, body: NewSignature) -> Signature:
    """Sign the report of a study; signing again makes an addendum, and what was signed stays as it was."""
    project = of_studies.found(asked, study)["project_id"]

    def work(connection: Connection) -> Signature:
        row = of_studies.still(connection, study, project)
        now, said = asked.service.clock(), body.model_dump()
        made = signing.sign(connection, row["id"], asked.caller.id, now, said)
        asked.record(connection, "report.signed", study, project, signature=made, readings=len(body.readings))
        sending.put(asked.service, connection, made, asked.caller.actor)
        return _shown(connection.execute(signing.signed().where(signatures.c.id == made)).mappings().one())

    answer = once.change(Signature, work)
    asked.service.stirred.set()
    return answer


@router.get("/studies/{study}/signatures", openapi_extra=operation("signatures.list"))
def list_signatures(asked: Who, paging: Paged, study: UidInPath) -> Page[Signature]:
    """Signed reports of a study, the newest first: that one counts."""
    row = of_studies.found(asked, study)
    query = signing.signed().where(studies.c.id == row["id"])
    asked.service.audit.tell(asked.event("study.queried", study, project=row["project_id"], of="signatures"))
    return listed(asked, query, (signatures.c.at, signatures.c.id), paging, _shown, newest_first=True)


@router.get("/signatures/{signature}", openapi_extra=operation("signatures.read"))
def read_signature(asked: Who, signature: InPath) -> Signature:
    """A signed report."""
    row = found(asked, signature)
    project = row["project"]
    asked.service.audit.tell(asked.event("study.viewed", row["study"], project=project, signature=signature))
    return _shown(row)


@router.get("/signatures/{signature}/pdf", openapi_extra=operation("identities.read"))
def export_pdf(asked: Who, signature: InPath) -> Response:
    """A signed report as a PDF, with the identity of the patient; it is audited."""
    return _exported(asked, signature, exporting.as_pdf, ("pdf", "application/pdf"))


@router.get("/signatures/{signature}/sr", openapi_extra=operation("identities.read"))
def export_sr(asked: Who, signature: InPath) -> Response:
    """A signed report as a DICOM SR that its reader verified, with the identity of the patient; it is audited."""
    return _exported(asked, signature, exporting.as_sr, ("sr", "application/dicom"))


@router.get("/signatures/{signature}/fhir", openapi_extra=operation("identities.read"))
def export_fhir(asked: Who, signature: InPath) -> Response:
    """A signed report as a FHIR R4 transaction, with the identity of the patient; it is audited."""
    return _exported(asked, signature, exporting.as_fhir, ("fhir", "application/fhir+json"))


def _exported(asked: Asked, signature: str, make: Callable[[Leaving], bytes], kind: tuple[str, str]) -> Response:
    """A report that goes back to the hospital: it is told that it went, and that an identity was read."""
    row = found(asked, signature)
    content = make(exporting.leaving(asked.service, row))
    study, project = row["study"], row["project"]
    asked.service.audit.tell(asked.event("identity.read", study, project=project, count=1))
    asked.service.audit.tell(asked.event("report.exported", study, project=project, signature=signature, to=kind[0]))
    ending = {"pdf": "pdf", "sr": "dcm", "fhir": "json"}[kind[0]]
    headers = {"Content-Disposition": f'attachment; filename="report-{signature}.{ending}"'}
    return Response(content, media_type=kind[1], headers=headers)


def found(asked: Asked, signature: str) -> RowMapping:
    """The row of a signature, for those who may do with it what they ask. Never in a transaction: a refusal is audited.

    Raises:
        NotFound: When there is none, or the caller may not know of it.
        Forbidden: When the caller may not do this to it.
    """
    with asked.service.database.reading() as connection:
        query = signing.signed().where(signatures.c.id == signature)
        row = connection.execute(query).mappings().first()
    asked.on("" if row is None else row["project"], f"signature:{signature}")
    if row is None:
        raise NotFound("there is no such signature", given=signature)
    return row


def _shown(row: RowMapping) -> Signature:
    report: dict[str, Any] = row["report"]
    content = {**row, **report, "reader": row["name"] or row["reader"], "display": report["by"]}
    return Signature.model_validate({**content, "addendum": report["addendum"] or None})
