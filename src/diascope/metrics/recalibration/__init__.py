"""Logistic recalibration: log odds of the truth = intercept + slope · log odds of the prediction (Cox 1958)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.metrics import nan

SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, so that a log odds exists."""
_STEPS = 50


def log_odds(probability: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Natural log of p / (1 - p), p kept in 1e-7 .. 1 - 1e-7."""
    kept = np.clip(np.asarray(probability, np.float64), SMALLEST, 1 - SMALLEST)
    odds: npt.NDArray[np.float64] = np.log(kept) - np.log1p(-kept)
    return odds


def slope_and_intercept(truth: npt.NDArray[Any], probability: npt.NDArray[Any]) -> tuple[float, float]:
    """Maximum likelihood slope and intercept, by Newton's method.

    Both are nan where no finite maximum exists: one class only, one probability only, or a threshold that separates the
    classes without overlap (Albert and Anderson 1984: with one predictor, that is the whole list).

    Args:
        truth: (N,) bool.
        probability: (N,) in 0..1.
    """
    truth = truth.astype(bool)
    x = log_odds(probability)
    present, absent = x[truth], x[~truth]
    if not present.size or not absent.size or not np.isfinite(x).all():
        return nan, nan
    if present.min() >= absent.max() or absent.min() >= present.max():
        return nan, nan
    centre, scale = x.mean(), x.std()
    slope, intercept = _newton(truth.astype(np.float64), (x - centre) / scale)
    return slope / scale, intercept - slope * centre / scale


def offset(truth: npt.NDArray[Any], probability: npt.NDArray[Any]) -> float:
    """Calibration in the large: the intercept with the slope held at 1; nan with one class only."""
    truth = truth.astype(bool)
    x = log_odds(probability)
    if truth.all() or not truth.any() or not np.isfinite(x).all():
        return nan
    low, high = -40.0, 40.0
    for _ in range(60):  # the sum of probabilities rises with the intercept: bisection cannot fail
        middle = (low + high) / 2
        low, high = (middle, high) if _sigmoid(x + middle).sum() < truth.sum() else (low, middle)
    return (low + high) / 2


def _newton(y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept for a standardised `x`; the likelihood is concave, so halved steps always arrive."""
    slope, intercept = 0.0, float(np.log(y.mean() / (1 - y.mean())))
    loss = _loss(y, slope * x + intercept)
    for _ in range(_STEPS):
        p = _sigmoid(slope * x + intercept)
        weight, rest = p * (1 - p), y - p
        weighted = weight * x
        a, b, c = weighted @ x, weighted.sum(), weight.sum()
        determinant = a * c - b * b
        if determinant <= 0:
            return nan, nan
        by_slope, by_intercept = rest @ x, rest.sum()
        move_slope = (c * by_slope - b * by_intercept) / determinant
        move_intercept = (a * by_intercept - b * by_slope) / determinant
        step = 1.0
        while (new := _loss(y, (slope + step * move_slope) * x + intercept + step * move_intercept)) > loss + 1e-9:
            step /= 2
            if step < 1e-9:
                return nan, nan
        slope, intercept, loss = slope + step * move_slope, intercept + step * move_intercept, new
        if abs(move_slope) + abs(move_intercept) < 1e-9:
            return float(slope), float(intercept)
    return nan, nan


def _sigmoid(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def _loss(y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> float:
    return float((np.logaddexp(0, x) - y * x).sum())
