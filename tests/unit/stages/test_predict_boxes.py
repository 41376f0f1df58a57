"""predict with a release of boxes: findings, a picture, COCO JSON, and a DICOM SR for DICOM input."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from PIL import Image as Pillow
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from diascope.core import registry
from diascope.core.finding import Findings
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Plan
from diascope.formats.boxes.coco import read_coco
from diascope.stages.predict import predict
from diascope.tasks.boxes import network
from diascope.testing.factories import CELLS
from diascope.testing.releases import a_plan, a_release

SAYS_EVERYTHING = {
    "labels": {
        "cell": {
            "offset": 0.0,
            "temperature": 1.0,
            "point": {
                "threshold": 0.45, "rule": {"name": "fixed", "value": 0.45}, "sensitivity": None, "ppv": None,
                "false_positives": None, "truths": 0, "images": 0,
            },
            "rule": "probability >= 0.45",
        }
    },
    "rule": {"en": "each label has a threshold of its own"},
}  # fmt: skip


@pytest.fixture
def _likely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that nobody trained say at every position that there is one, with a probability of one half."""
    monkeypatch.setattr(network, "PRIOR", 0.5)


def a_plan_of_boxes(**changes: Any) -> Plan:
    options = {"width": 8, "depth": [1, 1, 1, 1], "strides": [[1, 2, 2]] * 5}
    return a_plan(
        CELLS, (1, 32, 64), model="feature_pyramid", model_options=options, levels=[2, 3], suppression=0.5,
        mirror_reading=True, **changes,
    )  # fmt: skip


def a_picture(path: Path, size: tuple[int, int] = (120, 50)) -> Path:
    width, height = size
    noise = np.random.default_rng(0).integers(0, 255, (height, width), dtype=np.uint8)
    Pillow.fromarray(noise).save(path)
    return path


def a_radiograph(path: Path) -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.9.1"
    one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for name, value in {
        "SOPClassUID": ComputedRadiographyImageStorage, "SOPInstanceUID": "1.2.9.1", "Modality": "CR",
        "StudyInstanceUID": "1.3", "SeriesInstanceUID": "1.4", "PatientID": "P7", "InstanceNumber": 1,
        "PixelSpacing": [0.5, 0.5], "Rows": 40, "Columns": 80, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": np.random.default_rng(0).integers(0, 255, (40, 80), dtype=np.uint8).tobytes(),
    }.items():  # fmt: skip
        setattr(one, name, value)
    one.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.usefixtures("_likely")
def test_a_picture_gets_findings_a_picture_and_coco_json_in_its_own_pixels(tmp_path: Path) -> None:
    release = a_release(tmp_path / "films@1", a_plan_of_boxes(), decision=SAYS_EVERYTHING)
    (said,) = predict(release, str(a_picture(tmp_path / "smear.png")), tmp_path / "out")
    folder = tmp_path / "out" / "smear"
    assert Findings.read(folder / "findings.json") == said
    assert set(said.files) == {"coco", "picture"}
    present = [finding for finding in said.findings if finding.status == "present"]
    assert present
    for finding in present:
        assert finding.place is not None
        assert np.all(np.array(finding.place.start) >= 0)
        assert np.all(np.array(finding.place.stop) <= (1, 50, 120))
    (listed,) = read_coco(folder / "boxes.json")
    assert (listed.file, listed.size) == ("smear.png", (120, 50))
    assert len(listed.boxes.corners) == len(present)
    assert base64.b64encode((folder / "picture.png").read_bytes())


@pytest.mark.usefixtures("_likely")
def test_a_radiograph_gets_a_structured_report_that_refers_to_it(tmp_path: Path) -> None:
    release = a_release(tmp_path / "films@1", a_plan_of_boxes(), decision=SAYS_EVERYTHING)
    (said,) = predict(release, str(a_radiograph(tmp_path / "film.dcm")), tmp_path / "out")
    assert set(said.files) == {"coco", "dicom_sr", "picture"}
    (folder,) = (tmp_path / "out").iterdir()
    report = hd.sr.srread(folder / "boxes.dcm")
    groups = report.content.get_planar_roi_measurement_groups()
    assert len(groups) == sum(finding.status == "present" for finding in said.findings)
    columns, rows = groups[0].roi.value.T
    assert columns.min() >= 0
    assert columns.max() <= 80
    assert rows.max() <= 40


@pytest.mark.usefixtures("_likely")
def test_a_volume_gets_its_boxes_in_millimetres_of_the_patient(tmp_path: Path) -> None:
    options = {"width": 8, "depth": [1, 1, 1, 1], "strides": [[2, 2, 2]] * 5}
    plan = a_plan(
        CELLS, (32, 32, 32), model="feature_pyramid", model_options=options, levels=[2, 3], suppression=0.1,
        whole=False, prepare=[], slices=0,
    )  # fmt: skip
    release = a_release(tmp_path / "scans@1", plan, decision=SAYS_EVERYTHING)
    noise = np.random.default_rng(0).integers(0, 255, (1, 20, 32, 40), dtype=np.uint8)
    geometry = Geometry.from_spacing((2.0, 1.0, 1.0), (-100.0, 50.0, 7.0))
    registry.get("formats", "nifti").write(Image(noise, geometry), tmp_path / "scan.nii.gz")
    (said,) = predict(release, str(tmp_path / "scan.nii.gz"), tmp_path / "out")
    assert set(said.files) == {"boxes", "table", "picture"}
    content = json.loads((tmp_path / "out" / "scan" / said.files["boxes"]).read_text())
    present = [finding for finding in said.findings if finding.status == "present"]
    assert len(content["boxes"]) == len(present) > 0
    for one, finding in zip(content["boxes"], present, strict=True):
        assert finding.place is not None
        assert one["centre_mm"] == pytest.approx(finding.place.centre_mm, abs=0.01)
        assert -100.5 <= one["centre_mm"][0] <= -60.5
        assert 6 <= one["centre_mm"][2] <= 46
    rows = (tmp_path / "out" / "scan" / said.files["table"]).read_text().splitlines()
    assert rows[0].startswith("image,label,probability,coordX")
    assert len(rows) == 1 + len(present)


def test_where_nothing_is_found_that_is_a_finding(tmp_path: Path) -> None:
    release = a_release(tmp_path / "films@1", a_plan_of_boxes(), decision=SAYS_EVERYTHING)
    (said,) = predict(release, str(a_picture(tmp_path / "smear.png")), tmp_path / "out")
    assert [finding.status for finding in said.findings] == ["absent"]
    assert read_coco(tmp_path / "out" / "smear" / "boxes.json")[0].boxes.corners == ()


@pytest.mark.usefixtures("_likely")
def test_several_members_answer_together(tmp_path: Path) -> None:
    release = a_release(tmp_path / "films@1", a_plan_of_boxes(), seeds=(0, 1), decision=SAYS_EVERYTHING)
    (said,) = predict(release, str(a_picture(tmp_path / "smear.png")), tmp_path / "out")
    assert any(finding.status == "present" for finding in said.findings)
