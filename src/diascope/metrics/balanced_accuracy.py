"""Balanced accuracy: the mean sensitivity of the classes (Brodersen 2010)."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.confusion import table
from diascope.metrics.definition import Array, Definition


def balanced_accuracy(truth: Array, said: Array) -> float:
    """Mean share of right calls over the classes in `truth`; nan with fewer than two classes there."""
    counts = table(truth, said)
    cases = counts.sum(axis=1)
    present = cases > 0
    if np.count_nonzero(present) < 2:
        return nan
    return float(np.mean(counts.diagonal()[present] / cases[present]))


METRIC: Metric = Definition(
    balanced_accuracy,
    kind="call",
    title={"en": "Balanced accuracy", "zh-CN": "平衡准确率"},
)
