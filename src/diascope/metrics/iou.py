"""Intersection over union of two masks (Jaccard 1912)."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric
from diascope.metrics.confusion import share
from diascope.metrics.definition import Array, Definition


def iou(truth: Array, said: Array) -> float:
    """|A ∩ B| / |A ∪ B|; 0 where one mask is empty, nan where both are."""
    truth, said = truth.astype(bool), said.astype(bool)
    return share(int(np.count_nonzero(truth & said)), int(np.count_nonzero(truth | said)))


METRIC: Metric = Definition(
    iou,
    kind="mask",
    title={"en": "IoU", "zh-CN": "交并比"},
)
