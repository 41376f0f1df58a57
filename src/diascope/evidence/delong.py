"""AUROC with an interval for clustered cases, without resampling (DeLong 1988; Obuchowski 1997)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtr, ndtri

from diascope.evidence.resampling import codes_of

nan = float(np.nan)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """What an AUROC is made of, so that two models' can be compared by DeLong.

    Args:
        truth: (N,) bool.
        said: (N,) float; any monotone score of the positive class.
    """

    truth: npt.NDArray[np.bool_]
    said: Floats


@dataclass(frozen=True)
class Paired:
    """Two AUROCs on the same cases.

    Args:
        one: AUROC of the first model.
        other: AUROC of the second.
        difference: `one - other`.
        low: 95 % interval of the difference.
        high: 95 % interval of the difference.
        p: Two-sided p of no difference; nan where it does not vary.
    """

    one: float
    other: float
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class _Parts:
    """What the variance is made of, for each of P patients.

    Args:
        area: AUROC.
        positive: Sum over the patient's positive cases of (share of negatives below - area).
        negative: Sum over the patient's negative cases of (share of positives above - area).
        counts: Positive and negative cases (2, P).
    """

    area: float
    positive: Floats
    negative: Floats
    counts: Floats


def delong(
    truth: npt.NDArray[Any], probability: npt.NDArray[Any], patients: Sequence[Hashable]
) -> tuple[float, float, float]:
    """AUROC and its 95 % interval, made on the log odds so that it stays in 0..1 (Pepe 2003).

    An AUROC of exactly 1 (or 0) has no variance to estimate. Its bound is exact instead: m positive patients paired
    with m other, negative ones all agree, which has chance AUROC^m, so the lower bound is 0.025^(1/m).

    Args:
        truth: (N,) bool.
        probability: (N,) float; any monotone score.
        patients: (N,) patient key of each case.

    Returns:
        Value, low, high; nan where undefined (one class only, or nothing varies).
    """
    parts = _parts(truth, probability, codes_of(patients))
    area = parts.area
    if np.isnan(area):
        return nan, nan, nan
    if area in (0.0, 1.0):
        bound = 0.025 ** (1 / _pairs(parts.counts))
        return (1.0, bound, 1.0) if area == 1 else (0.0, 0.0, 1 - bound)
    variance = _covariance(parts, parts)
    if not variance > 0:
        return area, nan, nan
    half = ndtri(0.975) * np.sqrt(variance) / (area * (1 - area))
    return area, float(expit(logit(area) - half)), float(expit(logit(area) + half))


def paired_delong(
    truth: npt.NDArray[Any], one: npt.NDArray[Any], other: npt.NDArray[Any], patients: Sequence[Hashable]
) -> Paired:
    """Difference of two AUROCs on the same cases, with a 95 % interval and p.

    Args:
        truth: (N,) bool.
        one: (N,) probabilities of the first model.
        other: (N,) probabilities of the second.
        patients: (N,) patient key of each case.
    """
    codes = codes_of(patients)
    first, second = _parts(truth, one, codes), _parts(truth, other, codes)
    difference = first.area - second.area
    variance = _covariance(first, first) + _covariance(second, second) - 2 * _covariance(first, second)
    # Rounding leaves about 1e-18 where the two models rank all cases alike.
    if np.isnan(difference) or not variance > 1e-15:
        return Paired(first.area, second.area, difference, nan, nan, nan)
    error = float(np.sqrt(variance))
    half = float(ndtri(0.975)) * error
    p = float(2 * ndtr(-abs(difference) / error))
    low, high = max(difference - half, -1.0), min(difference + half, 1.0)
    return Paired(first.area, second.area, difference, low, high, p)


def _parts(truth: npt.NDArray[Any], probability: npt.NDArray[Any], codes: npt.NDArray[np.intp]) -> _Parts:
    truth, probability = np.asarray(truth).astype(bool), np.asarray(probability, np.float64)
    count = int(codes.max()) + 1 if codes.size else 0
    counts = np.stack([np.bincount(codes[part], minlength=count) for part in (truth, ~truth)]).astype(np.float64)
    if not truth.any() or truth.all() or np.isnan(probability).any():
        return _Parts(nan, np.zeros(count), np.zeros(count), counts)
    above, below = probability[truth], probability[~truth]
    over, under = _share_below(above, below), 1 - _share_below(below, above)
    area = float(over.mean())
    positive = np.bincount(codes[truth], weights=over, minlength=count) - counts[0] * area
    negative = np.bincount(codes[~truth], weights=under, minlength=count) - counts[1] * area
    return _Parts(area, positive, negative, counts)


def _share_below(values: Floats, others: Floats) -> Floats:
    """For each value the share of `others` below it, ties counted half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return np.asarray(below / (2 * others.size))


def _covariance(one: _Parts, other: _Parts) -> float:
    """Covariance of two AUROCs on the same cases (Obuchowski 1997, equations 4 to 7)."""
    positives, negatives = one.counts.sum(axis=1)
    with_positive, with_negative = np.count_nonzero(one.counts, axis=1)
    patients = one.counts.shape[1]
    if min(with_positive, with_negative) < 2:
        return nan
    by_positive = with_positive / (with_positive - 1) * (one.positive @ other.positive) / positives**2
    by_negative = with_negative / (with_negative - 1) * (one.negative @ other.negative) / negatives**2
    crossed = one.positive @ other.negative + one.negative @ other.positive
    return float(by_positive + by_negative + patients / (patients - 1) * crossed / (positives * negatives))


def _pairs(counts: Floats) -> int:
    """Most pairs of one patient with a positive and another with a negative case, no patient used twice."""
    with_positive, with_negative = map(int, np.count_nonzero(counts, axis=1))
    return max(1, min(with_positive, with_negative, int(counts.shape[1]) // 2))
