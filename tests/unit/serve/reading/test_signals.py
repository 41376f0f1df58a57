"""Recordings that arrive are read by releases for signals: a result with its probability, and a report."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from diascope.serve.database.tables import instances, result_objects, results
from diascope.serve.explaining.signals import Traced, on_samples
from diascope.testing.objects import uids
from diascope.testing.reading import (
    FLAT,
    a_film,
    a_rule,
    a_signed_release,
    arrive,
    become_complete,
    rows_of,
    work_off,
)
from diascope.testing.service import a_service
from diascope.testing.signals import (
    LEADS,
    RHYTHMS,
    TAUGHT,
    TWELVE_LEAD,
    a_group,
    a_recording,
    a_rhythm_release,
    an_ecg,
    waves,
)
from diascope.testing.signing_calls import SECTIONS
from diascope.testing.web import ORIGIN, a_site


def read(service, contents, label=RHYTHMS):
    a_rule(service, label)
    arrive(service, contents)
    become_complete(service)
    work_off(service)
    (row,) = rows_of(service, results)
    return row


@pytest.mark.parametrize("late", [True, False])
def test_an_ecg_is_answered_with_a_probability_and_a_report(late, tmp_path):
    service = a_service(tmp_path)
    a_rhythm_release(service)
    row = read(service, an_ecg(3, late))
    assert (row.state, row.reason) == ("answered", "")
    said = {one["concept"]: one for one in row.findings["findings"]}
    assert said["late"]["status"] == ("present" if late else "absent")
    assert 0 < said["late"]["measures"]["probability"]["value"] < 1
    assert [one.kind for one in rows_of(service, result_objects)] == ["sr"]


def test_what_a_report_was_made_of_is_named(tmp_path):
    service = a_service(tmp_path)
    a_rhythm_release(service)
    row = read(service, an_ecg(4))
    assert row.findings["inputs"] == {"signal": [uids(4)[2]]}
    (sr,) = rows_of(service, result_objects)
    (one,) = rows_of(service, instances, instances.c.uid == sr.instance_uid)
    with service.archive.local(one.key, one.sha256) as path:
        report = pydicom.dcmread(path)
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    (referred,) = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert (referred.ReferencedSOPClassUID, referred.ReferencedSOPInstanceUID) == (TWELVE_LEAD, uids(4)[2])
    assert report.PatientID == "P4"


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        ([a_recording(5, a_group(waves(leads=("I", "II")), ("I", "II")))], "lacks the channel aVR"),
        ([a_recording(5, a_group(waves(), LEADS, unit="mm[Hg]"))], "in mm[Hg], trained on mV"),
        ([a_recording(5, a_group(waves(), LEADS), instance=n) for n in (1, 2)], "several"),
        ([a_recording(5, a_group(waves(), LEADS, WaveformData=b"12"))], "truncated"),
        (a_film(5), "missing"),
    ],
    ids=["lead", "unit", "several", "broken", "picture"],
)
def test_what_can_not_be_read_says_why(contents, why, tmp_path):
    service = a_service(tmp_path)
    a_rhythm_release(service)
    row = read(service, contents)
    assert row.state == "unavailable"
    assert why in row.reason, row.reason


def test_a_release_for_pictures_says_that_it_reads_no_recording(tmp_path):
    service = a_service(tmp_path)
    a_signed_release(service, FLAT)
    row = read(service, an_ecg(6), FLAT)
    assert (row.state, rows_of(service, result_objects)) == ("unavailable", [])
    assert row.reason


@pytest.mark.parametrize("explainer", ["occlusion", "integrated_gradients"])
def test_an_explanation_lies_on_the_leads_and_samples_of_the_recording(explainer, tmp_path):
    site = a_site(tmp_path)
    a_rhythm_release(site.service)
    row = read(site.service, an_ecg(7, late=True, seconds=4.0, rate=250))
    who = site.someone("reader")
    found = who.get(f"/findings/{row.id}/explanations").json()
    assert [one["name"] for one in found["explainers"]] == ["integrated_gradients", "occlusion"]
    asked = who.post(f"/findings/{row.id}/explanations", json={"finding": "late", "explainer": explainer})
    assert asked.status_code == 202
    work_off(site.service)
    (one,) = who.get(f"/findings/{row.id}/explanations").json()["items"]
    assert one["shape"] == [1, 12, 750], "the release reads three of the four seconds"
    assert one["sanity"]["similarity"] is not None
    answer = who.get(f"/explanations/{one['id']}/voxels")
    assert answer.status_code == (200 if one["sanity"]["passed"] else 409)
    assert one["sanity"]["passed"], one
    heat = np.frombuffer(answer.content, np.uint8).reshape(12, 750)
    read_leads = [LEADS.index(lead) for lead in TAUGHT]
    assert heat[read_leads].max() > 200
    assert not np.delete(heat, read_leads, axis=0).any(), "what the release did not read has no part in it"


def test_no_feature_map_explains_a_recording(tmp_path):
    site = a_site(tmp_path)
    a_rhythm_release(site.service)
    row = read(site.service, an_ecg(8))
    body = {"finding": "late", "explainer": "grad_cam"}
    assert site.someone("reader").post(f"/findings/{row.id}/explanations", json=body).status_code == 400


def test_a_map_of_a_slower_network_is_brought_to_the_samples_of_the_file():
    heat = np.zeros((1, 10), np.float32)
    heat[0, 4] = 1
    found = on_samples(heat, Traced("signal", (1,), leads=3, samples=45, ratio=0.2))
    assert found.shape == (3, 45)
    assert found[1].argmax() == 20
    assert (found[1, 15:26:5] == [0, 255, 0]).all()
    assert not found[[0, 2]].any()


def test_a_reader_accepts_signs_and_takes_it_away(tmp_path):
    site = a_site(tmp_path)
    a_rhythm_release(site.service)
    row = read(site.service, an_ecg(9, late=True))
    (before,) = rows_of(site.service, result_objects)
    who, study = site.someone("reader"), uids(9)[0]
    reading = who.post("/readings", json={"result": row.id, "verdict": "accept", "shown": {}})
    assert reading.status_code == 201, reading.text
    work_off(site.service)
    (after,) = rows_of(site.service, result_objects)
    assert (after.kind, after.instance_uid != before.instance_uid) == ("sr", True), "it says who reviewed it"
    draft = who.get(f"/studies/{study}/report").json()
    assert "late" in str(draft)
    body = {"language": "en", "sections": SECTIONS, "readings": [reading.json()["id"]]}
    signed = who.post(f"/studies/{study}/signatures", json=body)
    assert signed.status_code == 201, signed.text
    for kind in ("pdf", "sr", "fhir"):
        answer = who.get(f"/signatures/{signed.json()['id']}/{kind}")
        assert answer.status_code == 200, answer.text


def test_pages_show_a_study_that_is_only_a_recording(tmp_path):
    site = a_site(tmp_path)
    a_rhythm_release(site.service)
    read(site.service, an_ecg(10, late=True))
    who = site.someone("reader")
    assert "late" in who.get(f"{ORIGIN}/").text
    page = who.get(f"{ORIGIN}/studies/{uids(10)[0]}").text
    assert 'id="signal"' in page
    assert f'data-series="{uids(10)[1]}"' in page
    assert "/thumbnail" not in page
    assert f"/series/{uids(10)[1]}/signal" in page, "the browser asks for it at once"
    assert who.get(f"/studies/{uids(10)[0]}/series/{uids(10)[1]}/frames").status_code in (409, 422)
