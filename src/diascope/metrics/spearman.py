"""Rank correlation of numbers (Spearman 1904)."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Definition


def spearman(truth: Array, said: Array) -> float:
    """Correlation of the ranks, ties sharing theirs; nan where one of them has no spread."""
    if truth.size < 2:
        return nan
    one, other = (rankdata(values) - (len(values) + 1) / 2 for values in (truth, said))
    size = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / size if size else nan


METRIC: Metric = Definition(
    spearman,
    kind="value",
    title={"en": "Rank correlation (Spearman)", "zh-CN": "秩相关（Spearman）"},
)
