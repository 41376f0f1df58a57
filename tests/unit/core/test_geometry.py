"""Where voxels are, in numbers that can be checked by hand."""

import numpy as np
import pytest

from diascope.core.errors import NotPhysical, UnsoundGeometry
from diascope.core.geometry import Geometry


def an_axial() -> Geometry:
    """5 mm slices of 0.5 x 0.7 mm pixels; voxel 0 at (-10, -20, 30)."""
    return Geometry.from_spacing((5.0, 0.7, 0.5), (-10.0, -20.0, 30.0))


def test_an_axial_volume_grows_to_the_head_the_back_and_the_left() -> None:
    np.testing.assert_allclose(an_axial().to_mm([2, 10, 4]), [-10 + 4 * 0.5, -20 + 10 * 0.7, 30 + 2 * 5])
    np.testing.assert_allclose(an_axial().to_voxel([-8, -13, 40]), [2, 10, 4])


def test_spacing_origin_directions_and_volume_come_back() -> None:
    geometry = an_axial()
    assert geometry.spacing == pytest.approx((5.0, 0.7, 0.5))
    assert geometry.origin == (-10.0, -20.0, 30.0)
    np.testing.assert_allclose(geometry.directions, np.eye(3)[::-1])
    assert geometry.voxel_volume() == pytest.approx(5 * 0.7 * 0.5)


def test_a_photograph_has_no_millimetres() -> None:
    geometry = Geometry.unknown()
    assert geometry.steps == (1.0, 1.0, 1.0)
    with pytest.raises(NotPhysical):
        _ = geometry.spacing
    with pytest.raises(NotPhysical):
        geometry.to_mm([0, 0, 0])
    with pytest.raises(NotPhysical):
        geometry.to_voxel([0, 0, 0])
    with pytest.raises(NotPhysical):
        geometry.voxel_volume()


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.eye(3), np.full((4, 4), np.nan)])
def test_an_affine_that_places_nothing_is_refused(affine: np.ndarray) -> None:
    with pytest.raises(UnsoundGeometry):
        Geometry(affine)


def test_an_affine_cannot_be_changed_behind_its_back() -> None:
    affine = np.eye(4)
    geometry = Geometry(affine)
    affine[0, 3] = 99
    assert geometry.origin == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 3] = 99


def test_half_the_slices_are_twice_as_thick_and_start_between_the_first_two() -> None:
    half = an_axial().resized((10, 8, 6), (5, 8, 6))
    assert half.spacing == pytest.approx((10.0, 0.7, 0.5))
    assert half.origin == pytest.approx((-10.0, -20.0, 32.5))


def test_geometries_are_close_only_within_the_tolerance_and_the_same_kind() -> None:
    geometry = an_axial()
    assert geometry.is_close(geometry.moved((0.0001, 0, 0)))
    assert not geometry.is_close(geometry.moved((0.01, 0, 0)))
    assert not geometry.is_close(Geometry(geometry.affine, physical=False))
