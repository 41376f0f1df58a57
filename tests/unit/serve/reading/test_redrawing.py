"""What a reader draws is in the SEG that is written after the reading, on the same voxels; the release's stays."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
import torch
from sqlalchemy import insert, select

from diascope.core.evaluation import Gate, GateRule
from diascope.core.result import first_uid
from diascope.serve.database.room_tables import drawings
from diascope.serve.database.tables import audit, deliveries, instances, jobs, readings, result_objects, results
from diascope.serve.jobs.kinds import send
from diascope.serve.service import FIRST_PROJECT, Service
from diascope.testing.reading import (
    DEPTH,
    SIDE,
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
from diascope.testing.releases import ORGANS, a_plan, a_release
from diascope.testing.service import a_service, a_user

SHAPE = (DEPTH, SIDE, SIDE)


def a_read_volume(folder: Path, **settings: Any) -> Service:
    """A volume in which a release found organs; nothing is sent."""
    service = a_service(folder, **settings)
    a_signed_release(service)
    a_peer(service)
    a_rule(service, SOLID, send=[])
    arrive(service, a_volume(7))
    become_complete(service)
    work_off(service)
    return service


def a_drawing(service: Service, name: str, voxels: np.ndarray, **labels: int) -> str:
    (result,) = rows_of(service, results)
    stored = service.archive.put(zlib.compress(voxels.astype(np.uint8).tobytes()))
    row = {
        "id": name,
        "series_id": result.series_id,
        "revision": result.revision,
        "reader": "ada",
        "at": service.clock(),
    }
    row |= {"labels": {str(value): label for label, value in labels.items()}, "shape": list(voxels.shape)}
    row |= {"key": stored.key, "sha256": stored.sha256}
    service.database.change(lambda connection: connection.execute(insert(drawings).values(**row)))
    return name


def decide(service: Service, name: str, **said: Any) -> None:
    """As the route does it."""
    (result,) = rows_of(service, results)
    row = {"id": name, "result_id": result.id, "reader": a_user(service, name).id, "verdict": "amend", "shown": {},
           "comment": "", "at": service.clock() + 5, **said}  # fmt: skip
    service.clock.forward(10)  # type: ignore[attr-defined]

    def work(connection: Any) -> None:
        connection.execute(insert(readings).values(**row))
        service.queue.put(connection, "review", {"result": result.id}, project=FIRST_PROJECT, by=f"user:{name}")

    service.database.change(work)
    work_off(service)
    assert [one.error for one in rows_of(service, jobs) if one.error] == []


def content_of(service: Service, uid: str) -> bytes:
    with service.database.reading() as connection:
        row = connection.execute(select(instances).where(instances.c.uid == uid)).one()
    return service.archive.read(row.key, row.sha256)


def current(service: Service) -> bytes:
    (row,) = rows_of(service, result_objects, result_objects.c.kind == "seg")
    return content_of(service, row.instance_uid)


def voxels_of(content: bytes) -> dict[str, np.ndarray]:
    """Each segment as highdicom places it on the source: (z, y, x), by label."""
    seg = hd.seg.Segmentation.from_dataset(pydicom.dcmread(BytesIO(content)))
    uids = [f"1.2.826.0.1.3680043.10.9999.7.1.{z + 1}" for z in range(DEPTH)]
    found = {}
    for number in seg.segment_numbers:
        array = seg.get_pixels_by_source_instance(
            uids, segment_numbers=[number], assert_missing_frames_are_empty=True, ignore_spatial_locations=False
        )
        name = str(seg.get_segment_description(number).segment_label)
        assert name not in found
        found[name] = array[..., 0] > 0
    return found


def first(service: Service) -> bytes:
    (result,) = rows_of(service, results)
    return content_of(service, first_uid(result.id, "seg"))


def asymmetric() -> np.ndarray:
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[1:3, 2:5, 6:13], voxels[6, 9, 1] = 1, 1
    return voxels


@pytest.mark.parametrize("sealed", [False, True])
def test_the_readers_mask_is_in_the_place_of_the_releases(tmp_path: Path, sealed: bool) -> None:
    service = a_read_volume(tmp_path, encrypt=sealed)
    before = voxels_of(first(service))
    one, *others = before
    decide(service, "ada", amended={one: {"drawing": a_drawing(service, "d1", asymmetric(), **{one: 1})}})
    after = voxels_of(current(service))
    assert list(after) == list(before)
    assert np.array_equal(after[one], asymmetric() > 0)
    for name in others:
        assert np.array_equal(after[name], before[name]), "what nobody corrected is as it was"
    told, earlier = (pydicom.dcmread(BytesIO(content)) for content in (current(service), first(service)))
    assert told.SOPInstanceUID != earlier.SOPInstanceUID
    assert [item.SegmentAlgorithmType for item in earlier.SegmentSequence] == ["AUTOMATIC"] * len(before)
    assert [item.SegmentAlgorithmType for item in told.SegmentSequence] == ["SEMIAUTOMATIC"] + ["AUTOMATIC"] * len(
        others
    )
    for old, new in zip(earlier.SegmentSequence, told.SegmentSequence, strict=True):
        assert new.SegmentedPropertyTypeCodeSequence == old.SegmentedPropertyTypeCodeSequence
        assert new.SegmentedPropertyCategoryCodeSequence == old.SegmentedPropertyCategoryCodeSequence
        algorithm = new.SegmentationAlgorithmIdentificationSequence[0]
        assert algorithm.AlgorithmName == old.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName
        assert "Reviewed by ada" in algorithm.AlgorithmParameters
        assert "Reviewed by ada" in new.SegmentDescription
    assert (told.PatientID, told.StudyInstanceUID) == (earlier.PatientID, earlier.StudyInstanceUID)
    assert np.array_equal(voxels_of(first(service))[one], before[one]), "the original is in the archive"


def test_what_was_missed_is_a_segment_of_the_readers(tmp_path: Path) -> None:
    service = a_read_volume(tmp_path)
    before, voxels = voxels_of(first(service)), asymmetric() * 3
    drawing = a_drawing(service, "d1", voxels, cyst=3)
    decide(service, "ada", verdict="accept", added=[{"concept": "cyst", "drawing": drawing}, {"concept": "a rib"}])
    after = voxels_of(current(service))
    assert list(after) == [*before, "cyst"]
    assert np.array_equal(after["cyst"], voxels > 0)
    for name, there in before.items():
        assert np.array_equal(after[name], there), "also where the new one overlaps it"
    told = pydicom.dcmread(BytesIO(current(service)))
    last = told.SegmentSequence[-1]
    assert last.SegmentAlgorithmType == "MANUAL"
    assert "SegmentationAlgorithmIdentificationSequence" not in last
    assert "Reviewed by ada" in last.SegmentDescription


def test_the_latest_reading_counts_and_without_a_drawing_it_is_the_releases_again(tmp_path: Path) -> None:
    service = a_read_volume(tmp_path)
    before = voxels_of(first(service))
    one = next(iter(before))
    decide(service, "ada", amended={one: {"drawing": a_drawing(service, "d1", asymmetric(), **{one: 1})}})
    other = np.roll(asymmetric(), 2, axis=1)
    decide(service, "bob", amended={one: {"drawing": a_drawing(service, "d2", other, **{one: 1})}})
    assert np.array_equal(voxels_of(current(service))[one], other > 0)
    decide(service, "eve", verdict="accept")
    after = voxels_of(current(service))
    assert all(np.array_equal(after[name], there) for name, there in before.items())
    decide(service, "kim", amended={one: {"value": 2.5, "unit": "mL"}, "else": {"boxes": []}})
    after = voxels_of(current(service))
    assert all(np.array_equal(after[name], there) for name, there in before.items())


def test_a_drawing_of_several_things_gives_each_its_own(tmp_path: Path) -> None:
    service = a_read_volume(tmp_path)
    one, two = [*voxels_of(first(service))][:2]
    voxels = asymmetric()
    voxels[6, 9, 1] = 2
    drawing = a_drawing(service, "d1", voxels, **{one: 1, two: 2})
    decide(service, "ada", amended={one: {"drawing": drawing}, two: {"drawing": drawing}})
    after = voxels_of(current(service))
    assert np.array_equal(after[one], voxels == 1)
    assert np.array_equal(after[two], voxels == 2)


def test_a_drawing_on_another_revision_is_left_out(tmp_path: Path) -> None:
    service = a_read_volume(tmp_path)
    before = voxels_of(first(service))
    one = next(iter(before))
    drawing = a_drawing(service, "d1", asymmetric(), **{one: 1})
    change = drawings.update().values(revision=9)
    service.database.change(lambda connection: connection.execute(change))
    decide(service, "ada", amended={one: {"drawing": drawing}})
    assert np.array_equal(voxels_of(current(service))[one], before[one])


@pytest.mark.external
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs Debian's dicom3tools (dciodvfy)")
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    service = a_read_volume(tmp_path)
    one = next(iter(voxels_of(first(service))))
    drawing = a_drawing(service, "d1", asymmetric(), **{one: 1})
    added = [{"concept": "cyst", "drawing": drawing}]
    decide(service, "ada", amended={one: {"drawing": drawing}}, added=added)
    path = tmp_path / "seg.dcm"
    path.write_bytes(current(service))
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False).stderr
    assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_a_finding_that_is_not_there_loses_its_segment_and_the_others_keep_theirs(tmp_path: Path) -> None:
    service = a_read_volume(tmp_path)
    before = voxels_of(first(service))
    one, *others = before
    decide(service, "ada", amended={one: {"status": "absent"}})
    after = voxels_of(current(service))
    assert list(after) == others
    for name in others:
        assert np.array_equal(after[name], before[name])
    told = pydicom.dcmread(BytesIO(current(service)))
    (algorithm,) = told.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence
    assert f"{one}: absent" in algorithm.AlgorithmParameters
    assert list(voxels_of(first(service))) == list(before), "the original is in the archive"


def test_where_nothing_is_left_there_is_no_segmentation_until_somebody_says_otherwise(tmp_path: Path) -> None:
    service = a_read_volume(tmp_path)
    before = voxels_of(first(service))
    (row,) = rows_of(service, result_objects, result_objects.c.kind == "sr")
    assert "Referenced Segment Number" in str(pydicom.dcmread(BytesIO(content_of(service, row.instance_uid))))
    decide(service, "ada", amended={name: {"status": "absent"} for name in before})
    assert rows_of(service, result_objects, result_objects.c.kind == "seg") == []
    (row,) = rows_of(service, result_objects, result_objects.c.kind == "sr")
    report = pydicom.dcmread(BytesIO(content_of(service, row.instance_uid)))
    assert "Referenced Segment Number" not in str(report)
    assert all(f"{name}: absent" in str(report) for name in before)
    (event,) = rows_of(service, audit, audit.c.action == "result.rewritten")
    assert event.detail["removed"] == ["seg"]
    assert sorted(service.archive.keys()) == sorted(one.key for one in rows_of(service, instances))
    decide(service, "bob", verdict="accept")
    assert list(voxels_of(current(service))) == list(before)


def test_a_segmentation_that_went_out_and_is_gone_is_seen_with_its_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = a_service(tmp_path)
    a_signed_release(service)
    a_peer(service)
    a_rule(service, SOLID, send=[{"peer": "PACS", "kinds": ["seg", "sr"]}])
    monkeypatch.setattr(send, "sender", lambda kind: lambda service, peer, parcel: None)
    arrive(service, a_volume(7))
    become_complete(service)
    work_off(service)
    decide(service, "ada", amended={name: {"status": "absent"} for name in voxels_of(first(service))})
    found = {one.kind: (one.state, one.reason) for one in rows_of(service, deliveries)}
    assert found["sr"] == ("sent", "")
    assert found["seg"][0] == "failed"
    assert "nothing of it is there" in found["seg"][1]


def test_a_release_that_found_nothing_can_be_corrected_with_an_outline(tmp_path):
    service = a_service(tmp_path)
    plan = a_plan(ORGANS, patch=SHAPE)
    rule = GateRule(input="image", modality="ct", dimensions=3, channels=1)
    a_release(
        service.workspace.releases / SOLID, plan, teach=says_nothing, name="organs", gate=Gate(rules=(rule,)),
        signed_by="Dr. Test", signed_at="2026-01-01",
    )  # fmt: skip
    a_rule(service, SOLID, send=[])
    arrive(service, a_volume(7))
    become_complete(service)
    work_off(service)
    (result,) = rows_of(service, results)
    assert {one["status"] for one in result.findings["findings"]} == {"absent"}
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[3, 4:9, 5] = 1
    a_drawing(service, "d1", voxels, lesion=1)
    decide(service, "ada", amended={"lesion": {"status": "present", "drawing": "d1"}})
    assert [one.error for one in rows_of(service, jobs) if one.error] == []
    (row,) = rows_of(service, result_objects, result_objects.c.kind == "seg")
    (instance,) = rows_of(service, instances, instances.c.uid == row.instance_uid)
    seg = pydicom.dcmread(BytesIO(service.archive.read(instance.key)))
    numbers = [one.SegmentNumber for one in seg.SegmentSequence if one.SegmentLabel == "lesion"]
    assert len(numbers) == 1
    assert int(np.isin(seg.pixel_array, 1).sum()) >= voxels.sum()


def says_nothing(network: Any) -> None:
    """Background everywhere, whatever there is."""
    last = [one for one in network.modules() if isinstance(one, torch.nn.Conv3d)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([9.0] + [0.0] * (last.bias.numel() - 1)))
