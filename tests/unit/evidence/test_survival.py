"""Survival by hand and by the textbook: the leukaemia trial of Freireich (1963), in weeks of remission."""

from __future__ import annotations

import numpy as np
import pytest

from diascope.evidence.survival import grid
from diascope.evidence.survival.brier import Followed, brier, calibration, errors, integrated_brier
from diascope.evidence.survival.concordance import concordance, concordance_ipcw
from diascope.evidence.survival.curves import at_risk_at, followed, kaplan_meier, log_rank

TREATED = ([6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35], "111010100110001100000")
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], "1" * 21)


def the_trial() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weeks, whether the remission ended, and 1 for placebo."""
    time = np.array([*TREATED[0], *PLACEBO[0]], float)
    event = np.array([*TREATED[1], *PLACEBO[1]]) == "1"
    return time, event, np.repeat([0, 1], 21)


def test_the_curve_of_kaplan_and_meier_is_that_of_the_textbook() -> None:
    time, event, group = the_trial()
    curve = kaplan_meier(time[group == 0], event[group == 0])
    said = curve.at([5.9, 6, 7, 10, 13, 16, 22, 23, 35])
    np.testing.assert_allclose(said, [1, 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448, 0.448], atol=5e-4)
    assert curve.median == 23
    assert np.isnan(curve.at(36))
    assert at_risk_at(curve, [0, 6, 10, 23, 40]) == [21, 21, 15, 6, 0]
    np.testing.assert_allclose(curve.low[curve.time == 6], 0.6197, atol=5e-4)
    np.testing.assert_allclose(curve.high[curve.time == 6], 0.9516, atol=5e-4)


def test_the_log_rank_test_is_that_of_the_textbook() -> None:
    value, p = log_rank(*the_trial())
    assert value == pytest.approx(16.79, abs=0.005)
    assert p == pytest.approx(4.17e-5, rel=0.01)


def test_one_group_or_no_event_gives_no_test() -> None:
    time, event, group = the_trial()
    assert np.isnan(log_rank(time, event, np.zeros_like(group))).all()
    assert np.isnan(log_rank(time, np.zeros_like(event), group)).all()


def test_nobody_has_the_event() -> None:
    time, none = np.array([1.0, 2.0, 3.0]), np.zeros(3, bool)
    curve = kaplan_meier(time, none)
    assert (curve.share == 1).all()
    assert np.isnan(curve.median)
    assert np.isnan(concordance(time, none, time))
    assert grid.recalibration(np.zeros((3, 2)), time, none, [0, 1, 3]) == [1.0, 0.0]


def test_events_come_before_losses_of_the_same_time() -> None:
    curve = followed(np.array([1.0, 1.0, 2.0]), np.array([True, False, True]))
    np.testing.assert_allclose(curve.share, [1, 0.5, 0.5])


def test_concordance_counts_the_pairs_that_can_be_compared() -> None:
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, True])
    # 1 before 2, 3 and 4; 3 before 4; of 2 nobody knows. One of the four is told wrongly, one is a tie.
    assert concordance(time, event, np.array([3.0, 9.0, 3.0, 1.0])) == pytest.approx((0 + 0.5 + 1 + 1) / 4)
    assert concordance(time, event, -time) == 1
    assert concordance(time, event, time) == 0


def test_unos_concordance_does_not_hang_on_how_cases_were_lost() -> None:
    rng = np.random.default_rng(0)
    risk = rng.normal(size=4000)
    time = rng.exponential(np.exp(-risk))
    whole = concordance_ipcw(time, np.ones(4000, bool), risk, until=1.0)
    end = rng.exponential(np.exp(0.5 * rng.normal(size=4000)), 4000)
    lost = concordance_ipcw(np.minimum(time, end), time <= end, risk, until=1.0)
    assert lost == pytest.approx(whole, abs=0.02)


def test_the_brier_score_without_losses_is_the_squared_error() -> None:
    time, event = np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4, bool)
    said = np.array([[0.5, 0.1], [0.5, 0.2], [0.5, 0.3], [1.0, 0.4]])
    each = errors(time, event, said, [1.5, 3.5], Followed.of(time, event))
    np.testing.assert_allclose(each, [[0.25, 0.01], [0.25, 0.04], [0.25, 0.09], [0, 0.36]])
    every = np.arange(4)
    assert brier(each[:, 0], every) == pytest.approx(0.1875)
    assert integrated_brier(each, [1.5, 3.5], every) == pytest.approx((0.1875 + 0.125) / 2)


def test_the_brier_score_with_losses_is_that_of_all() -> None:
    rng = np.random.default_rng(1)
    time, end = rng.exponential(1, 20000), rng.exponential(2, 20000)
    seen, event = np.minimum(time, end), time <= end
    said = np.full((20000, 1), 0.3)
    each = errors(seen, event, said, [0.8], Followed.of(seen, event))
    assert each.mean() == pytest.approx(float(np.square((time > 0.8) - 0.3).mean()), abs=0.01)


def test_calibration_sees_risks_that_are_twice_too_high() -> None:
    rng = np.random.default_rng(2)
    hazard = rng.uniform(0.2, 2, 3000)
    time, end = rng.exponential(1 / hazard), rng.exponential(2, 3000)
    seen, event = np.minimum(time, end), time <= end
    for factor in (1.0, 2.0):
        bins = calibration(seen, event, np.exp(-factor * hazard * 0.5), 0.5)
        assert sum(one.cases for one in bins) == 3000
        inside = [float(one.seen.low or 0) <= one.said <= float(one.seen.high or 1) for one in bins]
        assert all(inside) is (factor == 1.0)


def test_beyond_all_follow_up_nothing_is_said() -> None:
    (one,) = calibration(np.arange(1.0, 6.0), np.zeros(5, bool), np.full(5, 0.9), 100.0)
    assert one.seen.value is None
    assert "followed" in one.seen.note


def test_intervals_hold_about_as_many_events() -> None:
    rng = np.random.default_rng(3)
    events = rng.exponential(10, 1000)
    edges = grid.edges_of(np.quantile(events, np.linspace(0, 1, 21)), 10)
    assert (edges[0], edges[-1], len(edges)) == (0.0, events.max(), 11)
    assert np.ptp(np.histogram(events, edges)[0]) <= 5
    assert grid.edges_of([3.0] * 21, 10) == [0.0, 3.0]


def test_a_constant_hazard_gives_the_curve_it_should() -> None:
    edges = [0.0, 1.0, 2.0, 4.0]
    hazards = 1 - np.exp(-0.1 * np.diff(edges))
    curves = grid.survival(np.log(hazards / (1 - hazards))[None])
    np.testing.assert_allclose(curves[0], np.exp(-0.1 * np.array(edges)))
    np.testing.assert_allclose(grid.at(curves, edges, [0.5, 3.0, 9.0])[0], np.exp([-0.05, -0.3, -0.4]))
    assert grid.mean_time(curves, edges)[0] == pytest.approx((1 - np.exp(-0.4)) / 0.1, rel=2e-3)
