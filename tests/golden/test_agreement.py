"""Agreement of two readers against scikit-learn, statsmodels' formulas written out, and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from diascope.core.errors import BadUsage
from diascope.evidence.agreement import cohen_kappa, of_boxes, of_classes, of_values, paired_boxes, specific_agreement
from diascope.metrics.cohen_kappa import cohen_kappa as metric

LABELS = ("a", "b", "c")


def readers(seed, cases=80, classes=3, agree=0.7):
    rng = np.random.default_rng(seed)
    one = rng.integers(0, classes, cases)
    other = np.where(rng.random(cases) < agree, one, rng.integers(0, classes, cases))
    return one, other


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_kappa_is_that_of_scikit_learn(seed, classes):
    one, other = readers(seed, classes=classes)
    assert cohen_kappa(one, other) == pytest.approx(cohen_kappa_score(one, other))
    assert cohen_kappa(one, other) == pytest.approx(cohen_kappa(other, one))
    assert cohen_kappa(one, other) == pytest.approx(metric(one, other)), "and that of the metric of this name"


def test_kappa_where_there_is_nothing_to_be_said():
    assert np.isnan(cohen_kappa(np.array([1, 1]), np.array([1, 1])))
    assert np.isnan(cohen_kappa(np.array([], int), np.array([], int)))
    assert cohen_kappa(np.array([0, 1]), np.array([1, 0])) == -1


@pytest.mark.parametrize("seed", range(4))
def test_positive_agreement_is_f1(seed):
    """2a / (2a + b + c) is the F1 of either reader against the other; the negative one of the exchanged classes."""
    one, other = readers(seed, classes=2)
    assert specific_agreement(one, other, 1) == pytest.approx(f1_score(one, other))
    assert specific_agreement(one, other, 0) == pytest.approx(f1_score(1 - one, 1 - other))
    assert np.isnan(specific_agreement(np.zeros(3, int), np.zeros(3, int), 1))


def test_classes_of_which_one_holds():
    one, other = readers(0)
    mine, theirs = ([frozenset([LABELS[each]]) for each in given] for given in (one, other))
    patients = [f"p{number // 2}" for number in range(80)]
    found = of_classes(mine, theirs, LABELS, True, patients)
    assert found["kappa"].value == pytest.approx(cohen_kappa_score(one, other))
    assert found["agreement"].value == pytest.approx((one == other).mean())
    assert set(found) == {
        "agreement",
        "kappa",
        *(f"{kind}/{name}" for kind in ("positive", "negative") for name in LABELS),
    }
    for each in found.values():
        assert each.low < each.value < each.high


def test_classes_of_which_any_may_hold():
    rng = np.random.default_rng(1)
    held = rng.random((2, 60, 3)) < 0.4
    held[1] = np.where(rng.random((60, 3)) < 0.8, held[0], held[1])
    mine, theirs = ([frozenset(np.array(LABELS)[row]) for row in each] for each in held)
    found = of_classes(mine, theirs, LABELS, False, [f"p{number}" for number in range(60)])
    for number, label in enumerate(LABELS):
        assert found[f"kappa/{label}"].value == pytest.approx(cohen_kappa_score(held[0, :, number], held[1, :, number]))
    assert found["agreement"].value == pytest.approx((held[0] == held[1]).all(axis=1).mean())


def test_too_few_patients_have_no_interval():
    mine = [frozenset("a")] * 15 + [frozenset("b")] * 15
    found = of_classes(mine, mine[1:] + mine[:1], ("a", "b"), True, [f"p{number % 12}" for number in range(30)])
    assert {one.note for one in found.values()} == {"too few: 12 patients"}
    assert all(one.low is None for one in found.values())
    assert of_classes([], [], ("a",), False, [])["kappa/a"].value is None
    with pytest.raises(BadUsage):
        of_classes(mine, mine[1:], ("a", "b"), True, ["p"] * 30)


def test_cases_of_one_patient_do_not_count_as_many():
    """Each patient five times over: the interval is about that of the patients, not √5 narrower."""
    one, other = readers(3, cases=40)
    sets = [[frozenset([LABELS[each]]) for each in given] for given in (one, other)]
    alone = of_classes(*sets, LABELS, True, [f"p{number}" for number in range(40)])["kappa"]
    often = of_classes(*(each * 5 for each in sets), LABELS, True, [f"p{number % 40}" for number in range(200)])[
        "kappa"
    ]
    assert often.value == pytest.approx(alone.value)
    assert often.high - often.low == pytest.approx(alone.high - alone.low, rel=0.1)


def boxes(seed, count):
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 6, (count, 3))
    return np.concatenate([start, start + rng.integers(1, 6, (count, 3))], axis=1).astype(float)


def fits(one, other, least):
    inside = np.clip(np.minimum(one[3:], other[3:]) - np.maximum(one[:3], other[:3]), 0, None).prod()
    whole = (one[3:] - one[:3]).prod() + (other[3:] - other[:3]).prod() - inside
    return inside / whole >= least


@pytest.mark.parametrize("seed", range(12))
def test_pairs_of_boxes_are_the_most_that_there_can_be(seed):
    one, other = boxes(seed, 4), boxes(seed + 100, 5)
    least = 0.2
    best = max(
        sum(fits(mine, other[place], least) for mine, place in zip(one, order, strict=True))
        for order in itertools.permutations(range(5), 4)
    )
    assert paired_boxes(one, other, least) == best == paired_boxes(other, one, least)


def test_f1_of_boxes_and_means():
    counts = [(2, 2, 3), (0, 0, 0), (1, 2, 1)] * 10
    found = of_boxes("f1/x", counts, [f"p{number}" for number in range(30)])["f1/x"]
    assert found.value == pytest.approx(2 * 3 / 8)
    assert found.low < found.value < found.high
    assert of_boxes("f1/x", [(0, 0, 0)], ["p"])["f1/x"].value is None
    assert paired_boxes(np.zeros((0, 6)), boxes(0, 2)) == 0
    dice = of_values("dice/x", [0.5, np.nan, 1.0], ["a", "b", "c"])["dice/x"]
    assert (dice.value, dice.note) == (0.75, "too few: 2 patients")
