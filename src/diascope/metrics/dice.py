"""Dice coefficient: overlap of two masks (Dice 1945)."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric
from diascope.metrics.confusion import share
from diascope.metrics.definition import Array, Definition


def dice(truth: Array, said: Array) -> float:
    """2 |A ∩ B| / (|A| + |B|); 0 where one mask is empty, nan where both are."""
    truth, said = truth.astype(bool), said.astype(bool)
    sizes = int(np.count_nonzero(truth)) + int(np.count_nonzero(said))
    return share(2 * int(np.count_nonzero(truth & said)), sizes)


METRIC: Metric = Definition(
    dice,
    kind="mask",
    title={"en": "Dice", "zh-CN": "Dice 系数"},
)
