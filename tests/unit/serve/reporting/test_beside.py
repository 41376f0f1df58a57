"""What a reader decided stands beside what the release said, in every object and message, and overwrites none (K3)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pydicom
import pytest
from sqlalchemy import insert, select

from diascope.core.result import VERDICTS, Review
from diascope.formats.dicom import FORMAT as DICOM
from diascope.formats.dicomio.results import written
from diascope.formats.dicomio.srwriting import texts_of
from diascope.reports.pdf import report_pdf
from diascope.serve.database.tables import readings, results
from diascope.serve.identities import Identity
from diascope.serve.outgoing import fhir, hl7
from diascope.serve.outgoing.parcel import Parcel
from diascope.serve.outgoing.telling import StudyFacts
from diascope.serve.outgoing.told import told
from diascope.serve.outgoing.webhook import event_of
from diascope.serve.service import Service
from diascope.testing.reading import FLAT, a_film, a_rule, a_signed_release, arrive, become_complete, rows_of, work_off
from diascope.testing.results import AT, SAID, a_made, a_mask, a_series, some_findings
from diascope.testing.service import a_service, a_user

WHO = Identity(name="Zyxwolf^Quentin", number="4711")
STUDY = StudyFacts("1.3", AT, "CT", "Chest", ("1.4",))
AMENDED = Review(
    by="Bee^Ada", at=AT, verdict="amend", amended={"nodule": "absent; 3 mm"}, added=("cyst: present",),
    comment="breathing",
)  # fmt: skip
UNSURE = Review(by="Bee^Ada", at=AT, verdict="unsure")
BESIDE = ("absent; 3 mm", "cyst: present", "breathing")


def latin(content: bytes) -> str:
    return content.decode("latin-1").replace("\\(", "(").replace("\\)", ")")


def test_the_sr_tells_both_and_is_not_final(tmp_path: Path) -> None:
    one = written(some_findings(*SAID["boxes"]), a_series(tmp_path), a_made(review=AMENDED), "sr")
    texts = texts_of(pydicom.dcmread(io.BytesIO(one)))
    assert "reader's amendment: nodule: absent; 3 mm" in texts
    assert "missed by the release: cyst: present" in texts
    assert "absent; 3 mm" in texts, "with the finding itself"
    assert any("probability 0.9" in text for text in texts)


def test_an_undecided_result_is_preliminary_everywhere(tmp_path: Path) -> None:
    findings, made = some_findings(*SAID["boxes"]), a_made(review=UNSURE)
    sr = pydicom.dcmread(io.BytesIO(written(findings, a_series(tmp_path), made, "sr")))
    assert (sr.VerificationFlag, sr.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    bundle = fhir.bundle_of(findings, made, WHO, STUDY)
    kinds = ("DiagnosticReport", "Observation")
    statuses = {one["resource"]["status"] for one in bundle["entry"] if one["resource"]["resourceType"] in kinds}
    assert statuses == {"preliminary"}
    message = hl7.message_of(findings, made, WHO, STUDY)
    assert "|RAD|P" in message
    assert {line.split("|")[11] for line in message.split("\r") if line.startswith("OBX")} == {"P"}
    assert "undecided, the reader can't tell" in message
    assert "未定" not in latin(report_pdf(findings, made, {}))


@pytest.mark.parametrize("said", BESIDE)
def test_fhir_and_hl7_and_pdf_tell_both(said: str) -> None:
    findings, made = some_findings(*SAID["boxes"]), a_made(review=AMENDED)
    bundle = fhir.bundle_of(findings, made, WHO, STUDY)
    report = bundle["entry"][-1]["resource"]
    assert (report["status"], said in report["conclusion"]) == ("amended", True)
    (nodule, cyst) = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Observation"]
    assert nodule["valueCodeableConcept"]["coding"][0]["display"] == "Present", "as the release said it"
    assert {"text": "reader's amendment: absent; 3 mm"} in nodule["note"]
    assert not any("reader's amendment" in one["text"] for one in cyst["note"])
    assert said in hl7.message_of(findings, made, WHO, STUDY)
    assert said in latin(report_pdf(findings, made, {}))


def test_the_segments_tell_it_too(tmp_path: Path) -> None:
    sources = a_series(tmp_path)
    made = a_made(mask=a_mask(DICOM.read(sources)), review=AMENDED)
    seg = pydicom.dcmread(io.BytesIO(written(some_findings(*SAID["masks"]), sources, made, "seg")))
    said = [one.SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters for one in seg.SegmentSequence]
    assert "reader's amendment=absent; 3 mm" in str(said[0])
    assert "cyst: present" in str(said[1])


def test_a_review_as_it_was_has_the_name_that_it_had() -> None:
    """UIDs of objects that were written before readings had reasons and additions stay."""
    plain = Review(by="Bee^Ada", at=AT, verdict="accept")
    assert set(plain.to_json()) == {"by", "at", "verdict", "organization", "comment"}
    others = [Review(by="Bee^Ada", at=AT, verdict="reject", reason=said) for said in ("", "wrong place")]
    assert len({one.content_hash() for one in (plain, AMENDED, *others)}) == 4
    assert Review.from_json(AMENDED.to_json()) == AMENDED


def a_result(folder: Path) -> tuple[Service, Parcel]:
    service = a_service(folder)
    a_signed_release(service, FLAT)
    a_rule(service, FLAT)
    arrive(service, a_film(3))
    become_complete(service)
    work_off(service)
    (row,) = rows_of(service, results)
    return service, Parcel(row.id, "oru", "")


def read(service: Service, parcel: Parcel, verdict: str, **more: Any) -> None:
    who = a_user(service, f"ada-{verdict}")
    row = {"id": f"r-{verdict}", "result_id": parcel.result, "reader": who.id, "verdict": verdict, "shown": {}}
    service.clock.forward(5)  # type: ignore[attr-defined]
    values = insert(readings).values(**{**row, "comment": "", "at": service.clock(), **more})
    service.database.change(lambda connection: connection.execute(values))


def test_what_a_reader_said_is_told_from_the_table(tmp_path: Path) -> None:
    service, parcel = a_result(tmp_path)
    assert event_of(service, parcel)["verdict"] is None
    name = told(service, parcel).findings.findings[0].concept
    amended = {name: {"status": "absent", "value": 3.0, "unit": "mm"}, "old": "4 mm"}
    added = [{"concept": "cyst", "place": {"start": [0, 1, 2], "stop": [1, 3, 4]}, "comment": "of Mr Zyxwolf"}]
    read(service, parcel, "amend", amended=amended, added=added)
    review = told(service, parcel).made.review
    assert review is not None
    assert review.amended == {name: "absent; 3 mm", "old": "4 mm"}
    assert review.added == ("cyst: present; [0, 1, 2] to [1, 3, 4]; of Mr Zyxwolf",)
    event = event_of(service, parcel)
    assert event["amended"] == {name: amended[name]}
    assert event["added"] == [{"concept": "cyst", "place": added[0]["place"], "drawing": None}]
    assert "Zyxwolf" not in json.dumps(event), "a webhook names nobody"
    read(service, parcel, "reject", reason="poor_image")
    review = told(service, parcel).made.review
    assert review is not None
    assert (review.verdict, review.reason) == ("reject", "image quality is too poor")
    assert event_of(service, parcel)["reason"] == "poor_image"


def test_what_was_accepted_but_for_something_missed_is_told_as_amended(tmp_path: Path) -> None:
    service, parcel = a_result(tmp_path)
    read(service, parcel, "accept", added=[{"concept": "cyst", "comment": ""}])
    made = told(service, parcel).made
    assert made.review is not None
    assert (made.review.verdict, made.is_final) == ("amend", False)
    assert event_of(service, parcel)["verdict"] == "amend"
    with service.database.reading() as connection:
        assert connection.execute(select(readings.c.verdict)).scalar_one() == "accept", "as the reader said it"
    read(service, parcel, "unsure", added=[{"concept": "cyst"}])
    review = told(service, parcel).made.review
    assert review is not None
    assert review.verdict == "unsure"
    assert set(VERDICTS) == {"accept", "reject", "amend", "unsure"}
