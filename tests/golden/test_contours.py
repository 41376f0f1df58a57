"""Filling contours agrees with scikit-image: its point-in-polygon test, and the outlines that it traces."""

from __future__ import annotations

import numpy as np
import pytest

from diascope.formats.dicomio.filling import fill

measure = pytest.importorskip("skimage.measure")


def filled(contours: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    box, inside = fill(contours, shape)
    mask[box] = inside
    return mask


@pytest.mark.parametrize("seed", range(20))
def test_any_polygon_even_one_that_crosses_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    polygon = rng.uniform(-4, 24, (rng.integers(3, 12), 2))
    np.testing.assert_array_equal(filled([polygon], (17, 19)), measure.grid_points_in_poly((17, 19), polygon))


@pytest.mark.parametrize("seed", range(10))
def test_traced_outlines_give_the_mask_back(seed: int) -> None:
    mask = np.zeros((23, 19), bool)
    mask[1:-1, 1:-1] = np.random.default_rng(seed).random((21, 17)) > 0.5
    # Half a voxel from every centre: the outlines of islands and of holes, in any order.
    outlines = measure.find_contours(mask.astype(float), 0.5)
    np.testing.assert_array_equal(filled(outlines, mask.shape), mask)
