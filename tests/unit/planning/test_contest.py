"""Models compared on training cases that they were not fitted on."""

from __future__ import annotations

import math

import pytest

from diascope.core.errors import DiascopeError
from diascope.planning.contest import Outcome


def outcome(better: str = "higher", **scores: float) -> Outcome:
    reasons = {name: "too slow" for name, value in scores.items() if math.isnan(value)}
    return Outcome("auroc", scores, better, 5, reasons, dict.fromkeys(scores, 1.0))


def test_the_best_wins_and_of_equals_the_first() -> None:
    assert outcome(linear=0.8, boosting=0.9, mlp=0.7).winner == "boosting"
    assert outcome(linear=0.8, boosting=0.8).winner == "linear"
    assert outcome("lower", linear=2.0, boosting=1.5).winner == "boosting"
    assert outcome(linear=0.8, boosting=0.9, mlp=math.nan, other=0.85).ranked == ("boosting", "other", "linear")


def test_who_failed_cannot_win_and_is_not_shown() -> None:
    found = outcome(linear=math.nan, boosting=0.6)
    assert found.winner == "boosting"
    assert found.words == "best auroc of 5 inner folds: boosting 0.600; linear not, because too slow"


def test_where_all_failed_the_reasons_are_given() -> None:
    with pytest.raises(DiascopeError, match="no model could be fitted"):
        _ = outcome(linear=math.nan).winner
