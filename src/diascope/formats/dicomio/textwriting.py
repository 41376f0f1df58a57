"""A signed report as DICOM: a Comprehensive SR with its sections as text (PS3.16 TID 2000), its reader as observer.

Beside it, its PDF, encapsulated. Nothing is measured here: what a release measured is in the report of its result
(`srwriting.py`). The document is complete, final and verified by whoever signed it. The same report gives the same
bytes.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import highdicom as hd
import pydicom
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from diascope.core.errors import BadUsage, DataRefused
from diascope.core.result import NO_DEVICE, PRIVATE_SCHEME
from diascope.formats.dicomio.derived import REQUIRED, Source, plain_element, private_code, quietly
from diascope.formats.dicomio.pdfwriting import encapsulated
from diascope.formats.dicomio.scwriting import references

TITLE = Code("18748-4", "LN", "Diagnostic imaging report")
COMMENT = codes.DCM.Comment
LANGUAGES = {"en": Code("en", "RFC5646", "English"), "zh-CN": Code("zh-CN", "RFC5646", "Chinese (China)")}
SECTIONS: Mapping[str, tuple[Code, Code]] = {
    "examination": (codes.cid7001.CurrentProcedureDescriptions, codes.DCM.ProcedureDescription),
    "compared_with": (codes.cid7001.PriorProcedureDescriptions, codes.DCM.ProcedureDescription),
    "findings": (codes.cid7001.Findings, codes.DCM.Finding),
    "rejected": (private_code("Rejected suggestions"), COMMENT),
    "impression": (codes.cid7001.Impressions, codes.DCM.Impression),
    "method": (private_code("Method"), COMMENT),
}
"""Name of a section to its heading (PS3.16 CID 7001) and to the concept of its text (CID 7002). What was rejected has a
heading of our own and is a comment: it must not be found as a finding."""
KEPT = (*REQUIRED, "IssuerOfPatientID", "StudyDescription")
"""Attributes of the patient and study that a report has."""


@dataclass(frozen=True)
class Signed:
    """A report that was signed.

    Args:
        id: Of the signature; every UID is made of it.
        study_uid: Study Instance UID.
        at: When it was signed, with its time zone.
        by: Who signed, for people.
        language: `en` or `zh-CN`.
        sections: Name and text of each, in their order.
        before: Id of the signature that it is an addendum to; "" for none.
        about: Keyword to value: of the patient and study, entries of `KEPT`.
        images: Series, SOP class and SOP instance UID of each object of the study that was read.
    """

    id: str
    study_uid: str
    at: datetime
    by: str
    language: str
    sections: Sequence[tuple[str, str]]
    before: str
    about: Mapping[str, str]
    images: Sequence[tuple[str, str, str]]

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise BadUsage("a signature has a time with its zone", given=self.at)


def uid_of(signature: str, kind: str) -> str:
    """A DICOM UID (PS3.5 B.2) that is made of the id of a signature."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'diascope signature {signature} {kind}').int}"


def text_report(signed: Signed) -> bytes:
    """The report as a DICOM file.

    Raises:
        DataRefused: When there are no images that it could be of, or no DICOM SR can hold it.
    """
    if not signed.images:
        raise DataRefused("the study has no images that a report could be of", given=signed.study_uid)
    evidence = [_image(signed, *one) for one in signed.images]
    try:
        with quietly():
            document = _document(signed, evidence)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DataRefused("no DICOM SR can hold this report", given=type(error).__name__) from None
    _stamp(document, signed)
    return _saved(document, signed)


def document_report(signed: Signed, report: bytes) -> bytes:
    """The report as a DICOM file that holds its PDF.

    Args:
        signed: The report.
        report: Its PDF.

    Raises:
        DataRefused: When there are no images that it could be of.
    """
    if not signed.images:
        raise DataRefused("the study has no images that a report could be of", given=signed.study_uid)
    with quietly():
        document = encapsulated(report, uid_of(signed.id, "pdf"), uid_of(signed.id, "pdf series"), is_verified=True)
        document.StudyInstanceUID, document.SeriesNumber = signed.study_uid, 9802
        document.SeriesDescription = document.DocumentTitle = "Signed report"
        document.Manufacturer = document.ManufacturerModelName = "Diascope"
        document.ConceptNameCodeSequence = [hd.sr.CodedConcept.from_code(TITLE)]
        document.SourceInstanceSequence = references([_image(signed, *one) for one in signed.images])
    _date(document, signed)
    return _saved(document, signed)


def _saved(document: Any, signed: Signed) -> bytes:
    """With the patient and study, as a file."""
    known = [name for name in KEPT if name in REQUIRED or name in signed.about]
    identity = tuple(plain_element(name, [signed.about.get(name, "")]) for name in known)
    Source([], identity).identify(document)
    content = io.BytesIO()
    with quietly():
        document.save_as(content, enforce_file_format=True)
    return content.getvalue()


def _document(signed: Signed, evidence: Sequence[Any]) -> Any:
    """Without the patient: highdicom and pydicom quote what they find odd."""
    root = hd.sr.ContainerContentItem(name=TITLE, template_id="2000")
    root.ContentSequence = hd.sr.ContentSequence(is_root=False)
    for item in _content(signed):
        root.ContentSequence.append(item)
    return hd.sr.ComprehensiveSR(
        evidence=evidence,
        content=root,
        series_instance_uid=uid_of(signed.id, "series"),
        series_number=9801,
        sop_instance_uid=uid_of(signed.id, "sr"),
        instance_number=1,
        manufacturer="Diascope",
        manufacturer_model_name="Diascope",
        software_versions=version("diascope"),
        series_description="Signed report",
        is_complete=True,
        is_final=True,
        is_verified=True,
        verifying_observer_name=_name(signed.by),
        verifying_organization="unknown",
        previous_versions=[_before(signed)] if signed.before else None,
    )


def _content(signed: Signed) -> Iterator[Any]:
    yield from hd.sr.LanguageOfContentItemAndDescendants(hd.sr.CodedConcept.from_code(LANGUAGES[signed.language]))
    person = hd.sr.PersonObserverIdentifyingAttributes(name=_name(signed.by))
    yield from hd.sr.ObserverContext(observer_type=codes.DCM.Person, observer_identifying_attributes=person)
    told = [(name, text) for name, text in signed.sections if text.strip()]
    for name, text in told:
        heading, concept = SECTIONS[name]
        section = hd.sr.ContainerContentItem(name=heading, relationship_type=hd.sr.RelationshipTypeValues.CONTAINS)
        section.ContentSequence = hd.sr.ContentSequence([_text(concept, text)])
        yield section
    yield _text(COMMENT, NO_DEVICE)


def _text(name: Code, value: str) -> Any:
    return hd.sr.TextContentItem(name=name, value=value, relationship_type=hd.sr.RelationshipTypeValues.CONTAINS)


def _name(by: str) -> str:
    """What a reader is called as DICOM writes names; a name without groups is a family name."""
    plain = by.replace("\\", " ").replace("=", " ")[:64]
    return plain if "^" in plain else f"{plain}^"


def _image(signed: Signed, series: str, sop_class: str, instance: str) -> Any:
    """What a reference to an object of the study needs."""
    one = pydicom.Dataset()
    one.StudyInstanceUID, one.SeriesInstanceUID = signed.study_uid, series
    one.SOPClassUID, one.SOPInstanceUID = sop_class, instance
    for name in REQUIRED:
        setattr(one, name, "")
    return one


def _before(signed: Signed) -> Any:
    before = pydicom.Dataset()
    before.StudyInstanceUID = signed.study_uid
    before.SeriesInstanceUID, before.SOPInstanceUID = uid_of(signed.before, "series"), uid_of(signed.before, "sr")
    before.SOPClassUID = pydicom.uid.ComprehensiveSRStorage
    return before


def _stamp(document: Any, signed: Signed) -> None:
    """The time of the signature in the place of the clock's, and whose codes ours are."""
    day, time = _date(document, signed)
    with quietly():
        for one in document.VerifyingObserverSequence:
            one.VerificationDateTime = f"{day}{time}{signed.at:%z}"
        for one in document.get("ContributingEquipmentSequence", ()):
            one.ContributionDateTime = f"{day}{time}{signed.at:%z}"
        scheme = pydicom.Dataset()
        scheme.CodingSchemeDesignator, scheme.CodingSchemeName = PRIVATE_SCHEME, "Diascope: digests of names"
        scheme.CodingSchemeResponsibleOrganization = "Diascope"
        document.CodingSchemeIdentificationSequence = [scheme]


def _date(document: Any, signed: Signed) -> tuple[str, str]:
    """Give a document the time of the signature; returns day and time."""
    day, time = signed.at.strftime("%Y%m%d"), signed.at.strftime("%H%M%S")
    with quietly():
        for kind in ("Content", "InstanceCreation", "Series"):
            setattr(document, f"{kind}Date", day)
            setattr(document, f"{kind}Time", time)
    return day, time
