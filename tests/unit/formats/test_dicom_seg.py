"""DICOM SEG: what is read, what is refused, and where masks are put."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from diascope.core.case import Label
from diascope.core.errors import BadUsage, UnreadableFile, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.formats.dicom import FORMAT as DICOM
from diascope.formats.dicom_seg import FORMAT, place_on


def a_source(folder: Path, depth: int = 3, sop_class: str = CTImageStorage, **elements: Any) -> list[Path]:
    """Axial slices of 6 x 8, 2 mm apart; `elements` replace or (None) remove elements."""
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


def a_mask(image: Image, **attributes: Any) -> Image:
    """A block of 1 in the middle."""
    array = np.zeros((1, *image.shape), np.uint8)
    array[0, image.shape[0] // 2, 1:4, 2:7] = 1
    return replace(
        image, array=array, unit="label", attributes={"labels": (Label(name="mass", value=1),), **attributes}
    )


def a_seg(folder: Path, frames: np.ndarray, kind: str, count: int = 1) -> Path:
    """A SEG made by highdicom directly."""
    sources = [pydicom.dcmread(path) for path in a_source(folder)]
    for one in sources:
        one.PatientName = one.PatientBirthDate = one.PatientSex = one.AccessionNumber = one.StudyID = ""
        one.StudyDate = one.StudyTime = ""
    descriptions = [
        hd.seg.SegmentDescription(
            n, f"s{n}", codes.SCT.Organ, codes.SCT.Liver, hd.seg.SegmentAlgorithmTypeValues.MANUAL
        )
        for n in range(1, count + 1)
    ]
    path = folder / "made.seg"
    hd.seg.Segmentation(
        sources, frames, kind, descriptions, hd.UID(), 1, hd.UID(), 1, "m", "n", "1", "0", omit_empty_frames=True
    ).save_as(path)
    return path


def test_the_middle_slices_alone_keep_their_place(tmp_path: Path) -> None:
    frames = np.zeros((3, 6, 8), np.uint8)
    frames[2, 1, 2] = 1
    back = FORMAT.read([a_seg(tmp_path, frames, "BINARY")])
    assert back.shape == (1, 6, 8)
    assert back.geometry.to_mm((0, 1, 2)).tolist() == pytest.approx([2 * 0.6, 0.7, 4.0])
    image = DICOM.read(sorted(tmp_path.glob("*.dcm")))
    placed = place_on(back, image.geometry, image.shape)
    np.testing.assert_array_equal(placed.array[0], frames)
    assert placed.history == ()


def test_a_gap_between_slices_is_empty_slices(tmp_path: Path) -> None:
    frames = np.zeros((3, 6, 8), np.uint8)
    frames[0, 1, 2] = frames[2, 3, 3] = 1
    path = a_seg(tmp_path, frames, "BINARY")
    seg = pydicom.dcmread(path)
    measures = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.SpacingBetweenSlices = 2
    seg.save_as(path)
    np.testing.assert_array_equal(FORMAT.read([path]).array[0], frames)


def test_fractions_above_one_half_are_inside(tmp_path: Path) -> None:
    frames = np.zeros((3, 6, 8), np.float32)
    frames[1, 2, :3] = 0.4, 0.6, 1.0
    back = FORMAT.read([a_seg(tmp_path, frames, "FRACTIONAL")])
    assert back.array[0, 0, 2, :3].tolist() == [0, 1, 1]


def test_a_label_map_is_read(tmp_path: Path) -> None:
    frames = np.zeros((3, 6, 8), np.uint8)
    frames[:, 2, 3], frames[1, 4, 4] = 1, 2
    back = FORMAT.read([a_seg(tmp_path, frames, "LABELMAP", count=2)])
    np.testing.assert_array_equal(back.array[0], frames)
    assert [label.value for label in back.attributes["labels"]] == [1, 2]


def test_overlap_is_reported_and_one_segment_can_be_asked_for(tmp_path: Path) -> None:
    frames = np.zeros((3, 6, 8, 2), np.uint8)
    frames[1, 2, 2:5, 0] = frames[1, 2, 4:6, 1] = 1
    path = a_seg(tmp_path, frames, "BINARY", count=2)
    both = FORMAT.read([path])
    assert both.array[0, 0, 2].tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    assert "overlap in 1 voxels" in both.history[0]
    assert FORMAT.read([path], "1").array[0, 0, 2].tolist() == [0, 0, 1, 1, 1, 0, 0, 0]
    with pytest.raises(UnreadableFile, match="no segment 3"):
        FORMAT.read([path], "3")
    with pytest.raises(BadUsage):
        FORMAT.read([path], "liver")


def test_an_empty_mask_is_written_with_every_slice(tmp_path: Path) -> None:
    sources = a_source(tmp_path)
    mask = a_mask(DICOM.read(sources))
    FORMAT.write(mask.with_array(np.zeros_like(mask.array)), tmp_path / "empty.seg", sources)
    back = FORMAT.read([tmp_path / "empty.seg"])
    assert back.shape == mask.shape
    assert not back.array.any()


def test_a_film_without_a_place_gets_a_seg_of_its_pixels(tmp_path: Path) -> None:
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "FrameOfReferenceUID": None}
    film = {"Modality": "DX", "PixelSpacing": None, "SliceThickness": None, **nowhere}
    sources = a_source(tmp_path, 1, DigitalXRayImageStorageForPresentation, **film)
    mask = a_mask(DICOM.read(sources))
    FORMAT.write(mask, tmp_path / "film.seg", sources)
    back = FORMAT.read([tmp_path / "film.seg"])
    np.testing.assert_array_equal(back.array, mask.array)
    assert back.attributes["referenced_sop_uids"] == ("1.2.9.1",)
    placed = place_on(back, mask.geometry, mask.shape)
    np.testing.assert_array_equal(placed.array, mask.array)
    assert "PatientOrientation" in pydicom.dcmread(tmp_path / "film.seg")  # type 2C without a position


def test_names_in_chinese_stay_what_they_are(tmp_path: Path) -> None:
    sources = a_source(tmp_path, PatientName="王^小东", SpecificCharacterSet="GB18030")
    mask = a_mask(DICOM.read(sources), labels=(Label(name="肝", value=1),))
    FORMAT.write(mask, tmp_path / "out.seg", sources)
    assert str(pydicom.dcmread(tmp_path / "out.seg").PatientName) == "王^小东"
    assert FORMAT.read([tmp_path / "out.seg"]).attributes["labels"] == (Label(name="肝", value=1),)


def test_a_mask_on_the_upright_grid_of_a_tilted_series_goes_back_to_its_slices(tmp_path: Path) -> None:
    sources = a_source(tmp_path)
    for k, path in enumerate(sources):
        one = pydicom.dcmread(path)
        one.ImagePositionPatient = [0, 0.7 * k, 2 * k]
        one.PixelData = bytes([255 if row == 3 else 0 for row in range(6) for _ in range(8)])
        one.save_as(path)
    image = DICOM.read(sources)
    assert "gantry tilt" in image.history[0]
    mask = replace(a_mask(image), array=(image.array > 100).astype(np.uint8))
    FORMAT.write(mask, tmp_path / "out.seg", sources)
    seg = hd.seg.segread(tmp_path / "out.seg")
    for source in sources:
        plane = seg.get_pixels_by_source_instance([pydicom.dcmread(source).SOPInstanceUID], combine_segments=True)[0]
        assert np.unique(np.argwhere(plane)[:, 0]).tolist() == [3]


def test_label_values_become_segment_numbers_without_gaps(tmp_path: Path) -> None:
    sources = a_source(tmp_path)
    mask = a_mask(DICOM.read(sources), labels=(Label(name="b", value=7), Label(name="a", value=3)))
    FORMAT.write(mask.with_array(mask.array * 7), tmp_path / "out.seg", sources)
    back = FORMAT.read([tmp_path / "out.seg"])
    assert [(one.name, one.value) for one in back.attributes["labels"]] == [("a", 1), ("b", 2)]
    np.testing.assert_array_equal(back.array, mask.array * 2)


def test_regions_are_segments_that_lie_in_one_another(tmp_path: Path) -> None:
    sources = a_source(tmp_path)
    regions = (Label(name="whole", value=1, members=(1, 2, 3)), Label(name="core", value=2, members=(2, 3)))
    mask = a_mask(DICOM.read(sources), labels=regions)
    mask.array[0, 1, 2, 3:5] = 2
    FORMAT.write(mask, tmp_path / "out.seg", sources)
    whole, core = (FORMAT.read([tmp_path / "out.seg"], number) for number in ("1", "2"))
    np.testing.assert_array_equal(whole.array > 0, mask.array > 0)
    np.testing.assert_array_equal(core.array > 0, mask.array == 2)
    assert [one.name for one in FORMAT.read([tmp_path / "out.seg"]).attributes["labels"]] == ["whole", "core"]
    assert pydicom.dcmread(tmp_path / "out.seg").SegmentsOverlap == "YES"
    with pytest.raises(BadUsage, match="without a label"):
        FORMAT.write(mask.with_array(mask.array * 4), tmp_path / "bad.seg", sources)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    sources = a_source(tmp_path)
    mask = a_mask(DICOM.read(sources))
    for image, like, reason in (
        (mask, [], "source series"),
        (mask.with_array(mask.array * 2), sources, "without a label"),
        (replace(mask, attributes={}), sources, "named labels"),
    ):
        with pytest.raises(BadUsage, match=reason):
            FORMAT.write(image, tmp_path / "out.seg", like)
    elsewhere = replace(mask.geometry, frame_of_reference="9.9")
    with pytest.raises(UnsoundGeometry, match="frames of reference"):
        FORMAT.write(mask.with_array(mask.array, elsewhere), tmp_path / "out.seg", sources)
    assert not (tmp_path / "out.seg").exists()


def test_an_image_is_no_seg_and_a_seg_no_image(tmp_path: Path) -> None:
    (source,) = a_source(tmp_path, 1)
    seg = a_seg(tmp_path, np.ones((3, 6, 8), np.uint8), "BINARY")
    with pytest.raises(UnreadableFile, match="no DICOM SEG"):
        FORMAT.read([source])
    with pytest.raises(UnreadableFile, match="it is a DICOM SEG"):
        DICOM.read([seg])
    assert [FORMAT.recognises(seg), DICOM.recognises(seg)] == [True, False]
    assert [FORMAT.recognises(source), DICOM.recognises(source)] == [False, True]


def test_place_on_another_grid_takes_the_nearest_in_millimetres() -> None:
    array = np.zeros((1, 4, 4, 4), np.uint8)
    array[0, 1, 2, 3] = 5
    mask = Image(array, Geometry.from_spacing((2.0, 2.0, 2.0)), unit="label")
    finer = Geometry.from_spacing((1.0, 1.0, 1.0), origin=(-0.5, -0.5, -0.5))
    placed = place_on(mask, finer, (8, 8, 8))
    assert sorted(map(tuple, np.argwhere(placed.array[0] == 5).tolist())) == [
        (z, y, x) for z in (2, 3) for y in (4, 5) for x in (6, 7)
    ]
    assert "nearest" in placed.history[0]


def test_place_on_refuses_what_has_nothing_in_common() -> None:
    mask = Image(np.ones((1, 2, 2, 2), np.uint8), Geometry.from_spacing((1, 1, 1), frame_of_reference="1"))
    far = Geometry.from_spacing((1, 1, 1), origin=(500, 0, 0))
    with pytest.raises(UnsoundGeometry, match="no place in common"):
        place_on(mask, far, (2, 2, 2))
    with pytest.raises(UnsoundGeometry, match="frames of reference"):
        place_on(mask, Geometry.from_spacing((1, 1, 1), frame_of_reference="2"), (2, 2, 2))
    with pytest.raises(UnsoundGeometry, match="no millimetres in common"):
        place_on(mask, Geometry.unknown(), (1, 2, 2))
