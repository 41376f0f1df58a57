"""Root mean squared error of numbers."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition


def rmse(truth: Array, said: Array) -> float:
    """Square root of the mean of (said - truth)²; nan without cases."""
    return float(np.sqrt(np.square(np.asarray(said - truth, float)).mean())) if truth.size else nan


METRIC: Metric = Definition(
    rmse,
    kind="value",
    title={"en": "Root mean squared error", "zh-CN": "均方根误差"},
    better="lower",
    perfect=0.0,
)
