"""RT Structure Sets: what is read, what is noted, and what is refused with the region's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage

from diascope.core.errors import BadUsage, UnreadableFile, UnsoundGeometry
from diascope.formats import format_of
from diascope.formats.dicom import FORMAT as DICOM
from diascope.formats.dicomio.filling import fill
from diascope.formats.dicomio.headers import headers
from diascope.formats.rtstruct import FORMAT

STEP = 2.0
Contour = tuple[str, list[list[float]]]


def a_file(sop_class: str, uid: str, modality: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, sop_class
    meta.MediaStorageSOPInstanceUID = uid
    one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID, one.Modality, one.StudyInstanceUID = sop_class, uid, modality, "1.3"
    return one


def a_series(folder: Path, depth: int = 4, lean: float = 0.0, **elements: object) -> list[Path]:
    """Axial slices of 6 x 8 voxels of 1 mm, 2 mm apart; `lean` mm along y from one to the next (gantry tilt)."""
    paths = []
    for k in range(depth):
        one = a_file(CTImageStorage, f"1.2.9.{k + 1}", "CT")
        one.SeriesInstanceUID, one.FrameOfReferenceUID = "1.4", "1.5"
        one.ImagePositionPatient, one.ImageOrientationPatient = [0, lean * k, STEP * k], [1, 0, 0, 0, 1, 0]
        one.PixelSpacing, one.SliceThickness, one.Rows, one.Columns = [1, 1], STEP, 6, 8
        one.SamplesPerPixel, one.PhotometricInterpretation, one.PixelRepresentation = 1, "MONOCHROME2", 0
        one.BitsAllocated = one.BitsStored = 8
        one.HighBit, one.PixelData = 7, bytes(48)
        for name, value in elements.items():
            setattr(one, name, value)
        paths.append(folder / f"{k}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def square(k: float, low: float = 0.5, high: float = 3.5) -> Contour:
    """Voxels 1 to 3 of slice k, in mm."""
    corners = [(low, low), (high, low), (high, high), (low, high)]
    return "CLOSED_PLANAR", [[x, y, STEP * k] for x, y in corners]


def a_set(folder: Path, frame: str = "1.5", **regions: list[Contour]) -> Path:
    one = a_file(RTStructureSetStorage, "1.8", "RTSTRUCT")
    one.StructureSetROISequence, one.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(regions.items(), 1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for kind, points in contours:
            contour = Dataset()
            contour.ContourGeometricType = kind
            contour.ContourData = [value for point in points for value in point]
            drawn.ContourSequence.append(contour)
        one.StructureSetROISequence.append(roi)
        one.ROIContourSequence.append(drawn)
    path = folder / "set.dcm"
    one.save_as(path, enforce_file_format=True)
    return path


def test_all_regions_by_number_on_the_grid_of_the_series(tmp_path: Path) -> None:
    series = a_series(tmp_path)
    mask = FORMAT.read([*series, a_set(tmp_path, liver=[square(1)], lung=[square(2, 3.5, 5.5)])])
    expected = np.zeros((4, 6, 8), np.uint8)
    expected[1, 1:4, 1:4], expected[2, 4:6, 4:6] = 1, 2
    np.testing.assert_array_equal(mask.array[0], expected)
    assert mask.geometry.is_close(DICOM.read(series).geometry)
    assert (mask.unit, mask.modality, mask.history) == ("label", "ct", ())
    assert [(label.name, label.value) for label in mask.attributes["labels"]] == [("liver", 1), ("lung", 2)]
    assert mask.attributes["referenced_series_uid"] == "1.4"


def test_named_regions_get_the_value_of_their_place(tmp_path: Path) -> None:
    paths = [*a_series(tmp_path), a_set(tmp_path, liver=[square(1)], lung=[square(2)])]
    mask = FORMAT.read(paths, r"lung\\liver")
    assert [int(mask.array[0, k].max()) for k in range(4)] == [0, 3, 1, 0]
    with pytest.raises(UnreadableFile, match=r"0 regions with closed contours are called 'heart'.*liver, lung"):
        FORMAT.read(paths, "heart")


def test_the_note_on_overlap_is_that_of_a_seg(tmp_path: Path) -> None:
    mask = FORMAT.read([*a_series(tmp_path), a_set(tmp_path, ptv=[square(1)], gtv=[square(1, 1.5, 2.5)])])
    assert mask.history == ("regions overlap in 1 voxels: there, the higher value was taken",)
    assert int((mask.array == 1).sum()) == 8
    assert int((mask.array == 2).sum()) == 1


def test_points_open_contours_gaps_and_specks_are_noted(tmp_path: Path) -> None:
    point, line = ("POINT", [[1.0, 1.0, 0.0]]), ("OPEN_PLANAR", square(1)[1])
    path = a_set(tmp_path, organ=[square(0), square(3), point, line], speck=[square(1, 1.2, 1.4)], iso=[point])
    mask = FORMAT.read([*a_series(tmp_path), path])
    assert mask.history == (
        "2 points or open contours of the region 'organ' were left out",
        "the region 'organ' has no contour on 2 slices between others: it is empty there",
        "the region 'speck' is too small to hold the centre of a voxel",
    )
    assert [label.name for label in mask.attributes["labels"]] == ["organ", "speck"]


def test_within_half_a_slice_is_on_it(tmp_path: Path) -> None:
    mask = FORMAT.read([*a_series(tmp_path), a_set(tmp_path, organ=[square(1.45), square(3.5)])])
    assert [int(mask.array[0, k].sum()) for k in range(4)] == [0, 9, 0, 9]


@pytest.mark.parametrize(
    ("contours", "why"),
    [
        ([square(3.6)], "lies on no slice"),
        ([square(-0.6)], "lies on no slice"),
        ([("CLOSED_PLANAR", [[1, 1, 0], [1, 1, 6], [1, 4, 6], [1, 4, 0]])], "lies on no slice"),
        ([square(1.2), square(0.8)], "different heights fall on one slice"),
    ],
)
def test_contours_off_the_slices_are_refused_with_their_region(
    contours: list[Contour], why: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsoundGeometry, match=f"the region 'organ'.*{why}"):
        FORMAT.read([*a_series(tmp_path), a_set(tmp_path, organ=contours)])


def test_another_frame_of_reference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsoundGeometry, match="the region 'organ' and the series have different frames of reference"):
        FORMAT.read([*a_series(tmp_path), a_set(tmp_path, frame="1.6", organ=[square(1)])])


def test_a_frame_with_a_made_up_name_is_that_of_the_series_it_lists(tmp_path: Path) -> None:
    path = a_set(tmp_path, frame="1.6", organ=[square(1)])
    one, frame, study, series = dcmread(path), Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID, study.RTReferencedSeriesSequence = "1.4", [series]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = "1.6", [study]
    one.ReferencedFrameOfReferenceSequence = [frame]
    one.save_as(path)
    mask = FORMAT.read([*a_series(tmp_path), path])
    assert int(mask.array.sum()) == 9
    assert mask.history == ("the structure set calls the frame of reference of its series by another UID",)


def test_a_tilted_gantry_keeps_the_millimetres(tmp_path: Path) -> None:
    series = a_series(tmp_path, lean=0.5)
    mask = FORMAT.read([*series, a_set(tmp_path, organ=[square(k) for k in range(4)])])
    image = DICOM.read(series)
    assert mask.shape == image.shape
    assert mask.geometry.is_close(image.geometry)
    x, y, _ = np.moveaxis(image.geometry.to_mm(np.moveaxis(np.indices(image.shape), 0, -1)), -1, 0)
    np.testing.assert_array_equal(mask.array[0], (x > 0.5) & (x < 3.5) & (y >= 0.5) & (y < 3.5))


def test_without_a_series_or_a_set_or_a_place_it_is_refused(tmp_path: Path) -> None:
    series, path = a_series(tmp_path), a_set(tmp_path, organ=[square(1)])
    with pytest.raises(UnreadableFile, match="no grid of its own"):
        FORMAT.read([path])
    with pytest.raises(UnreadableFile, match="0 of 4 files are RT Structure Sets"):
        FORMAT.read(series)
    with pytest.raises(UnreadableFile, match="no region of interest has a closed contour"):
        FORMAT.read([*series, a_set(tmp_path, iso=[("POINT", [[1.0, 1.0, 0.0]])])])
    with pytest.raises(BadUsage, match="not written"):
        FORMAT.write(DICOM.read(series), tmp_path / "x.dcm")
    a_set(tmp_path, organ=[square(1)])
    (tmp_path / "film").mkdir()
    film = a_series(tmp_path / "film", 1, ImagePositionPatient=None, ImageOrientationPatient=None)
    with pytest.raises(UnsoundGeometry, match="no place in the patient"):
        FORMAT.read([path, *film])


@pytest.mark.parametrize("data", [None, [1, 2], [1.5, 1.5, 1.5]])
def test_coordinates_that_are_no_points_are_refused(data: list[float] | None, tmp_path: Path) -> None:
    path = a_set(tmp_path, organ=[square(1)])
    one = dcmread(path)
    one.ROIContourSequence[0].ContourSequence[0].ContourData = data
    one.save_as(path)
    path.write_bytes(path.read_bytes().replace(b"1.5\\1.5\\1.5", b"nan\\1.5\\1.5"))
    with pytest.raises(UnreadableFile, match="a contour of ROI 1"):
        FORMAT.read([*a_series(tmp_path), path])


def test_it_is_recognised_by_its_class_and_by_nobody_else(tmp_path: Path) -> None:
    path = a_set(tmp_path, organ=[square(1)])
    assert format_of(path) == "rtstruct"
    assert not DICOM.recognises(path)
    assert not any(map(FORMAT.recognises, a_series(tmp_path)))
    (one,) = headers([path])
    assert one.is_structure_set
    assert not one.is_image
    assert [(roi.number, roi.name, roi.closed, roi.ignored) for roi in one.rois] == [(1, "organ", 1, 0)]


def test_a_contour_through_the_centres_of_voxels_does_not_depend_on_rounding(tmp_path: Path) -> None:
    series = a_series(tmp_path, PixelSpacing=[0.488281, 0.488281], ImagePositionPatient=[-249.51, -133.7, 0])[:1]
    corners = [[-249.51 + 0.488281 * x, -133.7 + 0.488281 * y, 0] for x, y in ((1, 1), (6, 1), (6, 4), (1, 4))]
    mask = FORMAT.read([*series, a_set(tmp_path, organ=[("CLOSED_PLANAR", np.round(corners, 6).tolist())])])
    assert np.argwhere(mask.array[0, 0]).tolist() == [[y, x] for y in (1, 2, 3) for x in (1, 2, 3, 4, 5)]


def test_areas_side_by_side_share_no_pixel_and_leave_none() -> None:
    left = np.array([[1.0, 1.0], [5.0, 1.0], [5.0, 3.0], [1.0, 3.0]])
    right = left + np.array([0.0, 2.0])
    for polygon, columns in ((left, [1, 2]), (right, [3, 4])):
        box, inside = fill([polygon], (8, 8))
        assert np.argwhere(inside)[:, 1].tolist() == [column - box[1].start for column in columns] * 4
        assert box[0] == slice(1, 5)
    _, outside = fill([left + 20], (8, 8))
    assert outside.size == 0
