"""Spacing and size: outliers, and images that can't be inputs of one model."""

from __future__ import annotations

from collections import Counter

import numpy as np

from diascope.checks import Check
from diascope.checks.judging.seen import images, outliers
from diascope.checks.judging.words import count, share, some
from diascope.core.case import Case
from diascope.core.figure import Grid
from diascope.core.problem import Problem
from diascope.planning.survey import InputFactsOfCase, Survey

SHOWN = 30
AXES = ("z", "y", "x")

Seen = list[tuple[Case, InputFactsOfCase]]


class SpacingSize:
    """Mixed dimensions or channels are refused; grey among colour pictures is not: grey is a colour."""

    title = "Outliers of spacing and size; mixed 2-D and 3-D, channels, or millimetres"

    def look(self, survey: Survey) -> list[Problem]:
        problems: list[Problem] = []
        for name, seen in images(survey).items():
            found = (_dimensions(name, seen), _channels(name, seen), _millimetres(name, seen), _outliers(name, seen))
            problems += [problem for problem in found if problem is not None]
        return problems


def _dimensions(name: str, seen: Seen) -> Problem | None:
    flat = [case.id for case, facts in seen if facts.shape[0] == 1]
    deep = [case.id for case, facts in seen if facts.shape[0] > 1]
    if not flat or not deep:
        return None
    fewer = flat if len(flat) < len(deep) else deep
    return Problem(
        check="spacing_size",
        severity="refuse",
        title=f"{name!r} is 2-D in {count(len(flat), 'case')} and 3-D in {count(len(deep), 'case')}",
        detail=f"One model reads either. Give them as inputs of their own, or leave out {some(fewer)}.",
        cases=tuple(fewer),
    )


def _channels(name: str, seen: Seen) -> Problem | None:
    numbers = Counter(facts.channels for _, facts in seen)
    if len(numbers) < 2:
        return None
    common = numbers.most_common(1)[0][0]
    rare = tuple(case.id for case, facts in seen if facts.channels != common)
    said = ", ".join(f"{count(size, 'channel')} in {count(number, 'case')}" for size, number in numbers.items())
    pictures = all(not facts.physical and facts.shape[0] == 1 for _, facts in seen)
    if set(numbers) == {1, 3} and pictures:
        return Problem(
            check="spacing_size",
            severity="note",
            title=f"{name!r} is grey in {count(numbers[1], 'case')} and in colour in {count(numbers[3], 'case')}",
            detail=f"Grey pictures are read as colour pictures with three equal channels. The fewer: {some(rare)}.",
            cases=rare,
        )
    return Problem(
        check="spacing_size",
        severity="refuse",
        title=f"channels of {name!r} differ: {said}",
        detail=f"One model reads one number of channels. Leave out or convert {some(rare)}.",
        cases=rare,
    )


def _millimetres(name: str, seen: Seen) -> Problem | None:
    without = tuple(case.id for case, facts in seen if not facts.physical)
    if len(without) in (0, len(seen)):
        return None
    return Problem(
        check="spacing_size",
        severity="warn",
        title=f"{share(len(without), len(seen))} of {name!r} have no millimetres, the others have",
        detail=f"{some(without)}. Resampling to one spacing is not possible for all, so sizes are taken in pixels.",
        cases=without,
    )


def _outliers(name: str, seen: Seen) -> Problem | None:
    reasons: dict[int, str] = {}
    physical = all(facts.physical for _, facts in seen)
    for axis, letter in enumerate(AXES):
        if physical:
            steps = np.array([facts.steps[axis] for _, facts in seen])
            for index, value, median in outliers(np.log(steps)):
                reasons.setdefault(index, f"spacing {letter} {np.exp(value):.3g} mm, median {np.exp(median):.3g} mm")
        sizes = np.array([facts.shape[axis] for _, facts in seen], dtype=np.float64)
        for index, value, median in outliers(np.log(sizes)):
            reasons.setdefault(index, f"size {letter} {np.exp(value):.0f} voxels, median {np.exp(median):.0f}")
    if not reasons:
        return None
    cases = {seen[index][0].id: reasons[index] for index in sorted(reasons)}
    return Problem(
        check="spacing_size",
        severity="note",
        title=f"{share(len(cases), len(seen))} of {name!r} with an unusual spacing or size",
        detail=f"{some(f'{key} ({why})' for key, why in cases.items())}. They are kept; look at them.",
        cases=tuple(cases),
        figure=Grid(
            title=f"Unusual spacing or size of {name!r}", columns=("case", "why"), rows=tuple(cases.items())[:SHOWN]
        ),
    )


CHECK: Check = SpacingSize()
