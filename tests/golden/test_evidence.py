"""Agreement of the fast evidence with slow programs written from the papers, and with scikit-learn, scipy and torch."""

import numpy as np
import pytest
import torch
from scipy import stats

from diascope.core import registry
from diascope.evidence.calibration import fit_temperature, probabilities
from diascope.evidence.delong import delong, paired_delong
from diascope.evidence.operating_point import Rule, choose
from diascope.evidence.proportions import proportion


def clustered(seed: int, patients: int = 40, most: int = 4):
    """Truth, two models' probabilities (with ties) and patients; some patients have cases of both classes."""
    rng = np.random.default_rng(seed)
    keys = np.repeat(np.arange(patients), rng.integers(1, most + 1, patients))
    truth = rng.random(keys.size) < np.repeat(rng.beta(1, 1, patients), np.bincount(keys))
    shared = rng.normal(size=patients)[keys]
    one = np.round(shared + rng.normal(size=keys.size) + truth, 1)
    other = np.round(shared + rng.normal(size=keys.size) + 0.5 * truth, 1)
    return truth, one, other, keys


def kernel(positive: float, negative: float) -> float:
    return 1.0 if positive > negative else 0.5 if positive == negative else 0.0


def slow_covariance(truth, one, other, keys) -> tuple[float, float, float]:
    """Both areas and their covariance, term by term as in Obuchowski (1997), section 2."""
    found = []
    for scores in (one, other):
        above = [(key, score) for key, score, is_true in zip(keys, scores, truth, strict=True) if is_true]
        below = [(key, score) for key, score, is_true in zip(keys, scores, truth, strict=True) if not is_true]
        placed = [(key, np.mean([kernel(score, y) for _, y in below])) for key, score in above]
        passed = [(key, np.mean([kernel(x, score) for _, x in above])) for key, score in below]
        found.append((np.mean([value for _, value in placed]), placed, passed))
    (first, placed, passed), (second, its_placed, its_passed) = found
    names = sorted(set(keys))

    def sums(values, area):
        return np.array([sum(value - area for key, value in values if key == name) for name in names])

    v10, v01 = sums(placed, first), sums(passed, first)
    w10, w01 = sums(its_placed, second), sums(its_passed, second)
    positives, negatives = len(placed), len(passed)
    i10, i01, clusters = len({key for key, _ in placed}), len({key for key, _ in passed}), len(names)
    s10 = i10 / ((i10 - 1) * positives) * (v10 * w10).sum()
    s01 = i01 / ((i01 - 1) * negatives) * (v01 * w01).sum()
    s11 = clusters / (clusters - 1) * (v10 * w01).sum() + clusters / (clusters - 1) * (w10 * v01).sum()
    return first, second, s10 / positives + s01 / negatives + s11 / (positives * negatives)


@pytest.mark.parametrize("seed", range(4))
def test_clustered_delong_equals_the_sums_of_the_paper(seed):
    truth, one, _, keys = clustered(seed)
    area, _, variance = slow_covariance(truth, one, one, keys)
    value, low, high = delong(truth, one, keys)
    half = 1.959964 * np.sqrt(variance) / (area * (1 - area))
    centre = np.log(area / (1 - area))
    assert value == pytest.approx(area, abs=1e-12)
    assert low == pytest.approx(1 / (1 + np.exp(half - centre)), abs=1e-6)
    assert high == pytest.approx(1 / (1 + np.exp(-half - centre)), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_paired_delong_equals_the_sums_of_the_paper(seed):
    truth, one, other, keys = clustered(seed)
    first, second, covariance = slow_covariance(truth, one, other, keys)
    variance = (
        slow_covariance(truth, one, one, keys)[2] + slow_covariance(truth, other, other, keys)[2] - 2 * covariance
    )
    found = paired_delong(truth, one, other, keys)
    z = (first - second) / np.sqrt(variance)
    assert (found.one, found.other) == pytest.approx((first, second))
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(z)), abs=1e-9)
    assert found.high - found.difference == pytest.approx(1.959964 * np.sqrt(variance), abs=1e-6)


def test_one_case_a_patient_gives_delong_of_1988():
    # Variance of the placement values: var(V10) / m + var(V01) / n, DeLong, DeLong and Clarke-Pearson (1988).
    truth, one, _, _ = clustered(9)
    above, below = one[truth], one[~truth]
    compared = np.array([[kernel(x, y) for y in below] for x in above])
    area = compared.mean()
    variance = compared.mean(1).var(ddof=1) / len(above) + compared.mean(0).var(ddof=1) / len(below)
    _, low, high = delong(truth, one, np.arange(truth.size))
    half = 1.959964 * np.sqrt(variance) / (area * (1 - area))
    assert np.log(high / (1 - high)) - np.log(low / (1 - low)) == pytest.approx(2 * half, abs=1e-6)


@pytest.mark.parametrize(("right", "total"), [(0, 30), (3, 30), (17, 30), (30, 30)])
def test_a_proportion_of_independent_cases_is_wilsons(right, total):
    value, low, high = proportion(np.arange(total) < right, range(total))
    theirs = stats.binomtest(right, total).proportion_ci(method="wilson")
    assert value == right / total
    # The variance between patients has n - 1 below it, Wilson's has n.
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_the_temperature_equals_that_of_lbfgs(seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(300, 4)) * 3
    truth = (logits / 2.2 + rng.gumbel(size=logits.shape)).argmax(1)
    counts = torch.from_numpy(np.bincount(truth, minlength=4)[truth])[:, None]
    hit = torch.nn.functional.one_hot(torch.from_numpy(truth), 4).bool()
    wanted = torch.where(hit, (counts + 0.5) / (counts + 1), 0.5 / (counts + 1) / 3).double()
    scale = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([scale], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(torch.from_numpy(logits) / scale.exp(), wanted)
        value.backward()
        return value

    optimiser.step(loss)
    found = fit_temperature(logits, truth)
    assert found.value == pytest.approx(scale.exp().item(), rel=1e-4)
    theirs = torch.softmax(torch.from_numpy(logits) / found.value, 1).numpy()
    np.testing.assert_allclose(probabilities(logits, found.value), theirs, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [1, 12])
def test_operating_points_equal_a_search_through_all_thresholds(seed, decimals):
    rng = np.random.default_rng(seed)
    truth = rng.random(120) < 0.4
    probability = (1 / (1 + np.exp(-rng.normal(size=120) - truth))).round(decimals)
    candidates = [0.0, *np.unique(probability), 1.1]
    metrics = {name: registry.get("metrics", name) for name in ("sensitivity", "specificity", "f1")}

    def at(threshold: float, name: str) -> float:
        return metrics[name](truth.astype(int), (probability >= threshold).astype(int))

    def reached(rule: Rule, name: str) -> float:
        return at(choose(truth, probability, rule).threshold, name)

    both = max(at(threshold, "sensitivity") + at(threshold, "specificity") for threshold in candidates)
    assert reached(Rule(), "sensitivity") + reached(Rule(), "specificity") == pytest.approx(both)
    assert reached(Rule(name="f1"), "f1") == pytest.approx(max(at(threshold, "f1") for threshold in candidates))
    for rule, other in (("sensitivity", "specificity"), ("specificity", "sensitivity")):
        wanted = Rule(name=f"{rule}_at_least", value=0.9)
        best = max(at(threshold, other) for threshold in candidates if at(threshold, rule) >= 0.9)
        assert reached(wanted, rule) >= 0.9
        assert reached(wanted, other) == pytest.approx(best)
