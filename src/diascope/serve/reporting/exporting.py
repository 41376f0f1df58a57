"""Signed reports on their way back to the hospital: with the patient's identity, as PDF, DICOM SR and FHIR."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, select

from diascope.core.errors import Conflict
from diascope.core.result import NO_DEVICE
from diascope.reports.pdf import bound, paragraph, rows
from diascope.serve.database.room_tables import signatures
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.identities import Identity
from diascope.serve.outgoing.fhir import (
    LOINC,
    TERMS,
    Entry,
    entry_of,
    imaging_of,
    oid_of,
    patient_of,
    time_of,
    validated,
)
from diascope.serve.outgoing.telling import REPORT, StudyFacts
from diascope.serve.room.numbers import moment
from diascope.serve.room.words import Words, words
from diascope.serve.service import Service

READER = "urn:diascope:reader"
"""System of identifiers of readers: the ids of their accounts."""


@dataclass(frozen=True)
class Leaving:
    """A signed report with everything that is told with it.

    Args:
        signature: Its row, with `study`, the Study Instance UID.
        study: The row of the study.
        person: Whose it is.
        images: Series, SOP class and SOP instance UID of each object that was read.
        modality: Of the first series.
        before: When the report was signed that it is an addendum to; None for the first.
    """

    signature: RowMapping
    study: RowMapping
    person: Identity
    images: tuple[tuple[str, str, str], ...]
    modality: str
    before: float | None

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Name and text of each that says something, as they were signed."""
        return [(one["name"], one["text"]) for one in self.signature["report"]["sections"] if one["text"].strip()]

    @property
    def by(self) -> str:
        """Who signed."""
        return str(self.signature["report"]["by"])

    @property
    def at(self) -> datetime:
        """When."""
        return datetime.fromtimestamp(self.signature["at"], UTC)

    @property
    def words(self) -> Words:
        """Of the language of the report."""
        return words(self.signature["language"])


def leaving(service: Service, signature: RowMapping) -> Leaving:
    """A signed report with the identity of its study; the caller may see it, and audits it.

    Args:
        service: Whose.
        signature: The row, with `study`.

    Raises:
        Conflict: When nobody knows whose study it is.
    """
    uid = signature["study"]
    person = service.identities.of([uid]).get(uid)
    if person is None:
        raise Conflict("nobody knows whose study it is: its report is not sent back", given=uid)
    objects = select(series.c.uid, instances.c.sop_class, instances.c.uid, series.c.modality)
    objects = objects.join(instances, instances.c.series_id == series.c.id)
    with service.database.reading() as connection:
        study = connection.execute(select(studies).where(studies.c.uid == uid)).mappings().one()
        mine = (series.c.study_id == study["id"]) & ~series.c.made
        found = connection.execute(objects.where(mine).order_by(series.c.number, series.c.id, instances.c.id)).all()
        before = signature["report"]["addendum"]
        earlier = select(signatures.c.at).where(signatures.c.id == before)
        at = connection.execute(earlier).scalar() if before else None
    images = tuple((one[0], one[1], one[2]) for one in found)
    return Leaving(signature, study, person, images, found[0][3] if found else "", at)


def as_pdf(one: Leaving) -> bytes:
    """The report as a document; the same report gives the same bytes.

    Raises:
        MissingPackage: Without reportlab.
    """
    said = one.words
    signed = signed_line(one)
    no_device = said.reports("document.no_device")
    foot = f"{signed} - {one.signature['id'][:12]} - {no_device}"
    return bound(lambda: _story(one, signed), said("report.title"), signed, foot)


def signed_line(one: Leaving) -> str:
    """Who signed, and when."""
    return one.words("report.signed", by=one.by, at=moment(one.signature["at"]))


def _story(one: Leaving, signed: str) -> list[Any]:
    said, person = one.words, one.person
    story = [paragraph(said("report.title"), 15, bold=True), paragraph(signed, 11, bold=True)]
    if one.before is not None:
        story.append(paragraph(said("report.addendum", at=moment(one.before)), 10))
    about = {
        "name": person.name.replace("^", " "), "number": person.number, "birth_date": person.birth_date,
        "sex": person.sex, "accession": person.accession, "study_date": one.study["date"],
    }  # fmt: skip
    story.append(rows([(said.reports(f"document.{name}"), value) for name, value in about.items() if value]))
    for name, text in one.sections:
        story.append(paragraph(said(f"report.section.{name}"), 12, bold=True))
        story += [paragraph(line, 10) for line in text.split("\n") if line.strip()]
    return story


def as_sr(one: Leaving) -> bytes:
    """The report as a DICOM file: a Comprehensive SR that its reader verified.

    Raises:
        DataRefused: When no DICOM SR can hold it.
    """
    from diascope.formats.dicomio.textwriting import text_report  # highdicom takes seconds to import

    return text_report(_for_dicom(one))


def as_document(one: Leaving) -> bytes:
    """The report as a DICOM file that holds its PDF.

    Raises:
        DataRefused: When the study has no images that it could be of.
        MissingPackage: Without reportlab.
    """
    from diascope.formats.dicomio.textwriting import document_report  # highdicom takes seconds to import

    return document_report(_for_dicom(one), as_pdf(one))


def _for_dicom(one: Leaving) -> Any:
    from diascope.formats.dicomio.textwriting import Signed

    person, signature = one.person, one.signature
    about = {
        "PatientName": person.name, "PatientID": person.number, "IssuerOfPatientID": person.issuer,
        "PatientBirthDate": person.birth_date, "PatientSex": person.sex, "AccessionNumber": person.accession,
        "StudyID": person.study_number, "ReferringPhysicianName": person.referring, "StudyDate": one.study["date"],
        "StudyTime": one.study["time"], "StudyDescription": one.study["description"],
    }  # fmt: skip
    return Signed(
        id=signature["id"],
        study_uid=signature["study"],
        at=one.at,
        by=one.by,
        language=signature["language"],
        sections=one.sections,
        before=signature["report"]["addendum"],
        about={name: value for name, value in about.items() if value},
        images=one.images,
    )


def as_fhir(one: Leaving) -> bytes:
    """The report as a FHIR R4 transaction: `DiagnosticReport` with its patient, study and reader, and the PDF in it.

    An addendum is the same report, amended: it is known by the study.

    Raises:
        DataRefused: When it would be no valid FHIR; the values are not quoted.
        MissingPackage: Without fhir.resources or reportlab.
    """
    from diascope.formats.dicomio.textwriting import uid_of  # highdicom takes seconds to import

    signature, person = one.signature, one.person
    facts = facts_of(one)
    patient, imaging, reader = patient_of(person, facts), imaging_of(facts, person), _reader(one)
    imaging["resource"]["subject"] = {"reference": patient["fullUrl"]}
    identifier, (code, name) = oid_of(uid_of(signature["study"], "report")), REPORT
    refs = {key: {"reference": each["fullUrl"]} for key, each in (("subject", patient), ("reader", reader))}
    headed = [f"{one.words(f'report.section.{key}')}\n{text}" for key, text in one.sections]
    resource: Entry = {
        "resourceType": "DiagnosticReport",
        "identifier": [identifier],
        "language": signature["language"],
        "status": "final" if one.before is None else "amended",
        "category": [{"coding": [{"system": f"{TERMS}/v2-0074", "code": "RAD"}]}],
        "code": {"coding": [{"system": LOINC, "code": code, "display": name}]},
        "subject": refs["subject"],
        "imagingStudy": [{"reference": imaging["fullUrl"]}],
        "resultsInterpreter": [refs["reader"]],
        "issued": time_of(one.at),
        "conclusion": "\n\n".join([*headed, NO_DEVICE]),
        "presentedForm": [_attached(one)],
    }
    if facts.at:
        resource["effectiveDateTime"] = time_of(facts.at)
    report = entry_of(resource, identifier, update=True)
    entries = [patient, imaging, reader, report]
    bundle = validated({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    return json.dumps(bundle, ensure_ascii=False).encode()


def facts_of(one: Leaving) -> StudyFacts:
    """What messages tell of the study."""
    uids = tuple(dict.fromkeys(image[0] for image in one.images))
    return StudyFacts(one.signature["study"], _day(one.study["date"]), one.modality, one.study["description"], uids)


def _reader(one: Leaving) -> Entry:
    identifier = {"system": READER, "value": one.signature["reader"]}
    person: Entry = {"resourceType": "Practitioner", "identifier": [identifier], "name": [{"text": one.by}]}
    return entry_of(person, identifier)


def _attached(one: Leaving) -> Entry:
    content = base64.b64encode(as_pdf(one)).decode()
    form = {"contentType": "application/pdf", "language": one.signature["language"], "data": content}
    return {**form, "title": one.words("report.title"), "creation": time_of(one.at)}


def _day(date: str) -> datetime | None:
    """The day of a study; None where its header does not say."""
    try:
        return datetime.strptime(date, "%Y%m%d")
    except ValueError:
        return None
