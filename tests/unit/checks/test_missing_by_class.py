"""An input that is missing for every case of one class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diascope.checks.missing_by_class import CHECK
from diascope.core.case import Case, FileRef, Label, TableRef, Target
from diascope.planning.survey import Survey

CLASSES = Target(
    name="label",
    kind="category",
    columns=("label",),
    labels=(Label(name="ill", value=0), Label(name="well", value=1)),
)
LABELS = Target(
    name="findings",
    kind="labels",
    columns=("mass", "cyst"),
    labels=(Label(name="mass", value=0), Label(name="cyst", value=1)),
)
SURVIVAL = Target(name="time_to_event", kind="time_to_event", columns=("months", "died"))


def answers(number: int) -> dict[str, Any]:
    return {
        "label": ["ill", "well"][number % 2],
        "mass": number % 2,
        "cyst": number // 2 % 2,
        "months": 5.0,
        "died": number % 2,
    }


def a_survey(target: Target, with_report: Callable[[int], bool]) -> Survey:
    cases = []
    for number in range(40):
        inputs: dict[str, Any] = {"table": TableRef(values={"age": 60})}
        if with_report(number):
            inputs["report"] = FileRef(kind="text", format="plain", paths=("a.txt",))
        cases.append(Case(id=f"c{number}", patient=f"p{number}", inputs=inputs, targets=answers(number)))
    return Survey(Path(), tuple(cases), target, {}, {})


@pytest.mark.parametrize(
    ("target", "words"), [(CLASSES, "every case of well"), (LABELS, "every case of mass"), (SURVIVAL, "of the event")]
)
def test_an_input_that_a_whole_class_lacks_is_refused(target: Target, words: str) -> None:
    (problem,) = CHECK.look(a_survey(target, lambda number: number % 2 == 0))
    assert problem.severity == "refuse"
    assert "'report'" in problem.title
    assert words in problem.title
    assert len(problem.cases) == 20


def test_one_that_most_of_a_class_lack_is_warned_of_and_chance_is_not() -> None:
    (problem,) = CHECK.look(a_survey(CLASSES, lambda number: number % 2 == 0 or number < 6))
    assert problem.severity == "warn"
    assert CHECK.look(a_survey(CLASSES, lambda number: number % 3 > 0)) == []


def test_what_few_of_the_ill_have_and_none_of_the_well_is_a_shortcut_too() -> None:
    (problem,) = CHECK.look(a_survey(CLASSES, lambda number: number % 2 == 0 and number % 10 < 5))
    assert problem.severity == "refuse"
    assert CHECK.look(a_survey(CLASSES, lambda number: number == 0)) == []
