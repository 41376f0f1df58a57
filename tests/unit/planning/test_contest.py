"""Models compared on training cases that they were not fitted on."""

from __future__ import annotations

import math
from typing import Any

import pytest

from diascope.core.case import Case, Dataset, Target
from diascope.core.errors import DiascopeError
from diascope.core.plan import Choice, Plan
from diascope.engine.devices import capabilities
from diascope.planning import contest
from diascope.planning.budget import Budget
from diascope.planning.contest import Outcome, without_slow
from diascope.planning.draft import Setting


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


def a_setting(cases: int, minutes: float, folds: bool = False) -> Setting:
    part = tuple(Case(id=f"c{n}", patient=f"p{n}", inputs={}, split="train") for n in range(cases))
    test = () if folds else (Case(id="t", patient="t", inputs={}, split="test"),)
    target = Target(name="y", kind="category", columns=("y",))
    dataset = Dataset(
        name="d",
        source="s",
        root="/",
        task="classification",
        target=target,
        cases=(*part, *test),
        folds=(("p0",),) * folds,
    )
    facts: Any = None
    return Setting(dataset, facts, Budget(minutes=minutes), capabilities(), 0, SAID.append)


SAID: list[str] = []
NETWORKS = ("tfidf", "text_cnn", "text_gru")


def of_texts(length: int) -> Plan:
    settings = {"kind": "text", "length": length, "alphabet": list(range(32, 120)), "language": "en", "columns": []}
    fields = {"image_inputs": [], "readings": {"text": settings}}
    choices = {name: Choice(value=value, kind="rule", reason="") for name, value in fields.items()}
    target = Target(name="y", kind="category", columns=("y",))
    return Plan(dataset="d", task="classification", target=target, seed=0, choices=choices)


def test_networks_that_could_learn_nothing_in_the_time_are_not_even_measured() -> None:
    SAID.clear()
    assert without_slow(NETWORKS, of_texts(4096), a_setting(3000, 2.0)) == ("tfidf",)
    assert SAID == ["text_cnn, text_gru not compared: 100 steps on each part would take too long"]
    assert without_slow(NETWORKS, of_texts(64), a_setting(300, 600.0)) == NETWORKS


def test_where_nothing_else_is_left_or_nothing_is_compared_networks_stay() -> None:
    assert without_slow(NETWORKS[1:], of_texts(4096), a_setting(3000, 0.5)) == NETWORKS[1:]
    assert without_slow(NETWORKS, of_texts(4096), a_setting(3000, 0.5, folds=True)) == NETWORKS
