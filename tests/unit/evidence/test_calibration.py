"""Temperature scaling, reliability curve, slope and intercept."""

from itertools import pairwise

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.evidence.calibration import (
    FEWEST_FOR_OFFSETS,
    Temperature,
    fit_offsets,
    fit_temperature,
    probabilities,
    reliability,
    slope_and_intercept,
)


def drawn(temperature: float, count: int = 4000, classes: int = 3, seed: int = 0):
    """Logits that are `temperature` times too large for the classes they were drawn by."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(size=(count, classes)) * 1.5
    return sound * temperature, (sound + rng.gumbel(size=sound.shape)).argmax(1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    logits, truth = drawn(temperature)
    found = fit_temperature(logits, truth)
    assert found.value == pytest.approx(temperature, rel=0.08)
    assert found.loss_after <= found.loss_before
    assert found.note == ""


def test_scaling_keeps_the_order_of_the_classes_and_sums_to_one():
    logits, _ = drawn(2.0, count=50)
    scaled = probabilities(logits, 2.5)
    np.testing.assert_allclose(scaled.sum(1), 1)
    assert (scaled.argmax(1) == logits.argmax(1)).all()


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_one_logit_is_two_classes(shape):
    logits, truth = drawn(2.0, classes=2)
    single = (logits[:, 1] - logits[:, 0]).reshape(shape)
    assert fit_temperature(single, truth).value == pytest.approx(fit_temperature(logits, truth).value, rel=1e-5)
    np.testing.assert_allclose(probabilities(single, 2.0), probabilities(logits, 2.0), atol=1e-12)


@pytest.mark.parametrize(
    ("logits", "truth", "why"),
    [
        (np.zeros((4, 2)), [0, 1, 0, 1], "no temperature is better"),
        (np.array([[3.0, 0], [0, 3], [3, 0], [0, 3]]), [0, 0, 1, 1], "not between"),
        (np.array([[3.0, 0], [0, 3]]), [1, 0], "not between"),
        (np.zeros((0, 2)), [], "no cases"),
        (np.array([[np.nan, 0], [0, 4]]), [0, 1], "not finite"),
    ],
)
def test_where_no_temperature_is_sound_it_stays_at_1_and_says_why(logits, truth, why):
    found = fit_temperature(logits, np.array(truth))
    assert found.value == 1
    assert why in found.note


@pytest.mark.parametrize(("classes", "count"), [(2, 200), (3, 300)])
def test_timid_probabilities_of_a_model_without_error_become_sure(classes, count):
    """Smoothed labels and mixup leave a network timid; without an error on validation it used to stay so."""
    truth = np.arange(count) % classes
    logits = np.eye(classes)[truth] * np.random.default_rng(3).uniform(0.8, 1.6, (count, 1))
    found = fit_temperature(logits, truth)
    assert found.note == ""
    assert found.value < 0.5
    error = registry.get("metrics", "ece")
    before, after = (error(truth == 1, probabilities(logits, value)[:, 1]) for value in (1.0, found.value))
    assert before > 0.2
    assert after < 0.03


def test_few_cases_without_error_are_no_ground_for_certainty():
    logits = np.array([[3.0, 0], [0, 4], [5, 1], [1, 4]])
    found = fit_temperature(logits, np.array([0, 1, 0, 1]))
    assert probabilities(logits, found.value).max(axis=1).mean() == pytest.approx(5 / 6, abs=0.06)


@pytest.mark.parametrize("weights", [None, (1.0, 3.0, 0.5)])
def test_what_weights_did_to_the_frequencies_is_taken_back(weights):
    """Logits that say each class `weights` times too often: offsets are found, whether the weights are known or not."""
    logits, truth = drawn(1.0, count=6000)
    off = np.log([1.0, 3.0, 0.5])
    offsets = fit_offsets(2.0 * (logits + off), truth, weights)
    assert offsets.sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(offsets, -2.0 * (off - off.mean()), atol=0.2)
    said = probabilities(2.0 * (logits + off) + offsets, 2.0)
    np.testing.assert_allclose(said.mean(axis=0), np.bincount(truth) / len(truth), atol=0.005)


def test_offsets_of_few_cases_are_the_weights_that_are_known_and_nothing_else():
    few = FEWEST_FOR_OFFSETS - 1
    truth = np.repeat([0, 1], [few, 50])
    logits = np.random.default_rng(4).normal(size=(len(truth), 2)) + np.eye(2)[truth]
    half = np.log(4.0) / 2
    np.testing.assert_allclose(fit_offsets(logits, truth, (4.0, 1.0)), [-half, half])
    np.testing.assert_allclose(fit_offsets(logits, truth), [0, 0])


def test_logits_that_say_the_wrong_thing_or_nothing_have_no_offsets_of_their_own():
    truth = np.arange(200) % 2
    for logits in (np.eye(2)[1 - truth] * 5, np.full((200, 2), np.nan), np.zeros((200, 2))):
        np.testing.assert_allclose(fit_offsets(logits, truth), [0, 0], atol=1e-6)


def test_wrong_shapes_and_classes_are_refused():
    with pytest.raises(BadUsage, match="one class number"):
        fit_temperature(np.zeros((3, 2)), np.array([0, 1]))
    with pytest.raises(BadUsage, match="below K"):
        fit_temperature(np.zeros((2, 2)), np.array([0, 2]))


def test_a_temperature_is_written_and_read():
    found = fit_temperature(*drawn(2.0, count=100))
    assert Temperature.from_json(found.to_json()) == found


def test_the_reliability_curve_holds_every_case_once_and_gives_the_calibration_error():
    rng = np.random.default_rng(1)
    probability = rng.random(437)
    truth = rng.random(437) < probability**2
    bins = reliability(truth, probability, [f"p{number // 2}" for number in range(437)])
    assert sum(part.cases for part in bins) == 437
    assert len(bins) == 10
    assert all(one.highest < other.lowest for one, other in pairwise(bins))
    assert all(part.lowest <= part.said <= part.highest for part in bins)
    assert all(part.true.low <= part.true.value <= part.true.high for part in bins)
    error = sum(abs(part.said - part.true.value) * part.cases for part in bins) / 437
    assert registry.get("metrics", "ece")(truth, probability) == pytest.approx(error)


def test_no_cases_no_curve():
    assert reliability(np.zeros(0, bool), np.zeros(0), []) == ()


def test_slope_and_intercept_of_sound_and_of_extreme_probabilities():
    rng = np.random.default_rng(2)
    odds = rng.normal(size=600)
    truth = rng.random(600) < 1 / (1 + np.exp(-odds))
    patients = [f"p{number // 2}" for number in range(600)]
    slope, intercept = slope_and_intercept(truth, 1 / (1 + np.exp(-odds)), patients, resamples=200)
    assert slope.low < 1 < slope.high
    assert intercept.low < 0 < intercept.high
    slope, intercept = slope_and_intercept(truth, 1 / (1 + np.exp(-3 * odds - 2)), patients, resamples=200)
    assert slope.high < 0.5
    assert intercept.high < 0
