"""The law of the reader: the same voxel at the same millimetre, whatever the orientation, file order or names."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds as as_ds

from diascope.formats.dicom import FORMAT

SHAPE = (4, 3, 5)

EIGHT = (
    (1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, 1, 0), (1, 0, 0, 0, -1, 0), (-1, 0, 0, 0, -1, 0),
    (1, 0, 0, 0, 0, -1), (-1, 0, 0, 0, 0, 1), (0, 1, 0, 0, 0, -1), (0, -1, 0, 0, 0, 1),
)  # fmt: skip
"""Axial, coronal and sagittal, turned and mirrored."""


def write(folder: Path, volume: np.ndarray, orientation: np.ndarray, spacing: tuple[float, float, float]) -> None:
    """Slices along -normal or +normal as they come: file names and instance numbers say nothing."""
    normal = np.cross(orientation[:3], orientation[3:])
    names = np.random.default_rng(5).permutation(len(volume))
    for k, pixels in enumerate(volume):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, MRImageStorage
        meta.MediaStorageSOPInstanceUID = f"1.2.{k + 1}"
        one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        one.SOPClassUID, one.SOPInstanceUID, one.Modality = MRImageStorage, f"1.2.{k + 1}", "MR"
        one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = "1.3", "1.4", "1.5"
        one.ImagePositionPatient = [as_ds(float(v)) for v in np.array([7.0, -8.0, 9.0]) + k * spacing[0] * normal]
        one.ImageOrientationPatient = [as_ds(float(v)) for v in orientation]
        one.PixelSpacing, one.SliceThickness = list(spacing[1:]), spacing[0]
        one.InstanceNumber = int(names[k]) + 1
        one.Rows, one.Columns = pixels.shape
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.PixelData = pixels.astype("<i2").tobytes()
        one.save_as(folder / f"{names[k]}.dcm", enforce_file_format=True)


def places(orientation: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Millimetres of each voxel by the equation of PS3.3 C.7.6.2.1.1, independent of the reader. (Z, Y, X, 3)."""
    normal = np.cross(orientation[:3], orientation[3:])
    k, row, column = np.indices(SHAPE)[..., None]
    return (
        np.array([7.0, -8.0, 9.0])
        + k * spacing[0] * normal
        + column * spacing[2] * orientation[:3]
        + row * spacing[1] * orientation[3:]
    )


def check(orientation: np.ndarray, spacing: tuple[float, float, float], turned: bool) -> None:
    volume = np.arange(np.prod(SHAPE)).reshape(SHAPE) - 20
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), volume, orientation, spacing)
        paths = sorted(Path(folder).iterdir(), reverse=turned)
        image = FORMAT.read(paths)
    index = image.geometry.to_voxel(places(orientation, spacing))
    whole = np.rint(index).astype(int)
    assert np.abs(index - whole).max() < 1e-4
    np.testing.assert_array_equal(image.array[0][tuple(np.moveaxis(whole, -1, 0))], volume)


@pytest.mark.parametrize("orientation", EIGHT, ids=str)
def test_eight_orientations(orientation: tuple[int, ...]) -> None:
    check(np.array(orientation, dtype=float), (2.5, 0.7, 1.1), turned=orientation[0] < 0)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    spacing=st.tuples(st.floats(0.5, 6), st.floats(0.3, 3), st.floats(0.3, 3)),
    turned=st.booleans(),
)
def test_any_oblique_anisotropic_volume(
    angles: tuple[float, float, float], spacing: tuple[float, float, float], turned: bool
) -> None:
    a, b, c = angles
    turn = np.eye(3)
    for axis, angle in enumerate((a, b, c)):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    rounded = tuple(round(value, 4) for value in spacing)
    check(np.concatenate([turn[:, 0], turn[:, 1]]), rounded, turned)
