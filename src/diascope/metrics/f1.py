"""F1: the harmonic mean of sensitivity and positive predictive value."""

from __future__ import annotations

from diascope.metrics import Metric
from diascope.metrics.confusion import quadrants, share
from diascope.metrics.definition import Array, Definition


def f1(truth: Array, said: Array) -> float:
    """2 TP / (2 TP + FP + FN) with class 1 as positive; nan without a positive case and a positive call."""
    hit, alarm, missed, _ = quadrants(truth, said)
    return share(2 * hit, 2 * hit + alarm + missed)


METRIC: Metric = Definition(
    f1,
    kind="call",
    title={"en": "F1", "zh-CN": "F1 值"},
)
