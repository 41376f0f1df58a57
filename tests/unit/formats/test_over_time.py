"""Series over time: as frames of an image, and as curves of regions."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from diascope.core import registry
from diascope.core.errors import UnreadableFile, UnsoundGeometry
from diascope.formats import read
from diascope.sources import SourceOptions

FRAMES, CURVES = registry.get("formats", "dicom_dynamic"), registry.get("formats", "region_curves")
TIMES = (0.0, 2.0, 4.0, 6.0)


def a_series(path, shape=(4, 5, 6), step=2.0, unit="sec"):
    """A 4-D file in which region 1 grows by one each frame, and region 2 falls."""
    values = np.zeros((*shape, len(TIMES)), np.float32)
    values[:2] = 10 + np.arange(len(TIMES))
    values[2:] = 20 - np.arange(len(TIMES))
    image = nibabel.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0]))
    image.header.set_xyzt_units("mm", unit)
    image.header["pixdim"][4] = step
    nibabel.save(image, path)
    return path


def a_mask(path, shape=(4, 5, 6), affine=(2.0, 2.0, 3.0, 1.0)):
    marked = np.ones(shape, np.uint8)
    marked[2:] = 3
    nibabel.save(nibabel.Nifti1Image(marked, np.diag(affine)), path)
    return path


def test_regions_of_a_4d_image_are_curves_with_their_rate(tmp_path):
    signal = CURVES.read([a_series(tmp_path / "s.nii.gz"), a_mask(tmp_path / "m.nii")])
    assert signal.values.T.tolist() == [[10, 11, 12, 13], [20, 19, 18, 17]]
    assert (signal.rate, signal.channels) == (0.5, ("region 1", "region 3"))


def test_milliseconds_names_and_no_time(tmp_path):
    (tmp_path / "labels.json").write_text(json.dumps({"tumour": 1, "artery": 3}))
    files = [
        a_series(tmp_path / "s.nii", step=500.0, unit="msec"),
        tmp_path / "labels.json",
        a_mask(tmp_path / "m.nii"),
    ]
    signal = CURVES.read(files)
    assert (signal.rate, signal.channels) == (2.0, ("tumour", "artery"))
    timeless = a_series(tmp_path / "t.nii", unit="unknown")
    assert CURVES.read([timeless, files[-1]]).rate == 0


@pytest.mark.parametrize(
    ("mask", "error", "why"),
    [
        ({"affine": (2.0, 2.0, 4.0, 1.0)}, UnsoundGeometry, "does not lie on the series"),
        ({"shape": (4, 5, 5)}, UnsoundGeometry, "does not lie on the series"),
    ],
)
def test_a_mask_that_lies_elsewhere_is_refused(mask, error, why, tmp_path):
    with pytest.raises((error, UnreadableFile), match=why):
        CURVES.read([a_series(tmp_path / "s.nii"), a_mask(tmp_path / "m.nii", **mask)])


def test_an_empty_mask_one_frame_and_one_file_are_refused(tmp_path):
    series, empty = a_series(tmp_path / "s.nii"), tmp_path / "e.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.diag([2.0, 2.0, 3.0, 1.0])), empty)
    with pytest.raises(UnreadableFile, match="marks no region"):
        CURVES.read([series, empty])
    with pytest.raises(UnreadableFile, match="one frame"):
        CURVES.read([empty, a_mask(tmp_path / "m.nii")])
    with pytest.raises(UnreadableFile, match="need an image series and a mask"):
        CURVES.read([series])


def a_dicom_series(folder, **per_frame):
    """A phantom series three times, told apart by an element; frame k is k * 50 brighter."""
    listing = registry.get("sources", "phantom").list(f"phantom:1:1:{folder / 'one'}", SourceOptions())
    ref = listing.cases[0].inputs["image"]
    plain = read(ref, listing.root)
    folder = folder / "series"
    folder.mkdir()
    for number, path in enumerate(ref.paths):
        for frame in range(3):
            dataset = pydicom.dcmread(Path(listing.root) / path)
            dataset.SOPInstanceUID = f"1.2.3.{number}.{frame}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.RescaleIntercept = float(dataset.RescaleIntercept) + 50 * frame
            for key, values in per_frame.items():
                setattr(dataset, key, values[frame])
            dataset.save_as(folder / f"{number}-{frame}.dcm")
    return sorted(folder.iterdir()), plain


@pytest.mark.parametrize(
    ("element", "values", "times"),
    [
        ("TemporalPositionIdentifier", [1, 2, 3], None),
        ("TriggerTime", [0, 500, 1000], (0.0, 0.5, 1.0)),
        ("TriggerTime", [1000, 0, 500], (0.0, 0.5, 1.0)),
    ],
)
def test_temporal_positions_are_frames_in_the_order_of_time(element, values, times, tmp_path):
    paths, plain = a_dicom_series(tmp_path, **{element: values})
    image = FRAMES.read(paths)
    assert image.array.shape == (3, *plain.shape)
    assert image.attributes["over_time"]
    assert image.attributes.get("frame_times") == times
    order = np.argsort(values)
    for place, frame in enumerate(order):
        assert np.array_equal(image.array[place], plain.array[0] + 50 * frame)
    assert image.geometry.is_close(plain.geometry)


def test_curves_of_a_dicom_series(tmp_path):
    paths, plain = a_dicom_series(tmp_path, TriggerTime=[0, 500, 1000])
    mask = plain.with_array((plain.array > 0).astype(np.uint8))
    registry.get("formats", "nifti").write(mask, tmp_path / "mask.nii.gz")
    signal = CURVES.read([*paths, tmp_path / "mask.nii.gz"])
    assert signal.rate == 2.0
    assert np.allclose(np.diff(signal.values[:, 0]), 50, atol=1e-3)


def test_one_volume_is_no_series_over_time(tmp_path):
    listing = registry.get("sources", "phantom").list(f"phantom:1:1:{tmp_path}", SourceOptions())
    ref = listing.cases[0].inputs["image"]
    with pytest.raises(UnreadableFile, match="not one series of several frames"):
        FRAMES.read([Path(listing.root) / path for path in ref.paths])
