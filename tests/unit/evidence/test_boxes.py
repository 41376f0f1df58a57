"""Which boxes hit, and from which probability on they are said."""

from __future__ import annotations

import numpy as np
import pytest

from diascope.core.errors import BadUsage
from diascope.evidence.boxes.matching import MOST, Matches, by_centre, matched, pooled
from diascope.evidence.boxes.operating_point import BoxRule, choose


def flat(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([[0, t, left, 1, b, r] for t, left, b, r in rows], float).reshape(-1, 6)


NONE = np.zeros(0, bool)


def test_the_surest_of_two_boxes_takes_the_truth() -> None:
    said = flat((0, 0, 10, 10), (0, 0, 10, 9))
    found = matched(said, np.array([0.3, 0.9]), flat((0, 0, 10, 10)), np.array([False]), (0.5,))
    assert found.scores.tolist() == [0.9, 0.3]
    assert found.hits.tolist() == [[True, False]]
    assert found.truths == 1


def test_of_two_truths_that_a_box_overlaps_alike_it_takes_the_last_as_coco_does() -> None:
    truth = flat((0, 0, 10, 10), (0, 4, 10, 14))
    found = matched(flat((0, 2, 10, 12), (0, 0, 10, 10)), np.array([0.9, 0.8]), truth, np.array([False] * 2), (0.5,))
    assert found.hits.tolist() == [[True, True]]


def test_a_stricter_overlap_makes_a_hit_a_false_one() -> None:
    found = matched(flat((0, 0, 10, 7)), np.array([0.9]), flat((0, 0, 10, 10)), np.array([False]), (0.5, 0.7, 0.75))
    assert found.hits[:, 0].tolist() == [True, True, False]


def test_what_is_to_be_ignored_takes_any_number_and_is_not_missed() -> None:
    said = flat((0, 0, 5, 5), (2, 2, 8, 8), (50, 50, 60, 60))
    found = matched(said, np.array([0.9, 0.8, 0.7]), flat((0, 0, 10, 10)), np.array([True]), (0.5,))
    assert found.ignored.tolist() == [[True, True, False]]
    assert not found.hits.any()
    assert found.truths == 0


def test_a_box_that_hits_something_real_is_not_ignored() -> None:
    truth, ignored = flat((0, 0, 10, 10), (0, 0, 40, 40)), np.array([False, True])
    found = matched(flat((0, 0, 10, 10)), np.array([0.9]), truth, ignored, (0.5,))
    assert (found.hits[0, 0], found.ignored[0, 0]) == (True, False)


def test_an_image_with_nothing_in_it_and_nothing_said_of_it() -> None:
    found = matched(flat(), np.zeros(0), flat(), NONE)
    assert (found.hits.shape, found.truths) == ((10, 0), 0)
    assert pooled([found, found]).scores.shape == (0,)
    assert pooled([]).truths.shape == (0,)


def test_a_box_hits_where_its_middle_lies_nearer_than_the_radius() -> None:
    sphere = np.array([[10, 10, 10, 20, 20, 20.0]])
    said = np.array(
        [[13, 13, 13, 18.8, 18.8, 18.8], [19, 19, 19, 20, 20, 20], [14, 14, 18, 16, 16, 22.1], [0, 0, 0, 1, 1, 1]]
    )
    found = by_centre(said, np.array([0.6, 0.9, 0.8, 0.7]), sphere, np.array([False]))
    assert found.scores.tolist() == [0.9, 0.8, 0.7, 0.6]
    assert found.hits.tolist() == [[False, False, False, True]]
    twice = by_centre(said[[0, 0, 3]], np.array([0.6, 0.9, 0.3]), sphere, np.array([False]))
    assert (twice.hits.tolist(), twice.ignored.tolist()) == ([[True, False, False]], [[False, True, False]])
    hidden = by_centre(said[[0, 3]], np.array([0.6, 0.3]), sphere, np.array([True]))
    assert (hidden.hits.any(), hidden.ignored.tolist(), hidden.truths) == (False, [[True, False]], 0)
    assert by_centre(said, np.ones(4), np.zeros((0, 6)), NONE).hits.shape == (1, 4)


def test_only_the_surest_boxes_of_an_image_count() -> None:
    said = np.repeat(flat((0, 0, 10, 10)), MOST + 20, axis=0)
    assert len(matched(said, np.linspace(0, 1, MOST + 20), flat(), NONE).scores) == MOST


def labelled(*images: tuple[int, list[tuple[float, bool]]]):
    found = []
    for truths, said in images:
        hits = np.array([[hit for _, hit in said]], bool).reshape(1, -1)
        found.append(Matches(np.array([score for score, _ in said], float), hits, np.zeros_like(hits), truths))
    return pooled(found)


SAID = labelled((2, [(0.9, True), (0.6, False)]), (2, [(0.8, True), (0.7, False), (0.5, True)]), (0, [(0.4, False)]))


@pytest.mark.parametrize(
    ("rule", "threshold", "sensitivity", "false_positives"),
    [
        # Two of four found and none false has an F1 of 2/3, as three found and two false: the one that misses less.
        ({"name": "f1"}, 0.45, 0.75, 2 / 3),
        ({"name": "false_positives_at_most", "value": 0.5}, 0.65, 0.5, 1 / 3),
        ({"name": "sensitivity_at_least", "value": 0.75}, 0.45, 0.75, 2 / 3),
        ({"name": "fixed", "value": 0.85}, 0.85, 0.25, 0.0),
    ],
)
def test_a_rule_picks_its_threshold(
    rule: dict[str, object], threshold: float, sensitivity: float, false_positives: float
) -> None:
    point = choose(SAID, BoxRule.from_json(rule))
    assert point.threshold == pytest.approx(threshold)
    assert point.sensitivity == pytest.approx(sensitivity)
    assert point.false_positives == pytest.approx(false_positives)
    assert point.sound


def test_a_threshold_lies_between_two_probabilities_and_calls_what_was_counted() -> None:
    for rule in (BoxRule(), BoxRule(name="false_positives_at_most", value=0.0), BoxRule(name="fixed", value=0.7)):
        point = choose(SAID, rule)
        called = SAID.scores >= point.threshold
        assert point.sensitivity == pytest.approx(float(SAID.hits[0][called].sum()) / 4)
        assert point.false_positives == pytest.approx(float((~SAID.hits[0])[called].sum()) / 3)


@pytest.mark.parametrize("label", [labelled((0, [(0.5, False)])), labelled((3, []))])
def test_where_there_is_nothing_to_choose_by_that_is_said(label) -> None:
    point = choose(label, BoxRule())
    assert (point.threshold, point.sound) == (0.5, False)
    assert "could not be followed" in point.words


@pytest.mark.parametrize(
    "rule", [{"name": "f1", "value": 0.5}, {"name": "fixed"}, {"name": "sensitivity_at_least", "value": 2.0}]
)
def test_a_rule_with_a_value_that_does_not_fit_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(BadUsage, match="takes"):
        BoxRule.from_json(rule)
