"""Inputs of one case that no grid unites."""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.judging.words import share
from diascope.core.problem import Problem
from diascope.planning.survey import Survey


class InputGeometry:
    """The frame of reference of every image against that of the first of its case (PS3.3 C.7.4.1)."""

    title = "Inputs of one case in different frames of reference"

    def look(self, survey: Survey) -> list[Problem]:
        reasons: dict[str, str] = {}
        for key, facts in survey.facts.items():
            for name, seen in facts.inputs.items():
                if seen.apart:
                    reasons.setdefault(key, f"{name!r}: {seen.apart}")
        if not reasons:
            return []
        cases = tuple(reasons)
        return [
            Problem(
                check="input_geometry",
                severity="warn",
                title=f"{share(len(cases), len(survey.cases))} whose inputs lie in different frames of reference",
                detail=f"{cases[0]}: {reasons[cases[0]]}. Side by side, they would show different places of the body, "
                "so they are left out; register them, or choose one input, to have them back.",
                cases=cases,
                exclude=cases,
            )
        ]


CHECK: Check = InputGeometry()
