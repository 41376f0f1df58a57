"""Coefficient of determination: the share of the variance that is explained."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition


def r2(truth: Array, said: Array) -> float:
    """1 - squared errors / squared deviations from the mean; below 0 where the mean is better, nan without spread."""
    truth = np.asarray(truth, float)
    total = float(np.square(truth - truth.mean()).sum()) if truth.size else 0.0
    return 1 - float(np.square(said - truth).sum()) / total if total > 0 else nan


METRIC: Metric = Definition(
    r2,
    kind="value",
    title={"en": "R²", "zh-CN": "R²"},
)
