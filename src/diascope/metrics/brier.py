"""Brier score: the mean squared error of the probability (Brier 1950)."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition


def brier(truth: Array, said: Array) -> float:
    """Mean of (probability - truth)²; nan without cases."""
    return float(np.mean((said - truth.astype(np.float64)) ** 2)) if truth.size else nan


METRIC: Metric = Definition(
    brier,
    kind="probability",
    title={"en": "Brier score", "zh-CN": "Brier 分数"},
    better="lower",
    perfect=0.0,
)
