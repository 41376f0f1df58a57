"""Positive predictive value (precision): the share of positive calls that are right, at these cases' prevalence."""

from __future__ import annotations

from diascope.metrics import Metric
from diascope.metrics.confusion import quadrants, share
from diascope.metrics.definition import Array, Definition


def ppv(truth: Array, said: Array) -> float:
    """TP / (TP + FP) with class 1 as positive; nan without a positive call."""
    hit, alarm, _, _ = quadrants(truth, said)
    return share(hit, hit + alarm)


METRIC: Metric = Definition(
    ppv,
    kind="call",
    title={"en": "Positive predictive value", "zh-CN": "阳性预测值"},
)
