"""Negative predictive value: the share of negative calls that are right, at the prevalence of these cases."""

from __future__ import annotations

from diascope.metrics import Metric
from diascope.metrics.confusion import quadrants, share
from diascope.metrics.definition import Array, Definition


def npv(truth: Array, said: Array) -> float:
    """TN / (TN + FN) with class 1 as positive; nan without a negative call."""
    _, _, missed, clear = quadrants(truth, said)
    return share(clear, clear + missed)


METRIC: Metric = Definition(
    npv,
    kind="call",
    title={"en": "Negative predictive value", "zh-CN": "阴性预测值"},
)
