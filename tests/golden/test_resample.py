"""Resampling agrees with `scipy.ndimage.zoom` (`grid_mode=True`), which is run here: it is a dependency anyway."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from diascope.transforms.resampling.volume import resize


def a_ct(shape: tuple[int, int, int]) -> np.ndarray:
    """HU between -1000 and 3000: a smooth body with 12 HU of noise, in air."""
    rng = np.random.default_rng(7)
    body = ndimage.gaussian_filter(rng.normal(size=shape), 5) > 0
    tissue = ndimage.gaussian_filter(rng.normal(size=shape), 3) * 8000
    return (np.where(body, tissue, -1000) + rng.normal(scale=12, size=shape)).clip(-1000, 3000).astype(np.float32)


@pytest.mark.parametrize("shape", [(20, 30, 40), (33, 61, 25), (7, 80, 80)])
@pytest.mark.parametrize("order", [1, 3])
def test_within_a_thousandth_of_a_hounsfield_unit(shape: tuple[int, int, int], order: int) -> None:
    volume = a_ct((24, 50, 60))
    zoom = np.array(shape) / volume.shape
    expected = ndimage.zoom(volume.astype(np.float64), zoom, order=order, mode="nearest", grid_mode=True)
    found = resize(torch.from_numpy(volume)[None], shape, order)[0].numpy()
    assert found.shape == shape
    assert np.abs(found - expected).max() < 1e-3


def test_nearest_takes_the_same_voxels() -> None:
    volume = a_ct((24, 50, 60))
    expected = ndimage.zoom(volume, np.array((17, 50, 91)) / volume.shape, order=0, mode="nearest", grid_mode=True)
    assert np.array_equal(resize(torch.from_numpy(volume)[None], (17, 50, 91), 0)[0].numpy(), expected)
