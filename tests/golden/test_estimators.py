"""Linear models and boosted trees answer as scikit-learn does, also after their weights were written and read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from diascope.core import registry
from diascope.models import InputSpec

CLOSE = 1e-6
COUNTS = (0, 3, 0, 0, 40, 0, 0)
"""Numbers and two categories, of which the second has values that no training row has."""
NUMBERS = [column for column, count in enumerate(COUNTS) if not count]
CATEGORIES = [column for column, count in enumerate(COUNTS) if count]
STRENGTH = 2.0
OUTPUTS = {"two classes": 2, "three classes": 3, "ordered": 4, "number": 1}
FEW = {"most_iterations": 60}


def a_table(cases: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Rows (N, D) float32 of unlike scale with missing values, and what they say together (N,)."""
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(cases, len(COUNTS))) * 10.0 ** rng.integers(-3, 5, len(COUNTS))
    rows[:, 6] = rng.integers(0, 5, cases)
    said = rows[:, 0] / rows[:, 0].std() + rng.normal(size=cases)
    for column in CATEGORIES:
        rows[:, column] = rng.integers(0, min(COUNTS[column], 30), cases)
        said += rows[:, column] % 3
    rows[rng.random(rows.shape) < 0.08] = np.nan
    rows[:, 3] = np.where(said > 2, np.nan, rows[:, 3])  # That it is missing says something.
    rows[np.isnan(rows[:, 0]), 0] = 0.0
    return rows.astype(np.float32), said


def new_rows() -> np.ndarray:
    """Rows that were not trained on: an unseen category, a gap where training had none, a row without any value."""
    rows = a_table(420)[0][300:]
    rows[0, 4], rows[1, 4], rows[2, 1], rows[3, 0] = 35, np.nan, np.nan, np.nan
    rows[4] = np.nan
    return rows


def a_target(what: str, said: np.ndarray) -> np.ndarray:
    if what == "number":
        return 100 + 20 * said
    return np.digitize(said, np.quantile(said, np.linspace(0, 1, OUTPUTS[what] + 1)[1:-1])).astype(np.int64)


def answered(name: str, what: str, changes: dict) -> tuple[np.ndarray, torch.nn.Module]:
    """Probabilities (or values) of the new rows, by a module that was read from written weights."""
    model, (rows, said) = registry.get("models", name), a_table()
    spec = InputSpec("table", len(COUNTS), 0, outputs=OUTPUTS[what], categories=COUNTS)
    options = {**model.options(spec), "ordered": what == "ordered", **changes}
    fitted, read = (model.build(spec, options) for _ in range(2))
    model.fit(fitted, rows, {"value" if what == "number" else "class": a_target(what, said)}, options)
    read.load_state_dict(load(save(fitted.state_dict())))
    with torch.no_grad():
        found = read.eval()(torch.from_numpy(new_rows()))
    assert found.dtype == torch.float32
    return (found if what == "number" else found.double().exp()).numpy(), read


def theirs(what: str, classifier: Callable, regressor: Callable, encode: Callable = lambda rows: rows) -> np.ndarray:
    """The same of scikit-learn, with its cuts put together as Frank and Hall do."""
    rows, said = a_table()
    truth, rows, new = a_target(what, said), encode(rows.astype(float)), encode(new_rows().astype(float))
    if what == "number":
        return regressor().fit(rows, truth).predict(new)[:, None]
    if what != "ordered":
        return classifier().fit(rows, truth).predict_proba(new)
    cuts = range(OUTPUTS[what] - 1)
    above = np.stack([classifier().fit(rows, truth > cut).predict_proba(new)[:, 1] for cut in cuts], axis=1)
    lowest, highest = np.minimum.accumulate(above, 1), np.maximum.accumulate(above[:, ::-1], 1)[:, ::-1]
    edges = np.pad((lowest + highest) / 2, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
    return -np.diff(edges, axis=1)


def columns_of_a_linear_model() -> ColumnTransformer:
    values = [list(range(COUNTS[column])) for column in CATEGORIES]
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
            ("categories", OneHotEncoder(categories=values, handle_unknown="ignore"), CATEGORIES),
            ("missing", MissingIndicator(features="all"), list(range(len(COUNTS)))),
        ],
        sparse_threshold=0,
    )


@pytest.mark.parametrize("what", OUTPUTS)
def test_linear_models_are_those_of_scikit_learn(what):
    found, _ = answered("linear", what, {"strengths": [STRENGTH]})
    encode = columns_of_a_linear_model().fit(a_table()[0].astype(float)).transform
    expected = theirs(
        what,
        lambda: LogisticRegression(C=1 / STRENGTH, solver="newton-cholesky", tol=1e-10),
        lambda: Ridge(alpha=STRENGTH),
        encode,
    )
    np.testing.assert_allclose(found, expected, atol=CLOSE, rtol=CLOSE)


def settings_of(iterations: int) -> dict:
    return {
        "max_iter": iterations,
        "learning_rate": 0.05,
        "max_depth": 6,
        "max_leaf_nodes": 4,
        "min_samples_leaf": 5,
        "l2_regularization": 1.0,
        "max_features": 0.3,
        "categorical_features": CATEGORIES,
        "early_stopping": False,
        "random_state": 0,
    }


@pytest.mark.parametrize("what", OUTPUTS)
def test_boosted_trees_are_those_of_scikit_learn(what):
    found, module = answered("boosting", what, FEW)
    scores = {"two classes": 1, "three classes": 3, "ordered": 3, "number": 1}[what]
    settings = settings_of(len(module.trees.root) // scores)
    expected = theirs(
        what, lambda: HistGradientBoostingClassifier(**settings), lambda: HistGradientBoostingRegressor(**settings)
    )
    np.testing.assert_allclose(found, expected, atol=CLOSE, rtol=CLOSE)
    assert {"some", "none"} == {"some" if split else "none" for split in (module.trees.split > 0).tolist()}


LABELS = 3


def some_labels(said: np.ndarray) -> np.ndarray:
    """(N, K): common, rare and of unlike meaning; a fifth not said, some uncertain (-1)."""
    rng = np.random.default_rng(8)
    noise = rng.normal(size=(len(said), LABELS))
    found = (said[:, None] * [1.0, 0.5, -1.0] + noise > [0.5, 2.5, 0.0]).astype(float)
    found[rng.random(found.shape) < 0.2] = np.nan
    found[rng.random(found.shape) < 0.05] = -1
    return found


@pytest.mark.parametrize("uncertain", ["ignore", "positive", "negative"])
@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_labels_are_those_of_one_model_each_on_the_cases_that_are_known(name, uncertain):
    model, (rows, said) = registry.get("models", name), a_table()
    codes = some_labels(said)
    spec = InputSpec("table", len(COUNTS), 0, outputs=LABELS, categories=COUNTS)
    changes = {"strengths": [STRENGTH]} if name == "linear" else FEW
    options = {**model.options(spec), "labels": True, "uncertain": uncertain, **changes}
    fitted, read = (model.build(spec, options) for _ in range(2))
    model.fit(fitted, rows, {"labels": codes.astype(np.float32)}, options)
    read.load_state_dict(load(save(fitted.state_dict())))
    with torch.no_grad():
        found = read.eval()(torch.from_numpy(new_rows())).double().sigmoid().numpy()
    truth = np.where(codes == -1, {"ignore": np.nan, "positive": 1.0, "negative": 0.0}[uncertain], codes)
    encode = columns_of_a_linear_model().fit(rows.astype(float)).transform
    for label in range(LABELS):
        known = np.isfinite(truth[:, label])
        if name == "linear":
            theirs_of = LogisticRegression(C=1 / STRENGTH, solver="newton-cholesky", tol=1e-10)
            theirs_of.fit(encode(rows.astype(float))[known], truth[known, label])
            expected = theirs_of.predict_proba(encode(new_rows().astype(float)))[:, 1]
        else:
            theirs_of = HistGradientBoostingClassifier(**settings_of(int((read.trees.score == label).sum())))
            theirs_of.fit(rows[known].astype(float), truth[known, label])
            expected = theirs_of.predict_proba(new_rows().astype(float))[:, 1]
        np.testing.assert_allclose(found[:, label], expected, atol=CLOSE, rtol=CLOSE)
