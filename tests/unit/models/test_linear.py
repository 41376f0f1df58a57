"""The linear models: the ridge is as strong as the noise asks for, and units do not matter."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from diascope.core import registry
from diascope.core.errors import BadUsage, DiascopeError
from diascope.models import InputSpec, linear

MODEL = registry.get("models", "linear")


def rows_and_truth(noise: float, cases: int = 150) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(cases, 8)).astype(np.float32)
    return rows, 2 * rows[:, 0] - rows[:, 1] + noise * rng.normal(size=cases)


def fitted(rows: np.ndarray, target: np.ndarray, outputs: int, **changes: object) -> torch.nn.Module:
    spec = InputSpec("table", rows.shape[1], 0, outputs=outputs)
    options = {**MODEL.options(spec), **changes}
    module = MODEL.build(spec, options)
    MODEL.fit(module, rows, {"value" if outputs == 1 else "class": target}, options)
    return module


def test_a_number_comes_in_the_targets_own_units():
    rows, truth = rows_and_truth(noise=0.1)
    said = fitted(rows, 1e6 + 1e3 * truth, 1)(torch.from_numpy(rows))[:, 0].numpy()
    assert np.abs(said - (1e6 + 1e3 * truth)).mean() < 100


@pytest.mark.parametrize("outputs", [1, 2])
def test_more_noise_asks_for_more_ridge(outputs):
    sizes = []
    for noise in (0.1, 100.0):
        rows, truth = rows_and_truth(noise)
        target = truth / truth.std() if outputs == 1 else (truth > 0).astype(np.int64)
        sizes.append(float(fitted(rows, target, outputs).weights.norm()))
    assert sizes[1] < sizes[0] / 5


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_another_unit_of_a_column_changes_nothing(outputs):
    rows, truth = rows_and_truth(noise=1.0)
    target = truth if outputs == 1 else np.digitize(truth, [-1, 1][: outputs - 1])
    first = fitted(rows, target, outputs)(torch.from_numpy(rows))
    # Powers of two are exact in float32.
    scaled = rows * np.float32([1024, 1, 2**-10, 1, 1, 2**20, 1, 1])
    torch.testing.assert_close(fitted(scaled, target, outputs)(torch.from_numpy(scaled)), first, atol=1e-6, rtol=1e-6)


def test_what_is_missing_can_speak_for_itself():
    rows, _ = rows_and_truth(noise=1.0)
    truth = (np.arange(len(rows)) % 2).astype(np.int64)
    rows[truth == 1, 3] = np.nan
    said = fitted(rows, truth, 2)(torch.from_numpy(rows)).argmax(dim=1).numpy()
    assert (said == truth).all()


def test_the_order_of_strengths_does_not_matter():
    rows, truth = rows_and_truth(noise=3.0)
    first, second = (fitted(rows, truth, 1, strengths=some) for some in ([0.1, 1.0, 10.0, 100.0], [10, 100, 1, 0.1]))
    assert torch.equal(first.weights, second.weights)


@pytest.mark.parametrize("strengths", [[], [1.0, 0.0], [-1.0]])
def test_a_strength_that_is_not_positive_is_refused(strengths):
    rows, truth = rows_and_truth(noise=1.0)
    with pytest.raises(BadUsage, match="positive"):
        fitted(rows, truth, 1, strengths=strengths)


@pytest.mark.parametrize("outputs", [2, 3])
def test_many_columns_are_fitted_by_the_other_solver_to_the_same(outputs, monkeypatch):
    rows, truth = rows_and_truth(noise=1.0)
    target = np.digitize(truth, [-1, 1][: outputs - 1])
    first = fitted(rows, target, outputs, strengths=[1.0])(torch.from_numpy(rows))
    monkeypatch.setattr(linear, "WIDEST", 0)
    second = fitted(rows, target, outputs, strengths=[1.0])(torch.from_numpy(rows))
    torch.testing.assert_close(first, second, atol=1e-3, rtol=1e-3)


def test_where_newtons_method_gives_up_the_other_solver_takes_over():
    # It starts at the optimum, and finds no step that is better by more than rounding.
    rows, truth = np.zeros((30, 1), np.float32), np.arange(30) % 3
    with pytest.raises(DiascopeError, match="Line search"):
        linear.settled(LogisticRegression(solver="newton-cholesky", tol=linear.CLOSE), rows.astype(float), truth)
    said = fitted(rows, truth, 3)(torch.from_numpy(rows)).exp()
    torch.testing.assert_close(said, torch.full((30, 3), 1 / 3))


def test_a_fit_that_does_not_settle_is_an_error(monkeypatch):
    rows, truth = rows_and_truth(noise=1.0)
    monkeypatch.setattr(linear, "WIDEST", 0)
    monkeypatch.setattr(linear, "MOST_STEPS", 1)
    with pytest.raises(DiascopeError, match="did not settle"):
        fitted(rows, (truth > 0).astype(np.int64), 2)
