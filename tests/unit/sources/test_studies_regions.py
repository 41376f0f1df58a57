"""RT Structure Sets as labels of a DICOM tree: names, values, what is left out and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, SegmentationStorage

from diascope import formats
from diascope.core.case import FileRef
from diascope.core.errors import DataRefused
from diascope.planning.surveying.reading import facts_of
from diascope.sources import Listing, SourceOptions
from diascope.sources.dicom_tree import SOURCE

Region = tuple[str, float, str]
"""Name, height of its one square contour (2 x 2 voxels) in mm, interpreted type; a negative height is a point."""


@pytest.fixture(autouse=True)
def _own_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIASCOPE_PSEUDONYM_KEY", str(tmp_path_factory.mktemp("key") / "key"))


def a_file(sop_class: str, study: str, series: str, sop: str, modality: str) -> Dataset:
    data = pydicom.Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = sop_class, f"{study}.{series}.{sop}", modality
    data.StudyInstanceUID, data.SeriesInstanceUID, data.PatientID = study, f"{study}.{series}", f"P{study}"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


def a_series(root: Path, study: str, series: str = "9") -> None:
    (root / study).mkdir(parents=True, exist_ok=True)
    for k in range(3):
        data = a_file(CTImageStorage, study, series, str(k), "CT")
        data.FrameOfReferenceUID = f"{study}.7"
        data.Rows = data.Columns = 5
        data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 2 * k], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [1, 1], 2
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
        data.PhotometricInterpretation, data.PixelData = "MONOCHROME2", bytes(50)
        data.save_as(root / study / f"{series}-{k}.dcm", enforce_file_format=True)


def a_set(root: Path, study: str, regions: list[Region], series: str = "9", name: str = "set.dcm") -> None:
    data = a_file(RTStructureSetStorage, study, "8", str(len(name)), "RTSTRUCT")
    reference, of_study, frame = Dataset(), Dataset(), Dataset()
    reference.SeriesInstanceUID, of_study.RTReferencedSeriesSequence = f"{study}.{series}", [reference]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = f"{study}.7", [of_study]
    data.ReferencedFrameOfReferenceSequence = [frame]
    data.StructureSetROISequence, data.ROIContourSequence, data.RTROIObservationsSequence = [], [], []
    for number, (called, height, kind) in enumerate(regions, 5):
        roi, drawn, contour, observed = Dataset(), Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, called, f"{study}.7"
        corners = [(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)]
        contour.ContourGeometricType = "CLOSED_PLANAR" if height >= 0 else "POINT"
        contour.ContourData = [v for x, y in corners[: 4 if height >= 0 else 1] for v in (x, y, abs(height))]
        drawn.ReferencedROINumber, drawn.ContourSequence = number, [contour]
        observed.ReferencedROINumber, observed.RTROIInterpretedType = number, kind
        data.StructureSetROISequence.append(roi)
        data.ROIContourSequence.append(drawn)
        data.RTROIObservationsSequence.append(observed)
    data.save_as(root / study / name, enforce_file_format=True)


def listed(root: Path, **options: str) -> Listing:
    return SOURCE.list(str(root), SourceOptions(**options))


def test_names_are_labels_with_one_value_in_every_study(tmp_path: Path) -> None:
    for study in ("1.2.1", "1.2.2", "1.2.3"):
        a_series(tmp_path, study)
    a_set(tmp_path, "1.2.1", [("lung", 4, "ORGAN"), ("heart", 0, "ORGAN"), ("BODY", 0, "EXTERNAL"), ("iso", -1, "")])
    a_set(tmp_path, "1.2.2", [("lung", 2, "ORGAN")])
    listing = listed(tmp_path)
    (target,) = listing.targets
    assert (target.name, target.kind) == ("mask", "mask")
    assert [(label.name, label.value) for label in target.labels] == [("heart", 1), ("lung", 2)]
    first, second, third = listing.cases
    assert first.targets["mask"] == FileRef(
        format="rtstruct", paths=("1.2.1/set.dcm", *(f"1.2.1/9-{k}.dcm" for k in range(3))), item="heart\\lung"
    )
    assert third.targets["mask"] is None
    masks = [formats.read(case.targets["mask"], listing.root) for case in (first, second)]  # type: ignore[arg-type]
    assert [[int(plane.max()) for plane in mask.array[0]] for mask in masks] == [[1, 0, 2], [0, 2, 0]]
    for note in (
        "regions left out, because they are the outline of the patient: BODY",
        "regions left out, because they have no closed contour: iso",
        "1 of 2 structure sets have no region 'heart': it counts as background there",
    ):
        assert note in listing.notes
    facts = facts_of(first, listing.root, target)
    assert not isinstance(facts, str)
    assert facts.masks["mask"].geometry_differs == ""
    assert facts.masks["mask"].counts == {0: 67, 1: 4, 2: 4}


def test_one_region_alone_is_a_target_of_its_own(tmp_path: Path) -> None:
    for study in ("1.2.1", "1.2.2"):
        a_series(tmp_path, study)
    a_set(tmp_path, "1.2.1", [("gtv", 2, "GTV"), ("ptv", 2, "PTV")])
    a_set(tmp_path, "1.2.2", [("ptv", 2, "PTV")])
    listing = listed(tmp_path, target="gtv")
    (target,) = listing.targets
    assert [(label.name, label.value) for label in target.labels] == [("gtv", 1)]
    first, second = listing.cases
    assert second.targets["gtv"] is None
    assert "1 of 2 structure sets have no region 'gtv': no label there" in listing.notes
    mask = formats.read(first.targets["gtv"], listing.root)  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.unique(mask.array), [0, 1])
    assert mask.history == ()
    both = formats.read(listed(tmp_path).cases[0].targets["mask"], listing.root)  # type: ignore[arg-type]
    assert both.history == ("regions overlap in 4 voxels: there, the higher value was taken",)


def test_the_outline_is_a_label_where_there_is_nothing_else(tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1")
    a_set(tmp_path, "1.2.1", [("BODY", 0, "EXTERNAL")])
    assert [label.name for label in listed(tmp_path).targets[0].labels] == ["BODY"]


def test_a_structure_set_chooses_the_series_that_it_was_drawn_on(tmp_path: Path) -> None:
    for series in ("7", "9"):
        a_series(tmp_path, "1.2.1", series)
    a_set(tmp_path, "1.2.1", [("lung", 2, "ORGAN")], series="7")
    listing = listed(tmp_path)
    assert listing.cases[0].inputs["image"].paths[0] == "1.2.1/7-0.dcm"  # type: ignore[union-attr]
    assert any("was chosen (a SEG or RTSTRUCT refers to it)" in note for note in listing.notes)


def test_points_alone_label_nothing(tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1")
    a_set(tmp_path, "1.2.1", [("iso", -1, "ISOCENTER")])
    assert listed(tmp_path).targets == ()


def test_sets_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1")
    a_set(tmp_path, "1.2.1", [("lung", 2, "ORGAN"), ("lung", 4, "ORGAN")])
    with pytest.raises(DataRefused, match=r"two regions of set\.dcm are called 'lung'"):
        listed(tmp_path)
    a_set(tmp_path, "1.2.1", [("lung", 2, "ORGAN")])
    a_set(tmp_path, "1.2.1", [("lung", 4, "ORGAN")], name="other.dcm")
    with pytest.raises(DataRefused, match="2 RTSTRUCT objects refer to one series"):
        listed(tmp_path)


def test_seg_and_structure_sets_are_not_mixed(tmp_path: Path) -> None:
    for study in ("1.2.1", "1.2.2"):
        a_series(tmp_path, study)
    a_set(tmp_path, "1.2.1", [("lung", 2, "ORGAN")])
    seg, segment, reference = a_file(SegmentationStorage, "1.2.2", "8", "1", "SEG"), Dataset(), Dataset()
    segment.SegmentNumber, segment.SegmentLabel, reference.SeriesInstanceUID = 1, "lung", "1.2.2.9"
    seg.SegmentSequence, seg.ReferencedSeriesSequence = [segment], [reference]
    seg.save_as(tmp_path / "1.2.2" / "seg.dcm", enforce_file_format=True)
    with pytest.raises(DataRefused, match="labelled by a SEG and others by an RTSTRUCT"):
        listed(tmp_path)
    (tmp_path / "1.2.1" / "set.dcm").unlink()
    listing = listed(tmp_path, target="lung")
    assert listing.cases[1].targets["lung"] == FileRef(format="dicom_seg", paths=("1.2.2/seg.dcm",), item="1")


def test_what_labels_nothing_is_said(tmp_path: Path) -> None:
    a_series(tmp_path, "1.2.1")
    a_set(tmp_path, "1.2.1", [("lung", 2, "ORGAN")])
    a_set(tmp_path, "1.2.1", [("lung", 2, "ORGAN")], series="5", name="lost.dcm")
    assert "1 SEG or RTSTRUCT label no series that is read" in listed(tmp_path).notes
