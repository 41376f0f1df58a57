"""Accuracy: the share of calls that are right."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition


def accuracy(truth: Array, said: Array) -> float:
    """Share of cases whose call is their class, any number of classes; nan without cases."""
    return float(np.mean(truth == said)) if truth.size else nan


METRIC: Metric = Definition(
    accuracy,
    kind="call",
    title={"en": "Accuracy", "zh-CN": "准确率"},
)
