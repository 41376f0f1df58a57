"""read o write = id for every format that holds millimetres, in eight orientations, oblique and anisotropic."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diascope.core import registry
from diascope.core.geometry import Geometry
from diascope.core.image import Image

FILES = [("nifti", ".nii"), ("nifti", ".nii.gz"), ("itk", ".nrrd"), ("itk", ".mha")]
EIGHT = list(product((1, -1), repeat=3))
DTYPES = [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.float32, np.float64]
quick = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # The folder is reused: every example overwrites the file.


def turned(signs: tuple[int, int, int], seed: int) -> Geometry:
    """Axes reversed as told, then turned obliquely, with three different spacings."""
    rng = np.random.default_rng(seed)
    oblique, _ = np.linalg.qr(np.eye(3) + 0.3 * rng.normal(size=(3, 3)))
    directions = oblique @ np.eye(3)[::-1] * np.array(signs)
    return Geometry.from_spacing((4.5, 0.8, 1.3), (-31.5, 12.25, 700.0), directions)


@pytest.mark.parametrize(("name", "suffix"), FILES)
@pytest.mark.parametrize("signs", EIGHT)
@given(seed=st.integers(0, 10_000), dtype=st.sampled_from(DTYPES), channels=st.integers(1, 3))
@quick
def test_write_then_read_gives_the_same_image(
    name: str, suffix: str, signs: tuple[int, int, int], tmp_path: Path, seed: int, dtype: type, channels: int
) -> None:
    rng = np.random.default_rng(seed)
    array = rng.uniform(0, 120, (channels, 3, 4, 5)).astype(dtype)
    image = Image(array, turned(signs, seed), unit="HU")
    path = tmp_path / f"x{suffix}"
    registry.get("formats", name).write(image, path)
    back = registry.get("formats", name).read([path])
    assert back.array.dtype == array.dtype
    np.testing.assert_array_equal(back.array, array)
    assert back.geometry.is_close(image.geometry)
    assert (back.unit, back.history) == ("HU", ())
    one = registry.get("formats", name).read([path], f"channel:{channels - 1}")
    np.testing.assert_array_equal(one.array, array[-1:])


@given(seed=st.integers(0, 10_000), colour=st.booleans(), deep=st.booleans())
@quick
def test_a_picture_comes_back(tmp_path: Path, seed: int, colour: bool, deep: bool) -> None:
    rng = np.random.default_rng(seed)
    dtype = np.uint16 if deep and not colour else np.uint8
    array = rng.integers(0, np.iinfo(dtype).max, (3 if colour else 1, 1, 6, 5)).astype(dtype)
    path = tmp_path / "x.png"
    registry.get("formats", "picture").write(Image(array, Geometry.unknown(), unit="label"), path)
    back = registry.get("formats", "picture").read([path])
    np.testing.assert_array_equal(back.array, array)
    assert (back.array.dtype, back.unit, back.geometry.physical) == (dtype, "label", False)
