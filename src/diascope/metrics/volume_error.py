"""Relative volume error: how far the volume is off, as a share of the true volume."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric
from diascope.metrics.confusion import share
from diascope.metrics.definition import Array, Definition


def volume_error(truth: Array, said: Array) -> float:
    """| |B| - |A| | / |A|, without sign so that errors of two cases do not cancel; nan where the true mask is empty."""
    volume, measured = int(np.count_nonzero(truth)), int(np.count_nonzero(said))
    return share(abs(measured - volume), volume)


METRIC: Metric = Definition(
    volume_error,
    kind="mask",
    title={"en": "Relative volume error", "zh-CN": "体积相对误差"},
    better="lower",
    perfect=0.0,
)
