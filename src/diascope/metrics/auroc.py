"""Area under the ROC curve: the chance that a positive case has a higher probability than a negative one."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition


def auroc(truth: Array, said: Array) -> float:
    """Mann-Whitney statistic, ties counted half (Hanley and McNeil 1982); nan with one class only."""
    positive = truth.astype(bool)
    above, below = np.sort(said[positive]), np.sort(said[~positive])
    if not above.size or not below.size or np.isnan(above[-1]) or np.isnan(below[-1]):
        return nan
    beaten = np.searchsorted(below, above, side="left").sum()
    reached = np.searchsorted(below, above, side="right").sum()
    return float((beaten + reached) / (2 * above.size * below.size))


METRIC: Metric = Definition(
    auroc,
    kind="probability",
    title={"en": "AUROC", "zh-CN": "ROC 曲线下面积"},
)
