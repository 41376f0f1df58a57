"""An input that is missing in one class and present in others: that it is missing would be the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod

from diascope.checks import Check
from diascope.checks.judging.seen import class_of
from diascope.checks.judging.words import some
from diascope.core.case import Target
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

FEWEST = 5
"""Cases of a class below which its shares say nothing."""
APART = 0.5
"""Difference of the shares that is no chance any more."""
BY_CHANCE = 0.01
"""How probable it may be at most that every case of a class lacks an input, if the class had nothing to do with it."""


class MissingByClass:
    """A network learns at once that a case without a report is a healthy one, if only the ill were reported on."""

    title = "An input that cases of one class lack and those of others have"

    def look(self, survey: Survey) -> list[Problem]:
        if survey.target is None:
            return []
        names = sorted({name for case in survey.cases for name in case.inputs})
        alone = survey.target.kind == "category"
        found = [
            problem
            for classes in _groups(survey, survey.target)
            for name in names
            if (problem := _of_input(name, survey, classes, alone)) is not None
        ]
        return found


def _groups(survey: Survey, target: Target) -> Iterator[Mapping[str, str]]:
    """Case id to its class; of several labels for each whether it is present, where that is said."""
    if target.kind == "category":
        yield {case.id: found for case in survey.cases if (found := class_of(case, target)) is not None}
    if target.kind == "labels":
        words = ("absent", "present")
        for column in target.columns:
            held = {case.id: case.targets.get(column) for case in survey.cases}
            yield {key: f"{column} {words[value == 1]}" for key, value in held.items() if value in (0, 1)}


def _of_input(name: str, survey: Survey, classes: Mapping[str, str], alone: bool) -> Problem | None:
    """The problem with one input.

    Args:
        name: Of the input.
        survey: The cases.
        classes: Case id to class.
        alone: Whether this is all that is learnt; of many labels some differ by chance.
    """
    having = {case.id for case in survey.cases if name in case.inputs}
    total = Counter(classes.values())
    lacking = Counter(found for key, found in classes.items() if key not in having)
    shares = {one: lacking[one] / count for one, count in total.items()}
    large = [share for one, share in shares.items() if total[one] >= FEWEST]
    apart = alone and len(large) > 1 and max(large) - min(large) > APART
    never = [
        one
        for one, share in shares.items()
        if share == 1 and ((apart and total[one] >= FEWEST) or _chance(total[one], lacking, total) < BY_CHANCE)
    ]
    if not apart and not never:
        return None
    words = some(f"{one} {100 * share:.0f} %" for one, share in sorted(shares.items()))
    return Problem(
        check="missing_by_class",
        severity="refuse" if never else "warn",
        title=f"the input {name!r} is missing for {'every case of ' + ', '.join(never) if never else 'some classes'}",
        detail=f"Cases without it, by class: {words}. Whether it is there would tell the class, in this data and "
        "nowhere else. Leave the input out (--inputs), or bring it for every class.",
        cases=tuple(key for key in classes if key not in having),
    )


def _chance(count: int, lacking: Counter[str], total: Counter[str]) -> float:
    """Probability that so many cases, drawn from all, lack the input every one of them (hypergeometric)."""
    without, cases = lacking.total(), total.total()
    return prod((without - place) / (cases - place) for place in range(count))


CHECK: Check = MissingByClass()
