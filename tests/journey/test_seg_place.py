"""A mask written as DICOM SEG lies exactly on its source series, as this and other programs read it (K2)."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds as as_ds

from diascope.core.case import Label
from diascope.core.image import Image
from diascope.formats.dicom import FORMAT as DICOM
from diascope.formats.dicom_seg import FORMAT as SEG

OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
ORIENTATIONS = (
    (1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, 1, 0), (1, 0, 0, 0, -1, 0), (-1, 0, 0, 0, -1, 0),
    (1, 0, 0, 0, 0, -1), (-1, 0, 0, 0, 0, 1), (0, 1, 0, 0, 0, -1), (0, -1, 0, 0, 0, 1), OBLIQUE,
)  # fmt: skip
SPACING = (2.5, 0.7, 1.1)
LABELS = (Label(name="Liver", value=1, code="SCT:10200004"), Label(name="odd thing", value=2))
ALGORITHM = {"name": "phantom-unet", "version": "3.1", "release_hash": "abc123"}


def a_source(folder: Path, orientation: tuple[float, ...]) -> list[Path]:
    """Six CT slices of 10 x 12, files in no order."""
    axes = np.array(orientation, dtype=float)
    normal = np.cross(axes[:3], axes[3:])
    paths = []
    for k in (3, 0, 5, 1, 4, 2):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
        meta.MediaStorageSOPInstanceUID = f"1.2.9.{k + 1}"
        one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        one.SOPClassUID, one.SOPInstanceUID, one.Modality = CTImageStorage, f"1.2.9.{k + 1}", "CT"
        one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = "1.3", "1.4", "1.5"
        one.PatientID, one.PatientName, one.PatientBirthDate, one.PatientSex = "P7", "Doe^Jo", "19700102", "F"
        one.StudyDate, one.StudyTime, one.StudyID, one.AccessionNumber = "20200101", "101010", "1", "A1"
        one.SeriesNumber, one.InstanceNumber, one.ReferringPhysicianName = 2, k + 1, ""
        one.ImagePositionPatient = [as_ds(float(v)) for v in np.array([7.0, -8.0, 9.0]) + k * SPACING[0] * normal]
        one.ImageOrientationPatient = [as_ds(float(v)) for v in axes]
        one.PixelSpacing, one.SliceThickness = list(SPACING[1:]), SPACING[0]
        one.Rows, one.Columns, one.SamplesPerPixel, one.PhotometricInterpretation = 10, 12, 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
        one.PixelData = np.full((10, 12), k, "<i2").tobytes()
        paths.append(folder / f"s{len(paths)}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def a_mask(image: Image) -> Image:
    """Two structures without any symmetry."""
    array = np.zeros((1, *image.shape), np.uint8)
    array[0, 1:4, 2:5, 3:11] = 1
    array[0, 4, 7, 1:3] = 2
    array[0, 1, 2, 3] = 0
    return Image(array, image.geometry, image.modality, "label", {"labels": LABELS, "algorithm": ALGORITHM})


def written(tmp_path: Path, orientation: tuple[float, ...]) -> tuple[Image, Path, list[Path]]:
    """The mask, its SEG, and the source's files."""
    sources = a_source(tmp_path, orientation)
    mask = a_mask(DICOM.read(sources))
    path = tmp_path / "out.seg.dcm"
    SEG.write(mask, path, sources)
    return mask, path, sources


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_our_reader_gives_back_voxels_place_and_labels(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    mask, path, _ = written(tmp_path, orientation)
    back = SEG.read([path])
    np.testing.assert_array_equal(back.array, mask.array)
    assert back.geometry.is_close(mask.geometry)
    assert back.geometry.frame_of_reference == "1.5"
    assert back.attributes["labels"] == LABELS
    assert back.attributes["referenced_series_uid"] == "1.4"
    assert back.attributes["algorithm"] == {"name": "phantom-unet", "version": "3.1"}


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_highdicom_reads_each_slice_of_the_source_back(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    mask, path, sources = written(tmp_path, orientation)
    seg = highdicom.seg.segread(path)
    for source in map(pydicom.dcmread, sources):
        plane = seg.get_pixels_by_source_instance([source.SOPInstanceUID], combine_segments=True)[0]
        origin = mask.geometry.to_voxel([float(v) for v in source.ImagePositionPatient])
        np.testing.assert_allclose(origin[1:], 0, atol=1e-6)
        np.testing.assert_array_equal(plane, mask.array[0, round(origin[0])])
    volume = seg.get_volume(combine_segments=True)
    # highdicom gives the same voxels in an order of its own: compare them at their millimetres.
    index = np.argwhere(volume.array > 0)
    points = volume.map_indices_to_reference(index)
    here = np.rint(mask.geometry.to_voxel(points)).astype(int)
    np.testing.assert_allclose(mask.geometry.to_mm(here), points, atol=1e-3)
    np.testing.assert_array_equal(mask.array[0][tuple(here.T)], volume.array[tuple(index.T)])
    assert len(index) == np.count_nonzero(mask.array)


def test_identity_and_references_are_the_sources(tmp_path: Path) -> None:
    _, path, sources = written(tmp_path, OBLIQUE)
    seg = pydicom.dcmread(path)
    assert (seg.PatientID, str(seg.PatientName), seg.PatientBirthDate) == ("P7", "Doe^Jo", "19700102")
    assert (seg.StudyInstanceUID, seg.FrameOfReferenceUID, seg.Modality) == ("1.3", "1.5", "SEG")
    assert seg.SeriesInstanceUID != "1.4"
    (series,) = seg.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == "1.4"
    referenced = {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence}
    assert referenced == {pydicom.dcmread(one).SOPInstanceUID for one in sources}
    algorithm = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("phantom-unet", "3.1")
    assert "abc123" in str(algorithm.AlgorithmParameters)


@pytest.mark.external
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs Debian's dicom3tools (dciodvfy)")
@pytest.mark.parametrize("empty", [False, True])
def test_dciodvfy_finds_no_error(tmp_path: Path, empty: bool) -> None:
    mask, path, sources = written(tmp_path, OBLIQUE)
    if empty:
        SEG.write(mask.with_array(np.zeros_like(mask.array)), path, sources)
    result = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    assert [line for line in result.stderr.splitlines() if line.startswith("Error")] == []
    assert "Segmentation" in result.stderr + result.stdout


@pytest.mark.external
@pytest.mark.skipif(shutil.which("dcm2json") is None, reason="needs Debian's dcmtk (dcm2json)")
@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_dcmtk_reads_each_frame_at_its_place(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    mask, path, _ = written(tmp_path, orientation)
    dump = subprocess.run(["dcm2json", str(path)], capture_output=True, text=True, check=True)
    seg = json.loads(dump.stdout)
    raw = np.unpackbits(np.frombuffer(_bytes(seg["7FE00010"]), np.uint8), bitorder="little")
    frames = seg["52009230"]["Value"]
    planes = raw[: len(frames) * 120].reshape(len(frames), 10, 12)
    again = np.zeros_like(mask.array[0])
    for frame, plane in zip(frames, planes, strict=True):
        position = frame["00209113"]["Value"][0]["00200032"]["Value"]
        segment = frame["0062000A"]["Value"][0]["0062000B"]["Value"][0]
        z, y, x = np.rint(mask.geometry.to_voxel(position)).astype(int)
        assert (y, x) == (0, 0)
        again[z][plane == 1] = segment
    np.testing.assert_array_equal(again, mask.array[0])


def _bytes(element: dict[str, Any]) -> bytes:
    return base64.b64decode(element["InlineBinary"])
