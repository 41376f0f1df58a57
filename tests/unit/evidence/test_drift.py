"""Drift: values that others computed, false alarms as rare as is stated, alarms where something changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact

from diascope.core.errors import BadUsage
from diascope.core.finding import Measure
from diascope.evidence.differences import difference
from diascope.evidence.drift import counts_differ, exact_share, level, more_than, values_differ


def test_two_classes_have_the_p_of_fisher() -> None:
    """In a table of two by two the permutation of chi-squared is near Fisher's exact test of the same margins."""
    for reference, recent in (((30, 10), (10, 15)), ((50, 50), (20, 21)), ((95, 5), (18, 7))):
        exact = float(fisher_exact([reference, recent])[1])
        assert counts_differ(reference, recent) == pytest.approx(exact, abs=0.03)


def test_counts_that_are_alike_never_differ() -> None:
    assert counts_differ((50, 30, 20), (50, 30, 20)) == 1.0
    assert counts_differ((7, 0, 0), (9, 0, 0)) == 1.0
    assert counts_differ((100, 100), (0, 60)) == pytest.approx(1e-4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.integers(0, 5))
def test_the_order_of_the_classes_does_not_matter(reference: list[int], seed: int) -> None:
    recent = [(7 * count + 3) % 23 for count in reference]
    recent[0] += 1
    one = counts_differ(reference, recent, seed)
    other = counts_differ(reference[::-1], recent[::-1], seed)
    assert abs(one - other) < 0.03


def test_false_alarms_are_as_rare_as_is_stated() -> None:
    """Nothing changes: at a look of several tests the share of looks with an alarm is at most what is stated."""
    rng = np.random.default_rng(20)
    looks, rate, alarms = 200, 0.1, 0
    for look in range(looks):
        values = [values_differ(rng.normal(size=60), rng.normal(size=40)) for _ in range(2)]
        counts = [rng.multinomial(size, (0.6, 0.3, 0.1)) for size in (120, 50)]
        refused = more_than(int(rng.binomial(80, 0.05)), 80, 0.05)
        tests = [*values, counts_differ(list(counts[0]), list(counts[1]), look), refused]
        alarms += min(tests) <= level(len(tests), rate)
    assert binomtest(alarms, looks, rate, alternative="greater").pvalue > 0.001, alarms
    assert alarms > 0, "at this rate a test that never alarms is no test"


def test_a_change_is_seen() -> None:
    rng = np.random.default_rng(1)
    assert values_differ(rng.normal(size=150), rng.normal(1.0, size=100)) < level(10)
    assert counts_differ((90, 10), (60, 40)) < level(10)
    assert more_than(12, 100, 0.02) < level(10)


def test_shares_have_the_interval_of_clopper_and_pearson() -> None:
    """Golden: 81 of 263 (Newcombe 1998, table I, exact method) and both ends."""
    found = exact_share(81, 263)
    assert (found.low, found.high) == (pytest.approx(0.2527, abs=5e-5), pytest.approx(0.3676, abs=5e-5))
    assert exact_share(0, 20) == Measure(value=0.0, low=0.0, high=exact_share(0, 20).high)
    assert exact_share(0, 20).high == pytest.approx(0.1684, abs=5e-5)
    assert exact_share(20, 20).low == pytest.approx(0.8316, abs=5e-5)


def test_more_than_is_the_tail_of_the_binomial() -> None:
    for happened in (0, 1, 3, 20):
        assert more_than(happened, 20, 0.1) == pytest.approx(
            float(binomtest(happened, 20, 0.1, alternative="greater").pvalue)
        )


def test_what_makes_no_sense_is_refused() -> None:
    for wrong in (
        lambda: level(0),
        lambda: level(3, 1.0),
        lambda: counts_differ((1, 2), (1, 2, 3)),
        lambda: counts_differ((0, 0), (1, 2)),
        lambda: counts_differ((-1, 3), (1, 2)),
        lambda: values_differ(np.array([]), np.array([1.0])),
        lambda: values_differ(np.array([1.0, np.nan]), np.array([1.0])),
        lambda: exact_share(3, 2),
        lambda: more_than(0, 0, 0.5),
    ):
        with pytest.raises(BadUsage):
            wrong()


def test_a_difference_of_shares_is_that_of_newcombe() -> None:
    """Golden: 56 of 70 against 48 of 80 (Newcombe 1998, method 10): 0.2, 0.0524 to 0.3339."""
    one = Measure(value=56 / 70, low=0.6918, high=0.8770)
    other = Measure(value=48 / 80, low=0.4905, high=0.7006)
    found = difference(one, other)
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=5e-4), pytest.approx(0.3339, abs=5e-4))
    back = difference(other, one)
    assert (back.low, back.high) == (pytest.approx(-(found.high or 0)), pytest.approx(-(found.low or 0)))


def test_a_difference_without_intervals_or_units_says_why() -> None:
    few = Measure(value=0.9, note="too few: 3 patients")
    assert difference(few, Measure(value=0.8, low=0.7, high=0.9)).note == "too few: 3 patients"
    assert difference(few, Measure(value=0.8, low=0.7, high=0.9)).low is None
    assert difference(Measure(value=1.0, unit="mm"), few).value is None
    assert difference(Measure(value=None), few).value is None
