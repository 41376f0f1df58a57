"""NRRD and MetaImage: what the headers say and leave out."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from diascope.core.errors import DataRefused, UnreadableFile
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.formats.itk import FORMAT


def test_components_are_channels(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 4 * 2, dtype=np.int16).reshape(2, 3, 4, 2)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array, isVector=True), str(tmp_path / "x.nrrd"))
    image = FORMAT.read([tmp_path / "x.nrrd"])
    np.testing.assert_array_equal(image.array, np.moveaxis(array, -1, 0))
    np.testing.assert_array_equal(FORMAT.read([tmp_path / "x.nrrd"], "channel:1").array, image.array[1:])


def test_a_fourth_axis_is_channels(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array, isVector=False), str(tmp_path / "x.mha"))
    np.testing.assert_array_equal(FORMAT.read([tmp_path / "x.mha"]).array, array)


def test_a_flat_file_has_one_slice(tmp_path: Path) -> None:
    file = SimpleITK.GetImageFromArray(np.ones((3, 4), np.uint8))
    file.SetSpacing((0.5, 0.25))
    SimpleITK.WriteImage(file, str(tmp_path / "x.mha"))
    image = FORMAT.read([tmp_path / "x.mha"])
    assert image.array.shape == (1, 1, 3, 4)
    assert image.geometry.steps == (1.0, 0.25, 0.5)


def test_without_a_voxel_size_there_are_no_millimetres(tmp_path: Path) -> None:
    path = tmp_path / "x.nrrd"
    header = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n"
    path.write_bytes(header.encode() + bytes(range(8)))
    image = FORMAT.read([path])
    assert not image.geometry.physical
    assert "no voxel size" in image.history[0]
    np.testing.assert_array_equal(image.array.ravel(), range(8))


def test_without_a_space_lps_is_assumed_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "x.nrrd"
    header = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nspacings: 1 2 3\nencoding: raw\n\n"
    path.write_bytes(header.encode() + bytes(range(8)))
    image = FORMAT.read([path])
    assert image.geometry.spacing == (3.0, 2.0, 1.0)
    assert "LPS was assumed" in image.history[0]


def test_a_header_whose_data_file_is_absent_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.mhd"
    path.write_text(
        "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementSpacing = 1 1 1\n"
        "ElementType = MET_UCHAR\nElementDataFile = absent.raw\n"
    )
    with pytest.raises(UnreadableFile):
        FORMAT.read([path])


def test_headers_apart_from_their_data_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="one file"):
        FORMAT.write(Image(np.ones((1, 2, 3, 4), np.uint8), Geometry.unknown()), tmp_path / "x.mhd")


def test_nothing_is_left_behind_by_a_write(tmp_path: Path) -> None:
    FORMAT.write(Image(np.ones((1, 2, 3, 4), bool), Geometry.unknown()), tmp_path / "x.mha")
    assert [path.name for path in tmp_path.iterdir()] == ["x.mha"]
    assert FORMAT.read([tmp_path / "x.mha"]).array.dtype == np.uint8
