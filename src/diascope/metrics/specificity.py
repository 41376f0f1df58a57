"""Specificity (true negative rate): the share of negative cases that are called negative."""

from __future__ import annotations

from diascope.metrics import Metric
from diascope.metrics.confusion import quadrants, share
from diascope.metrics.definition import Array, Definition


def specificity(truth: Array, said: Array) -> float:
    """TN / (TN + FP) with class 1 as positive; nan without a negative case."""
    _, alarm, _, clear = quadrants(truth, said)
    return share(clear, clear + alarm)


METRIC: Metric = Definition(
    specificity,
    kind="call",
    title={"en": "Specificity", "zh-CN": "特异度"},
)
