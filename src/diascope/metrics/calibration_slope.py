"""Calibration slope (Cox 1958; Van Calster 2019): below 1 the probabilities are too extreme, above 1 too timid."""

from __future__ import annotations

from diascope.metrics import Metric
from diascope.metrics.definition import Array, Definition
from diascope.metrics.recalibration import slope_and_intercept


def calibration_slope(truth: Array, said: Array) -> float:
    """Slope of the log odds of the truth on the log odds of the probability; nan without overlap of the classes."""
    return slope_and_intercept(truth, said)[0]


METRIC: Metric = Definition(
    calibration_slope,
    kind="probability",
    better="nearer",
    title={"en": "Calibration slope", "zh-CN": "校准斜率"},
)
