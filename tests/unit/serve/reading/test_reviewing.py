"""After a reader has decided, every object of a result says so (K2)."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from sqlalchemy import insert

from diascope.serve.database.tables import audit, deliveries, instances, jobs, readings, result_objects, results
from diascope.serve.jobs.kinds import send
from diascope.serve.service import FIRST_PROJECT, Service
from diascope.testing.objects import uids
from diascope.testing.reading import (
    SOLID,
    a_peer,
    a_rule,
    a_signed_release,
    a_volume,
    arrive,
    become_complete,
    rows_of,
    work_off,
)  # fmt: skip
from diascope.testing.service import a_service, a_user

KINDS = ("seg", "sr", "sc", "pdf")


def a_sent_result(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Service, list[str]]:
    """A volume that was read, and the UIDs that its peer got."""
    service, came = a_service(folder), []
    a_signed_release(service)
    a_peer(service)
    a_rule(service, SOLID, send=[{"peer": "PACS", "kinds": [*KINDS, "fhir"]}])
    monkeypatch.setattr(send, "sender", lambda kind: lambda service, peer, parcel: came.append(parcel.uid))
    arrive(service, a_volume(7))
    become_complete(service)
    work_off(service)
    return service, came


def decide(service: Service, verdict: str, name: str = "ada") -> None:
    """As the route does it."""
    (result,) = rows_of(service, results)
    row = {"id": f"{name}-{verdict}", "result_id": result.id, "reader": a_user(service, name).id, "verdict": verdict,
           "shown": {}, "comment": "", "at": service.clock() + 5}  # fmt: skip
    service.clock.forward(10)  # type: ignore[attr-defined]

    def work(connection: Any) -> None:
        connection.execute(insert(readings).values(**row))
        service.queue.put(connection, "review", {"result": result.id}, project=FIRST_PROJECT, by=f"user:{name}")

    service.database.change(work)


def objects_of(service: Service) -> dict[str, Any]:
    named = {one.kind: one.instance_uid for one in rows_of(service, result_objects)}
    rows = {one.uid: one for one in rows_of(service, instances)}
    return {kind: pydicom.dcmread(BytesIO(service.archive.read(rows[uid].key))) for kind, uid in named.items()}


def test_after_a_reading_every_object_is_another_and_says_who_reviewed_it(tmp_path, monkeypatch):
    service, came = a_sent_result(tmp_path, monkeypatch)
    before = objects_of(service)
    assert set(before) == set(KINDS)
    came.clear()
    decide(service, "accept")
    work_off(service)
    assert [one.error for one in rows_of(service, jobs) if one.error] == []
    after = objects_of(service)
    assert set(after) == set(KINDS)
    for kind in KINDS:
        assert after[kind].SOPInstanceUID != before[kind].SOPInstanceUID
        assert after[kind].file_meta.MediaStorageSOPInstanceUID == after[kind].SOPInstanceUID
        assert (after[kind].StudyInstanceUID, after[kind].PatientID) == (uids(7)[0], before[kind].PatientID)
        assert "(reviewed)" in after[kind].SeriesDescription
        assert "(not reviewed)" in before[kind].SeriesDescription
        makers = [one for one in after[kind].ContributingEquipmentSequence if "Diascope" in one.Manufacturer]
        told = [one.ContributionDescription for one in makers]
        assert len(told) == 1
        assert "Reviewed by ada" in told[0]
    assert np.array_equal(after["seg"].pixel_array, before["seg"].pixel_array)
    assert "Reviewed by ada" in after["seg"].SegmentSequence[0].SegmentDescription
    assert after["sr"].VerificationFlag == "VERIFIED"
    assert (
        after["sr"]
        .PredecessorDocumentsSequence[0]
        .ReferencedSeriesSequence[0]
        .ReferencedSOPSequence[0]
        .ReferencedSOPInstanceUID
        == before["sr"].SOPInstanceUID
    )
    assert after["seg"].SOPInstanceUID in str(after["sr"])
    assert after["sc"].pixel_array.shape == before["sc"].pixel_array.shape
    assert not np.array_equal(after["sc"].pixel_array, before["sc"].pixel_array)
    top = after["sc"].Rows // 2
    assert np.array_equal(after["sc"].pixel_array[:top], before["sc"].pixel_array[:top]), "the picture is the same"
    assert set(came) == {one.SOPInstanceUID for one in after.values()}
    assert {one.state for one in rows_of(service, deliveries)} == {"sent"}
    assert {one.state for one in rows_of(service, jobs)} == {"done"}
    assert len(rows_of(service, audit, audit.c.action == "result.rewritten")) == 1
    assert sorted(service.archive.keys()) == sorted(one.key for one in rows_of(service, instances))


def test_a_second_reading_changes_them_again_and_the_same_one_does_not(tmp_path, monkeypatch):
    service, came = a_sent_result(tmp_path, monkeypatch)
    decide(service, "accept")
    work_off(service)
    once = objects_of(service)
    decide(service, "reject", "bob")
    work_off(service)
    twice = objects_of(service)
    assert "Reviewed by bob" in twice["seg"].SegmentSequence[0].SegmentDescription
    assert twice["sr"].VerificationFlag == "UNVERIFIED"
    assert np.array_equal(twice["sc"].pixel_array[:100], once["sc"].pixel_array[:100])
    came.clear()
    (result,) = rows_of(service, results)
    service.database.change(lambda connection: service.queue.put(connection, "review", {"result": result.id}))
    work_off(service)
    assert came == []
    assert {kind: one.SOPInstanceUID for kind, one in objects_of(service).items()} == {
        kind: one.SOPInstanceUID for kind, one in twice.items()
    }
    assert sorted(service.archive.keys()) == sorted(one.key for one in rows_of(service, instances))
