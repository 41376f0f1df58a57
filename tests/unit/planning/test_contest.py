"""Models compared on training cases that they were not fitted on."""

from __future__ import annotations

import math

import pytest

from diascope.core.case import Target
from diascope.core.errors import DiascopeError
from diascope.core.plan import Choice, Plan
from diascope.planning import contest
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


def test_networks_learn_for_fewer_steps_where_time_is_short() -> None:
    fields = {"steps": 1000, "steps_cap": 1000, "seconds_per_step": 0.1, "train_seconds": 100.0}
    choices = {name: Choice(value=value, kind="rule", reason="") for name, value in fields.items()}
    target = Target(name="y", kind="category", columns=("y",))
    plan = Plan(dataset="d", task="classification", target=target, seed=0, choices=choices)
    assert contest._shortened(plan, 200.0) is plan
    short = contest._shortened(plan, 5.0)
    assert (short["steps"], short["steps_cap"], short["train_seconds"]) == (50, 50, None)
    assert contest._shortened(plan, 0.0)["steps"] == contest.LEAST_STEPS
