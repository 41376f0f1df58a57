"""The law of contours: what they enclose in millimetres is what the mask says, however the series lies."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, RTStructureSetStorage
from pydicom.valuerep import format_number_as_ds as as_ds

from diascope.formats.dicom import FORMAT as DICOM
from diascope.formats.rtstruct import FORMAT

SHAPE = (3, 13, 11)
ORIGIN = np.array([7.0, -8.0, 9.0])

EIGHT = (
    (1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, 1, 0), (1, 0, 0, 0, -1, 0), (-1, 0, 0, 0, -1, 0),
    (1, 0, 0, 0, 0, -1), (-1, 0, 0, 0, 0, 1), (0, 1, 0, 0, 0, -1), (0, -1, 0, 0, 0, 1),
)  # fmt: skip
"""Axial, coronal and sagittal, turned and mirrored."""

Spacing = tuple[float, float, float]


def file_of(sop_class: str, uid: str, modality: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, sop_class
    meta.MediaStorageSOPInstanceUID = uid
    one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID, one.Modality, one.StudyInstanceUID = sop_class, uid, modality, "1.3"
    return one


def write_series(folder: Path, orientation: np.ndarray, spacing: Spacing) -> list[Path]:
    names = np.random.default_rng(5).permutation(SHAPE[0])
    normal = np.cross(orientation[:3], orientation[3:])
    for k in range(SHAPE[0]):
        one = file_of(MRImageStorage, f"1.2.{k + 1}", "MR")
        one.SeriesInstanceUID, one.FrameOfReferenceUID = "1.4", "1.5"
        one.ImagePositionPatient = [as_ds(float(v)) for v in ORIGIN + k * spacing[0] * normal]
        one.ImageOrientationPatient = [as_ds(float(v)) for v in orientation]
        one.PixelSpacing, one.SliceThickness = list(spacing[1:]), spacing[0]
        one.Rows, one.Columns = SHAPE[1:]
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 8, 8, 7, 0
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.PixelData = bytes(SHAPE[1] * SHAPE[2] + 1)
        one.save_as(folder / f"{names[k]}.dcm", enforce_file_format=True)
    return sorted(folder.glob("*.dcm"))


def in_mm(index: np.ndarray, orientation: np.ndarray, spacing: Spacing) -> np.ndarray:
    """(..., 3) slice, row, column as written to (x, y, z), by PS3.3 C.7.6.2.1.1 and not by the reader."""
    normal = np.cross(orientation[:3], orientation[3:])
    axes = np.stack([spacing[0] * normal, spacing[1] * orientation[3:], spacing[2] * orientation[:3]])
    return ORIGIN + index @ axes


def write_contours(path: Path, contours: list[np.ndarray]) -> Path:
    one = file_of(RTStructureSetStorage, "1.9", "RTSTRUCT")
    roi, drawn = Dataset(), Dataset()
    roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = 1, "target", "1.5"
    drawn.ReferencedROINumber, drawn.ContourSequence = 1, []
    for points in contours:
        contour = Dataset()
        contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
        contour.ContourData = [as_ds(float(v)) for v in points.ravel()]
        drawn.ContourSequence.append(contour)
    one.StructureSetROISequence, one.ROIContourSequence = [roi], [drawn]
    one.save_as(path, enforce_file_format=True)
    return path


def ellipse(centre: tuple[float, float], axes: tuple[float, float], count: int = 500) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([centre[0] + axes[0] * np.sin(angle), centre[1] + axes[1] * np.cos(angle)], axis=-1)


def inside(centre: tuple[float, float], axes: tuple[float, float]) -> np.ndarray:
    """(rows, columns): how far each voxel centre is out, 1 on the ellipse."""
    row, column = np.indices(SHAPE[1:])
    return ((row - centre[0]) / axes[0]) ** 2 + ((column - centre[1]) / axes[1]) ** 2


def check(orientation: np.ndarray, spacing: Spacing, drawn: dict[int, list[np.ndarray]], expected: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as name:
        paths = write_series(Path(name), orientation, spacing)
        image = DICOM.read(paths)
        contours = [
            in_mm(np.insert(polygon, 0, k, axis=1), orientation, spacing)
            for k, polygons in drawn.items()
            for polygon in polygons
        ]
        mask = FORMAT.read([write_contours(Path(name, "drawn.dcm"), contours), *paths], "target")
    assert mask.geometry.is_close(image.geometry)
    assert mask.shape == image.shape
    where = image.geometry.to_voxel(in_mm(np.moveaxis(np.indices(SHAPE), 0, -1), orientation, spacing))
    whole = np.rint(where).astype(int)
    np.testing.assert_array_equal(mask.array[0][tuple(np.moveaxis(whole, -1, 0))], expected)


def keyhole(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """One contour around both: along a slit to the inner one, around it the other way, and back (PS3.3 C.8.8.6.3)."""
    return np.concatenate([outer, outer[:1], inner[:1], inner[::-1], outer[:1]])


@pytest.mark.parametrize("orientation", EIGHT, ids=str)
@pytest.mark.parametrize("slit", [False, True])
def test_a_square_with_a_hole_and_an_island_in_eight_orientations(orientation: tuple[int, ...], slit: bool) -> None:
    square = np.array([[1.5, 1.5], [1.5, 9.4], [10.3, 9.4], [10.3, 1.5]])
    hole = np.array([[3.5, 2.5], [8.5, 2.5], [8.5, 7.5], [3.5, 7.5]])
    island = np.array([[5.2, 3.9], [5.2, 5.1], [6.8, 5.1], [6.8, 3.9]])
    expected = np.zeros(SHAPE, int)
    expected[1, 2:11, 2:10] = 1
    expected[1, 4:9, 3:8] = 0
    expected[1, 6, 4:6] = expected[2, 4:9, 3:8] = 1
    around = [keyhole(square, hole)] if slit else [square, hole]
    check(np.array(orientation, dtype=float), (2.5, 0.7, 1.1), {1: [*around, island], 2: [hole]}, expected)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    spacing=st.tuples(st.floats(0.5, 6), st.floats(0.3, 3), st.floats(0.3, 3)),
    centre=st.tuples(st.floats(4, 8), st.floats(3, 7)),
    axes=st.tuples(st.floats(2, 8), st.floats(2, 8)),
    hole=st.floats(0.2, 0.8),
    slit=st.booleans(),
)
def test_an_ellipse_with_a_hole_in_any_oblique_anisotropic_series(
    angles: tuple[float, float, float],
    spacing: Spacing,
    centre: tuple[float, float],
    axes: tuple[float, float],
    hole: float,
    slit: bool,
) -> None:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    within = (axes[0] * hole, axes[1] * hole)
    far, near = inside(centre, axes), inside(centre, within)
    assume(np.abs(far - 1).min() > 1e-3 and np.abs(near - 1).min() > 1e-3)  # polygons of 500 corners
    outer, inner = ellipse(centre, axes), ellipse(centre, within)
    expected = np.zeros(SHAPE, int)
    expected[0], expected[2] = far < 1, (far < 1) & (near > 1)
    rounded = (round(spacing[0], 4), round(spacing[1], 4), round(spacing[2], 4))
    ring = [keyhole(outer, inner)] if slit else [outer, inner]
    check(np.concatenate([turn[:, 0], turn[:, 1]]), rounded, {0: [outer], 2: ring}, expected)
