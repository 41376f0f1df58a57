"""What leaves as DICOM lies on its source, says what made it, and is the same object each time (K2, K3)."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import logging
import shutil
import subprocess
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest

from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.core.finding import Findings, Place
from diascope.core.result import NO_DEVICE, Made, Review
from diascope.formats.dicom import FORMAT as DICOM
from diascope.formats.dicomio.derived import plain_element
from diascope.formats.dicomio.results import KINDS, all_written, written
from diascope.formats.dicomio.srwriting import texts_of
from diascope.testing.results import (
    ABSTAINED,
    AT,
    EIGHT,
    LABELS,
    MADE_BY,
    NAME,
    NUMBER,
    SAID,
    SHAPE,
    SPACING,
    a_made,
    a_mask,
    a_series,
    some_findings,
)  # fmt: skip

REVIEW = Review(by="Bee^Ada", at=AT, verdict="accept", organization="St Anna")
TASKS = {
    "classification": "classes",
    "multilabel": "labels",
    "ordinal": "grades",
    "detection": "boxes",
    "segmentation": "masks",
    "regression": "number",
    "survival": "curve",
    "competing_risks": "causes",
    "image_to_image": "image",
    "synthesis": "nothing",
    "entities": "spans",
}
"""Each task that says something of a case, and the example of what it says."""
UIDS = {f"1.2.9.{k + 1}" for k in range(SHAPE[0])}


def read(content: bytes) -> Any:
    return pydicom.dcmread(io.BytesIO(content))


def masked(sources: list[Path], **changes: Any) -> Made:
    return a_made(mask=a_mask(DICOM.read(sources)), **changes)


def of(task: str) -> Findings:
    return some_findings(*SAID[task], task=task)


def external(program: str, path: Path, *options: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *options, str(path)], capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")


@pytest.mark.parametrize("orientation", EIGHT, ids=str)
def test_a_segmentation_lies_on_exactly_the_voxels(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    """K2: as highdicom reads it back, by source instance and by millimetres."""
    sources = a_series(tmp_path, orientation)
    made = masked(sources)
    assert made.mask is not None
    path = tmp_path / "seg"
    path.write_bytes(written(of("masks"), sources, made, "seg"))
    seg = hd.seg.segread(path)
    assert seg.FrameOfReferenceUID == "1.5"
    for source in map(pydicom.dcmread, sources):
        plane = seg.get_pixels_by_source_instance([source.SOPInstanceUID], combine_segments=True)[0]
        origin = made.mask.geometry.to_voxel([float(v) for v in source.ImagePositionPatient])
        np.testing.assert_array_equal(plane, made.mask.array[0, round(origin[0])])
    volume = seg.get_volume(combine_segments=True)
    index = np.argwhere(volume.array > 0)
    here = made.mask.geometry.to_voxel(volume.map_indices_to_reference(index))
    np.testing.assert_allclose(here, np.rint(here), atol=1e-3)
    np.testing.assert_array_equal(made.mask.array[0][tuple(np.rint(here).astype(int).T)], volume.array[tuple(index.T)])
    assert len(index) == np.count_nonzero(made.mask.array)


@pytest.mark.parametrize("orientation", EIGHT, ids=str)
def test_the_boxes_of_a_report_lie_on_exactly_the_voxels(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    """K2: each slice of a box is a region of its own image, and its sizes are those that the finding says."""
    sources = a_series(tmp_path, orientation)
    path = tmp_path / "sr"
    path.write_bytes(written(of("boxes"), sources, a_made(), "sr"))
    (group,) = hd.sr.srread(path).content.get_volumetric_roi_measurement_groups()
    headers = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, sources)}
    image = DICOM.read(sources)
    inside = np.zeros(image.shape, bool)
    for region in group.roi:
        header = headers[region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID]
        z = round(image.geometry.to_voxel([float(v) for v in header.ImagePositionPatient])[0])
        (left, top), (right, bottom) = region.value.min(axis=0), region.value.max(axis=0)
        inside[z, int(top) : int(bottom), int(left) : int(right)] = True
    expected = np.zeros(image.shape, bool)
    expected[1:4, 2:5, 3:11] = True
    np.testing.assert_array_equal(inside, expected)
    sizes = {one.name.meaning: (one.value, one.unit.value) for one in group.get_measurements()}
    depth, height, width = (np.ptp(np.flatnonzero(inside.any(axis=axes))) + 1 for axes in ((1, 2), (0, 2), (0, 1)))
    for name, voxels, step in (("Depth", depth, 0), ("Height", height, 1), ("Width", width, 2)):
        assert sizes[name] == (pytest.approx(voxels * SPACING[step], abs=0.1), "mm")


@pytest.mark.external
@pytest.mark.parametrize("orientation", EIGHT, ids=str)
def test_dcmtk_reads_the_same_voxels(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    """K2: frames of the SEG and regions of the SR, by dcm2json."""
    sources = a_series(tmp_path, orientation)
    made = masked(sources)
    assert made.mask is not None
    objects = all_written(of("masks"), sources, made, ("seg",))
    objects |= all_written(of("boxes"), sources, a_made(), ("sr",))
    for kind, content in objects.items():
        (tmp_path / kind).write_bytes(content)
    seg = json.loads(external("dcm2json", tmp_path / "seg"))
    raw = np.unpackbits(np.frombuffer(base64.b64decode(seg["7FE00010"]["InlineBinary"]), np.uint8), bitorder="little")
    again = np.zeros(SHAPE, np.uint8)
    for number, frame in enumerate(seg["52009230"]["Value"]):
        position = frame["00209113"]["Value"][0]["00200032"]["Value"]
        z, y, x = np.rint(made.mask.geometry.to_voxel(position)).astype(int)
        assert (y, x) == (0, 0)
        size = SHAPE[1] * SHAPE[2]
        plane = raw[number * size : (number + 1) * size].reshape(SHAPE[1:])
        again[z][plane == 1] = frame["0062000A"]["Value"][0]["0062000B"]["Value"][0]
    np.testing.assert_array_equal(again, made.mask.array[0])
    places = {one.SOPInstanceUID: one.ImagePositionPatient for one in map(pydicom.dcmread, sources)}
    found = set()
    for item in regions(json.loads(external("dcm2json", tmp_path / "sr"))):
        points = np.array(item["00700022"]["Value"]).reshape(-1, 2)
        uid = item["0040A730"]["Value"][0]["00081199"]["Value"][0]["00081155"]["Value"][0]
        z = round(made.mask.geometry.to_voxel([float(v) for v in places[uid]])[0])
        found.add((z, *points.min(axis=0), *points.max(axis=0)))
    assert found == {(z, 3, 2, 11, 5) for z in (1, 2, 3)}


def regions(item: dict[str, Any]) -> list[dict[str, Any]]:
    own = [item] if "00700022" in item else []
    return own + [one for child in item.get("0040A730", {}).get("Value", ()) for one in regions(child)]


def everything(dataset: Any) -> str:
    """Header and texts of an object, and the PDF in it, without how it is written down."""
    lines = [str(element.value) for element in dataset.iterall() if element.VR not in ("SQ", "OB", "OW")]
    return "\n".join(lines) + dataset.get("EncapsulatedDocument", b"").decode("latin-1")


def test_every_task_has_an_example() -> None:
    silent = {name for name, plugin in registry.each("tasks") if plugin.__class__.__name__.endswith("Images")}
    assert set(TASKS) == set(registry.names("tasks")) - silent
    assert set(TASKS.values()) == set(SAID)


@pytest.mark.parametrize("task", SAID)
def test_every_object_says_what_made_it_and_how_sure_it_is(tmp_path: Path, task: str) -> None:
    """K3: every kind, over every task: algorithm, version, seal, inputs, time, threshold, confidence, calibration."""
    from diascope.reports.pdf import report_pdf

    sources, findings = a_series(tmp_path), of(task)
    made = a_made(report=report_pdf(findings, a_made(), {"name": NAME}))
    kinds = [kind for kind in KINDS if kind != "seg"]
    if task == "masks":
        made, kinds = dataclasses.replace(made, mask=a_mask(DICOM.read(sources))), list(KINDS)
    for kind, content in all_written(findings, sources, made, kinds).items():
        one = read(content)
        whole = everything(one)
        for said in (MADE_BY.name, MADE_BY.version, MADE_BY.seal, MADE_BY.calibration, "Not reviewed", NO_DEVICE):
            assert said in whole, (kind, said)
        assert "2026-03-04T05:06:07+00:00" in whole
        assert (one.ContentDate, one.ContentTime) == ("20260304", "050607")
        assert {uid for uid in UIDS if uid in whole} == UIDS, kind
        for finding in findings.findings:
            assert finding.rule.partition(" >")[0] in whole, kind
            for name, measure in finding.measures.items():
                if name in ("probability", "confidence"):
                    assert f"{name} {measure.value:.6g}" in whole.replace("\\", ""), kind
        assert "PHI-4711" in whole


def test_a_report_says_numbers_present_absent_and_not_available(tmp_path: Path) -> None:
    findings = some_findings(*SAID["classes"], ABSTAINED, *SAID["number"])
    path = tmp_path / "sr"
    path.write_bytes(written(findings, a_series(tmp_path), a_made(), "sr"))
    report = hd.sr.srread(path)
    groups = report.content.get_image_measurement_groups()
    said = [[one.value.meaning for one in group.get_qualitative_evaluations()] for group in groups]
    assert said == [["Known present"], ["Known absent"], ["Unknown"], []]
    (certainty,) = groups[0].get_measurements()
    assert (certainty.value, certainty.unit.value) == (87, "%")
    (age,) = groups[3].get_measurements()
    assert (age.value, age.unit.value) == (71.5, "a")
    around = [(item.name.value, float(item.value)) for item in age[0].ContentSequence]
    assert around == [("371885007", 11.5), ("371886008", 11.5)]
    texts = texts_of(report)
    assert "not available, because too few cases: 3" in texts
    assert "the spacing was corrected" in texts
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == (
        "COMPLETE", "UNVERIFIED", "PRELIMINARY",
    )  # fmt: skip


def test_a_report_refers_to_the_segments_of_its_masks(tmp_path: Path) -> None:
    sources = a_series(tmp_path)
    made = masked(sources)
    objects = all_written(of("masks"), sources, made, ("seg", "sr"))
    path = tmp_path / "sr"
    path.write_bytes(objects["sr"])
    groups = hd.sr.srread(path).content.get_volumetric_roi_measurement_groups()

    seg = read(objects["seg"])
    found = [
        (item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID, item.ReferencedSOPSequence[0].ReferencedSegmentNumber)
        for group in groups
        for item in group[0].ContentSequence
        if item.ValueType == "IMAGE" and "ReferencedSegmentNumber" in item.ReferencedSOPSequence[0]
    ]
    assert found == [(seg.SOPInstanceUID, 1), (seg.SOPInstanceUID, 2)]
    assert [str(one.SegmentLabel) for one in seg.SegmentSequence] == [label.name for label in LABELS]


def test_written_again_it_is_the_same_object_and_a_review_makes_another(tmp_path: Path) -> None:
    sources = a_series(tmp_path)
    made, findings = masked(sources), of("masks")
    first, second = (all_written(findings, sources, made, KINDS) for _ in range(2))
    assert first == second
    reviewed = all_written(findings, sources, dataclasses.replace(made, review=REVIEW), KINDS)
    another = all_written(findings, sources, dataclasses.replace(made, result="r2"), KINDS)
    uids = {read(one[kind]).SOPInstanceUID for one in (first, reviewed, another) for kind in KINDS}
    assert len(uids) == 12
    assert all(uid.startswith("2.25.") for uid in uids)
    for kind in KINDS:
        assert "Reviewed by Bee^Ada at 2026-03-04T05:06:07+00:00: accepted" in everything(read(reviewed[kind]))
    report = read(reviewed["sr"])
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("VERIFIED", "FINAL")
    before = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert before.ReferencedSOPInstanceUID == read(first["sr"]).SOPInstanceUID


def test_what_was_rejected_is_not_verified(tmp_path: Path) -> None:
    made = a_made(review=REVIEW.model_copy(update={"verdict": "reject"}))
    report = read(written(of("classes"), a_series(tmp_path), made, "sr"))
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert any(text.endswith("rejected") for text in texts_of(report))


def test_patient_and_study_are_the_sources(tmp_path: Path) -> None:
    sources = a_series(tmp_path, IssuerOfPatientID="Hospital", TimezoneOffsetFromUTC="+0800")
    for content in all_written(of("masks"), sources, masked(sources), KINDS).values():
        one = read(content)
        assert (one.PatientID, str(one.PatientName), one.PatientBirthDate, one.PatientSex) == (
            NUMBER, NAME, "19700102", "F",
        )  # fmt: skip
        assert (one.IssuerOfPatientID, one.AccessionNumber, one.StudyID) == ("Hospital", "A1", "S1")
        assert (one.StudyInstanceUID, one.StudyDate) == ("1.3", "20200101")
        assert one.SeriesInstanceUID != "1.4"
        assert (one.ContentTime, one.TimezoneOffsetFromUTC) == ("130607", "+0800")


@pytest.mark.filterwarnings("error")
def test_odd_identities_are_passed_on_and_quoted_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """C10: no warning, log or error of the libraries that write quotes the patient."""
    odd = {
        "PatientName": plain_element("PatientName", ["杜 乔 " + NAME]),
        "PatientBirthDate": plain_element("PatientBirthDate", ["1970-ZYX"]),
        "PatientID": plain_element("PatientID", [NUMBER * 12]),
        "PatientSex": plain_element("PatientSex", ["zyxwolf"]),
        "OperatorsName": plain_element("OperatorsName", ["zyxwolf"]),
    }
    with caplog.at_level(logging.DEBUG):
        sources = a_series(tmp_path, **odd)
        mask = masked(sources)
        caplog.clear()
        capfd.readouterr()
        objects = all_written(of("masks"), sources, mask, KINDS)
        with pytest.raises(DataRefused) as refused:
            all_written(of("masks"), a_series(tmp_path, StudyInstanceUID=None, **odd), mask, ("sr",))
    told = caplog.text + "".join(capfd.readouterr()) + str(refused.value)
    assert "zyx" not in told.lower()
    assert "4711" not in told
    for content in objects.values():
        assert NUMBER.encode() * 12 in content
        assert ("杜 乔 " + NAME).encode() in content


def test_findings_of_other_objects_or_releases_are_refused(tmp_path: Path) -> None:
    """K1: a result never lies on another's images."""
    sources = a_series(tmp_path)
    with pytest.raises(DataRefused, match="not made of these"):
        written(some_findings(inputs={"image": ("1.2.9.1",)}), sources, a_made(), "sr")
    with pytest.raises(DataRefused, match="not made of these"):
        written(some_findings(), [], a_made(), "sr")
    with pytest.raises(BadUsage, match="another release"):
        written(some_findings(release="other@1 0123"), sources, a_made(), "sr")
    with pytest.raises(BadUsage, match="no mask"):
        written(some_findings(), sources, a_made(), "seg")
    with pytest.raises(BadUsage, match="needs a report"):
        written(some_findings(), sources, a_made(report=None), "pdf")
    with pytest.raises(UnknownName):
        written(some_findings(), sources, a_made(), "gsps")  # type: ignore[arg-type]
    with pytest.raises(BadUsage, match="zone"):
        a_made(at=AT.replace(tzinfo=None))


def test_other_series_are_evidence_and_other_patients_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    sources = a_series(tmp_path / "a")
    (other, *_) = a_series(tmp_path / "b", SeriesInstanceUID="1.7")
    more = pydicom.dcmread(other)
    more.SOPInstanceUID = more.file_meta.MediaStorageSOPInstanceUID = "1.2.77"
    more.save_as(other, enforce_file_format=True)
    findings = some_findings(*SAID["classes"], inputs={"image": tuple(UIDS), "other": ("1.2.77",)})
    one = read(written(findings, [*sources, other], a_made(), "sr"))
    assert "1.2.77" in everything(one)
    more.PatientID = "someone else"
    more.save_as(other, enforce_file_format=True)
    with pytest.raises(BadUsage, match="one patient"):
        written(findings, [*sources, other], a_made(), "sr")


def test_a_picture_has_a_strip_that_says_what_it_is(tmp_path: Path) -> None:
    sources = a_series(tmp_path, BurnedInAnnotation="NO")
    one = read(written(of("masks"), sources, a_made(), "sc"))
    assert (one.SamplesPerPixel, one.PhotometricInterpretation, one.BurnedInAnnotation) == (3, "RGB", "NO")
    pixels = one.pixel_array
    np.testing.assert_array_equal(pixels[:48, 224:288, 0], np.arange(64 * 48, dtype=np.uint8).reshape(48, 64))
    assert pixels[48:].any(axis=(1, 2)).sum() > 40
    alone = read(written(of("classes"), sources, a_made(picture=None), "sc"))
    assert alone.pixel_array.any()


def a_film(folder: Path) -> list[Path]:
    """One image without a place in the patient."""
    bare = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "FrameOfReferenceUID": None}
    kind = {"Modality": "DX", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1"}
    return a_series(folder, **bare, **kind)[:1]


def test_a_film_has_masks_and_boxes_too(tmp_path: Path) -> None:
    sources = a_film(tmp_path)
    image = DICOM.read(sources)
    inputs = {"image": image.attributes["sop_uids"]}
    array = np.zeros((1, *image.shape), np.uint8)
    array[0, 0, 2:5, 3:7] = 1
    mask = dataclasses.replace(image, array=array, unit="label", attributes={"labels": LABELS})
    said = some_findings(*SAID["masks"], inputs=inputs)
    objects = all_written(said, sources, a_made(mask=mask), KINDS)
    assert len(regions_of(objects["sr"], "ReferencedSegmentNumber")) == 2
    box = SAID["boxes"][0].model_copy(update={"place": Place(start=(0, 2, 3), stop=(1, 5, 7))})
    path = tmp_path / "sr"
    path.write_bytes(written(some_findings(box, inputs=inputs), sources, a_made(), "sr"))
    (group,) = hd.sr.srread(path).content.get_planar_roi_measurement_groups()
    assert group.roi.value.tolist() == [[3, 2], [7, 2], [7, 5], [3, 5], [3, 2]]
    for kind, content in objects.items():
        place = tmp_path / f"film.{kind}"
        place.write_bytes(content)
        if shutil.which("dciodvfy"):
            assert "Error" not in external("dciodvfy", place), kind


def regions_of(content: bytes, name: str) -> list[Any]:
    return [one.value for one in read(content).iterall() if one.keyword == name]


def test_a_box_that_is_not_on_the_slices_is_told_in_words_only(tmp_path: Path) -> None:
    outside = SAID["boxes"][0].model_copy(update={"place": Place(start=(1, 2, 3), stop=(40, 5, 7))})
    one = written(some_findings(outside), a_series(tmp_path), a_made(), "sr")
    assert regions_of(one, "GraphicData") == []


def test_what_is_no_stack_of_slices_has_a_report_and_a_picture(tmp_path: Path) -> None:
    (path, *_) = a_series(
        tmp_path, Rows=None, Columns=None, PixelData=None, Modality="ECG", SOPClassUID="1.2.840.10008.5.1.4.1.1.9.1.1"
    )
    findings = some_findings(*SAID["labels"], inputs={"signal": ("1.2.9.4",)})
    for content in all_written(findings, [path], a_made(), ("sr", "sc", "pdf")).values():
        assert "1.2.9.4" in everything(read(content))


@pytest.mark.external
@pytest.mark.parametrize("task", ["masks", "boxes", "curve", "labels"])
@pytest.mark.parametrize("review", [None, REVIEW], ids=["not reviewed", "reviewed"])
def test_other_programs_find_no_error(tmp_path: Path, task: str, review: Review | None) -> None:
    """K2: dciodvfy and dsrdump."""
    sources = a_series(tmp_path)
    made = masked(sources)
    objects = all_written(of(task), sources, made, KINDS)
    if review is not None:
        anew = dataclasses.replace(made, review=review, mask=None, segmentation=objects["seg"])
        objects = all_written(of(task), sources, anew, KINDS)
    for kind, content in objects.items():
        path = tmp_path / kind
        path.write_bytes(content)
        said = external("dciodvfy", path)
        assert [line for line in said.splitlines() if line.startswith("Error")] == [], kind
        if kind == "sr":
            dumped = external("dsrdump", path, "--convert-to-utf8")
            assert "E: " not in dumped
            assert MADE_BY.label in dumped
