"""What is wrong with tables: zeros, other units, columns that give the answer away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.checks.duplicates import CHECK as COPIES
from diascope.checks.impossible_values import CHECK as VALUES
from diascope.checks.impossible_values import standing_alone, two_units
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


@pytest.mark.parametrize(
    "values",
    [
        POTASSIUM,
        ENZYME,
        RNG.exponential(1, COUNT).tolist(),
        [0, 1] * 100,
        [5.0] * 200,
        np.random.default_rng(2).normal(size=COUNT).tolist(),
    ],
)
def test_usual_values_and_long_tails_do_not_stand_alone(values: list[float]) -> None:
    assert standing_alone(values) == []


OWN = np.random.default_rng(1)
AGE = OWN.integers(20, 90, COUNT).astype(float).tolist()


@pytest.mark.parametrize(
    ("usual", "wrong"),
    [(AGE, 999.0), (AGE, 230.0), (AGE, -199.0), (POTASSIUM, -9.0), (OWN.normal(0, 3, COUNT).tolist(), 99.0)],
)
def test_codes_for_missing_and_values_that_nobody_has_stand_alone(usual: list[float], wrong: float) -> None:
    assert standing_alone([*usual[:-3], None, wrong, wrong]) == [COUNT - 2, COUNT - 1]


@pytest.mark.parametrize("name", ["age", "Age [years]", "年龄（岁）"])
def test_an_age_that_nobody_has_is_left_out(name: str) -> None:
    (problem,) = VALUES.look(a_survey(**{name: [*AGE[:-3], 230.0, -5.0, 50.0]}))
    assert problem.exclude == (f"c{COUNT - 3}", f"c{COUNT - 2}")
    assert VALUES.look(a_survey(**{"age [months]": [12 * age for age in AGE]})) == []


def test_zeros_that_count_as_missing_do_not_stand_alone() -> None:
    temperature = OWN.normal(37, 0.7, COUNT).round(1).tolist()
    assert standing_alone([*temperature[:-2], 0.0, 0.0]) == []
    assert standing_alone([*temperature[:-2], 0.0, 98.6]) == [COUNT - 1]


def test_two_clouds_of_equal_size_are_no_slip_of_the_pen() -> None:
    assert standing_alone([*POTASSIUM[:100], *(1000 * value for value in POTASSIUM[100:])]) == []


def test_a_column_that_gives_the_answer_away_is_refused_with_the_way_out() -> None:
    code = [{"a": "benign lesion", "b": "cancer"}[one] for one in TRUTH]
    later = [number + (10.0 if one == "b" else 0.0) for number, one in zip(RNG.random(COUNT), TRUTH, strict=True)]
    (problem,) = LEAK.look(a_survey(code=code, later=later, noise=RNG.normal(size=COUNT).tolist()))
    assert problem.severity == "refuse"
    assert "'code', 'later' alone gives 'label' away" in problem.title
    assert problem.title.endswith("--without 'code' --without 'later'")


def test_a_good_marker_does_not_give_the_answer_away_and_a_name_for_each_row_tells_nothing() -> None:
    marker = [RNG.normal(2.0 if one == "b" else 0.0) for one in TRUTH]
    assert LEAK.look(a_survey(marker=marker, name=[f"row {number}" for number in range(COUNT)])) == []


def test_a_number_is_given_away_by_itself_in_another_unit() -> None:
    target = Target(name="label", kind="number", columns=("label",))
    mass = RNG.normal(70, 10, COUNT).tolist()
    (problem,) = LEAK.look(a_survey(target, mass, pounds=[2.2 * value for value in mass], age=ENZYME))
    assert "'pounds'" in problem.title
    assert LEAK.look(a_survey(target, mass, near=[value + RNG.normal(0, 3) for value in mass])) == []


GLUCOSE = np.exp(RNG.normal(np.log(5.5), 0.25, COUNT)).round(1).tolist()


def test_two_units_in_one_column_are_said_and_nobody_is_left_out() -> None:
    mixed = [value * (18.0 if number % 10 < 3 else 1.0) for number, value in enumerate(GLUCOSE)]
    (problem,) = VALUES.look(a_survey(glucose=mixed, potassium=POTASSIUM, enzyme=ENZYME))
    assert problem.title == "TWO UNITS IN ONE COLUMN? glucose"
    assert "140 values around 5.5" in problem.detail.replace("5.4", "5.5").replace("5.6", "5.5")
    assert problem.exclude == ()


@pytest.mark.parametrize(
    "values", [GLUCOSE, ENZYME, [50, 500] * 100, [*GLUCOSE[:195], *(18 * one for one in GLUCOSE[195:])]]
)
def test_one_unit_two_doses_and_slips_are_no_two_units(values: list[float]) -> None:
    assert two_units(values) is None


def test_a_column_that_is_filled_for_one_class_alone_gives_it_away() -> None:
    biopsy = [RNG.normal() if one == "b" else None for one in TRUTH]
    (problem,) = LEAK.look(a_survey(biopsy=biopsy, noise=[None if number % 3 else 1.0 for number in range(COUNT)]))
    assert "'biopsy'" in problem.title
    assert "noise" not in problem.title


def test_what_was_known_after_the_event_gives_survival_away() -> None:
    target = Target(name="time_to_event", kind="time_to_event", columns=("label", "died"))
    time, died = RNG.exponential(20, COUNT), RNG.random(COUNT) < 0.5
    cause = ["heart" if one else None for one in died]
    visits = [round(value / 2, 2) for value in time]
    honest = (time * np.exp(RNG.normal(0, 0.5, COUNT))).tolist()
    survey = a_survey(target, time.tolist(), cause=cause, visits=visits, honest=honest)
    cases = tuple(
        case.model_copy(update={"targets": {**case.targets, "died": int(one)}})
        for case, one in zip(survey.cases, died, strict=True)
    )
    (problem,) = LEAK.look(Survey(Path(), cases, target, survey.facts, {}))
    assert problem.title.startswith("'cause', 'visits' alone")


def test_copies_of_a_row_under_several_patients_are_kept_once() -> None:
    columns = {name: RNG.normal(size=COUNT).round(3).tolist() for name in ("a", "b", "c", "d")}
    for values in columns.values():
        values[12] = values[10]
        values[21] = values[30]
    conflicting, straddling = COPIES.look(a_survey(**columns))
    assert "1 row filed under different labels (2 cases)" in conflicting.title
    assert "the same values" in conflicting.detail
    assert conflicting.exclude == ("c21", "c30")
    assert straddling.exclude == ("c12",)


def test_rows_that_are_alike_by_chance_are_no_copies() -> None:
    columns = {name: RNG.integers(0, 4, COUNT).tolist() for name in ("a", "b", "c")}
    assert COPIES.look(a_survey(**columns)) == []
