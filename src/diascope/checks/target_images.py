"""Target images that are no pair with their input, or nothing but a copy of it."""

from __future__ import annotations

import numpy as np

from diascope.checks import Check
from diascope.checks.judging.words import share
from diascope.core.figure import Grid
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

SHOWN = 50
SCALES = 3.0
"""Ratio of the 95th to the 5th percentile of the targets' deviations from which scales differ from case to case."""
FEWEST = 5
FIXED = ("grey", "HU")
"""Units whose scale is the same for every image by definition."""


class TargetImages:
    """Grid and frame of reference of each target image against the first input; whether the two are one image."""

    title = "Target images on another grid than their input, copies of it, or on a scale of their own"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or target.kind != "image":
            return []
        pairs = {key: pair for key, one in survey.facts.items() for pair in one.pairs.values()}
        apart = {key: pair.apart for key, pair in pairs.items() if pair.apart}
        copies = [key for key, pair in pairs.items() if pair.differs == 0]
        found = (_apart(apart, survey), _copies(copies, survey), _scales(survey))
        return [problem for problem in found if problem is not None]


def _apart(reasons: dict[str, str], survey: Survey) -> Problem | None:
    if not reasons:
        return None
    cases = tuple(reasons)
    return Problem(
        check="target_images",
        severity="refuse" if len(cases) == len(survey.cases) else "warn",
        title=f"{share(len(cases), len(survey.cases))} whose target image does not lie on the input",
        detail=f"{cases[0]}: {reasons[cases[0]]}. Voxel by voxel such a pair shows different places of the body, so it "
        "is left out. Register the two and resample one onto the grid of the other (linear interpolation, in patient "
        "millimetres, as elastix, ANTs or 3D Slicer do), and write both with the same geometry.",
        cases=cases,
        exclude=cases,
        figure=Grid(
            title="Target images that do not lie on their input",
            columns=("case", "difference"),
            rows=tuple(reasons.items())[:SHOWN],
        ),
    )


def _copies(copies: list[str], survey: Survey) -> Problem | None:
    if not copies:
        return None
    return Problem(
        check="target_images",
        severity="refuse" if len(copies) == len(survey.cases) else "warn",
        title=f"{share(len(copies), len(survey.cases))} whose target image is a copy of the input",
        detail=f"{copies[0]}, for one: every value is the same. Nothing is learnt from such a pair, and in a test it "
        "would count as a success of leaving everything as it is. They are left out; look for the files that were "
        "meant.",
        cases=tuple(copies),
        exclude=tuple(copies),
    )


def _scales(survey: Survey) -> Problem | None:
    pairs = [pair.image for one in survey.facts.values() for pair in one.pairs.values() if not pair.apart]
    spread = np.array([image.std for image in pairs if image.unit not in FIXED and image.std > 0])
    if len(spread) < FEWEST:
        return None
    low, high = np.percentile(spread, (5, 95))
    if high < SCALES * low:
        return None
    return Problem(
        check="target_images",
        severity="warn",
        title=f"the scale of the target images differs from case to case: deviations of {low:.4g} to {high:.4g}",
        detail="Their unit is arbitrary, and the scale of a new case is not known before it is recorded: what is made "
        "has that of the training cases, and errors are mostly those of the scale. Bring all targets to one scale "
        "first (their mean and deviation inside of the body, say).",
    )


CHECK: Check = TargetImages()
