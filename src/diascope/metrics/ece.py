"""Expected calibration error with bins of equal mass (Nguyen and O'Connor 2015; Nixon 2019)."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.bins import equal_mass
from diascope.metrics.definition import Array, Definition


def ece(truth: Array, said: Array) -> float:
    """Mean over the cases of |mean probability - share of positives| of their bin; nan without cases.

    Ten bins of equal counts where there are 100 cases, fewer below (at least 10 cases in each); equal probabilities are
    never split. It is biased upwards: a perfectly calibrated model has an expected error above 0 in any finite sample.
    """
    if not truth.size or np.isnan(said).any():
        return nan
    order = np.argsort(said)
    ordered = said[order].astype(np.float64)
    gaps = np.add.reduceat(ordered - truth[order].astype(np.float64), equal_mass(ordered))
    return float(np.abs(gaps).sum() / truth.size)


METRIC: Metric = Definition(
    ece,
    kind="probability",
    title={"en": "Expected calibration error", "zh-CN": "期望校准误差"},
    better="lower",
    perfect=0.0,
)
