"""Reading DICOM series: order, geometry, values, and everything that must be refused (RELIABILITY B14)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from diascope.core.errors import BadUsage, UnreadableFile, UnsoundGeometry
from diascope.core.image import Image
from diascope.formats.dicom import FORMAT
from diascope.formats.dicomio.headers import is_dicom, scan, series

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def a_file(pixels: np.ndarray, sop_class: str = CTImageStorage, **elements: Any) -> FileDataset:
    """A minimal image object; `elements` replace or (None) remove elements."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    rows, columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    bits = pixels.dtype.itemsize * 8
    defaults = {
        "SOPClassUID": sop_class, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID, "Modality": "CT",
        "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "FrameOfReferenceUID": "1.2.3.5",
        "PatientID": "P1", "Rows": rows, "Columns": columns, "BitsAllocated": bits, "BitsStored": bits,
        "HighBit": bits - 1, "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "ImageOrientationPatient": list(AXIAL), "PixelSpacing": [0.7, 0.6], "SliceThickness": 2.0,
    }  # fmt: skip
    for name, value in {**defaults, **elements}.items():
        if value is not None:
            setattr(dataset, name, value)
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    return dataset


def a_series(
    folder: Path,
    depth: int = 4,
    edit: Callable[[int, FileDataset], FileDataset | None] = lambda k, dataset: dataset,
    **elements: Any,
) -> list[Path]:
    """An axial CT of `depth` slices, 2 mm apart, values 100 k + 10 y + x; `edit` changes (or drops) a slice."""
    folder.mkdir(exist_ok=True)
    paths = []
    for k in range(depth):
        pixels = (100 * k + 10 * np.arange(5)[:, None] + np.arange(6)).astype(np.uint16)
        dataset = edit(k, a_file(pixels, **{"ImagePositionPatient": [1.0, 2.0, 3.0 + 2 * k], **elements}))
        if dataset is not None:
            paths.append(saved(dataset, folder / f"slice{(k * 7) % 10}.dcm"))
    return paths


def saved(dataset: FileDataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def a_read(dataset: FileDataset, folder: Path, item: str | None = None) -> Image:
    return FORMAT.read([saved(dataset, folder / "one.dcm")], item)


def test_a_series_is_ordered_by_geometry_and_lands_in_lps(tmp_path: Path) -> None:
    paths = a_series(tmp_path, edit=lambda k, d: _set(d, InstanceNumber=(3, 1, 4, 2)[k]))
    image = FORMAT.read(paths[::-1])
    assert image.shape == (4, 5, 6)
    assert image.array[0, :, 1, 2].tolist() == [12, 112, 212, 312]
    assert image.geometry.to_mm((3, 1, 2)).tolist() == pytest.approx([1 + 2 * 0.6, 2 + 0.7, 9.0])
    assert (image.modality, image.unit, image.geometry.frame_of_reference) == ("ct", "HU", "1.2.3.5")
    assert image.attributes["series_uid"] == "1.2.3.4"
    assert len(image.attributes["sop_uids"]) == 4
    assert "P1" not in str(image.attributes)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda k, d: None if k == 2 else d, r"1 slice is missing.*slice7\.dcm.*slice1\.dcm"),
        (lambda k, d: _set(d, ImagePositionPatient=[1.0, 2.0, 3.0 + 2 * k + (0.7 if k == 2 else 0)]), "uneven"),
        (lambda k, d: _set(d, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]) if k == 2 else d, "another orientation"),
        (lambda k, d: _set(d, PatientID="P2") if k == 1 else d, r"slice7\.dcm.*another patient"),
        (lambda k, d: _set(d, FrameOfReferenceUID="9.9") if k == 1 else d, "another frame of reference"),
        (lambda k, d: _set(d, SeriesInstanceUID="9.9") if k == 1 else d, "another series"),
        (lambda k, d: _set(d, PixelSpacing=[0.7, 0.7]) if k == 1 else d, "another pixel spacing"),
        (lambda k, d: _set(d, ImagePositionPatient=[1.0, 2.0, 11.0]) if k == 5 else d, "two different slices"),
        (lambda k, d: _set(d, ImagePositionPatient=[9.0, 2.0, 5.0]) if k == 1 else d, "not on one line"),
        (lambda k, d: _set(d, ImageOrientationPatient=[1, 0, 0, 0, 2, 0]), "perpendicular"),
        (lambda k, d: _set(d, PhotometricInterpretation="MONOCHROME1") if k == 1 else d, "another pixel coding"),
    ],
)
def test_what_is_not_one_volume_is_refused(
    tmp_path: Path, edit: Callable[[int, FileDataset], FileDataset | None], reason: str
) -> None:
    paths = a_series(tmp_path, depth=6, edit=edit)
    with pytest.raises(UnsoundGeometry, match=reason):
        FORMAT.read(paths)


def test_an_exact_copy_of_a_slice_is_dropped_and_said(tmp_path: Path) -> None:
    paths = a_series(tmp_path)
    copy = tmp_path / "copy.dcm"
    copy.write_bytes(paths[1].read_bytes())
    image = FORMAT.read([*paths, copy])
    assert image.shape == (4, 5, 6)
    assert any("exact copy" in note for note in image.history)


def test_gantry_tilt_is_put_upright_at_the_same_millimetres(tmp_path: Path) -> None:
    def tilted(k: int, dataset: FileDataset) -> FileDataset:
        blob = np.zeros((40, 30), np.uint16)
        blob[20 - 2 * k, 10] = 1000  # one column of tissue, straight up in the patient
        dataset.Rows, dataset.Columns, dataset.PixelData = 40, 30, blob.tobytes()
        return _set(dataset, ImagePositionPatient=[0.0, 1.0 * k, 2.0 * k], PixelSpacing=[0.5, 0.5])

    image = FORMAT.read(a_series(tmp_path, depth=5, edit=tilted, RescaleIntercept=-1024, RescaleSlope=1))
    bright = np.argwhere(image.array[0] > -500)
    places = image.geometry.to_mm(bright)
    assert len(bright) == 5
    np.testing.assert_allclose(places, [[5.0, 10.0, 2.0 * k] for k in range(5)], atol=1e-6)
    assert "gantry tilt of 26.6°" in image.history[0]
    axes = image.geometry.directions
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)


def test_two_views_without_position_are_not_slices(tmp_path: Path) -> None:
    paths = a_series(tmp_path, depth=2, ImagePositionPatient=None, ImageOrientationPatient=None, Modality="CR")
    with pytest.raises(UnsoundGeometry, match="without a position"):
        FORMAT.read(paths)
    assert [part.part for part in series(scan(tmp_path).instances)] == ["image 1", "image 2"]


@pytest.mark.parametrize(
    ("stored", "elements", "expected", "dtype"),
    [
        ([0, 4095], {"RescaleSlope": 1, "RescaleIntercept": -1024, "BitsStored": 12}, [-1024, 3071], "int16"),
        ([0, 65535], {"RescaleSlope": 1, "RescaleIntercept": -1024}, [-1024, 64511], "int32"),
        ([1, 3], {"RescaleSlope": 0.5, "RescaleIntercept": 0.25}, [0.75, 1.75], "float32"),
        ([0, 7], {}, [0, 7], "int32"),
        ([0xF001, 0x0FFF], {"BitsStored": 12}, [1, 4095], "int16"),
    ],
)
def test_values_are_rescaled_into_the_smallest_exact_type(
    tmp_path: Path, stored: list[int], elements: dict[str, Any], expected: list[float], dtype: str
) -> None:
    dataset = a_file(np.array([stored], np.uint16), ImagePositionPatient=[0, 0, 0], **elements)
    if "BitsStored" in elements:
        dataset.HighBit = elements["BitsStored"] - 1
    image = a_read(dataset, tmp_path)
    assert image.array[0, 0, 0].tolist() == expected
    assert image.array.dtype == dtype


def test_signed_values_and_unused_bits(tmp_path: Path) -> None:
    stored = np.array([[-5, 2047, 0x0800]], np.int16)  # 0x0800 is -2048 in 12 bits
    image = a_read(a_file(stored, BitsStored=12, HighBit=11, ImagePositionPatient=[0, 0, 0]), tmp_path)
    assert image.array[0, 0, 0].tolist() == [-5, 2047, -2048]


def test_monochrome1_is_turned_for_films_and_not_for_hounsfield_units(tmp_path: Path) -> None:
    stored = np.array([[0, 255, 10]], np.uint8)
    film = a_read(a_file(stored, PhotometricInterpretation="MONOCHROME1", Modality="DX"), tmp_path)
    assert film.array[0, 0, 0].tolist() == [255, 0, 245]
    assert "MONOCHROME1" in film.history[-1]
    slab = a_read(
        a_file(stored, PhotometricInterpretation="MONOCHROME1", ImagePositionPatient=[0, 0, 0]), tmp_path
    )  # the number is a measurement; only its display is turned
    assert slab.array[0, 0, 0].tolist() == [0, 255, 10]


def test_detector_spacing_counts_with_a_note_and_no_spacing_is_not_physical(tmp_path: Path) -> None:
    pixels = np.zeros((3, 4), np.uint8)
    place = {"PixelSpacing": None, "ImageOrientationPatient": None, "Modality": "DX"}
    film = a_read(a_file(pixels, ImagerPixelSpacing=[0.2, 0.1], **place), tmp_path)
    assert film.geometry.spacing[1:] == pytest.approx((0.2, 0.1))
    assert "detector" in film.history[0]
    photo = a_read(a_file(pixels, SecondaryCaptureImageStorage, **place), tmp_path)
    assert not photo.geometry.physical


def test_colours_become_three_channels(tmp_path: Path) -> None:
    rgb = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    image = a_read(a_file(rgb, Modality="OT", PixelSpacing=None), tmp_path)
    np.testing.assert_array_equal(image.array[:, 0], rgb.transpose(2, 0, 1))
    full = a_file(np.full((2, 2, 3), [76, 85, 255], np.uint8), Modality="OT", PhotometricInterpretation="YBR_FULL")
    assert np.abs(a_read(full, tmp_path).array[:, 0, 0, 0] - np.array([254, 0, 0])).max() <= 1


def test_a_palette_becomes_colours(tmp_path: Path) -> None:
    dataset = a_file(np.array([[0, 1]], np.uint8), Modality="US", PhotometricInterpretation="PALETTE COLOR")
    for name, low, high in (("Red", 0, 255), ("Green", 10, 20), ("Blue", 30, 40)):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [2, 0, 16])
        table = np.array([low, high], "<u2") * 257
        setattr(dataset, f"{name}PaletteColorLookupTableData", table.tobytes())
    assert a_read(dataset, tmp_path).array[:, 0, 0].T.tolist() == [[0, 10, 30], [255, 20, 40]]


def test_frames_of_a_cine_are_read_one_by_one(tmp_path: Path) -> None:
    frames = np.stack([np.full((3, 4), k, np.uint8) for k in (7, 8)])
    cine = a_file(
        frames, UltrasoundMultiFrameImageStorage, Modality="US", NumberOfFrames=2, ImageOrientationPatient=None
    )
    with pytest.raises(UnsoundGeometry, match="frame:N"):
        a_read(cine, tmp_path)
    assert np.unique(a_read(cine, tmp_path, "frame:2").array).tolist() == [8]
    for wrong in ("frame:3", "frame:0", "slice 1"):
        with pytest.raises(BadUsage):
            a_read(cine, tmp_path, wrong)


def _enhanced(heights: list[float], slopes: list[float]) -> FileDataset:
    pixels = np.stack([np.full((3, 4), k + 1, np.uint16) for k in range(len(heights))])
    dataset = a_file(pixels, "1.2.840.10008.5.1.4.1.1.2.1", NumberOfFrames=len(heights), ImageOrientationPatient=None)
    shared = Dataset()
    shared.PlaneOrientationSequence = [_set(Dataset(), ImageOrientationPatient=list(AXIAL))]
    shared.PixelMeasuresSequence = [_set(Dataset(), PixelSpacing=[0.7, 0.6], SliceThickness=2)]
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for height, slope in zip(heights, slopes, strict=True):
        frame = Dataset()
        frame.PlanePositionSequence = [_set(Dataset(), ImagePositionPatient=[0, 0, height])]
        frame.PixelValueTransformationSequence = [_set(Dataset(), RescaleSlope=slope, RescaleIntercept=-1)]
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    return dataset


def test_enhanced_frames_are_ordered_and_rescaled_each(tmp_path: Path) -> None:
    image = a_read(_enhanced([4.0, 0.0, 2.0], [1, 2, 3]), tmp_path)
    assert image.array[0, :, 0, 0].tolist() == [2 * 2 - 1, 3 * 3 - 1, 1 - 1]
    assert image.geometry.spacing == pytest.approx((2.0, 0.7, 0.6))


def test_enhanced_frames_at_one_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsoundGeometry, match=r"two different slices at one place: one\.dcm frame 1"):
        a_read(_enhanced([0.0, 2.0, 0.0], [1, 1, 1]), tmp_path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless, DeflatedExplicitVRLittleEndian])
def test_lossless_syntaxes_give_the_same_values(tmp_path: Path, syntax: UID) -> None:
    dataset = a_file(np.arange(4096, dtype=np.uint16).reshape(64, 64), ImagePositionPatient=[0, 0, 0])
    if syntax.is_encapsulated:
        dataset.compress(syntax)
    dataset.file_meta.TransferSyntaxUID = syntax
    assert a_read(dataset, tmp_path).array.ravel().tolist() == list(range(4096))


def test_a_deflate_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diascope.formats.dicomio import parsing

    dataset = a_file(np.zeros((400, 400), np.uint16))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = saved(dataset, tmp_path / "bomb.dcm")
    monkeypatch.setattr(parsing, "LARGEST_INFLATED", 100_000)
    with pytest.raises(parsing.BrokenFileError, match="inflates to more"):
        parsing.Parsed(path)


@pytest.mark.parametrize("keep", [40, 200, 400, 1000, -2])
def test_a_truncated_file_is_unreadable_with_the_reason(tmp_path: Path, keep: int) -> None:
    path = saved(a_file(np.ones((40, 40), np.uint16), ImagePositionPatient=[0, 0, 0]), tmp_path / "cut.dcm")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnreadableFile) as caught:
        FORMAT.read([path])
    assert "cut.dcm" in str(caught.value)
    assert caught.value.reason


@pytest.mark.parametrize(("rows", "frames"), [(60000, None), (40, 100_000)])
def test_a_header_that_declares_more_than_the_file_holds_is_refused(
    tmp_path: Path, rows: int, frames: int | None
) -> None:
    dataset = a_file(np.ones((40, 40), np.uint16), Rows=rows, NumberOfFrames=frames, ImagePositionPatient=[0, 0, 0])
    with pytest.raises((UnreadableFile, UnsoundGeometry), match=r"truncated|without a position"):
        a_read(dataset, tmp_path)


def test_scan_finds_by_content_and_names_what_is_broken(tmp_path: Path) -> None:
    paths = a_series(tmp_path / "a")
    paths[0].rename(tmp_path / "a" / "no suffix")
    (tmp_path / "notes.txt").write_text("not DICOM, and nobody says so")
    (tmp_path / "broken.dcm").write_bytes(b"not DICOM although it says so")
    (tmp_path / "a" / "DICOMDIR").write_bytes(paths[1].read_bytes())
    found = scan(tmp_path)
    assert len(found.instances) == 4
    assert [path.name for path in found.unreadable] == ["broken.dcm"]
    assert {one.patient_id for one in found.instances} == {"P1"}
    (only,) = series(found.instances)
    assert (only.part, len(only.paths), only.first.slice_thickness) == ("", 4, 2.0)
    assert FORMAT.recognises(tmp_path / "a" / "no suffix")
    assert not is_dicom(tmp_path / "notes.txt")


def test_a_localiser_is_split_by_orientation_and_echoes_apart(tmp_path: Path) -> None:
    a_series(tmp_path / "loc", 3)
    sagittal = saved(
        a_file(np.ones((5, 6), np.uint16), ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
        tmp_path / "loc" / "sagittal.dcm",
    )
    parts = series(scan(tmp_path / "loc").instances)
    assert sorted(len(part.paths) for part in parts) == [1, 3]
    assert any(part.paths == (sagittal,) for part in parts)
    a_series(tmp_path / "echo", 4, lambda k, d: _echo(d, k))
    parts = series(scan(tmp_path / "echo").instances)
    assert [(part.part, len(part.paths)) for part in parts] == [("echo 1", 2), ("echo 2", 2)]


def _echo(dataset: FileDataset, k: int) -> FileDataset:
    return _set(dataset, EchoNumbers=k % 2 + 1, ImagePositionPatient=[0.0, 0.0, float(k // 2)], Modality="MR")


def _set(dataset: Any, **elements: Any) -> Any:
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset
