"""Mean absolute error of numbers."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition


def mae(truth: Array, said: Array) -> float:
    """Mean of |said - truth|; nan without cases."""
    return float(np.abs(said - truth).mean()) if truth.size else nan


METRIC: Metric = Definition(
    mae,
    kind="value",
    title={"en": "Mean absolute error", "zh-CN": "平均绝对误差"},
    better="lower",
    perfect=0.0,
)
