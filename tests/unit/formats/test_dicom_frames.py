"""Frames of a series one by one: the same values on the same grid as the whole volume that a release reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from diascope.core.errors import DataRefused, UnreadableFile
from diascope.formats.dicom import FORMAT
from diascope.formats.dicomio.decoder import decoder
from diascope.formats.dicomio.frames import Frames, frames_of, pixels, straight
from diascope.formats.dicomio.headers import headers
from diascope.testing.objects import a_dataset, as_bytes
from diascope.testing.results import EIGHT, a_series

OBLIQUE = (0.8660254, 0.5, 0.0, -0.35355339, 0.61237244, 0.70710678)
US = "1.2.840.10008.5.1.4.1.1.3.1"


def saved(folder: Path, *contents: bytes) -> list[Path]:
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"{number:06d}.dcm")
        paths[-1].write_bytes(content)
    return paths


def a_stack(folder: Path, edit: Callable[[int], dict[str, Any]] = lambda k: {}, depth: int = 5) -> list[Path]:
    """Slices of 6 × 7 without symmetry, 2 mm apart, in no order."""
    noise = np.random.default_rng(1).integers(0, 4000, (depth, 6, 7)).astype(np.uint16)
    plain = {"FrameOfReferenceUID": "1.2.5", "PixelSpacing": [0.7, 0.6]}
    made = [
        as_bytes(a_dataset(1, 1, k + 1, noise[k], **{**plain, "ImagePositionPatient": [3, -4, 2 * k], **edit(k)}))
        for k in (3, 0, 4, 1, 2)
    ]
    return saved(folder, *made)


def whole(paths: list[Path]) -> tuple[Frames, ...]:
    return frames_of(headers(paths), decoder())


@pytest.mark.parametrize("orientation", [*EIGHT, OBLIQUE])
def test_frames_and_grid_are_those_of_the_volume(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    paths = a_series(tmp_path, orientation)
    (frames,), image = whole(paths), FORMAT.read(paths)
    assert frames.shape == image.shape
    assert frames.geometry is not None
    assert np.array_equal(frames.geometry.affine, image.geometry.affine)
    assert frames.geometry.physical
    assert np.array_equal(pixels(frames, range(6), decoder()), image.array[0])
    for k in (5, 0, 3):
        assert np.array_equal(pixels(frames, range(k, k + 1), decoder())[0], image.array[0, k])
    assert [one.instance.sop_uid for one in frames.slices] == list(image.attributes["sop_uids"])
    assert frames.spacing == pytest.approx((0.7, 1.1))
    assert not frames.why


@pytest.mark.parametrize(
    ("elements", "name"),
    [
        ({"RescaleSlope": 1, "RescaleIntercept": -1024, "BitsStored": 12, "HighBit": 11}, "int16"),
        ({"RescaleSlope": "0.5", "RescaleIntercept": 3}, "float32"),
        ({"Modality": "MR"}, "uint16"),
        ({"Modality": "MR", "RescaleSlope": 3}, "int32"),
        ({"Modality": "DX", "PhotometricInterpretation": "MONOCHROME1"}, "uint16"),
        ({"PhotometricInterpretation": "MONOCHROME1", "RescaleIntercept": -10, "RescaleSlope": 1}, "int32"),
    ],
)
def test_values_are_exact_in_the_smallest_type(tmp_path: Path, elements: dict[str, Any], name: str) -> None:
    paths = a_stack(tmp_path, lambda k: elements)
    (frames,), image = whole(paths), FORMAT.read(paths)
    values = pixels(frames, range(1, 4), decoder())
    assert (frames.dtype.name, values.dtype.name) == (name, name)
    assert np.array_equal(values, image.array[0, 1:4])
    assert frames.remarks == image.history


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_compressed_frames(tmp_path: Path, syntax: str) -> None:
    noise = np.random.default_rng(2).integers(0, 4000, (20, 40, 36)).astype(np.uint16)
    contents = [as_bytes(a_dataset(1, 1, k + 1, noise[k], FrameOfReferenceUID="1.2"), syntax) for k in range(20)]
    (frames,) = whole(saved(tmp_path, *contents))
    assert np.array_equal(pixels(frames, range(2, 20), decoder()), noise[2:])


def test_a_tilted_volume_is_the_upright_one(tmp_path: Path) -> None:
    tilt = {"RescaleIntercept": -1024, "RescaleSlope": 1}
    paths = a_stack(tmp_path, lambda k: {"ImagePositionPatient": [3, -4 + k, 2 * k], **tilt})
    (frames,), image = whole(paths), FORMAT.read(paths)
    assert frames.shape == image.shape
    assert image.shape[1] > 6, "it grows"
    assert frames.geometry is not None
    assert np.array_equal(frames.geometry.affine, image.geometry.affine)
    assert np.array_equal(straight(frames, decoder()), image.array[0])
    assert frames.remarks == image.history
    assert "gantry tilt" in frames.remarks[0]


def test_an_exact_copy_is_dropped_and_a_different_one_makes_a_list(tmp_path: Path) -> None:
    paths = a_stack(tmp_path)
    values = FORMAT.read(paths).array[0, 1].astype(np.uint16)
    same = {"FrameOfReferenceUID": "1.2.5", "PixelSpacing": [0.7, 0.6], "ImagePositionPatient": [3, -4, 2]}
    copy = tmp_path / "copy.dcm"
    copy.write_bytes(as_bytes(a_dataset(1, 1, 9, values, **same)))
    (frames,) = whole([*paths, copy])
    assert frames.shape == (5, 6, 7)
    assert frames.remarks == ("instance 9 is an exact copy of instance 2: dropped",)
    copy.write_bytes(as_bytes(a_dataset(1, 1, 9, values + 1, **same)))
    (frames,) = whole([*paths, copy])
    assert frames.geometry is None
    assert frames.why == "there are different slices at one place"
    assert [one.instance.instance_number for one in frames.slices] == [1, 2, 3, 4, 5, 9]


def test_enhanced_frames_are_one_volume(tmp_path: Path) -> None:
    frames_pixels = np.random.default_rng(5).integers(0, 1000, (3, 6, 7)).astype(np.uint16)
    path = tmp_path / "enhanced.dcm"
    path.write_bytes(as_bytes(enhanced(frames_pixels, (4, 0, 2))))
    (frames,), image = whole([path]), FORMAT.read([path])
    assert [one.frame for one in frames.slices] == [1, 2, 0]
    assert frames.geometry is not None
    assert np.array_equal(frames.geometry.affine, image.geometry.affine)
    for k in range(3):
        assert np.array_equal(pixels(frames, range(k, k + 1), decoder())[0], image.array[0, k])
    assert np.array_equal(image.array[0], 2.0 * frames_pixels[[1, 2, 0]])


def enhanced(values: np.ndarray, heights: tuple[float, ...]) -> Any:
    """A multi-frame CT whose frames say where they are (PS3.3 C.7.6.16)."""
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None}
    dataset = a_dataset(1, 1, 1, values, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", **nowhere)
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[item(PixelSpacing=[0.7, 0.6], SliceThickness=2)],
        PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=0, RescaleType="HU")],
    )
    dataset.SharedFunctionalGroupsSequence = [shared]
    places = [item(PlanePositionSequence=[item(ImagePositionPatient=[1, 2, height])]) for height in heights]
    dataset.PerFrameFunctionalGroupsSequence = places
    return dataset


def item(**elements: Any) -> Dataset:
    made = Dataset()
    for name, value in elements.items():
        setattr(made, name, value)
    return made


def test_a_cine_is_a_list_of_frames_without_a_place(tmp_path: Path) -> None:
    clip = np.random.default_rng(3).integers(0, 255, (7, 9, 8), np.uint8)
    content = as_bytes(a_dataset(1, 1, 1, clip, Modality="US", SOPClassUID=US))
    (frames,) = whole(saved(tmp_path, content))
    assert (frames.shape, frames.geometry, frames.spacing) == ((7, 9, 8), None, (0.7, 0.7))
    assert "frames without a position" in frames.why
    assert np.array_equal(pixels(frames, range(2, 5), decoder()), clip[2:5])


def test_colours_are_three_samples_a_pixel(tmp_path: Path) -> None:
    picture = np.random.default_rng(4).integers(0, 255, (9, 8, 3), np.uint8)
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None, "Modality": "XC"}
    (frames,) = whole(saved(tmp_path, as_bytes(a_dataset(1, 1, 1, picture, **nowhere))))
    assert (frames.samples, frames.frame_bytes, frames.spacing) == (3, 216, None)
    assert frames.geometry is not None
    assert not frames.geometry.physical
    assert np.array_equal(pixels(frames, range(1), decoder())[0], picture)


def test_a_film_keeps_its_spacing(tmp_path: Path) -> None:
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "Modality": "DX"}
    (frames,) = whole(saved(tmp_path, as_bytes(a_dataset(1, 1, 1, PixelSpacing=[0.2, 0.3], **nowhere))))
    assert frames.spacing == (0.2, 0.3)
    assert frames.geometry is not None
    assert frames.geometry.physical


def test_a_missing_slice_is_said_by_its_number_and_not_by_our_file_names(tmp_path: Path) -> None:
    paths = [path for path in a_stack(tmp_path) if headers([path])[0].instance_number != 3]
    (frames,) = whole(paths)
    assert frames.geometry is None
    assert "1 slice is missing" in frames.why
    assert "between instance 2 at" in frames.why
    assert ".dcm" not in frames.why
    assert [one.instance.instance_number for one in frames.slices] == [1, 2, 4, 5]


def test_echoes_are_volumes_of_their_own_and_films_of_other_sizes_lists(tmp_path: Path) -> None:
    one, two, films = tmp_path / "one", tmp_path / "two", tmp_path / "films"
    for folder in (one, two, films):
        folder.mkdir()
    echoes = [*a_stack(one, lambda k: {"EchoNumbers": 1, "Modality": "MR"})]
    other = {"EchoNumbers": 2, "Modality": "MR"}
    second = a_stack(two, lambda k: {**other, "SOPInstanceUID": f"1.9.{k}", "InstanceNumber": k + 6})
    for path in second:  # other values at the same places
        content = bytearray(path.read_bytes())
        content[-2] ^= 1
        path.write_bytes(bytes(content))
    parts = whole([*echoes, *second])
    assert [(part.name, part.shape[0]) for part in parts] == [("echo 1", 5), ("echo 2", 5)]
    assert all(part.geometry is not None for part in parts)
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "Modality": "DX"}
    sizes = [(9, 8), (9, 8), (12, 5)]
    made = [as_bytes(a_dataset(1, 1, k + 1, np.full(size, k, np.uint16), **nowhere)) for k, size in enumerate(sizes)]
    parts = whole(saved(films, *made))
    assert [part.shape for part in parts] == [(2, 9, 8), (1, 12, 5)]
    assert pixels(parts[1], range(1), decoder()).max() == 2


def test_what_is_no_picture_is_refused_and_a_broken_frame_named(tmp_path: Path) -> None:
    report = as_bytes(a_dataset(1, 1, 1, np.zeros((0, 0), np.uint8), Modality="SR"))
    with pytest.raises(DataRefused, match="no pictures"):
        whole(saved(tmp_path, report))
    paths = a_stack(tmp_path)
    (frames,) = whole(paths)
    content = frames.slices[2].instance.path.read_bytes()
    frames.slices[2].instance.path.write_bytes(content[:-20])
    assert pixels(frames, range(2), decoder()).shape == (2, 6, 7)
    with pytest.raises(UnreadableFile, match="truncated"):
        pixels(frames, range(2, 3), decoder())
