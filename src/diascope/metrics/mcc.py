"""Matthews correlation coefficient, for any number of classes (Gorodkin 2004)."""

from __future__ import annotations

import math

from diascope.metrics import Metric, nan
from diascope.metrics.confusion import table
from diascope.metrics.definition import Array, Definition


def mcc(truth: Array, said: Array) -> float:
    """Correlation of truth and call; nan where either has one class only (scikit-learn says 0)."""
    counts = table(truth, said).astype(float)
    total, right = counts.sum(), counts.trace()
    cases, calls = counts.sum(axis=1), counts.sum(axis=0)
    spread = (total**2 - calls @ calls) * (total**2 - cases @ cases)
    return (right * total - cases @ calls) / math.sqrt(spread) if spread > 0 else nan


METRIC: Metric = Definition(
    mcc,
    kind="call",
    title={"en": "Matthews correlation", "zh-CN": "马修斯相关系数"},
)
