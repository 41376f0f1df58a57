"""Sensitivity (recall, true positive rate): the share of positive cases that are called positive."""

from __future__ import annotations

from diascope.metrics import Metric
from diascope.metrics.confusion import quadrants, share
from diascope.metrics.definition import Array, Definition


def sensitivity(truth: Array, said: Array) -> float:
    """TP / (TP + FN) with class 1 as positive; nan without a positive case."""
    hit, _, missed, _ = quadrants(truth, said)
    return share(hit, hit + missed)


METRIC: Metric = Definition(
    sensitivity,
    kind="call",
    title={"en": "Sensitivity", "zh-CN": "灵敏度"},
)
