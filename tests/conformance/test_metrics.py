"""Every metric keeps its family's promises: perfect is its best value, undefined is nan and never an error."""

import math

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.errors import BadUsage

METRICS = dict(registry.each("metrics"))
NAMES = tuple(METRICS)

PAIRS = {
    "probability": (np.array([0, 1, 1, 0], bool), np.array([0.2, 0.4, 0.7, 0.5])),
    "call": (np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1])),
    "value": (np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 1.0, 3.5, 3.0])),
    "boxes": (np.array([[0, 0, 1, 2, 1, 5, 7, 0.0]]), np.array([[0, 0, 1, 2, 1, 2, 3, 0.9]])),
    "image": (
        np.linspace(0, 1, 2 * 12 * 13).reshape(2, 12, 13),
        np.linspace(0, 1, 2 * 12 * 13).reshape(2, 13, 12).swapaxes(1, 2),
    ),
    "mask": (np.eye(6, dtype=bool)[None], np.roll(np.eye(6, dtype=bool), 1, axis=0)[None]),
}
SOLID = np.pad(np.ones((3, 4, 5), bool), 2)


def perfect_pair(kind: str) -> tuple[np.ndarray, np.ndarray]:
    truth = SOLID if kind == "mask" else PAIRS[kind][0]
    return truth, truth.astype(float) if kind == "probability" else truth


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name):
    metric = METRICS[name]
    assert metric.kind in PAIRS
    assert metric.better in {"higher", "lower", "nearer"}
    assert metric.unit
    assert set(metric.title) == {"en", "zh-CN"}
    assert all(metric.title.values())


# The slope of a perfect prediction is infinite: no overlap of the classes.
@pytest.mark.parametrize("name", sorted({*NAMES} - {"calibration_slope"}))
def test_a_perfect_prediction_has_the_best_value(name):
    metric = METRICS[name]
    assert metric(*perfect_pair(metric.kind)) == pytest.approx(metric.perfect, abs=1e-12)


def test_the_slope_of_calibrated_probabilities_is_perfect():
    # At each of four probabilities exactly that share of 10 cases is positive.
    probability = np.repeat([0.1, 0.3, 0.6, 0.8], 10)
    truth = np.concatenate([np.arange(10) < round(10 * value) for value in (0.1, 0.3, 0.6, 0.8)])
    assert METRICS["calibration_slope"](truth, probability) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"calibration_slope"}))
def test_an_imperfect_prediction_is_worse(name):
    metric = METRICS[name]
    value = metric(*PAIRS[metric.kind])
    if name == "volume_error":  # equal volumes elsewhere: nothing to find
        value = metric(SOLID, np.zeros_like(SOLID))
    assert value < metric.perfect if metric.better == "higher" else value > metric.perfect


@pytest.mark.parametrize("name", NAMES)
def test_nothing_at_all_is_undefined(name):
    metric = METRICS[name]
    none = np.zeros((1, 3, 3), bool) if metric.kind == "mask" else np.zeros(0)
    assert math.isnan(metric(none, none))


UNDEFINED = [
    ("auroc", [0, 0, 0], [0.1, 0.2, 0.3]),
    ("auroc", [1, 1, 1], [0.1, 0.2, 0.3]),
    ("auroc", [0, 1, 1], [0.1, math.nan, 0.3]),
    ("average_precision", [0, 0, 0], [0.1, 0.2, 0.3]),
    ("average_precision", [0, 1, 0], [math.nan, 0.2, 0.3]),
    ("brier", [0, 1, 0], [math.nan, 0.2, 0.3]),
    ("ece", [0, 1, 0], [math.nan, 0.2, 0.3]),
    ("calibration_slope", [1, 1, 1], [0.1, 0.2, 0.3]),
    ("calibration_slope", [0, 0, 1], [0.1, 0.2, 0.3]),
    ("calibration_slope", [1, 0, 0], [0.1, 0.2, 0.3]),
    ("calibration_slope", [1, 0, 1], [0.2, 0.2, 0.2]),
    ("calibration_slope", [1, 0, 1, 0], [0.2, 0.4, math.nan, 0.5]),
    ("balanced_accuracy", [1, 1, 1], [1, 0, 1]),
    ("sensitivity", [0, 0, 0], [1, 0, 1]),
    ("specificity", [1, 1, 1], [1, 0, 1]),
    ("ppv", [1, 0, 1], [0, 0, 0]),
    ("npv", [1, 0, 1], [1, 1, 1]),
    ("f1", [0, 0, 0], [0, 0, 0]),
    ("mcc", [1, 0, 1], [1, 1, 1]),
    ("mcc", [1, 1, 1], [1, 0, 1]),
    ("cohen_kappa", [1, 1, 1], [1, 1, 1]),
]


@pytest.mark.parametrize(("name", "truth", "said"), UNDEFINED)
def test_undefined_is_nan(name, truth, said):
    assert math.isnan(METRICS[name](np.array(truth), np.array(said)))


@pytest.mark.parametrize("name", [name for name in NAMES if METRICS[name].kind != "boxes"])
def test_different_shapes_are_refused(name):
    with pytest.raises(BadUsage, match="one shape"):
        METRICS[name](np.zeros((2, 2, 2)), np.zeros((2, 2, 3)))
