"""Peak signal-to-noise ratio of an image, in decibel."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition


def psnr(truth: Array, said: Array) -> float:
    """10 log10(1 / mean of (said - truth)²) of images in units of the data range; infinite where they are equal."""
    if not truth.size:
        return nan
    wrong = float(np.square(said.astype(np.float64) - truth).mean())
    return float(-10 * np.log10(wrong)) if wrong else float("inf")


METRIC: Metric = Definition(
    psnr,
    kind="image",
    title={"en": "Peak signal-to-noise ratio", "zh-CN": "峰值信噪比"},
    perfect=float("inf"),
    unit="dB",
)
