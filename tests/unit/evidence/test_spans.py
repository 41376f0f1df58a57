"""Spans that were said against those there are, counted by hand; operating points of spans."""

import math

import numpy as np
import pytest

from diascope.core.errors import BadUsage
from diascope.evidence.spans.matching import FOUND, HITS, NEAR, SAID, TRUE, counted, f1, paired, precision, recall
from diascope.evidence.spans.operating_point import SpanPoint, SpanRule, choose, said_by

TRUTH = [(0, 3, 1), (5, 8, 1), (10, 12, 2), (20, 25, 2)]
SAID_SPANS = [(0, 3, 1), (6, 9, 1), (10, 12, 1), (30, 31, 2), (19, 22, 2), (23, 24, 2)]


def test_counts_of_each_label() -> None:
    found = counted(TRUTH, SAID_SPANS, 2)
    # Label 1: one exact; one shares two characters; one lies on a span of the other label.
    assert found[0].tolist() == [1, 3, 2, 2, 2]
    # Label 2: two said spans share characters with one true span; one lies nowhere; one true span is missed.
    assert found[1].tolist() == [0, 3, 2, 2, 1]
    assert (HITS, SAID, TRUE, NEAR, FOUND) == (0, 1, 2, 3, 4)


def test_measures_of_summed_counts() -> None:
    total = counted(TRUTH, SAID_SPANS, 2).sum(axis=0)
    assert precision(total) == pytest.approx(1 / 6)
    assert recall(total) == pytest.approx(1 / 4)
    assert f1(total) == pytest.approx(0.2)
    assert precision(total, relaxed=True) == pytest.approx(4 / 6)
    assert recall(total, relaxed=True) == pytest.approx(3 / 4)
    assert f1(total, relaxed=True) == pytest.approx(2 * (4 / 6) * (3 / 4) / (4 / 6 + 3 / 4))


def test_nothing_said_and_nothing_there() -> None:
    assert math.isnan(f1(counted([], [], 1)[0]))
    assert f1(counted([(0, 1, 1)], [], 1)[0]) == 0
    assert f1(counted([], [(0, 1, 1)], 1)[0], relaxed=True) == 0
    assert math.isnan(precision(counted([(0, 1, 1)], [], 1)[0]))


def test_each_span_has_one_partner_at_most() -> None:
    assert sorted(paired(TRUTH, SAID_SPANS)) == [(0, 2), (0, 2), (1, 1), (1, 1), (2, 1), (2, 2)]
    assert paired([(0, 5, 1)], []) == [(1, 0)]


PROBABILITY = np.array([0.9, 0.8, 0.6, 0.4, 0.2])
RIGHT = np.array([True, True, False, True, False])


@pytest.mark.parametrize(
    ("rule", "threshold", "words"),
    [
        (SpanRule(), 0.3, "highest F1"),
        (SpanRule(name="recall_at_least", value=0.5), 0.7, "recall of at least 0.5"),
        (SpanRule(name="precision_at_least", value=0.7), 0.3, "precision of at least 0.7"),
        (SpanRule(name="fixed", value=0.55), 0.55, "set by hand"),
        (SpanRule(name="best_path"), 0.0, "most probable tags"),
    ],
)
def test_the_rule_picks_the_threshold(rule: SpanRule, threshold: float, words: str) -> None:
    point = choose(PROBABILITY, RIGHT, 4, rule)
    assert point.threshold == pytest.approx(threshold)
    assert point.sound
    assert words in point.words["en"]
    assert SpanPoint.from_json(point.to_json()) == point


def test_true_spans_that_could_not_be_said_count_as_missed() -> None:
    point = choose(PROBABILITY, RIGHT, 4, SpanRule())
    assert point.recall == pytest.approx(3 / 4)
    assert point.precision == pytest.approx(3 / 4)


@pytest.mark.parametrize("right", [np.zeros(5, bool), RIGHT])
def test_a_rule_that_cannot_be_followed_takes_a_half_and_says_so(right: np.ndarray) -> None:
    point = choose(PROBABILITY, right, 4, SpanRule(name="recall_at_least", value=0.99))
    assert (point.threshold, point.sound) == (0.5, False)
    assert "could not be followed" in point.words["en"]


def test_what_an_operating_point_says() -> None:
    point = choose(PROBABILITY, RIGHT, 4, SpanRule(name="fixed", value=0.6))
    assert said_by(PROBABILITY.tolist(), [False] * 5, point).tolist() == [True, True, True, False, False]
    path = choose(PROBABILITY, RIGHT, 4, SpanRule(name="best_path"))
    assert said_by([0.1, 0.9], [True, False], path).tolist() == [True, False]


@pytest.mark.parametrize(("name", "value"), [("f1", 0.5), ("fixed", None), ("recall_at_least", 1.5)])
def test_a_value_where_none_belongs_is_refused(name: str, value: float | None) -> None:
    with pytest.raises(BadUsage, match="takes"):
        SpanRule(name=name, value=value)
