"""PSNR and SSIM against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from diascope.metrics.psnr import psnr
from diascope.metrics.ssim import METRIC, SMALLEST, ssim


def images(shape: tuple[int, int, int] = (2, 24, 30)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = gaussian_filter(rng.random(shape), (0, 2, 2))
    return truth, truth + rng.normal(0, 0.05, shape)


def test_psnr_counts_decibel_below_the_range() -> None:
    truth = np.zeros((1, 4, 4))
    assert psnr(truth, truth + 0.1) == pytest.approx(20)
    assert psnr(truth, truth) == math.inf


def test_ssim_is_that_of_wang() -> None:
    """Equation 13 of Wang 2004: Gaussian window of 11 pixels, K1 = 0.01, K2 = 0.03, data range 1, pixels inside."""
    truth, said = images()

    def mean(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, (0, 1.5, 1.5), truncate=3.5, mode="reflect")

    one, other = mean(truth), mean(said)
    variances = mean(truth**2) - one**2, mean(said**2) - other**2
    both = mean(truth * said) - one * other
    top = (2 * one * other + 0.01**2) * (2 * both + 0.03**2)
    index = top / ((one**2 + other**2 + 0.01**2) * (sum(variances) + 0.03**2))
    inside = SMALLEST // 2
    assert ssim(truth, said) == pytest.approx(index[:, inside:-inside, inside:-inside].mean(), abs=1e-9)


def test_ssim_of_a_slice_smaller_than_its_window_is_undefined() -> None:
    truth, said = images((2, 10, 30))
    assert math.isnan(METRIC(truth, said))
