"""Average precision: the area under the precision-recall curve as a sum of steps, without interpolation."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition


def average_precision(truth: Array, said: Array) -> float:
    """Sum of precision times the step in recall, from the highest threshold down; nan without a positive case."""
    positives = np.count_nonzero(truth)
    if not positives or np.isnan(said).any():
        return nan
    order = np.argsort(-said)
    ordered = said[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), truth.size - 1)  # equal probabilities: one threshold
    hits = np.cumsum(truth[order].astype(bool))[last]
    return float((np.diff(hits, prepend=0) * hits / (last + 1)).sum() / positives)


METRIC: Metric = Definition(
    average_precision,
    kind="probability",
    title={"en": "Average precision", "zh-CN": "平均精确率"},
)
