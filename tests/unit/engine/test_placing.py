"""A mask on its image's grid: SEGs without empty slices, other orders of axes, other frames of reference."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.engine.placing import matched, placed
from diascope.testing.factories import oblique

SHAPE = (6, 5, 7)


def turned(frame: str | None = "1.2.3") -> Geometry:
    return Geometry(oblique().affine, frame_of_reference=frame)


def an_image(frame: str | None = "1.2.3") -> Image:
    return Image(np.zeros((1, *SHAPE), np.int16), turned(frame))


def labels() -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    array[2:4, 1:3, 2:6] = np.random.default_rng(0).integers(1, 4, (2, 2, 4))
    return array


def a_mask(array: np.ndarray, geometry: Geometry) -> Image:
    return Image(array[None], geometry, unit="label")


def test_a_mask_without_its_empty_slices_finds_its_place() -> None:
    cut = a_mask(labels()[2:4], turned().moved((2, 0, 0)))
    found, apart = placed(cut, an_image())
    assert apart == ""
    assert found.history == ()
    np.testing.assert_array_equal(found.array[0], labels())
    assert found.geometry.is_close(turned())


def test_one_slice_is_one_slice_whatever_its_header_says_of_thickness() -> None:
    thick = np.array(turned().moved((3, 0, 0)).affine)
    thick[:3, 0] *= 2.5
    found, apart = placed(a_mask(labels()[3:4], Geometry(thick, frame_of_reference="1.2.3")), an_image())
    assert apart == ""
    np.testing.assert_array_equal(found.array[0, 3], labels()[3])
    assert np.count_nonzero(found.array) == np.count_nonzero(labels()[3])


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_other_orders_and_directions_of_axes_are_the_same_mask(order: tuple[int, int, int]) -> None:
    for flips in product((False, True), repeat=3):
        array, geometry = labels().transpose(order), turned(None).permuted(order)
        for axis in np.flatnonzero(flips):
            geometry = geometry.flipped(int(axis), array.shape[axis])
            array = np.flip(array, axis)
        found, apart = placed(a_mask(array, geometry), an_image(None))
        assert apart == ""
        np.testing.assert_array_equal(found.array[0], labels())


def test_a_part_without_a_frame_of_reference_is_a_guess() -> None:
    _, apart = placed(a_mask(labels()[2:4], turned(None).moved((2, 0, 0))), an_image(None))
    assert apart == "the mask is 2 x 5 x 7 voxels, the image 6 x 5 x 7 (z, y, x)"
    _, apart = placed(a_mask(labels(), turned(None).moved((1, 0, 0))), an_image(None))
    assert "3.00 mm away" in apart


def test_marked_voxels_outside_of_the_image_are_counted() -> None:
    array = labels()
    array[5, 0, 0] = 1
    _, apart = placed(a_mask(array, turned().moved((1, 0, 0))), an_image())
    assert apart == "1 of its marked voxels lie outside of the image"
    found, apart = placed(a_mask(labels(), turned().moved((1, 0, 0))), an_image())
    assert apart == ""
    np.testing.assert_array_equal(found.array[0, 3:5], labels()[2:4])


@pytest.mark.parametrize("start", [(0, 0, 0), (2, 0, 0)])
def test_another_frame_of_reference_is_refused_also_where_the_grids_agree(start: tuple[int, int, int]) -> None:
    _, apart = placed(a_mask(labels(), turned("9.9").moved(start)), an_image())
    assert "different frames of reference, 9.9 and 1.2.3" in apart


def test_another_grid_in_the_same_frame_is_put_on_by_the_nearest_voxel_and_said() -> None:
    fine = np.repeat(np.repeat(labels(), 2, axis=1), 2, axis=2)
    geometry = turned().resized(SHAPE, (6, 10, 14))
    found, apart = placed(a_mask(fine, geometry), an_image())
    assert apart == ""
    assert found.history == ("mask put on the image's grid (nearest neighbour)",)
    np.testing.assert_array_equal(found.array[0], labels())
    _, apart = placed(a_mask(fine, Geometry(geometry.affine)), an_image(None))
    assert "6 x 10 x 14" in apart


def test_pictures_have_only_a_size() -> None:
    picture = Image(np.zeros((1, 1, 5, 7), np.uint8), Geometry.unknown())
    assert placed(a_mask(np.zeros((1, 5, 7), np.uint8), Geometry.unknown()), picture)[1] == ""
    assert "1 x 5 x 6" in placed(a_mask(np.zeros((1, 5, 6), np.uint8), Geometry.unknown()), picture)[1]


def test_a_target_image_is_turned_and_never_interpolated() -> None:
    values = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    turned_over = Image(values[None, ::-1].copy(), turned().flipped(0, SHAPE[0]), unit="HU")
    found, apart = matched(turned_over, an_image())
    assert apart == ""
    assert np.array_equal(found.array[0], values)
    assert found.unit == "HU"
    shifted = Image(values[None], turned().moved((0, 0, 0.5)), unit="HU")  # type: ignore[arg-type]
    _, apart = matched(shifted, an_image())
    assert "the target image's origin" in apart
    _, apart = matched(Image(values[None, 1:], turned()), an_image())
    assert "the target image is 5 x 5 x 7 voxels" in apart
    _, apart = matched(Image(values[None], turned("9.9")), an_image())
    assert "frames of reference" in apart
    _, apart = matched(Image(np.stack([values] * 3), turned()), an_image())
    assert "3 channels" in apart
