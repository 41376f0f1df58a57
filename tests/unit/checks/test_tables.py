"""What is wrong with tables: zeros, other units, columns that give the answer away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.checks.impossible_values import CHECK as VALUES
from diascope.checks.impossible_values import standing_alone
from diascope.checks.impossible_zeros import CHECK as ZEROS
from diascope.checks.leaking_column import CHECK as LEAK
from diascope.core.case import Case, TableRef, Target
from diascope.planning.survey import CaseFacts, Survey
from diascope.testing.factories import CLASSES

RNG = np.random.default_rng(0)
COUNT = 200
TRUTH = ["ab"[number % 2] for number in range(COUNT)]


def a_survey(target: Target | None = CLASSES, answers: Sequence[Any] = TRUTH, **columns: Sequence[Any]) -> Survey:
    cases = tuple(
        Case(
            id=f"c{number}",
            patient=f"p{number}",
            inputs={"table": TableRef(values={name: values[number] for name, values in columns.items()})},
            targets={"label": answers[number]},
        )
        for number in range(COUNT)
    )
    return Survey(Path(), cases, target, {case.id: CaseFacts({}, {}, 0.0) for case in cases}, {})


POTASSIUM = RNG.normal(4.1, 0.4, COUNT).round(1).tolist()
ENZYME = np.exp(RNG.normal(3.4, 0.8, COUNT)).round().tolist()


def test_zeros_that_stand_for_missing_values_are_named_with_their_number() -> None:
    pressure = RNG.normal(72, 12, COUNT).round().tolist()
    pressure[3] = pressure[9] = 0.0
    (problem,) = ZEROS.look(a_survey(pressure=pressure, births=RNG.poisson(2, COUNT).tolist()))
    assert "1 column: pressure" in problem.title
    assert "2 zeros" in problem.detail
    assert problem.cases == ("c3", "c9")
    assert problem.exclude == ()


def test_a_potassium_of_4500_is_left_out() -> None:
    wrong = [*POTASSIUM[:-1], 4500.0]
    (problem,) = VALUES.look(a_survey(potassium=wrong, enzyme=ENZYME))
    assert problem.exclude == (f"c{COUNT - 1}",)
    assert "potassium = 4500" in problem.detail


@pytest.mark.parametrize("values", [POTASSIUM, ENZYME, RNG.exponential(1, COUNT).tolist(), [0, 1] * 100, [5.0] * 200])
def test_usual_values_and_long_tails_do_not_stand_alone(values: list[float]) -> None:
    assert standing_alone(values) == []


def test_two_clouds_of_equal_size_are_no_slip_of_the_pen() -> None:
    assert standing_alone([*POTASSIUM[:100], *(1000 * value for value in POTASSIUM[100:])]) == []


def test_a_column_that_gives_the_answer_away_is_refused_with_the_way_out() -> None:
    code = [{"a": "benign lesion", "b": "cancer"}[one] for one in TRUTH]
    later = [number + (10.0 if one == "b" else 0.0) for number, one in zip(RNG.random(COUNT), TRUTH, strict=True)]
    (problem,) = LEAK.look(a_survey(code=code, later=later, noise=RNG.normal(size=COUNT).tolist()))
    assert problem.severity == "refuse"
    assert "'code', 'later' alone gives 'label' away" in problem.title
    assert "--without 'code' --without 'later'" in problem.detail


def test_a_good_marker_does_not_give_the_answer_away_and_a_name_for_each_row_tells_nothing() -> None:
    marker = [RNG.normal(2.0 if one == "b" else 0.0) for one in TRUTH]
    assert LEAK.look(a_survey(marker=marker, name=[f"row {number}" for number in range(COUNT)])) == []


def test_a_number_is_given_away_by_itself_in_another_unit() -> None:
    target = Target(name="label", kind="number", columns=("label",))
    mass = RNG.normal(70, 10, COUNT).tolist()
    (problem,) = LEAK.look(a_survey(target, mass, pounds=[2.2 * value for value in mass], age=ENZYME))
    assert "'pounds'" in problem.title
    assert LEAK.look(a_survey(target, mass, near=[value + RNG.normal(0, 3) for value in mass])) == []
