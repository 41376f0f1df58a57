"""Out-of-fold rows: decided by what others say, and told apart in words."""

from __future__ import annotations

import numpy as np
import pytest

from diascope.core.case import Label, Target
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Row
from diascope.engine.scoring import cross_decided, fitted_on, is_fitted
from diascope.tasks.classification import TASK
from diascope.testing import a_case


def a_plan() -> Plan:
    labels = (Label(name="well", value=0), Label(name="ill", value=1))
    target = Target(name="label", kind="category", columns=("label",), labels=labels, positive="ill")
    rule = Choice(value={"name": "youden"}, kind="rule", reason="")
    choices = {"operating_point": rule, "class_weights": Choice(value=[1.0, 1.0], kind="rule", reason="")}
    return Plan(dataset="d", task="classification", target=target, seed=0, choices=choices)


def a_fold(number: int, shift: float, cases: int = 20) -> list[Row]:
    """Logits whose best threshold lies at `shift`."""
    rng = np.random.default_rng(number)
    truths = np.arange(cases) % 2
    said = shift + 2 * (truths - 0.5) + rng.normal(0, 0.8, cases)
    return [
        {"case": f"{number}-{n}", "patient": f"{number}-{n}", "logits": [0.0, float(said[n])], "class": int(truths[n])}
        for n in range(cases)
    ]


def test_a_fold_is_decided_by_the_other_folds_alone() -> None:
    plan, folds = a_plan(), [a_fold(0, 0.0), a_fold(1, 0.1), a_fold(2, -0.1)]
    rows, decisions = cross_decided(folds, plan)
    assert [[row["case"] for row in fold] for fold in rows] == [[row["case"] for row in fold] for fold in folds]
    for number, (fold, decision) in enumerate(zip(rows, decisions, strict=True)):
        others = [row for other, some in enumerate(folds) if other != number for row in some]
        assert decision == TASK.fit_decision(others, plan)
        assert fold == [TASK.decide(row, decision, plan) for row in folds[number]]


def test_the_truth_of_a_fold_does_not_reach_its_own_decision() -> None:
    plan, folds = a_plan(), [a_fold(number, 0.0) for number in range(3)]
    turned = [[{**row, "class": 1 - row["class"]} for row in folds[0]], *folds[1:]]
    before, after = cross_decided(folds, plan)[1], cross_decided(turned, plan)[1]
    assert before[0] == after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("tested", [False, True])
def test_words_say_who_read_the_cases_that_a_decision_was_fitted_on(tested: bool) -> None:
    cases = [a_case(number, patient=f"p{number // 2}") for number in range(8)]
    plain, folded = fitted_on(cases, 0, tested), fitted_on(cases, 5, tested)
    assert plain["en"] == "8 validation cases of 4 patients, read as predict reads"
    assert "8 training cases of 4 patients, each read by the one of 5 networks" in folded["en"]
    assert ("the test part" in folded["en"], "测试部分" in folded["zh-CN"]) == (tested, tested)
    assert all("8" in words["zh-CN"] and "4" in words["zh-CN"] for words in (plain, folded))


def test_a_rule_in_words_is_fitted_on_nothing() -> None:
    assert not is_fitted({"rule": "the most probable label of each voxel"})
    assert not is_fitted({})
    assert is_fitted(TASK.fit_decision(a_fold(0, 0.0), a_plan()))
