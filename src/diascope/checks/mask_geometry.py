"""Masks that do not lie on their image."""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.judging.words import share
from diascope.core.figure import Grid
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

SHOWN = 50


class MaskGeometry:
    """Shape and place in millimetres of each mask against the first image of its case."""

    title = "Masks that differ from their image in shape or geometry"

    def look(self, survey: Survey) -> list[Problem]:
        reasons: dict[str, str] = {}
        for case in survey.cases:
            for mask in survey.facts[case.id].masks.values() if case.id in survey.facts else ():
                if mask.geometry_differs:
                    reasons.setdefault(case.id, mask.geometry_differs)
        if not reasons:
            return []
        cases = tuple(reasons)
        return [
            Problem(
                check="mask_geometry",
                severity="warn",
                title=f"{share(len(cases), len(survey.cases))} whose mask does not lie on the image",
                detail=f"{cases[0]}: {reasons[cases[0]]}. A mask in the wrong place teaches the wrong voxels, so they "
                "are left out; write the masks on the grid of their images to have them back.",
                cases=cases,
                exclude=cases,
                figure=Grid(
                    title="Masks that do not lie on their image",
                    columns=("case", "difference"),
                    rows=tuple(reasons.items())[:SHOWN],
                ),
            )
        ]


CHECK: Check = MaskGeometry()
