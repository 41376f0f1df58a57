"""Signed reports go back to the hospital: with the identity, for those who may, as PDF, verified SR and final FHIR."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import highdicom as hd
import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from sqlalchemy import delete, select, update

from diascope.core.result import NO_DEVICE
from diascope.formats.dicomio.srwriting import texts_of
from diascope.serve.database import room_tables, tables
from diascope.testing.service import events
from diascope.testing.signing_calls import CT, SECTIONS, WHO, a_signature, an_exportable
from diascope.testing.web import OWN, Browser, Site, a_site

KINDS = ("pdf", "sr", "fhir")


def a_signed(folder: Path) -> tuple[Site, Browser, str, str]:
    """A site, a reader, a signed report, and its study with a day and a description."""
    site = a_site(folder)
    signature = an_exportable(site, OWN)
    query = select(tables.studies.c.uid).join(
        room_tables.signatures, room_tables.signatures.c.study_id == tables.studies.c.id
    )
    with site.service.database.reading() as connection:
        study = connection.execute(query.where(room_tables.signatures.c.id == signature)).scalar_one()
    known = update(tables.studies).where(tables.studies.c.uid == study).values(date="20260501", time="101112")
    known = known.values(description="CT 胸部")
    site.service.database.change(lambda connection: connection.execute(known))
    return site, site.someone("reader"), signature, study


def get(who: Browser, signature: str, kind: str) -> bytes:
    answer = who.get(f"/signatures/{signature}/{kind}")
    assert answer.status_code == 200, answer.text
    return bytes(answer.content)


def latin(content: bytes) -> str:
    """What stands in a PDF in Latin letters."""
    return b" ".join(re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", content)).decode("latin-1")


def foreign(content: bytes) -> str:
    """What stands there in the other font: two bytes a letter."""
    parts = re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", content, re.DOTALL)
    plain = [re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), one) for one in parts]
    return "".join(re.sub(rb"\\(.)", rb"\1", one, flags=re.DOTALL).decode("utf-16-be", "replace") for one in plain)


def test_the_pdf_says_whose_what_and_who_signed(tmp_path: Path) -> None:
    site, who, signature, study = a_signed(tmp_path)
    content = get(who, signature, "pdf")
    text = latin(content)
    for said in ("Zyxwolf Quentin", WHO.number, "Signed by nobody on 2027-01-15", "nodule: absent", "no more",
                 "Impression", "Not a medical device", signature[:12]):  # fmt: skip
        assert said in text, said
    assert "未见结节" in foreign(content)
    assert "Addendum" not in text
    assert content == get(who, signature, "pdf"), "the same bytes"
    second = a_signature(site, OWN, study=study)
    assert "Addendum: it replaces the report of 2027-01-15" in latin(get(who, second, "pdf"))


def test_a_chinese_pdf_is_chinese(tmp_path: Path) -> None:
    site, who, signature, _ = a_signed(tmp_path)
    chinese = update(room_tables.signatures).values(language="zh-CN")
    site.service.database.change(lambda connection: connection.execute(chinese))
    text = foreign(get(who, signature, "pdf"))
    for said in ("影像诊断报告", "签发", "影像所见", "影像诊断意见", "未见结节", "非医疗器械", "患者"):
        assert said in text, said


def read_sr(content: bytes) -> Any:
    return pydicom.dcmread(io.BytesIO(content))


def test_the_sr_is_verified_by_the_reader_and_holds_the_text(tmp_path: Path) -> None:
    _, who, signature, study = a_signed(tmp_path)
    content = get(who, signature, "sr")
    one = read_sr(content)
    assert one.SOPClassUID == pydicom.uid.ComprehensiveSRStorage
    assert (one.VerificationFlag, one.CompletionFlag, one.PreliminaryFlag) == ("VERIFIED", "COMPLETE", "FINAL")
    (verified,) = one.VerifyingObserverSequence
    assert str(verified.VerifyingObserverName).rstrip("^") == "nobody"
    assert verified.VerificationDateTime == "20270115080000+0000"
    assert (one.StudyInstanceUID, one.PatientID, one.StudyDate) == (study, WHO.number, "20260501")
    assert str(one.PatientName) == WHO.name
    assert one.StudyDescription == "CT 胸部"
    assert (one.ContentDate, one.ContentTime) == ("20270115", "080000")
    assert [text for text in texts_of(one) if text in (SECTIONS[0]["text"], SECTIONS[1]["text"], NO_DEVICE)] == [
        SECTIONS[0]["text"], SECTIONS[1]["text"], NO_DEVICE,
    ]  # fmt: skip
    headings = [item.ConceptNameCodeSequence[0].CodeValue for item in one.ContentSequence if "ContentSequence" in item]
    assert headings == ["59776-5", "19005-8"]
    read = hd.sr.srread(io.BytesIO(content))
    assert read.ConceptNameCodeSequence[0].CodeValue == "18748-4"
    refers = one.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert (refers.ReferencedSOPClassUID, refers.ReferencedSOPInstanceUID) == (CT, f"{study}.1.1")
    assert content == get(who, signature, "sr"), "the same bytes"


def test_the_sr_of_an_addendum_names_the_report_before_it(tmp_path: Path) -> None:
    site, who, signature, study = a_signed(tmp_path)
    second = a_signature(site, OWN, study=study)
    first, later = (read_sr(get(who, name, "sr")) for name in (signature, second))
    (before,) = later.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert before.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert "PredecessorDocumentsSequence" not in first
    assert first.SOPInstanceUID != later.SOPInstanceUID


def test_what_was_rejected_is_no_finding_of_the_sr(tmp_path: Path) -> None:
    site, who, signature, _ = a_signed(tmp_path)
    sections = [{"name": "rejected", "text": "nodule: present"}, {"name": "findings", "text": "none"}]
    sections += [{"name": name, "text": name} for name in ("examination", "compared_with", "method")]
    with site.service.database.reading() as connection:
        report = connection.execute(select(room_tables.signatures.c.report)).scalar_one()
    changed = update(room_tables.signatures).values(report={**report, "sections": sections})
    site.service.database.change(lambda connection: connection.execute(changed))
    one = read_sr(get(who, signature, "sr"))
    said = {
        text: item.ContentSequence[0].ConceptNameCodeSequence[0].CodeValue
        for item in one.ContentSequence
        if "ContentSequence" in item
        for text in texts_of(item)
    }
    assert said["nodule: present"] == "121106"
    assert said["none"] == "121071"


@pytest.mark.external
@pytest.mark.parametrize("program", ["dciodvfy", "dsrdump"])
def test_other_programs_read_the_sr(tmp_path: Path, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    site, who, signature, study = a_signed(tmp_path)
    for name in (signature, a_signature(site, OWN, study=study)):
        path = tmp_path / "report.dcm"
        path.write_bytes(get(who, name, "sr"))
        done = subprocess.run([program, str(path)], capture_output=True, check=False)
        said = done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")
        wrong = [line for line in said.splitlines() if line.startswith(("Error", "E:"))]
        assert wrong == []
        assert program != "dsrdump" or "nodule: absent" in said


def test_the_fhir_report_is_final_and_an_addendum_amends_it(tmp_path: Path) -> None:
    site, who, signature, study = a_signed(tmp_path)
    answer = who.get(f"/signatures/{signature}/fhir")
    assert answer.headers["content-type"].startswith("application/fhir+json")
    Bundle.model_validate_json(answer.content)
    found = {one["resource"]["resourceType"]: one for one in answer.json()["entry"]}
    report = found["DiagnosticReport"]["resource"]
    assert report["status"] == "final"
    assert report["effectiveDateTime"] == "2026-05-01"
    assert report["conclusion"] == f"Findings\nnodule: absent\nno more\n\nImpression\n未见结节。\n\n{NO_DEVICE}"
    assert report["subject"]["reference"] == found["Patient"]["fullUrl"]
    assert report["resultsInterpreter"][0]["reference"] == found["Practitioner"]["fullUrl"]
    assert found["Patient"]["resource"]["identifier"][0]["value"] == WHO.number
    assert found["ImagingStudy"]["resource"]["identifier"][0]["value"] == f"urn:oid:{study}"
    assert found["Practitioner"]["resource"]["name"] == [{"text": "nobody"}]
    assert base64.b64decode(report["presentedForm"][0]["data"]).startswith(b"%PDF-")
    second = json.loads(get(who, a_signature(site, OWN, study=study), "fhir"))["entry"][-1]
    assert second["resource"]["status"] == "amended"
    assert second["request"] == found["DiagnosticReport"]["request"], "it is the same report on the other side"


@pytest.mark.parametrize("kind", KINDS)
def test_only_who_may_see_identities_takes_a_report_out_and_it_is_told(tmp_path: Path, kind: str) -> None:
    site, who, signature, study = a_signed(tmp_path)
    for role, status in (("researcher", 403), ("administrator", 403), ("steward", 200)):
        assert site.someone(role).get(f"/signatures/{signature}/{kind}").status_code == status
    assert site.someone("reader", places=("other",)).get(f"/signatures/{signature}/{kind}").status_code == 404
    assert who.get(f"/signatures/nothing/{kind}").status_code == 404
    answer = who.get(f"/signatures/{signature}/{kind}")
    assert WHO.number not in json.dumps(dict(answer.headers))
    told = events(site.service, "report.exported")
    assert [(one["object"], one["detail"]) for one in told] == [(study, {"signature": signature, "to": kind})] * 2
    assert len(events(site.service, "identity.read")) == 2
    trail = json.dumps([one["detail"] for one in events(site.service)])
    assert "Zyxwolf" not in trail


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_identity_nothing_goes_back(tmp_path: Path, kind: str) -> None:
    site, who, signature, study = a_signed(tmp_path)
    site.service.identities.forget(study)
    assert who.get(f"/signatures/{signature}/{kind}").status_code == 409
    assert events(site.service, "report.exported") == []


def test_a_study_without_images_has_no_sr(tmp_path: Path) -> None:
    site, who, signature, _ = a_signed(tmp_path)
    site.service.database.change(lambda connection: connection.execute(delete(tables.instances)))
    answer = who.get(f"/signatures/{signature}/sr")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "refused")
    assert who.get(f"/signatures/{signature}/pdf").status_code == 200
