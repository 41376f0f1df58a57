"""An input that is missing in one class and present in others: that it is missing would be the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod

from diascope.checks import Check
from diascope.checks.judging.seen import class_of
from diascope.checks.judging.words import some
from diascope.core.case import Case, Target
from diascope.core.presence import LABELS, presence
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

FEWEST = 5
"""Cases of a class below which its shares say nothing."""
APART = 0.5
"""Difference of the shares that is no chance any more."""
BY_CHANCE = 0.01
"""How probable it may be at most that every case of a class lacks an input, if the class had nothing to do with it."""
TIME_TO_EVENT = "time_to_event"


class MissingByClass:
    """A network learns at once that a case without a report is a healthy one, if only the ill were reported on.

    Of several labels each is looked at, and of survival who had the event.
    """

    title = "An input that cases of one class lack and those of others have"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or target.kind not in ("category", LABELS, TIME_TO_EVENT):
            return []
        names = sorted({name for case in survey.cases for name in case.inputs})
        parts = [_classes(survey, target)] if target.kind != LABELS else _labels(survey, target)
        alone = target.kind != LABELS
        found = (_of_input(name, survey, part, alone) for name in names for part in parts)
        return [problem for problem in found if problem is not None]


def _classes(survey: Survey, target: Target) -> dict[str, str]:
    """Case id to its class, or to whether it had the event; without cases of which it is not known."""
    of = class_of if target.kind == "category" else _seen
    return {case.id: found for case in survey.cases if (found := of(case, target)) is not None}


def _seen(case: Case, target: Target) -> str | None:
    return _in_words(case, target.columns[-1], ("no event", "the event"))


def _labels(survey: Survey, target: Target) -> list[dict[str, str]]:
    """As `_classes`, of each label."""
    found = []
    for column in target.columns:
        said = {case.id: _in_words(case, column, (f"no {column}", column)) for case in survey.cases}
        found.append({key: word for key, word in said.items() if word is not None})
    return found


def _in_words(case: Case, column: str, words: tuple[str, str]) -> str | None:
    """The first word of absence, the second of presence; None where it is uncertain or not said."""
    said = presence(case.targets.get(column))
    return words[int(said == 1)] if said in (0, 1) else None


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
