"""An input that is missing in one class and present in others: that it is missing would be the answer."""

from __future__ import annotations

from collections import Counter

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


class MissingByClass:
    """A network learns at once that a case without a report is a healthy one, if only the ill were reported on."""

    title = "An input that cases of one class lack and those of others have"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or target.kind != "category":
            return []
        names = sorted({name for case in survey.cases for name in case.inputs})
        return [problem for name in names if (problem := _of_input(name, survey, target)) is not None]


def _of_input(name: str, survey: Survey, target: Target) -> Problem | None:
    classes = {case.id: found for case in survey.cases if (found := class_of(case, target)) is not None}
    having = {case.id for case in survey.cases if name in case.inputs}
    total = Counter(classes.values())
    lacking = Counter(found for key, found in classes.items() if key not in having)
    shares = {one: lacking[one] / count for one, count in total.items() if count >= FEWEST}
    if len(shares) < 2 or max(shares.values()) - min(shares.values()) <= APART:
        return None
    never = [one for one, share in shares.items() if share == 1]
    words = some(f"{one} {100 * share:.0f} %" for one, share in sorted(shares.items()))
    return Problem(
        check="missing_by_class",
        severity="refuse" if never else "warn",
        title=f"the input {name!r} is missing for {'every case of ' + ', '.join(never) if never else 'some classes'}",
        detail=f"Cases without it, by class: {words}. Whether it is there would tell the class, in this data and "
        "nowhere else. Leave the input out (--inputs), or bring it for every class.",
        cases=tuple(key for key in classes if key not in having),
    )


CHECK: Check = MissingByClass()
