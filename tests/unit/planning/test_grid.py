from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diascope.core.plan import InputFacts
from diascope.planning.grid import (
    LARGEST_SIDE,
    PATCH_VOXELS,
    WHOLE_VOXELS,
    fitted_patch,
    patch_grid,
    round_to,
    whole_grid,
)


def facts(shapes: Any, spacings: Any = (1.0, 1.0, 1.0), physical: bool = True) -> InputFacts:
    """Facts with five equal quantiles, or the five given."""
    five = shapes if isinstance(shapes[0], tuple) else (shapes,) * 5
    steps = spacings if isinstance(spacings[0], tuple) else (spacings,) * 5
    return InputFacts(
        kind="image", modality="ct", channels=1, dimensions=2 if five[2][0] == 1 else 3, physical=physical,
        shapes=five, spacings=steps, intensity={}, per_case={},
    )  # fmt: skip


def test_pictures_of_one_size_keep_it_and_others_are_brought_to_it_later() -> None:
    grid = whole_grid(facts((1, 28, 28), physical=False))
    assert grid.shape == (1, 28, 28)
    assert grid.prepare == [["resample", {"shape": [1, 28, 28], "order": 3, "anti_alias": True}]]
    assert grid.reason == "all images have this size"


def test_large_films_are_scaled_to_the_largest_side_and_keep_their_proportions() -> None:
    grid = whole_grid(facts((1, 1000, 2000), physical=False))
    assert grid.shape == (1, LARGEST_SIDE // 2, LARGEST_SIDE)
    assert grid.prepare == [["resample", {"shape": [1, 112, 224], "order": 3, "anti_alias": True}]]


def test_pictures_of_several_sizes_become_the_median_one() -> None:
    sizes = ((1, 20, 20), (1, 30, 40), (1, 50, 60), (1, 70, 80), (1, 90, 99))
    assert whole_grid(facts(sizes, physical=False)).shape == (1, 50, 60)


def test_whole_volumes_get_one_spacing_and_room_for_nearly_all() -> None:
    grid = whole_grid(facts((100, 512, 512), (5.0, 0.7, 0.7)))
    assert np.prod(grid.shape) < 1.3 * WHOLE_VOXELS
    extent = np.array([500.0, 358.4, 358.4])
    assert np.all(np.array(grid.shape) * grid.steps >= extent - 1e-6)
    assert [name for name, _ in grid.prepare] == ["resample", "crop_pad"]


def test_room_is_for_what_images_cover_and_not_for_the_largest_size_times_the_median_spacing() -> None:
    sizes = ((24, 64, 64), (24, 64, 64), (32, 80, 80), (40, 96, 96), (40, 96, 96))
    one = facts(sizes, (3.2, 3.2, 3.2)).model_copy(update={"extents": ((104.0, 250.0, 250.0),) * 5})
    assert whole_grid(one).steps == (3.2, 3.2, 3.2)
    assert whole_grid(one).shape == (36, 80, 80)


def test_volumes_without_millimetres_get_one_size() -> None:
    assert [name for name, _ in whole_grid(facts((40, 50, 60), physical=False)).prepare] == ["resample"]


def test_volumes_of_one_spacing_are_not_resampled() -> None:
    grid = patch_grid(facts((40, 50, 36), (1.0, 1.0, 1.0)))
    assert grid.prepare == []
    assert grid.steps == (1.0, 1.0, 1.0)


def test_several_spacings_become_the_median_one() -> None:
    steps = ((0.8, 0.5, 0.5), (0.9, 0.6, 0.6), (1.0, 0.7, 0.7), (1.1, 0.8, 0.8), (1.2, 0.9, 0.9))
    assert patch_grid(facts((40, 50, 36), steps)).prepare == [["resample", {"spacing": [1.0, 0.7, 0.7], "order": 3}]]


def test_a_very_coarse_axis_is_resampled_finer_than_its_median() -> None:
    steps = ((1.0, 0.5, 0.5), (2.0, 0.5, 0.5), (5.0, 0.5, 0.5), (5.0, 0.5, 0.5), (6.0, 0.5, 0.5))
    assert patch_grid(facts((40, 256, 256), steps)).steps == (3.5, 0.5, 0.5)


@given(size=st.tuples(*[st.integers(4, 600)] * 3), steps=st.tuples(*[st.floats(0.3, 6)] * 3), flat=st.booleans())
def test_a_patch_is_within_the_limit_and_no_larger_than_its_image_needs(
    size: tuple[int, int, int], steps: tuple[float, float, float], flat: bool
) -> None:
    image = (1, *size[1:]) if flat else size
    patch = fitted_patch(image, 2 if flat else 3, np.array(steps))
    assert all(side >= 1 for side in patch)
    assert patch[0] == 1 or not flat
    assert np.prod(patch) <= 2.4 * PATCH_VOXELS[2 if flat else 3]
    for side, have in zip(patch, image, strict=True):
        assert side == 1 or (side % 4 == 0 and side < have + 8)


@pytest.mark.parametrize(("value", "expected"), [(1, 8), (8, 8), (8.8, 8), (8.9, 16), (16, 16), (35, 40)])
def test_rounding_goes_up_unless_the_last_multiple_is_near(value: float, expected: int) -> None:
    assert round_to(value, 8) == expected
