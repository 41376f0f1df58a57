"""Survival in agreement with lifelines: Kaplan-Meier with its interval, log-rank, concordance, Cox's coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from diascope.evidence.survival.brier import Followed, errors, integrated_brier
from diascope.evidence.survival.concordance import Pairs, concordance, concordance_ipcw, uno_weights
from diascope.evidence.survival.curves import kaplan_meier, log_rank
from diascope.evidence.survival.grid import at, edges_of, mean_time, recalibration, survival, told
from diascope.models import InputSpec
from diascope.models.cox import MODEL as COX
from diascope.models.cox import solved

lifelines = pytest.importorskip("lifelines", reason="lifelines is not installed")
pandas = pytest.importorskip("pandas")


def cases(count: int = 150, seed: int = 0, ties: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (in months, with ties), events, and a score that says something about them."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=count)
    time, end = rng.exponential(20 * np.exp(-score)), rng.exponential(30, count)
    shortest = np.minimum(time, end)
    return np.ceil(shortest) if ties else shortest + 1e-3, time <= end, score


@pytest.mark.parametrize("seed", [0, 1])
def test_kaplan_meier(seed: int) -> None:
    time, event, _ = cases(seed=seed)
    theirs = lifelines.KaplanMeierFitter().fit(time, event)
    ours = kaplan_meier(time, event)
    np.testing.assert_allclose(
        ours.at(theirs.survival_function_.index), theirs.survival_function_.iloc[:, 0], atol=1e-9
    )
    frame = theirs.confidence_interval_
    place = np.searchsorted(ours.time, frame.index, side="right") - 1
    inside = (ours.share[place] < 1) & (ours.share[place] > 0)
    np.testing.assert_allclose(ours.low[place][inside], frame.iloc[:, 0][inside], atol=1e-6)
    np.testing.assert_allclose(ours.high[place][inside], frame.iloc[:, 1][inside], atol=1e-6)
    assert ours.median == theirs.median_survival_time_


def test_log_rank_of_two_and_of_three_groups() -> None:
    from lifelines.statistics import multivariate_logrank_test

    time, event, score = cases()
    for cuts in ([0.0], [-0.5, 0.5]):
        group = np.digitize(score, cuts)
        theirs = multivariate_logrank_test(time, group, event)
        value, p = log_rank(time, event, group)
        assert value == pytest.approx(theirs.test_statistic, rel=1e-6)
        assert p == pytest.approx(theirs.p_value, rel=1e-5)


@pytest.mark.parametrize("ties", [False, True])
def test_concordance(ties: bool) -> None:
    from lifelines.utils import concordance_index

    time, event, score = cases(ties=ties)
    said = score.round(1)
    assert concordance(time, event, said) == pytest.approx(concordance_index(time, -said, event), abs=1e-9)
    every = np.arange(len(time))
    kept = Pairs.of(time, event, said, np.ones(len(time)))
    assert kept.share(every) == pytest.approx(concordance(time, event, said), abs=1e-6)
    some = np.random.default_rng(1).choice(every, len(every))
    assert kept.share(some) == pytest.approx(concordance(time[some], event[some], said[some]), abs=0.02)


def test_without_censoring_unos_is_harrells() -> None:
    time, _, score = cases(ties=False)
    event = np.ones(len(time), bool)
    assert concordance_ipcw(time, event, score) == pytest.approx(concordance(time, event, score), abs=1e-9)
    assert Pairs.of(time, event, score, uno_weights(time, event)).share(np.arange(len(time))) == pytest.approx(
        concordance(time, event, score), abs=1e-6
    )


def test_without_censoring_the_brier_score_is_the_mean_squared_error() -> None:
    time, _, _ = cases(ties=False)
    event, horizons = np.ones(len(time), bool), [5.0, 10.0, 20.0]
    said = np.random.default_rng(2).random((len(time), 3))
    each = errors(time, event, said, horizons, Followed.of(time, event))
    np.testing.assert_allclose(each, ((time[:, None] > np.array(horizons)) - said) ** 2)
    assert 0 < integrated_brier(each, horizons, np.arange(len(time))) < 1


def test_a_perfect_curve_has_no_error_whatever_is_censored() -> None:
    time, event, _ = cases()
    said = (time[:, None] > np.array([[10.0]])).astype(float)
    assert np.nansum(errors(time, event, said, [10.0], Followed.of(time, event))) == 0


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_coxs_weights(ridge: float) -> None:
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(200, 3))
    time, end = rng.exponential(np.exp(-columns @ [0.8, -0.5, 0.0])), rng.exponential(2, 200)
    event = time <= end
    frame = pandas.DataFrame(columns).assign(time=np.minimum(time, end), event=event)
    theirs = lifelines.CoxPHFitter(penalizer=ridge).fit(frame, "time", "event")
    # lifelines penalises standardised columns; these nearly are.
    wide = columns.std(axis=0, ddof=1)
    ours = solved((columns - columns.mean(axis=0)) / wide, np.minimum(time, end), event, ridge) / wide
    np.testing.assert_allclose(ours, theirs.params_.to_numpy(), rtol=1e-3, atol=1e-4)


def test_cox_orders_cases_and_its_curves_are_those_that_are_seen() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(600, 3)).astype(np.float32)
    rows[::9, 2] = np.nan
    time, end = rng.exponential(10 * np.exp(-rows[:, 0])), rng.exponential(20, 600)
    seen, event = np.minimum(time, end), time <= end
    spec = InputSpec("table", 3, 0, outputs=10)
    edges = edges_of(np.quantile(seen[event], np.linspace(0, 1, 21)), 10)
    options: dict[str, Any] = {**COX.options(spec), "edges": edges}
    module = COX.build(spec, options)
    COX.fit(module, rows, {"time": seen, "event": event}, options)
    curves = survival(module(torch.from_numpy(rows)).detach().numpy())
    assert concordance(seen, event, -mean_time(curves, edges)) > 0.7
    middle = edges[5]
    assert at(curves, edges, middle).mean() == pytest.approx(float(kaplan_meier(seen, event).at(middle)), abs=0.03)


def test_what_an_interval_says_of_a_case() -> None:
    edges = [0.0, 1.0, 2.0, 4.0]
    nan = np.nan
    expected = [[1, nan, nan], [0, 1, nan], [0, 0, nan], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(told([0.5, 2.0, 1.5, 4.0, 9.0], [1, 1, 0, 0, 1], edges), expected)


def test_recalibration_finds_what_was_done_to_the_hazards() -> None:
    rng = np.random.default_rng(5)
    edges = [float(edge) for edge in range(11)]
    logits = rng.normal(-2, 1, size=(4000, 1)).repeat(10, axis=1)
    hazards = 1 / (1 + np.exp(-logits))
    came = rng.random((4000, 10)) < hazards
    first = np.where(came.any(axis=1), came.argmax(axis=1), 10)
    time, event = np.minimum(first + 0.5, 10.0), came.any(axis=1)
    slope, offset = recalibration((logits - 0.7) / 2, time, event, edges)
    assert slope == pytest.approx(2.0, abs=0.15)
    assert offset == pytest.approx(0.7, abs=0.3)
