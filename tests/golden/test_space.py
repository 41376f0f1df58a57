"""The same voxel at the same millimetre as SimpleITK says, for every file that both read."""

import doctest
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from diascope.core import registry
from diascope.core.geometry import Geometry
from diascope.core.image import Image

FILES = [("nifti", ".nii"), ("nifti", ".nii.gz"), ("itk", ".nrrd"), ("itk", ".mha")]
EIGHT = list(product((1, -1), repeat=3))
SHAPE = (4, 5, 6)


def directions(signs: tuple[int, int, int]) -> np.ndarray:
    """(3, 3) columns along (x, y, z) indices: reversed as told, then oblique."""
    a, b = np.deg2rad(20), np.deg2rad(-35)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x * np.array(signs)


def assert_same_space(image: Image, file: SimpleITK.Image, tolerance: float) -> None:
    """Every voxel: value by value and millimetre by millimetre."""
    for z, y, x in np.ndindex(*SHAPE):
        assert image.array[0, z, y, x] == file.GetPixel(x, y, z)
        np.testing.assert_allclose(
            image.geometry.to_mm((z, y, x)), file.TransformIndexToPhysicalPoint((x, y, z)), atol=tolerance
        )


@pytest.mark.parametrize(("name", "suffix"), FILES)
@pytest.mark.parametrize("signs", EIGHT)
def test_we_read_what_simpleitk_wrote(name: str, suffix: str, signs: tuple[int, int, int], tmp_path: Path) -> None:
    file = SimpleITK.GetImageFromArray(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE))
    file.SetSpacing((0.7, 1.1, 4.0))
    file.SetOrigin((-11.5, 203.25, -840.0))
    file.SetDirection(directions(signs).ravel().tolist())
    path = tmp_path / f"x{suffix}"
    SimpleITK.WriteImage(file, str(path))
    # NIfTI keeps its affine in single precision: about 1e-4 mm at a position of 840 mm.
    assert_same_space(registry.get("formats", name).read([path]), SimpleITK.ReadImage(str(path)), 2e-4)
    assert_same_space(registry.get("formats", name).read([path]), file, 2e-4)


@pytest.mark.parametrize(("name", "suffix"), FILES)
@pytest.mark.parametrize("signs", EIGHT)
def test_simpleitk_reads_what_we_wrote(name: str, suffix: str, signs: tuple[int, int, int], tmp_path: Path) -> None:
    array = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(1, *SHAPE)
    geometry = Geometry.from_spacing((4.0, 1.1, 0.7), (-11.5, 203.25, -840.0), directions(signs)[:, ::-1])
    image = Image(array, geometry, unit="HU")
    path = tmp_path / f"x{suffix}"
    registry.get("formats", name).write(image, path)
    assert_same_space(image, SimpleITK.ReadImage(str(path)), 2e-4)


def test_the_examples_of_the_page_on_space_run() -> None:
    page = Path(__file__).parents[2] / "docs" / "concepts" / "space.md"
    ran = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert ran.attempted > 5
    assert ran.failed == 0


def test_written_out_by_hand() -> None:
    """A right-handed axial NIfTI voxel: RAS (+2, +3, +4) mm is LPS (-2, -3, +4) mm."""
    nibabel = pytest.importorskip("nibabel")
    ras = np.array([[1.0, 0, 0, 2], [0, 1, 0, 3], [0, 0, 1, 4], [0, 0, 0, 1]])
    file = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.int16), ras)
    from diascope.formats.nifti import _geometry

    geometry, _ = _geometry(file, physical=True)
    np.testing.assert_allclose(geometry.to_mm((0, 0, 0)), (-2, -3, 4))
    np.testing.assert_allclose(geometry.to_mm((1, 0, 0)), (-2, -3, 5))
    np.testing.assert_allclose(geometry.to_mm((0, 0, 1)), (-3, -3, 4))
