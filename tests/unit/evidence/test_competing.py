"""Competing risks: incidence, calibration and scores against hand and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from diascope.evidence.survival import competing
from diascope.evidence.survival.brier import Followed
from diascope.evidence.survival.curves import kaplan_meier

EDGES = [0.0, 1.0, 2.0, 4.0]
RATES = np.array([1 / 1.5, 1 / 2])


def truth_at(when: float) -> float:
    """Incidence of the first event in `some`."""
    return float(RATES[0] / RATES.sum() * (1 - np.exp(-RATES.sum() * when)))


def some(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Exponential times of being lost and of two events."""
    rng = np.random.default_rng(seed)
    each = np.stack([rng.exponential(3, count), rng.exponential(1.5, count), rng.exponential(2, count)])
    return each.min(axis=0), np.array([0, 1, 2])[each.argmin(axis=0)]


def test_what_each_interval_says() -> None:
    found = competing.told([0.5, 1.5, 3.5, 5.0], [2, 0, 1, 1], EDGES)
    assert found.tolist() == [[2, -1, -1], [0, 0, -1], [0, 0, 1], [0, 0, 0]]


def test_shares_of_all_events_and_of_none_are_one() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 2, 3))
    curves = competing.incidence(logits)
    none = np.ones((5, 1))
    for place in range(3):
        hazard = np.exp(logits[:, :, place]) / (1 + np.exp(logits[:, :, place]).sum(axis=1, keepdims=True))
        added = curves[:, :, place + 1] - curves[:, :, place]
        assert np.allclose(added, none * hazard)
        none = none * (1 - hazard.sum(axis=1, keepdims=True))
    assert np.allclose(curves[:, :, -1].sum(axis=1) + none[:, 0], 1)


def test_recalibration_finds_what_was_put_in() -> None:
    time, code = some(4000)
    rates = RATES
    widths = np.diff(EDGES)
    right = np.zeros((len(time), 2, 3))
    for place, width in enumerate(widths):
        gone = (1 - np.exp(-rates.sum() * width)) * rates / rates.sum()
        right[:, :, place] = np.log(gone / (1 - gone.sum()))
    slope, *offsets = competing.recalibration(right + np.array([0.7, -0.4])[None, :, None], time, code, EDGES)
    assert slope * (right[0, 0, 0] + 0.7) + offsets[0] == pytest.approx(right[0, 0, 0], abs=0.15)
    assert slope * (right[0, 1, 0] - 0.4) + offsets[1] == pytest.approx(right[0, 1, 0], abs=0.15)
    assert competing.recalibration(right[:5], time[:5], np.zeros(5, int), EDGES) == [1.0, 0.0, 0.0]


def test_one_event_alone_is_kaplan_and_meier() -> None:
    time, code = some()
    code = np.minimum(code, 1)
    assert np.allclose(competing.aalen_johansen(time, code, 1).share, 1 - kaplan_meier(time, code == 1).share)


def test_incidence_is_below_what_censoring_the_others_would_say() -> None:
    time, code = some()
    naive = 1 - kaplan_meier(time, code == 1).at([2.0])[0]
    curve = competing.aalen_johansen(time, code, 1)
    assert curve.at([2.0])[0] < naive - 0.05
    truth = truth_at(2.0)
    assert curve.low[np.searchsorted(curve.time, 2.0) - 1] < truth < curve.high[np.searchsorted(curve.time, 2.0) - 1]


def test_pairs_with_another_event_count_as_without_it_for_ever() -> None:
    time, code = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 2, 1, 0])
    risk = np.array([0.9, 0.8, 0.3, 0.5])
    right = total = 0
    for one in (0, 2):
        for other in range(4):
            later = time[other] > time[one] or code[other] == 2
            if other != one and later:
                total += 1
                right += risk[one] > risk[other]
    assert competing.pairs(time, code, 1, risk).share(np.arange(4)) == pytest.approx(right / total)


def test_errors_without_censoring_are_plain_squares() -> None:
    time, code = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 2, 1, 2])
    said = np.array([[0.8], [0.3], [0.2], [0.1]])
    found = competing.errors(time, code, 1, said, [2.5], Followed.of(time, code > 0))
    assert np.allclose(found[:, 0], [0.04, 0.09, 0.04, 0.01])


def test_a_true_forecast_has_a_lower_score_than_any_other() -> None:
    time, code = some(6000, 1)
    followed, horizons = Followed.of(time, code > 0), [1.0]
    truth = truth_at(1.0)
    scores = [
        competing.errors(time, code, 1, np.full((len(time), 1), said), horizons, followed).mean()
        for said in (truth, truth - 0.08, truth + 0.08)
    ]
    assert scores[0] == min(scores)
