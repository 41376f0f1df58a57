"""Structural similarity of an image, slice by slice (Wang 2004)."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition

SMALLEST = 11
"""Pixels of the Gaussian window (standard deviation 1.5): in a smaller slice it is undefined."""


def ssim(truth: Array, said: Array) -> float:
    """Mean over slices (along the first axis) of images in units of the data range, with Wang's constants."""
    if not truth.size or min(truth.shape[-2:]) < SMALLEST:
        return nan
    pairs = zip(truth.astype(np.float64), said.astype(np.float64), strict=True)
    return float(np.mean([_of_slice(one, other) for one, other in pairs]))


def _of_slice(truth: Array, said: Array) -> float:
    index: Any = structural_similarity
    return float(index(truth, said, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False))


METRIC: Metric = Definition(
    ssim,
    kind="image",
    title={"en": "Structural similarity", "zh-CN": "结构相似性"},
)
