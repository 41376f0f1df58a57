"""Mean distance of ordered classes, in grades."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition


def grade_error(truth: Array, said: Array) -> float:
    """Mean of |said - truth| of class numbers; nan without cases."""
    return float(np.abs(np.asarray(said, float) - np.asarray(truth, float)).mean()) if truth.size else nan


METRIC: Metric = Definition(
    grade_error,
    kind="call",
    title={"en": "Mean error in grades", "zh-CN": "平均等级误差"},
    better="lower",
    perfect=0.0,
    unit="{grades}",
)
