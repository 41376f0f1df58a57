"""Cox and boosted hazards: published coefficients, curves that are seen, refusals, saved and reloaded equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from diascope.core import registry
from diascope.core.errors import DataRefused
from diascope.evidence.survival.concordance import concordance
from diascope.evidence.survival.curves import kaplan_meier
from diascope.evidence.survival.grid import at, edges_of, mean_time, survival
from diascope.models import InputSpec
from diascope.models.cox import breslow, likelihood, solved
from diascope.models.estimators.folds import fold_of

BOTH = ("cox", "boosted_hazards")


def the_trial() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Freireich 1963: weeks of remission, whether it ended, and 1 for placebo."""
    treated = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    event = np.array([*"111010100110001100000", *"1" * 21]) == "1"
    return np.array([*treated, *placebo], float), event, np.repeat([0.0, 1.0], 21)


def cases(count: int = 500, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray], list[float]]:
    """Rows whose first column is the risk; the third is missing now and then, the second is a word."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.normal(size=count), rng.integers(0, 2, count), rng.normal(size=count)])
    rows[::7, 2] = np.nan
    time, end = rng.exponential(10 * np.exp(-1.2 * rows[:, 0])), rng.exponential(20, count)
    seen, event = np.minimum(time, end), time <= end
    edges = edges_of(np.quantile(seen[event], np.linspace(0, 1, 21)), 8)
    return rows.astype(np.float32), {"time": seen, "event": event.astype(float)}, edges


def fitted(name: str, rows: np.ndarray, target: dict[str, np.ndarray], edges: list[float]) -> Any:
    model = registry.get("models", name)
    spec = InputSpec("table", 3, 0, outputs=len(edges) - 1, categories=(0, 2, 0))
    quick = {"most_iterations": 100} if name == "boosted_hazards" else {}
    options = {**model.options(spec), "edges": edges, **quick}
    module = model.build(spec, options)
    model.fit(module, rows, target, options)
    return module, model.build(spec, options)


def test_the_coefficient_of_a_trial_is_that_of_the_textbook() -> None:
    time, event, placebo = the_trial()
    (weight,) = solved(placebo[:, None], time, event, 0.0)
    assert weight == pytest.approx(1.5092, abs=5e-4)  # ties as Breslow: R's coxph(ties="breslow")


def test_the_gradient_is_that_of_the_likelihood() -> None:
    rows, target, _ = cases(60)
    columns, weights = np.nan_to_num(rows).astype(float), np.array([0.3, -0.2, 0.1])
    of = (columns, target["time"].round(), target["event"] > 0, 0.1)
    _, gradient = likelihood(weights, *of)
    for place in range(3):
        step = 1e-6 * np.eye(3)[place]
        slope = (likelihood(weights + step, *of)[0] - likelihood(weights - step, *of)[0]) / 2e-6
        assert gradient[place] == pytest.approx(slope, abs=1e-6)


def test_without_a_risk_breslows_hazard_is_that_of_nelson_and_aalen() -> None:
    time, event, _ = the_trial()
    hazard = breslow(time, event, np.zeros(42), np.array([0.0, 1.0, 2.0, 3.0]))
    np.testing.assert_allclose(hazard, [0, 2 / 42, 2 / 42 + 2 / 40, 2 / 42 + 2 / 40 + 1 / 38])


@pytest.mark.parametrize("name", BOTH)
def test_it_orders_new_cases_and_its_curves_are_those_that_are_seen(name: str) -> None:
    rows, target, edges = cases()
    module, _ = fitted(name, rows, target, edges)
    new, truth, _ = cases(seed=1)
    curves = survival(module(torch.from_numpy(new)).detach().numpy())
    assert (np.diff(curves, axis=1) <= 0).all()
    assert concordance(truth["time"], truth["event"] > 0, -mean_time(curves, edges)) > 0.7
    seen = float(kaplan_meier(truth["time"], truth["event"] > 0).at(edges[4]))
    assert at(curves, edges, edges[4]).mean() == pytest.approx(seen, abs=0.06)


@pytest.mark.parametrize("name", BOTH)
def test_reloaded_it_says_the_same(name: str) -> None:
    rows, target, edges = cases(200)
    module, fresh = fitted(name, rows, target, edges)
    fresh.load_state_dict(module.state_dict())
    torch.testing.assert_close(fresh(torch.from_numpy(rows)), module(torch.from_numpy(rows)), rtol=0, atol=0)


@pytest.mark.parametrize("name", BOTH)
def test_where_all_are_censored_nothing_is_fitted(name: str) -> None:
    rows, target, edges = cases(50)
    with pytest.raises(DataRefused, match="none of 50 training cases has an event"):
        fitted(name, rows, {**target, "event": np.zeros(50)}, edges)


@pytest.mark.parametrize("name", BOTH)
def test_inner_choices_keep_a_patient_on_one_side(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, target, edges = cases(90)
    patients = np.repeat(np.arange(30), 3)
    seen = []

    def watched(truth: np.ndarray, folds: int, seed: int, of: np.ndarray | None = None) -> np.ndarray:
        seen.append(fold_of(truth, folds, seed, of))
        return seen[-1]

    monkeypatch.setattr(f"diascope.models.{name}.fold_of", watched)
    fitted(name, rows, {**target, "patient": patients}, edges)
    (fold,) = seen
    assert all(len(set(fold[patients == one])) == 1 for one in range(30))
    assert len(set(fold)) > 2
