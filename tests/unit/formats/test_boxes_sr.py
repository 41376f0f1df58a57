"""Boxes as a DICOM structured report: what was found where, by what, and what was looked for in vain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from diascope.core.boxes import Boxes
from diascope.core.case import Label
from diascope.core.errors import BadUsage, DataRefused
from diascope.formats.boxes.sr import write_sr

LABELS = (Label(name="nodule", value=1, code="SCT:27925004"), Label(name="Fremdkörper", value=2))
MADE_BY = {"name": "films", "version": "3", "release_hash": "abc"}
SAID = Boxes.of([[0, 1.5, 2, 1, 4, 6.25]], ["nodule"], scores=[0.875])


def a_source(folder: Path, depth: int = 1, sop_class: str = CTImageStorage, **elements: Any) -> list[Path]:
    """Slices of 6 x 8, 2 mm apart; `elements` replace or (None) remove elements."""
    paths = []
    for k in range(depth):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, sop_class
        meta.MediaStorageSOPInstanceUID = f"1.2.9.{k + 1}"
        one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        defaults = {
            "SOPClassUID": sop_class, "SOPInstanceUID": f"1.2.9.{k + 1}", "Modality": "CT", "StudyInstanceUID": "1.3",
            "SeriesInstanceUID": "1.4", "FrameOfReferenceUID": "1.5", "PatientID": "P7", "InstanceNumber": k + 1,
            "ImagePositionPatient": [0, 0, 2 * k], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [0.7, 0.6], "SliceThickness": 2, "Rows": 6, "Columns": 8, "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
            "PixelRepresentation": 0, "PixelData": bytes(48),
        }  # fmt: skip
        for name, value in {**defaults, **elements}.items():
            if value is not None:
                setattr(one, name, value)
        paths.append(folder / f"{k}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def written(folder: Path, boxes: Boxes, like: list[Path]) -> Any:
    write_sr(boxes, LABELS, folder / "said.dcm", like, MADE_BY)
    return hd.sr.srread(folder / "said.dcm")


def test_a_box_is_a_region_of_its_image_with_how_sure_it_is(tmp_path: Path) -> None:
    report = written(tmp_path, SAID, a_source(tmp_path))
    assert report.SOPClassUID == pydicom.uid.ComprehensiveSRStorage
    assert (report.PatientID, report.StudyInstanceUID) == ("P7", "1.3")
    assert report.SeriesInstanceUID != "1.4"
    (group,) = report.content.get_planar_roi_measurement_groups()
    assert (group.finding_type.value, group.finding_type.scheme_designator) == ("27925004", "SCT")
    region = group.roi
    assert region.graphic_type == hd.sr.GraphicTypeValues.POLYLINE
    assert region.value.tolist() == [[2, 1.5], [6.25, 1.5], [6.25, 4], [2, 4], [2, 1.5]]
    image = region.ContentSequence[0].ReferencedSOPSequence[0]
    assert image.ReferencedSOPInstanceUID == "1.2.9.1"
    (certainty,) = group.get_measurements()
    assert (certainty.value, certainty.unit.value) == (87.5, "%")


def test_what_was_looked_for_and_not_found_is_said_to_be_absent(tmp_path: Path) -> None:
    report = written(tmp_path, SAID, a_source(tmp_path))
    (group,) = report.content.get_image_measurement_groups()
    assert group.finding_type.meaning == "Fremdkörper"
    (said,) = group.get_qualitative_evaluations()
    assert said.value.meaning == "Known absent"
    nothing = written(tmp_path, Boxes(), a_source(tmp_path))
    assert len(nothing.content.get_image_measurement_groups()) == 2
    assert nothing.content.get_planar_roi_measurement_groups() == []


def test_it_says_what_found_it_and_that_nobody_verified_it(tmp_path: Path) -> None:
    report = written(tmp_path, SAID, a_source(tmp_path))
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    text = str(report)
    assert "films" in text
    assert "release_hash abc" in text


def test_a_box_of_several_slices_is_drawn_in_the_middle_one(tmp_path: Path) -> None:
    deep = Boxes.of([[1, 1, 2, 4, 4, 6]], ["nodule"])
    report = written(tmp_path, deep, a_source(tmp_path, depth=5))
    (group,) = report.content.get_planar_roi_measurement_groups()
    assert group.roi.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.9.3"


def test_a_film_without_a_place_in_the_patient_has_regions_too(tmp_path: Path) -> None:
    film = a_source(
        tmp_path, 1, DigitalXRayImageStorageForPresentation, ImagePositionPatient=None, ImageOrientationPatient=None,
        FrameOfReferenceUID=None, Modality="DX",
    )  # fmt: skip
    assert len(written(tmp_path, SAID, film).content.get_planar_roi_measurement_groups()) == 1


def test_without_a_source_or_with_one_that_cannot_be_referred_to_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="source series"):
        write_sr(SAID, LABELS, tmp_path / "said.dcm", [], MADE_BY)
    with pytest.raises(DataRefused):
        write_sr(SAID, LABELS, tmp_path / "said.dcm", a_source(tmp_path, StudyInstanceUID=None), MADE_BY)
    assert not (tmp_path / "said.dcm").exists()
