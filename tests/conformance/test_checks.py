"""What every data check promises: it never raises, and says what it found in words."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from diascope.checks import Check
from diascope.core import registry
from diascope.core.case import Case, FileRef, Label, TableRef, Target
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.problem import Problem, Severity
from diascope.planning.survey import CaseFacts, MaskFacts, Survey
from diascope.planning.surveying.measuring import measure

CLASSES = Target(
    name="label", kind="category", columns=("label",), labels=(Label(name="a", value=0), Label(name="b", value=1))
)
LESION = Target(name="mask", kind="mask", columns=("mask",), labels=(Label(name="lesion", value=1),))


def a_case(index: int, **changes: object) -> Case:
    plain = {
        "id": f"case{index}",
        "patient": f"patient{index}",
        "inputs": {"image": FileRef(format="picture", paths=(f"{index}.png",))},
        "targets": {"label": "ab"[index % 2]},
        "covariates": {"age": 40.0 + index},
    }
    return Case.model_validate({**plain, **changes})


def facts(index: int) -> CaseFacts:
    array = np.random.default_rng(index).integers(0, 256, (1, 1, 64, 64), dtype=np.uint8)
    image = Image(array, Geometry.unknown(), modality="xray", unit="grey")
    return CaseFacts({"image": measure(image, 4096, "")}, {}, 0.01)


def a_survey(number: int, target: Target | None = CLASSES, **changes: object) -> Survey:
    cases = tuple(a_case(index, **changes) for index in range(number))
    return Survey(Path(), cases, target, {case.id: facts(index) for index, case in enumerate(cases)}, {})


def masked_survey(number: int) -> Survey:
    mask = FileRef(format="picture", paths=("mask.png",))
    plain = a_survey(number, LESION, targets={"mask": mask})
    seen = {
        key: CaseFacts(of.inputs, {"mask": MaskFacts({0: 4000, 1: 96}, (1, 64, 64))}, 0.01)
        for key, of in plain.facts.items()
    }
    return Survey(Path(), plain.cases, LESION, seen, {})


def odd_surveys() -> dict[str, Survey]:
    table = Case(id="t", patient="t", inputs={"table": TableRef(values={"age": 3.0})})
    unreadable = a_survey(3)
    survival = Target(name="survival", kind="time_to_event", columns=("time", "event"))
    return {
        "no cases": Survey(Path(), (), CLASSES, {}, {}),
        "no cases and no target": Survey(Path(), (), None, {}, {}),
        "nothing readable": Survey(Path(), unreadable.cases, CLASSES, {}, dict.fromkeys(unreadable.facts, "broken")),
        "a table": Survey(Path(), (table,), None, {"t": CaseFacts({}, {}, 0.0)}, {}),
        "one case": a_survey(1),
        "no labels": a_survey(4, targets={}),
        "unknown target": a_survey(4, survival),
        "mask target without masks": a_survey(4, LESION),
        "masks": masked_survey(4),
        "given splits of one patient": a_survey(4, patient="p", split="train"),
        "patient unknown": a_survey(4, patient_known=False),
    }


def checks() -> list[tuple[str, Check]]:
    return list(registry.each("checks"))


@pytest.mark.parametrize(("name", "check"), checks())
@pytest.mark.parametrize("survey", odd_surveys().values(), ids=odd_surveys())
def test_a_check_never_raises_and_its_problems_are_whole(name: str, check: Check, survey: Survey) -> None:
    known = {case.id for case in survey.cases}
    for problem in check.look(survey):
        assert isinstance(problem, Problem)
        assert problem.check == name
        assert problem.severity in get_args(Severity)
        assert problem.title.strip()
        assert problem.detail.strip()
        assert "\n" not in problem.title
        assert set(problem.cases) <= known
        assert set(problem.exclude) <= set(problem.cases)
        assert {key for group in problem.groups for key in group} <= known
        assert Problem.from_json(problem.to_json()) == problem


@pytest.mark.parametrize(("name", "check"), checks())
@pytest.mark.parametrize("survey", [a_survey(60), masked_survey(30)], ids=["classes", "masks"])
def test_a_clean_survey_gives_no_warning(name: str, check: Check, survey: Survey) -> None:
    assert [problem.title for problem in check.look(survey) if problem.severity != "note"] == []


@pytest.mark.parametrize(("name", "check"), checks())
def test_a_check_says_what_it_looks_for_and_gives_the_same_answer_twice(name: str, check: Check) -> None:
    assert check.title.strip()
    survey = a_survey(30, patient_known=False)
    assert check.look(survey) == check.look(survey)
