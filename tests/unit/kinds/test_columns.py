"""Columns of a table: zeros that stand for missing values, words, and columns that say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from diascope.kinds.tables.columns import column_facts, zeros_stand_apart

RNG = np.random.default_rng(0)
PRESSURE = RNG.normal(72, 12, 300).round()


@pytest.mark.parametrize(
    ("values", "apart"),
    [
        (np.r_[PRESSURE, [0.0] * 5], True),
        (np.r_[RNG.normal(32, 6, 300), 0.0], True),
        (PRESSURE, False),
        (RNG.poisson(3, 300).astype(float), False),
        (RNG.exponential(2, 300).round(1), False),
        (np.r_[RNG.normal(0, 1, 300), 0.0], False),
        (np.r_[np.repeat([50.0, 60.0], 100), 0.0], False),
    ],
)
def test_zeros_that_no_value_comes_near(values: np.ndarray, apart: bool) -> None:
    assert zeros_stand_apart(values) is apart


def test_facts_of_numbers_leave_impossible_zeros_out() -> None:
    found = column_facts("pressure", [*PRESSURE.tolist(), 0.0, None], "mm[Hg]")
    assert found is not None
    assert found.zeros_missing
    assert found.quantiles[0] == PRESSURE.min()
    assert found.missing == pytest.approx(2 / 302)
    assert found.unit == "mm[Hg]"


def test_facts_of_words() -> None:
    found = column_facts("sex", ["f", "m", None, "f"])
    assert found is not None
    assert (found.kind, found.values, found.missing) == ("category", ("f", "m"), 0.25)


def test_a_column_that_says_nothing_is_none_but_one_that_is_sometimes_there_says_something() -> None:
    assert column_facts("empty", [None, None]) is None
    assert column_facts("constant", [3, 3, 3]) is None
    assert column_facts("done", [3, None, 3]) is not None
