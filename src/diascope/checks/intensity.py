"""Grey values: outliers, scales that differ from case to case, mixed types."""

from __future__ import annotations

from collections import Counter

import numpy as np

from diascope.checks import Check
from diascope.checks.judging.seen import FEWEST, outliers
from diascope.checks.judging.seen import images as images_of
from diascope.checks.judging.words import bars, count, share, some
from diascope.core.case import Case
from diascope.core.figure import Grid
from diascope.core.problem import Problem
from diascope.planning.survey import InputFactsOfCase, Survey

SCALES = 3.0
"""Ratio of the 95th to the 5th percentile of the cases' ranges from which scales differ from case to case."""
FIXED = ("grey", "HU")
"""Units whose scale is the same for every image by definition."""
SHOWN = 30

Seen = list[tuple[Case, InputFactsOfCase]]


class Intensity:
    """Ranges are from the 0.5 to the 99.5 percentile of an image."""

    title = "Intensity outliers, scales and stored types that differ between cases"

    def look(self, survey: Survey) -> list[Problem]:
        problems: list[Problem] = []
        for name, seen in images_of(survey).items():
            scales = _scales(name, seen)
            # where every case has a scale of its own, none is unusual
            found = (_types(name, seen), _units(name, seen), scales or _outliers(name, seen))
            problems += [problem for problem in found if problem is not None]
        return problems


def _types(name: str, seen: Seen) -> Problem | None:
    numbers = Counter(facts.dtype for _, facts in seen)
    if len(numbers) < 2:
        return None
    common = numbers.most_common(1)[0][0]
    return Problem(
        check="intensity",
        severity="warn",
        title=f"stored types of {name!r} are mixed: {_tally(numbers)}",
        detail="Images that were stored in different ways often went through different programs, and their values "
        "may mean different things. Every image is read as numbers and scaled by one rule of the plan.",
        cases=tuple(case.id for case, facts in seen if facts.dtype != common),
        figure=bars(f"Stored types of {name!r}", numbers.most_common()),
    )


def _units(name: str, seen: Seen) -> Problem | None:
    numbers = Counter(f"{facts.modality}, {facts.unit}" for _, facts in seen)
    if len(numbers) < 2:
        return None
    return Problem(
        check="intensity",
        severity="warn",
        title=f"modalities or units of {name!r} are mixed: {_tally(numbers)}",
        detail="One rule scales the intensities of an input, and it can't suit all of these. Give them as "
        "inputs of their own, or leave some out.",
        cases=tuple(case.id for case, _ in seen),
        figure=bars(f"Modality and unit of {name!r}", numbers.most_common()),
    )


def _scales(name: str, seen: Seen) -> Problem | None:
    ranges = np.array([facts.high - facts.low for _, facts in seen if facts.unit not in FIXED])
    ranges = ranges[ranges > 0]
    if len(ranges) < FEWEST:
        return None
    low, middle, high = np.percentile(ranges, (5, 50, 95))
    if high < SCALES * low:
        return None
    edges = np.geomspace(ranges.min(), ranges.max(), 13)
    numbers, _ = np.histogram(ranges, edges)
    return Problem(
        check="intensity",
        severity="warn",
        title=f"the intensity scale of {name!r} differs from case to case: ranges of {low:.4g} to {high:.4g} "
        f"(5th and 95th percentile of the cases), median {middle:.4g}",
        detail="The same tissue has other numbers in each case, so a fixed window would be wrong. Each image is "
        "scaled by its own values where the plan's intensity rule says `z-score` or `scale`.",
        cases=tuple(case.id for case, _ in seen),
        figure=bars(
            f"Range of intensities of {name!r}",
            [(f"{edge:.3g}", number) for edge, number in zip(edges[:-1], numbers, strict=True)],
            note="Cases whose range begins at the value given; steps are equal on a logarithmic scale.",
            histogram=True,
        ),
    )


def _outliers(name: str, seen: Seen) -> Problem | None:
    spread = np.array([facts.std for _, facts in seen])
    mean = np.array([facts.mean for _, facts in seen])
    reasons: dict[int, str] = {}
    for index, value, median in outliers(mean):
        reasons[index] = f"mean {value:.4g}, the median of the cases is {median:.4g}"
    for index, value, median in outliers(np.log(np.maximum(spread, 1e-6))):
        reasons.setdefault(index, f"deviation {np.exp(value):.4g}, the median of the cases is {np.exp(median):.4g}")
    if not reasons:
        return None
    cases = {seen[index][0].id: reasons[index] for index in sorted(reasons)}
    return Problem(
        check="intensity",
        severity="note",
        title=f"{share(len(cases), len(seen))} of {name!r} with unusual intensities",
        detail=f"{some(cases)}. They are kept; look at them.",
        cases=tuple(cases),
        figure=Grid(
            title=f"Unusual intensities of {name!r}", columns=("case", "why"), rows=tuple(cases.items())[:SHOWN]
        ),
    )


def _tally(numbers: Counter[str]) -> str:
    return ", ".join(f"{value} {count(number, 'case')}" for value, number in numbers.most_common())


CHECK: Check = Intensity()
