"""Laws of the evidence."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diascope.core import registry
from diascope.evidence.calibration import fit_temperature, probabilities
from diascope.evidence.delong import delong, paired_delong
from diascope.evidence.intervals import measure
from diascope.evidence.operating_point import Rule, choose
from diascope.evidence.proportions import proportion

cases = st.integers(1, 40).flatmap(
    lambda count: st.tuples(
        arrays(bool, count),
        arrays(np.int64, count, elements=st.integers(0, 20)).map(lambda found: found / 20),
        arrays(np.int64, count, elements=st.integers(0, 12)),
    )
)


@given(cases)
def test_delong_gives_the_auroc_inside_its_interval_inside_0_to_1(drawn):
    truth, probability, patients = drawn
    value, low, high = delong(truth, probability, patients)
    assert value == pytest.approx(registry.get("metrics", "auroc")(truth, probability), nan_ok=True, abs=1e-12)
    assert math.isnan(low) or 0 <= low <= value <= high <= 1


@given(cases)
def test_delong_is_unchanged_by_monotone_maps_and_names(drawn):
    truth, probability, patients = drawn
    renamed = [f"patient {100 - key}" for key in patients]
    expected = delong(truth, probability, patients)
    assert delong(truth, np.exp(probability) - 3, renamed) == pytest.approx(expected, nan_ok=True, abs=1e-9)


@given(cases, st.integers(0, 2**32 - 1))
def test_a_paired_difference_changes_sign_with_the_order(drawn, seed):
    truth, one, patients = drawn
    other = np.random.default_rng(seed).permutation(one)
    there, back = paired_delong(truth, one, other, patients), paired_delong(truth, other, one, patients)
    assert there.difference == pytest.approx(-back.difference, nan_ok=True)
    assert there.p == pytest.approx(back.p, nan_ok=True, abs=1e-9)
    assert math.isnan(there.p) or 0 <= there.p <= 1


@given(cases)
def test_a_proportion_lies_in_its_interval_in_0_to_1(drawn):
    right, _, patients = drawn
    value, low, high = proportion(right, patients)
    assert 0 <= low <= value <= high <= 1
    assert low < high


@given(cases, st.sampled_from(["youden", "f1"]))
def test_no_rule_does_worse_than_calling_everything_or_nothing(drawn, name):
    truth, probability, _ = drawn
    point = choose(truth, probability, Rule(name=name))
    if point.sound:
        assert point.sensitivity + point.specificity >= 1 - 1e-12 or name == "f1"


@given(cases, st.floats(0, 1), st.sampled_from(["sensitivity", "specificity"]))
def test_what_is_asked_for_is_reached(drawn, value, side):
    truth, probability, _ = drawn
    point = choose(truth, probability, Rule(name=f"{side}_at_least", value=value))
    assert not point.sound or getattr(point, side) >= value - 1e-12


@given(st.integers(1, 30), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_a_temperature_never_makes_the_loss_worse(count, classes, seed):
    rng = np.random.default_rng(seed)
    logits, truth = rng.normal(size=(count, classes)) * 4, rng.integers(classes, size=count)
    found = fit_temperature(logits, truth)
    assert found.loss_after <= found.loss_before + 1e-9
    assert (probabilities(logits, found.value).argmax(1) == logits.argmax(1)).all()


@settings(max_examples=20)
@given(st.integers(20, 40), st.floats(-5, 5), st.floats(0.1, 5), st.integers(0, 2**32 - 1))
def test_intervals_of_a_mean_move_and_stretch_with_the_values(count, shift, scale, seed):
    values, patients = np.random.default_rng(seed).random(count), [str(number) for number in range(count)]
    plain = measure(lambda chosen: float(values[chosen].mean()), patients, resamples=60)
    moved = measure(lambda chosen: float((shift + scale * values)[chosen].mean()), patients, resamples=60)
    for name in ("value", "low", "high"):
        assert getattr(moved, name) == pytest.approx(shift + scale * getattr(plain, name), abs=1e-9)
