"""What is wrong with several labels of a case: never there, too few, uncertain, twice the same, given away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.checks.label_counts import CHECK as COUNTS
from diascope.checks.labels import CHECK as LABELS
from diascope.checks.leaking_column import CHECK as LEAK
from diascope.checks.shortcuts import CHECK as SHORTCUTS
from diascope.core.case import Label, TableRef, Target
from diascope.core.problem import Problem
from diascope.planning.survey import CaseFacts, Survey
from diascope.testing import a_case
from diascope.testing.factories import a_survey as films

NAMES = ("mass", "nodule", "hernia")
TARGET = Target(
    name="findings",
    kind="labels",
    columns=NAMES,
    labels=tuple(Label(name=name, value=place) for place, name in enumerate(NAMES)),
)
COUNT = 80
HALF = [number % 2 for number in range(COUNT)]
THIRD = [int(number % 3 == 0) for number in range(COUNT)]
OTHER = [int(number % 3 == 1) for number in range(COUNT)]
FIFTH = [int(number % 5 == 0) for number in range(COUNT)]


def a_survey(mass: Sequence[Any], nodule: Sequence[Any], hernia: Sequence[Any], **changes: Any) -> Survey:
    said = zip(mass, nodule, hernia, strict=True)
    cases = tuple(
        a_case(number, targets=dict(zip(NAMES, row, strict=True)), **changes) for number, row in enumerate(said)
    )
    return Survey(Path(), cases, TARGET, {case.id: CaseFacts({}, {}, 0.0) for case in cases}, {})


def warned(found: Sequence[Problem]) -> list[str]:
    return [problem.title for problem in found if problem.severity != "note"]


def test_sound_labels_are_only_counted() -> None:
    (note,) = COUNTS.look(a_survey(HALF, THIRD, [None, "uncertain", *OTHER[2:]]))
    assert note.title == "3 labels: mass 40, nodule 27, hernia 26 cases"
    assert "1 of 240 cells (0.4%) are uncertain, 1 (0.4%) say nothing" in note.detail
    assert note.figure.rows[2] == ("hernia", 26, 52, 1, 1, 26)


@pytest.mark.parametrize(
    ("value", "why"), [(0, "never present"), (1, "always present"), (None, "never said"), ("uncertain", "never said")]
)
def test_labels_that_cannot_be_learnt(value: object, why: str) -> None:
    found = warned(COUNTS.look(a_survey(HALF, THIRD, [value] * COUNT)))
    assert f"1 label that cannot be learnt: hernia ({why})" in found


def test_only_the_training_part_is_looked_at_where_one_is_given() -> None:
    survey = a_survey(HALF, THIRD, FIFTH)
    split = ["test" if case.targets["hernia"] else "train" for case in survey.cases]
    cases = tuple(case.model_copy(update={"split": part}) for case, part in zip(survey.cases, split, strict=True))
    assert "hernia (never present)" in warned(COUNTS.look(replace(survey, cases=cases)))[0]


def test_labels_with_few_cases_and_few_patients() -> None:
    few = [int(number < 9) for number in range(COUNT)]
    assert warned(COUNTS.look(a_survey(HALF, THIRD, few))) == [
        "1 label with fewer than 10 cases: hernia (9 cases with it)"
    ]
    full = [int(number > 1) for number in range(COUNT)]
    assert "hernia (2 cases without it)" in warned(COUNTS.look(a_survey(HALF, THIRD, full)))[0]
    rare = COUNTS.look(a_survey(HALF, THIRD, FIFTH))[1]
    assert (rare.severity, rare.title) == ("note", "1 label with fewer than 20 patients: hernia (16)")


def test_many_uncertain_cells() -> None:
    unsure = ["uncertain" if number % 4 == 0 else value for number, value in enumerate(OTHER)]
    assert warned(COUNTS.look(a_survey(HALF, THIRD, unsure))) == ["1 label of which many are uncertain: hernia (25%)"]


def test_two_labels_that_say_the_same_or_the_opposite_in_all_cases() -> None:
    gaps = [None if number % 7 == 0 else value for number, value in enumerate(HALF)]
    found = warned(COUNTS.look(a_survey(HALF, gaps, [1 - value for value in HALF])))
    assert found == [
        "3 pairs of labels that say the same in all cases: mass / nodule (alike), mass / hernia (opposite), "
        "nodule / hernia (opposite)"
    ]
    one_differs = [1 - HALF[0], *HALF[1:]]
    assert warned(COUNTS.look(a_survey(HALF, THIRD, one_differs))) == []


def test_a_case_is_left_out_only_where_no_label_is_said() -> None:
    silent = [None, *HALF[1:]]
    assert LABELS.look(a_survey(silent, THIRD, HALF)) == []
    (problem,) = LABELS.look(a_survey(silent, [None, *THIRD[1:]], [None, *HALF[1:]]))
    assert problem.exclude == ("case0",)


def test_a_column_that_tells_one_of_the_labels_is_found() -> None:
    survey = a_survey(HALF, THIRD, FIFTH)
    noise = np.random.default_rng(0).normal(size=COUNT)
    rows = [TableRef(values={"code": float(value + 2), "noise": float(noise[n])}) for n, value in enumerate(THIRD)]
    cases = tuple(
        case.model_copy(update={"inputs": {"table": row}}) for case, row in zip(survey.cases, rows, strict=True)
    )
    (problem,) = LEAK.look(replace(survey, cases=cases))
    assert problem.severity == "refuse"
    assert "'code' alone" in problem.title


def test_a_label_that_the_borders_tell_is_a_shortcut() -> None:
    told = films(COUNT, None)
    labels = a_survey(HALF, THIRD, FIFTH)
    cases = tuple(
        case.model_copy(update={"targets": other.targets}) for case, other in zip(told.cases, labels.cases, strict=True)
    )
    facts = {
        case.id: replace(
            told.facts[case.id],
            inputs={"image": replace(told.facts[case.id].inputs["image"], border=(0.9 * value,) * 4)},
        )
        for case, value in zip(cases, THIRD, strict=True)
    }
    plain = SHORTCUTS.look(replace(told, cases=cases, target=TARGET))
    assert warned(plain) == []
    assert plain
    found = warned(SHORTCUTS.look(replace(told, cases=cases, target=TARGET, facts=facts)))
    assert len(found) == 1
    assert "'nodule' can be told by its borders alone" in found[0]
