"""Whether other data is what a release was made for, by what the survey saw: no pixel is read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from diascope.core.case import Case, Target
from diascope.core.errors import DataRefused
from diascope.core.evaluation import GateRule
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.problem import Problem
from diascope.engine.aligning import input_names, measurable
from diascope.engine.gate import broken_rules
from diascope.kinds.tables.rows import broken_columns
from diascope.planning.looked import Looked
from diascope.planning.survey import CaseFacts, InputFactsOfCase
from diascope.store.releases import OpenRelease

INPUT_GATE = "input_gate"
"""What the problem is called that `in_scope` finds."""


def to_measure(looked: Looked) -> tuple[Target, list[Case], str]:
    """The target, the cases that a release may be measured on, and what must be said of their split.

    Raises:
        DataRefused: When there is nothing to compare with, or no case is left.
    """
    if looked.target is None:
        raise DataRefused("the data has no labels to compare with", todo="Give labels, or use diascope predict")
    kept, of_parts = measurable(looked.usable())
    if not kept:
        why = "; ".join(problem.title for problem in looked.problems if problem.exclude)
        raise DataRefused("every case was excluded", given=why or str(looked.survey.root), todo="See diascope check")
    return looked.target, kept, of_parts


def in_scope(opened: OpenRelease, looked: Looked) -> Looked:
    """The data, with a warning of the cases that `predict` would refuse: asked of the survey, no pixel is read again.

    Args:
        opened: The release.
        looked: The data, checked.

    Raises:
        DataRefused: When a network of these dimensions and channels cannot read every case; names those it cannot.
    """
    cases, _ = measurable(looked.usable())
    looked = replace(looked, problems=(*looked.problems, *_other_units(opened, looked, cases)))
    names = input_names(cases[0], opened.plan) if cases else {}
    facts = {case.id: _of_release(looked.survey.facts[case.id], names) for case in cases}
    _refuse_unreadable(opened, facts)
    gate = opened.release.gate
    asked = {case: {name: _stand_in(one) for name, one in inputs.items()} for case, inputs in facts.items()}
    broken = {case: why for case, images in asked.items() if (why := broken_rules(gate, images))}
    broken |= {case.id: why for case in cases if (why := broken_columns(gate, case))}
    if not broken:
        return looked
    problem = Problem(
        check=INPUT_GATE,
        severity="warn",
        title=f"predict would refuse {len(broken)} of {len(cases)} cases: {next(iter(broken.values()))[0]}",
        detail=f"{opened.release.label} was not made for them, by the rules of its input gate (its distance in feature "
        "space was not asked). They are measured all the same.",
        cases=tuple(broken),
    )
    return replace(looked, problems=(*looked.problems, problem))


def _other_units(opened: OpenRelease, looked: Looked, cases: Sequence[Case]) -> list[Problem]:
    """Target images in another unit than what the release makes: their difference has none."""
    ours = opened.plan.choices.get("target_unit")
    told = {
        case.id: pair.image.unit
        for case in cases
        for pair in looked.survey.facts[case.id].pairs.values()
        if ours is not None and pair.image.unit != ours.value
    }
    if not told or ours is None:
        return []
    unit = next(iter(told.values()))
    problem = Problem(
        check=INPUT_GATE,
        severity="warn",
        title=f"{len(told)} of {len(cases)} target images are in {unit}, and the release makes {ours.value}",
        detail="Where these are two scales, every error is the difference of the scales. They are measured all the "
        "same. Write the unit into the files (docs/how-to/image-to-image.md), or bring the targets to it.",
        cases=tuple(told),
    )
    return [problem]


def _of_release(facts: CaseFacts, names: Mapping[str, str]) -> dict[str, InputFactsOfCase]:
    """Facts of the images by the names of the release."""
    return {ours: facts.inputs[theirs] for ours, theirs in names.items() if theirs in facts.inputs}


def _refuse_unreadable(opened: OpenRelease, facts: Mapping[str, Mapping[str, InputFactsOfCase]]) -> None:
    for rule in opened.release.gate.rules:
        wrong = [case for case, inputs in facts.items() if rule.input in inputs and _unlike(rule, inputs[rule.input])]
        if wrong:
            one = facts[wrong[0]][rule.input]
            raise DataRefused(
                f"{opened.release.label} reads {rule.dimensions}-D images with {rule.channels} channel(s) as "
                f"{rule.input!r}, and {len(wrong)} of {len(facts)} cases hold others",
                given=f"{wrong[0]}: {_dimensions(one)}-D with {one.channels} channel(s)",
                todo="Leave these cases out, or use a release that was trained on such images",
                cases=wrong,
            )


def _unlike(rule: GateRule, facts: InputFactsOfCase) -> bool:
    """Whether an image has other dimensions, or channels that do not stand for each other as grey and colour do."""
    other = facts.channels != rule.channels and {facts.channels, rule.channels} != {1, 3}
    return other or _dimensions(facts) != rule.dimensions


def _dimensions(facts: InputFactsOfCase) -> int:
    return 2 if facts.shape[0] == 1 else 3


def _stand_in(facts: InputFactsOfCase) -> Image:
    """An image of a few voxels that the rules of a gate cannot tell from the one that the facts are of.

    Half of its voxels lie one standard deviation below the mean and half above; in colour the channels differ.
    """
    array = np.full((facts.channels, _dimensions(facts) - 1, 1, 2), facts.mean, dtype=np.float64)
    array += facts.std * np.array([-1.0, 1.0])
    if facts.coloured:
        array[1] = array[1, ..., ::-1].copy()
    if facts.bad:
        array[0] = np.nan
    geometry = Geometry.from_spacing(facts.steps) if facts.physical else Geometry.unknown()
    return Image(array, geometry, facts.modality, facts.unit)
