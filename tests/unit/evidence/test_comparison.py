"""Two models on the same cases."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.evidence.comparison import compare, compare_auroc
from diascope.evidence.delong import Ranking, paired_delong


@dataclass(frozen=True)
class AStatistic:
    name: str
    of: Any
    unit: str = "1"
    interval: Any = None
    counts: Any = None
    ranking: Any = None


def names(count: int) -> list[str]:
    return [f"patient-{number}" for number in range(count)]


def a_mean(name: str, values: np.ndarray, **fields: Any) -> AStatistic:
    return AStatistic(name, lambda cases: float(values[cases].mean()), **fields)


def test_pairing_finds_a_small_difference_between_cases_that_vary_much():
    rng = np.random.default_rng(0)
    easy = rng.random(60)
    better = easy + 0.02 + rng.normal(size=60) * 0.01
    found = compare([a_mean("dice", better)], [a_mean("dice", easy)], names(60))["dice"]
    assert found.difference.value == pytest.approx(found.one - found.other)
    assert found.difference.low > 0
    assert found.p < 0.01
    # Without pairing the cases' own spread would hide it.
    assert 1.96 * easy.std() * np.sqrt(2 / 60) > 0.02


def test_no_difference_where_there_is_none():
    rng = np.random.default_rng(1)
    one, other = rng.random((2, 60))
    found = compare([a_mean("dice", one, unit="mm")], [a_mean("dice", other, unit="mm")], names(60))["dice"]
    assert found.difference.low < 0 < found.difference.high
    assert found.difference.unit == "mm"
    assert found.p > 0.05


def test_only_what_both_models_have_is_compared():
    values = np.random.default_rng(2).random(30)
    assert set(compare([a_mean("a", values), a_mean("b", values)], [a_mean("b", values)], names(30))) == {"b"}


def test_the_same_model_twice_does_not_vary():
    values = np.random.default_rng(3).random(30)
    found = compare([a_mean("a", values)], [a_mean("a", values)], names(30))["a"]
    assert found.difference.value == 0
    assert found.difference.low is None
    assert found.p is None


def test_too_few_gives_the_difference_only():
    values = np.random.default_rng(4).random((2, 30))
    found = compare([a_mean("a", values[0])], [a_mean("a", values[1])], names(15) * 2)["a"]
    assert found.difference.note == "too few: 15 patients"
    assert found.difference.value is not None
    assert found.p is None


def test_undefined_in_one_model_is_undefined():
    values = np.random.default_rng(5).random(30)
    found = compare([a_mean("a", values)], [a_mean("a", values * np.nan)], names(30))["a"]
    assert found.one is not None
    assert found.other is None
    assert found.difference.value is None


def scores(seed: int, patients: int = 100):
    rng = np.random.default_rng(seed)
    keys = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    truth = (rng.random(patients) < 0.4)[keys]
    shared = rng.normal(size=patients)[keys] + truth
    one, other = (shared + 0.5 * rng.normal(size=keys.size) for _ in range(2))
    return truth, one, other, [f"p{key}" for key in keys]


def test_delong_and_the_paired_bootstrap_agree():
    truth, one, other, patients = scores(6)
    auroc = registry.get("metrics", "auroc")
    pair = [[AStatistic("auroc", lambda cases, said=said: auroc(truth[cases], said[cases]))] for said in (one, other)]
    bootstrap = compare(*pair, patients)["auroc"]
    exact = compare_auroc(truth, one, other, patients)
    assert exact.difference.value == pytest.approx(bootstrap.difference.value)
    assert exact.difference.low == pytest.approx(bootstrap.difference.low, abs=0.01)
    assert exact.difference.high == pytest.approx(bootstrap.difference.high, abs=0.01)
    assert exact.p == pytest.approx(bootstrap.p, abs=0.15)


def an_auroc(name: str, truth: np.ndarray, said: np.ndarray) -> AStatistic:
    auroc = registry.get("metrics", "auroc")
    counts = np.where(truth, "ill", "well")
    return AStatistic(name, lambda cases: auroc(truth[cases], said[cases]), counts=counts, ranking=Ranking(truth, said))


def test_auroc_is_compared_by_delong_and_the_rest_by_the_bootstrap_in_the_order_of_the_first():
    truth, one, other, patients = scores(6)
    models = [
        [a_mean("brier", said), an_auroc("auroc/b", truth, said), a_mean("dice", said**2)] for said in (one, other)
    ]
    found = compare(*models, patients)
    assert list(found) == ["brier", "auroc/b", "dice"]
    assert [row.method for row in found.values()] == [
        "paired cluster bootstrap",
        "paired clustered DeLong",
        "paired cluster bootstrap",
    ]
    assert found["auroc/b"] == compare_auroc(truth, one, other, patients)


def test_too_few_of_a_class_calls_it_by_its_name_and_other_positives_are_refused():
    _, one, other, _ = scores(7)
    few = np.arange(40) < 4
    pair = [[an_auroc("auroc", few, said[:40])] for said in (one, other)]
    found = compare(*pair, names(40))["auroc"]
    assert found.difference.note == "too few: 4 patients in class ill"
    assert found.p is None
    with pytest.raises(BadUsage, match="different positive cases"):
        compare([an_auroc("auroc", few, one[:40])], [an_auroc("auroc", ~few, other[:40])], names(40))


def test_auroc_of_too_few_of_a_class_and_of_one_model_twice():
    truth, one, other, _ = scores(7)
    few = compare_auroc(np.arange(40) < 4, one[:40], other[:40], names(40))
    assert few.difference.note == "too few: 4 patients in class True"
    assert few.p is None
    same = compare_auroc(truth[:60], one[:60], np.exp(one[:60]), names(60))
    assert same.difference.value == 0
    assert same.difference.low is None
    assert compare_auroc(np.ones(60, bool), one[:60], other[:60], names(60)).difference.value is None


@pytest.mark.slow
def test_paired_delong_rejects_equal_models_once_in_twenty():
    rejected = np.mean([paired_delong(*scores(seed)).p < 0.05 for seed in range(1000, 1800)])
    assert 0.03 <= rejected <= 0.075
