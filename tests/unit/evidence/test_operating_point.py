"""Operating points: rules, ties, edges and words."""

import numpy as np
import pytest

from diascope.core.errors import BadUsage
from diascope.evidence.operating_point import OperatingPoint, Rule, choose

TRUTH = np.array([0, 0, 1, 0, 1, 1], bool)
PROBABILITY = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.9])


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [
        (Rule(), 0.25),  # 0.25 and 0.65 have the same sum: the one that misses less
        (Rule(name="f1"), 0.25),
        (Rule(name="sensitivity_at_least", value=0.95), 0.25),
        (Rule(name="sensitivity_at_least", value=0.6), 0.65),
        (Rule(name="sensitivity_at_least", value=0.0), 0.95),
        (Rule(name="specificity_at_least", value=1.0), 0.65),
        (Rule(name="specificity_at_least", value=0.0), 0.0),
        (Rule(name="fixed", value=0.5), 0.5),
    ],
)
def test_the_rule_decides(rule, threshold):
    assert choose(TRUTH, PROBABILITY, rule).threshold == pytest.approx(threshold)


def test_it_says_what_it_achieved():
    point = choose(TRUTH, PROBABILITY, Rule(name="fixed", value=0.65))
    assert (point.sensitivity, point.specificity, point.ppv, point.npv) == (2 / 3, 1.0, 1.0, 0.75)
    assert (point.positives, point.negatives) == (3, 3)


def test_a_threshold_lies_between_probabilities_and_survives_their_last_digit():
    point = choose(TRUTH, PROBABILITY, Rule())
    for noise in (-1e-6, 1e-6):
        again = choose(TRUTH, PROBABILITY + noise, Rule(name="fixed", value=point.threshold))
        assert (again.sensitivity, again.specificity) == (point.sensitivity, point.specificity)


def test_probabilities_of_exactly_1_can_be_called_negative():
    point = choose(np.array([1, 0], bool), np.array([0.5, 1.0]), Rule(name="specificity_at_least", value=1.0))
    assert point.specificity == 1
    assert point.threshold > 1


@pytest.mark.parametrize("truth", [np.ones(6, bool), np.zeros(6, bool)])
def test_one_class_takes_a_half_and_admits_it(truth):
    point = choose(truth, PROBABILITY, Rule())
    assert point.threshold == 0.5
    assert not point.sound
    assert "could not be followed" in point.words["en"]
    assert "无法" in point.words["zh-CN"]


def test_no_cases_at_all():
    point = choose(np.zeros(0, bool), np.zeros(0), Rule())
    assert not point.sound
    assert point.sensitivity is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("youden", None), ("f1", None), ("sensitivity_at_least", 0.9), ("specificity_at_least", 0.9), ("fixed", 0.3)],
)
def test_words_name_the_threshold_the_rule_and_what_it_achieved(name, value):
    rule = Rule(name=name, value=value)
    point = choose(TRUTH, PROBABILITY, rule)
    for words in point.words.values():
        assert f"{point.threshold:.3f}" in words
        assert f"{point.sensitivity:.3f}" in words
        assert rule.name == "fixed" or rule.value is None or str(rule.value) in words


def test_an_operating_point_is_written_and_read():
    point = choose(TRUTH, PROBABILITY, Rule(name="sensitivity_at_least", value=0.95))
    assert OperatingPoint.from_json(point.to_json()) == point


@pytest.mark.parametrize(("name", "value"), [("youden", 0.5), ("fixed", None), ("sensitivity_at_least", 95)])
def test_rules_that_make_no_sense_are_refused(name, value):
    with pytest.raises(BadUsage, match="takes"):
        Rule(name=name, value=value)


def test_probabilities_that_are_not_finite_are_refused():
    with pytest.raises(BadUsage, match="finite"):
        choose(np.array([1, 0], bool), np.array([0.5, np.nan]), Rule())
