"""Intervals: whole patients are drawn, "too few" is said, nothing pretends; and how often the intervals are right."""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.core.finding import Measure
from diascope.evidence.delong import delong
from diascope.evidence.intervals import from_resamples, measure, measures
from diascope.evidence.proportions import proportion
from diascope.evidence.resampling import clusters


@dataclass(frozen=True)
class AStatistic:
    name: str
    of: Any
    unit: str = "1"
    interval: Any = None
    counts: Any = None


def names(count: int) -> list[str]:
    return [f"patient-{number}" for number in range(count)]


def mean_of(values):
    return lambda cases: float(np.mean(values[cases]))


def test_a_resample_holds_all_cases_of_each_patient_drawn():
    patients = ["b", "a", "b", "c", "a", "b"]
    for drawn in clusters(patients).resamples(50, seed=0):
        times = np.bincount(drawn, minlength=6)
        assert times[0] == times[2] == times[5]
        assert times[1] == times[4]
        assert times[0] + times[1] + times[3] == 3


def test_one_seed_one_interval():
    values = np.random.default_rng(0).random(60)
    one, again = (measure(mean_of(values), names(60), seed=4) for _ in range(2))
    assert one == again
    assert one != measure(mean_of(values), names(60), seed=5)
    assert one.low < one.value < one.high
    assert one.note == ""


def test_many_statistics_share_their_resamples_and_equal_one_alone():
    values = np.random.default_rng(1).random(60)
    found = measures([AStatistic("a", mean_of(values), "mm"), AStatistic("b", mean_of(1 - values))], names(60), seed=2)
    assert found["a"] == measure(mean_of(values), names(60), unit="mm", seed=2)
    assert found["a"].low == pytest.approx(1 - found["b"].high)


def test_patients_with_many_alike_cases_widen_the_interval():
    values = np.repeat(np.random.default_rng(2).random(30), 10)
    apart = measure(mean_of(values), names(300))
    together = measure(mean_of(values), [f"p{number // 10}" for number in range(300)])
    assert together.high - together.low > 2 * (apart.high - apart.low)


@pytest.mark.parametrize(("patients", "note"), [(19, "too few: 19 patients"), (20, ""), (1, "too few: 1 patient")])
def test_under_20_patients_are_too_few_however_many_cases(patients, note):
    values = np.random.default_rng(3).random(200)
    found = measure(mean_of(values), [f"p{number % patients}" for number in range(200)])
    assert found.value == pytest.approx(values.mean())
    assert found.note == note
    assert (found.low is None) == (found.high is None) == bool(note)


@pytest.mark.parametrize(("rare", "note"), [(4, "too few: 4 patients in class 1"), (5, "")])
def test_under_5_patients_in_a_class_are_too_few(rare, note):
    values, strata = np.random.default_rng(4).random(60), (np.arange(60) < rare).astype(int)
    found = measure(mean_of(values), names(60), counts=strata)
    assert found.note == note
    assert (found.low is None) == bool(note)


def test_cases_of_one_patient_do_not_fill_a_class():
    strata = (np.arange(60) < 20).astype(int)
    patients = ["the same"] * 18 + names(42)
    assert measure(mean_of(strata), patients, counts=strata).note == "too few: 3 patients in class 1"


def test_an_undefined_value_says_so():
    found = measure(lambda cases: math.nan, names(40))
    assert found == Measure(value=None, note="undefined for these cases")


def test_a_statistic_that_is_often_undefined_gets_no_interval():
    found = measure(lambda cases: 1.0 if 0 in cases else math.nan, names(40))
    assert found.low is None
    assert found.note.startswith("too few: undefined in 3")


def test_where_nothing_varies_no_interval_pretends():
    found = measure(mean_of(np.ones(50)), names(50))
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert "do not vary" in found.note


def test_infinite_values_do_not_break_an_interval():
    values = np.random.default_rng(5).random(50)
    values[3] = math.inf
    found = measure(lambda cases: float(np.median(values[cases])), names(50))
    assert found.low < found.value < found.high
    assert measure(mean_of(values), names(50)).high == math.inf


def test_an_interval_that_misses_its_value_is_stretched_and_says_so():
    found = from_resamples(Measure(value=0.1), np.linspace(0.2, 0.4, 1000), patients=50)
    assert found.low == 0.1
    assert found.high > 0.39
    assert "stretched" in found.note


def test_a_statistics_own_interval_is_used_but_not_for_subgroups():
    values = np.random.default_rng(6).random(80)
    own = AStatistic("auroc", mean_of(values), interval=lambda patients: (0.25, 0.75))
    whole = measures([own], names(80))["auroc"]
    assert (whole.low, whole.high) == (0.25, 0.75)
    group = np.arange(0, 80, 2)
    part = measures([own], names(80), cases=group)["auroc"]
    assert part.value == pytest.approx(values[group].mean())
    assert part == measure(mean_of(values[group]), names(40))


def test_too_few_is_judged_in_the_subgroup():
    values = np.random.default_rng(7).random(80)
    assert measures([AStatistic("a", mean_of(values))], names(80), cases=np.arange(12))["a"].note == (
        "too few: 12 patients"
    )
    empty = measures([AStatistic("a", mean_of(values))], names(80), cases=np.arange(0))["a"]
    assert empty.value is None


def test_a_name_twice_and_missing_strata_are_refused():
    statistic = AStatistic("a", mean_of(np.ones(30)))
    with pytest.raises(BadUsage, match="share a name"):
        measures([statistic, statistic], names(30))
    with pytest.raises(BadUsage, match="stratum of each case"):
        measure(mean_of(np.ones(30)), names(30), counts=np.ones(29))


def test_thirty_statistics_of_800_cases_take_seconds():
    rng = np.random.default_rng(8)
    truth, probability = rng.random(800) < 0.3, rng.random(800)
    call = (probability > 0.5).astype(int)

    def statistic(number: int) -> AStatistic:
        plugins = ["auroc", "average_precision", "brier", "ece", "accuracy", "f1", "mcc", "sensitivity", "cohen_kappa"]
        metric = registry.get("metrics", plugins[number % len(plugins)])
        said, real = (probability, truth) if metric.kind == "probability" else (call, truth.astype(int))
        return AStatistic(str(number), lambda cases: metric(real[cases], said[cases]))

    start = time.perf_counter()
    found = measures([statistic(number) for number in range(30)], [f"p{number // 2}" for number in range(800)])
    assert time.perf_counter() - start < 10  # 1.2 s on an idle core
    assert all(result.low is not None for result in found.values())


def clustered_cases(rng, patients: int, apart: float):
    """Cases of 1 to 5 a patient, all of one class, alike within a patient; AUROC is Phi(apart / sqrt(2))."""
    sizes = rng.integers(1, 6, patients)
    keys = np.repeat(np.arange(patients), sizes)
    truth = np.repeat(rng.random(patients) < 0.4, sizes)
    score = 0.8 * np.repeat(rng.normal(size=patients), sizes) + 0.6 * rng.normal(size=keys.size) + apart * truth
    return truth, score, keys


@pytest.mark.slow
def test_clustered_delong_covers_the_truth_and_the_plain_one_does_not():
    rng = np.random.default_rng(9)
    held = plain = 0
    for _ in range(600):
        truth, score, keys = clustered_cases(rng, 80, 1.2)
        _, low, high = delong(truth, score, keys)
        held += low <= 0.80193 <= high  # Phi(1.2 / sqrt 2)
        _, low, high = delong(truth, score, np.arange(truth.size))
        plain += low <= 0.80193 <= high
    assert 0.92 <= held / 600 <= 0.98
    assert plain / 600 < 0.88


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.7, 0.9])
def test_a_proportion_covers_the_truth(share):
    rng = np.random.default_rng(10)
    held = 0
    for _ in range(1000):
        keys = np.repeat(np.arange(60), rng.integers(1, 6, 60))
        right = rng.random(keys.size) < rng.beta(4 * share, 4 * (1 - share), 60)[keys]
        _, low, high = proportion(right, keys)
        held += low <= share <= high
    assert 0.925 <= held / 1000 <= 0.985


@pytest.mark.slow
def test_the_cluster_bootstrap_covers_the_mean_of_skewed_scores():
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        dice = rng.beta(20, 2.5, 40)
        found = measure(mean_of(dice), names(40), resamples=400)
        held += found.low <= 20 / 22.5 <= found.high
    assert 0.90 <= held / 400 <= 0.98


def test_a_proportion_has_a_width_at_its_ends_and_counts_patients_there():
    assert proportion(np.ones(30, bool), range(30)) == (1.0, pytest.approx(0.8865, abs=1e-4), 1.0)
    assert proportion(np.zeros(30, bool), range(30)) == (0.0, 0.0, pytest.approx(0.1135, abs=1e-4))
    assert proportion(np.ones(300, bool), [number // 10 for number in range(300)]) == proportion(
        np.ones(30, bool), range(30)
    )
    assert all(math.isnan(value) for value in proportion(np.zeros(0, bool), []))


def test_a_perfect_auroc_has_an_exact_bound():
    truth = np.arange(50) < 20
    value, low, high = delong(truth, truth.astype(float), range(50))
    assert (value, high) == (1.0, 1.0)
    assert low**20 == pytest.approx(0.025)
    value, low, high = delong(truth, -truth.astype(float), range(50))
    assert (value, low) == (0.0, 0.0)
    assert (1 - high) ** 20 == pytest.approx(0.025)
    # Two films of each of 10 patients are 10 patients; four patients with both classes make two pairs.
    assert delong(truth, truth.astype(float), [number // 2 for number in range(50)])[1] ** 10 == pytest.approx(0.025)
    both = np.tile([True, False], 4)
    assert delong(both, both.astype(float), np.arange(8) // 2)[1] ** 2 == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("truth", "score"), [([1, 1, 1], [0.1, 0.2, 0.3]), ([], []), ([0, 1, 1], [0.1, math.nan, 0.4])]
)
def test_an_undefined_auroc_is_nan(truth, score):
    assert all(math.isnan(value) for value in delong(np.array(truth), np.array(score), range(len(truth))))


def test_an_auroc_of_ties_has_no_interval():
    value, low, high = delong(np.arange(40) < 10, np.ones(40), range(40))
    assert value == 0.5
    assert math.isnan(low)
    assert math.isnan(high)
