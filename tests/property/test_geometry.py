"""Laws of space: whatever is done to an array, a voxel stays at its millimetre."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from diascope.core.geometry import Geometry

angles = st.floats(-3, 3)
sizes = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
lengths = st.floats(0.2, 8)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Oblique, anisotropic, of either handedness."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    spacing = (draw(lengths), draw(lengths), draw(lengths))
    x, y, z = rng.uniform(-500, 500, 3)
    return Geometry.from_spacing(spacing, (float(x), float(y), float(z)), turn)


def numbered(shape: tuple[int, int, int]) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape)


def places(array: np.ndarray, geometry: Geometry) -> dict[int, np.ndarray]:
    """Voxel value to millimetres, of an array in which every value is unique."""
    return {int(array[tuple(index)]): geometry.to_mm(index) for index in np.argwhere(array >= 0)}


def assert_same_places(one: dict[int, np.ndarray], other: dict[int, np.ndarray]) -> None:
    for value, place in other.items():
        np.testing.assert_allclose(place, one[value], atol=1e-6)


@given(geometries(), st.lists(st.floats(-50, 50), min_size=3, max_size=3))
def test_to_voxel_undoes_to_mm(geometry: Geometry, index: list[float]) -> None:
    np.testing.assert_allclose(geometry.to_voxel(geometry.to_mm(index)), index, atol=1e-6)


@given(geometries(), sizes, st.integers(0, 2))
def test_a_flip_moves_no_voxel_and_two_are_none(geometry: Geometry, shape: tuple[int, int, int], axis: int) -> None:
    array = numbered(shape)
    flipped = geometry.flipped(axis, shape[axis])
    assert_same_places(places(array, geometry), places(np.flip(array, axis), flipped))
    assert flipped.flipped(axis, shape[axis]).is_close(geometry)


@given(geometries(), sizes, st.permutations([0, 1, 2]))
def test_a_permutation_moves_no_voxel(geometry: Geometry, shape: tuple[int, int, int], order: list[int]) -> None:
    array = numbered(shape)
    z, y, x = order
    assert_same_places(places(array, geometry), places(array.transpose(order), geometry.permuted((z, y, x))))


@given(geometries(), sizes, st.data())
def test_a_crop_moves_no_voxel(geometry: Geometry, shape: tuple[int, int, int], data: st.DataObject) -> None:
    array = numbered(shape)
    start = [data.draw(st.integers(0, size - 1)) for size in shape]
    cropped = array[start[0] :, start[1] :, start[2] :]
    assert_same_places(places(array, geometry), places(cropped, geometry.moved(start)))


@given(geometries(), sizes, sizes)
def test_resizing_keeps_the_outer_faces(
    geometry: Geometry, old: tuple[int, int, int], new: tuple[int, int, int]
) -> None:
    resized = geometry.resized(old, new)
    for corner in np.ndindex(2, 2, 2):
        was = np.where(corner, np.array(old) - 0.5, -0.5)
        now = np.where(corner, np.array(new) - 0.5, -0.5)
        np.testing.assert_allclose(resized.to_mm(now), geometry.to_mm(was), atol=1e-6)


@given(geometries())
@settings(max_examples=30)
def test_parts_and_whole_agree(geometry: Geometry) -> None:
    again = Geometry.from_spacing(geometry.spacing, geometry.origin, geometry.directions)
    assert again.is_close(geometry, 1e-6)
    assert np.isclose(geometry.voxel_volume(), np.prod(geometry.spacing))
