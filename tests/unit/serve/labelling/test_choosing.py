"""What comes next: the same each time, better than chance, and nothing is forgotten."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from diascope.modalities import Window
from diascope.serve.labelling.choosing import Reason, ranked
from diascope.serve.labelling.guessing import of_probabilities, uncertainties
from diascope.serve.labelling.picturing import LENGTH, described, places

NAMES = ["no", "yes"]


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clusters(seed, sizes, dimensions=32, spread=0.25):
    """Vectors around middles of their own, a few large groups and many small ones; and the number of each group."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    middles = rng.normal(size=(len(sizes), dimensions))
    rows = middles[group] + spread * rng.normal(size=(len(group), dimensions))
    return {number: row for number, row in enumerate(unit(rows))}, group


def labelled_in_order(vectors, rounds, truth=None):
    """Which series are asked about, one after the other, and answered with the truth."""
    done: list[int] = []
    for _ in range(rounds):
        wanted = [one for one in vectors if one not in done]
        unsure = {}
        if truth is not None:
            said = [(one, frozenset([NAMES[truth[one]]])) for one in done]
            unsure = uncertainties(NAMES, True, said, vectors, wanted)
        done.append(ranked(wanted, vectors, done, unsure)[0].series)
    return done


def until_all(groups, order):
    """How many are needed until each group was seen."""
    wanted, seen = len(set(groups)), set()
    for count, one in enumerate(order, 1):
        seen.add(groups[one])
        if len(seen) == wanted:
            return count
    return len(order) + 1


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_of_case_is_seen_sooner_than_by_chance(seed):
    vectors, group = clusters(seed, [60, 40, 30, 4, 3, 3, 2, 2])
    chosen = until_all(group, labelled_in_order(vectors, 40))
    rng = np.random.default_rng(seed)
    by_chance = [until_all(group, rng.permutation(len(group))) for _ in range(200)]
    assert chosen <= 12
    assert chosen < np.quantile(by_chance, 0.05)


def test_the_same_accuracy_needs_fewer_labels_than_by_chance():
    """A rare class in many groups: mean over seeds of the area under the learning curve, and labels to 95 %."""
    better, areas, chances = [], [], []
    for seed in range(6):
        vectors, group = clusters(seed, [40, 40, 40, 40, 4, 4, 4, 4, 4], dimensions=16, spread=0.35)
        truth = np.isin(group, [1, 4, 6, 8]).astype(int)
        order = labelled_in_order(vectors, 60, truth)
        mine = curve(vectors, truth, order)
        rng = np.random.default_rng(seed)
        others = [curve(vectors, truth, rng.permutation(len(truth))[:60]) for _ in range(10)]
        better.append(first_over(mine) <= np.median([first_over(one) for one in others]))
        areas.append(np.mean(mine))
        chances.append(np.mean(others))
    assert sum(better) >= 5
    assert np.mean(areas) > np.mean(chances) + 0.02


def curve(vectors, truth, order):
    """Balanced accuracy on all after 6, 9, … labels."""
    table, found = np.stack([vectors[one] for one in range(len(vectors))]), []
    for count in range(6, 61, 3):
        some = list(order[:count])
        if len(set(truth[some])) < 2:
            found.append(0.5)
            continue
        said = LogisticRegression(C=30, class_weight="balanced").fit(table[some], truth[some]).predict(table)
        found.append(np.mean([(said == truth)[truth == one].mean() for one in (0, 1)]))
    return np.array(found)


def first_over(values, level=0.95):
    over = np.flatnonzero(values >= level)
    return 6 + 3 * int(over[0]) if over.size else 99


def test_the_order_is_the_same_each_time_and_holds_everything_once():
    vectors, group = clusters(0, [10, 10, 10])
    truth = (group > 0).astype(int)
    assert labelled_in_order(vectors, 20, truth) == labelled_in_order(dict(reversed(vectors.items())), 20, truth)
    some = {one: vectors[one] for one in range(20)}
    found = ranked(range(30), some, [3], {})
    assert sorted(one.series for one in found) == list(range(30))
    unknown = [one for one in found if one.reason.kind == "unknown"]
    assert {one.series for one in unknown} == set(range(20, 30))
    assert 0 < found.index(unknown[0]) < 29, "what nothing is known of comes in its turn"


def test_the_most_typical_comes_first_and_then_the_most_unlike():
    rows = unit(np.array([[1, 0, 0], [1, 0.1, 0], [1, -0.1, 0], [0, 1, 0.0]]))
    vectors = dict(enumerate(rows))
    assert ranked([0, 1, 2, 3], vectors, [], {})[0].reason == Reason("first")
    following = ranked([1, 2, 3], vectors, [0], {})
    assert (following[0].series, following[0].reason.kind) == (3, "unlike")
    assert following[0].reason.diversity == pytest.approx(np.sqrt(2) / 2, abs=1e-5)


def test_what_lies_before_a_reader_counts_as_seen():
    vectors = dict(enumerate(unit(np.array([[1, 0], [1, 0.01], [0, 1], [0.1, 1]]))))
    assert ranked([1, 3], vectors, [0, 2], {})[0].series == 3
    assert ranked([1, 3], vectors, [2], {})[0].series == 1


def test_copies_are_not_asked_about_twice_before_others():
    vectors = dict(enumerate(unit(np.array([[1, 0], [1, 0], [1, 0.3]]))))
    found = ranked([1, 2], vectors, [0], {1: 1.0, 2: 0.4})
    assert [one.series for one in found] == [2, 1]


@pytest.mark.parametrize(("classes", "expected"), [((3, 2), False), ((3, 3), True), ((6, 0), False)])
def test_nothing_is_learnt_before_three_of_each(classes, expected):
    vectors, _ = clusters(0, [10, 10])
    said = [(one, frozenset(["no"])) for one in range(classes[0])]
    said += [(10 + one, frozenset(["yes"])) for one in range(classes[1])]
    found = uncertainties(NAMES, True, said, vectors, [8, 9, 18, 19])
    assert bool(found) is expected
    assert all(0 <= one <= 1 for one in found.values())


def test_what_lies_between_is_the_least_sure():
    vectors = dict(enumerate(unit(np.array([[1, t] for t in (-3, -2.5, -2, 2, 2.5, 3, -2.7, 0.0, 2.7)]))))
    for exclusive in (True, False):
        said = [(one, frozenset(["yes"] if one > 2 else ["no"])) for one in range(6)]
        found = uncertainties(NAMES, exclusive, said, vectors, [6, 7, 8])
        assert max(found, key=found.get) == 7


def test_probabilities_of_a_guide():
    assert of_probabilities([]) is None
    assert of_probabilities([0.5]) == 1
    assert of_probabilities([0.0, 1.0]) == pytest.approx(0, abs=1e-6)
    assert of_probabilities([0.01, 0.6]) == pytest.approx(0.971, abs=1e-3)


# What a series looks like.

WINDOW = Window("w", 500, 1000)


def disc(row, column, size=64, value=900.0):
    rows, columns = np.mgrid[:size, :size]
    return np.where((rows - row) ** 2 + (columns - column) ** 2 < (size / 6) ** 2, value, 100.0)


def test_pictures_that_look_alike_are_near_each_other():
    noise = np.random.default_rng(0)
    first = described([disc(20, 20)], WINDOW)
    same = described([disc(21, 20) + noise.normal(0, 15, (64, 64))], WINDOW)
    larger = described([disc(40, 40, 128)], WINDOW)
    elsewhere = described([disc(45, 45)], WINDOW)
    assert first.shape == (LENGTH,)
    assert np.linalg.norm(first) == pytest.approx(1)
    assert first @ larger > first @ elsewhere + 0.1, "the number of pixels does not matter"
    assert first @ same > first @ elsewhere + 0.1


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (16, 16), (17, 63), (40, 30, 3)])
def test_pictures_of_any_size(shape):
    values = np.random.default_rng(0).integers(0, 1000, shape)
    found = described([values], WINDOW)
    assert found.size in (0, LENGTH)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("values", [np.full((20, 20), 7.0), np.full((20, 20), np.nan), np.full((9, 9), np.inf)])
def test_a_picture_that_says_nothing_has_no_vector(values):
    assert described([values], WINDOW).size == 0


def test_the_frames_that_are_described():
    assert places(1) == [0]
    assert places(2) == [0, 1]
    assert places(200) == [50, 100, 150]
