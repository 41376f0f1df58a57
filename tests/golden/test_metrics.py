"""Agreement with scikit-learn on drawn predictions, with and without ties."""

import numpy as np
import pytest
from sklearn import metrics as sk

from diascope.core import registry


def draws(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(237) < 0.3
    probability = 1 / (1 + np.exp(-(rng.normal(size=237) + truth - 0.5)))
    return truth, np.round(probability, 1) if ties else probability


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [("auroc", sk.roc_auc_score), ("average_precision", sk.average_precision_score), ("brier", sk.brier_score_loss)],
)
def test_probability_metrics_equal_scikit_learn(name, theirs, ties, seed):
    truth, probability = draws(seed, ties)
    assert registry.get("metrics", name)(truth, probability) == pytest.approx(theirs(truth, probability), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("accuracy", sk.accuracy_score),
        ("balanced_accuracy", sk.balanced_accuracy_score),
        ("mcc", sk.matthews_corrcoef),
        ("cohen_kappa", sk.cohen_kappa_score),
    ],
)
def test_call_metrics_equal_scikit_learn(name, theirs, classes, seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=151)
    said = np.where(rng.random(151) < 0.6, truth, rng.integers(classes, size=151))
    assert registry.get("metrics", name)(truth, said) == pytest.approx(theirs(truth, said), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("sensitivity", sk.recall_score),
        ("specificity", lambda truth, said: sk.recall_score(truth, said, pos_label=0)),
        ("ppv", sk.precision_score),
        ("npv", lambda truth, said: sk.precision_score(truth, said, pos_label=0)),
        ("f1", sk.f1_score),
    ],
)
def test_binary_call_metrics_equal_scikit_learn(name, theirs, seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=151)
    said = np.where(rng.random(151) < 0.7, truth, 1 - truth)
    assert registry.get("metrics", name)(truth, said) == pytest.approx(theirs(truth, said), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_calibration_slope_equals_an_unpenalised_logistic_regression(seed):
    from sklearn.linear_model import LogisticRegression

    truth, probability = draws(seed, ties=False)
    odds = np.log(probability / (1 - probability))[:, None]
    theirs = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(odds, truth)
    assert registry.get("metrics", "calibration_slope")(truth, probability) == pytest.approx(
        theirs.coef_[0, 0], abs=1e-5
    )


@pytest.mark.parametrize("seed", range(5))
def test_ece_equals_binning_by_hand_where_the_bins_divide_the_cases(seed):
    rng = np.random.default_rng(seed)
    probability = rng.permutation(np.linspace(0.01, 0.99, 200))
    truth = rng.random(200) < probability**2
    order = np.argsort(probability)
    gaps = [abs(probability[part].mean() - truth[part].mean()) for part in np.split(order, 10)]
    assert registry.get("metrics", "ece")(truth, probability) == pytest.approx(np.mean(gaps), abs=1e-12)
