"""A text that states its own label in a line such as `Diagnosis: pneumonia`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from diascope.checks import Check
from diascope.checks.judging.seen import label_of
from diascope.checks.judging.texts import looks_of
from diascope.checks.judging.words import bars
from diascope.core.case import Scalar
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

ENOUGH = 0.2
"""Share of the texts that have a line, for it to be looked at."""
SURE = 0.97
"""Share of the texts whose label a line tells, from which on it gives it away."""
FEWEST = 10
"""Texts below which nothing is told."""
AGAIN = 2.0
"""Texts for each thing that a line says, at least: a name or a number of its own tells nothing."""


class LeakingText:
    """Lines that say one thing in few words, and of which each tells one label."""

    title = "Texts that state their own label in a line of their header"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or target.kind not in ("category", "labels"):
            return []
        found = []
        for name, cases in looks_of(survey, "text").items():
            answers = [label_of(case, target) for case, _ in cases]
            lines: dict[str, list[tuple[str, tuple[Scalar, ...]]]] = defaultdict(list)
            for (_, facts), answer in zip(cases, answers, strict=True):
                if answer is not None:
                    for line, said in facts.get("fields", {}).items():
                        lines[line].append((said, answer))
            told = {line: share for line, pairs in lines.items() if (share := _told(pairs, len(cases))) >= SURE}
            if told:
                found.append(_problem(name, told, target.name))
        return found


def _told(pairs: Sequence[tuple[str, tuple[Scalar, ...]]], texts: int) -> float:
    """Of how many texts a line tells the label, beyond what guessing the commonest one would."""
    said: Mapping[str, Counter[tuple[Scalar, ...]]] = defaultdict(Counter)
    for value, answer in pairs:
        said[value][answer] += 1
    commonest = max(Counter(answer for _, answer in pairs).values(), default=0)
    if len(pairs) < max(FEWEST, ENOUGH * texts) or len(pairs) < AGAIN * len(said) or commonest == len(pairs):
        return 0.0
    right = sum(max(counts.values()) for counts in said.values())
    return (right - commonest) / (len(pairs) - commonest)


def _problem(name: str, told: Mapping[str, float], target: str) -> Problem:
    words = ", ".join(f"{line!r}" for line in told)
    return Problem(
        check="leaking_text",
        severity="refuse",
        title=f"lines {words} of the texts in {name!r} state {target!r}",
        detail="What such a line says and the label agree in nearly every text: a model would read the answer, and not "
        "the report. Remove the line from the texts; accept the finding if it is there before the label is known.",
        figure=bars("How much of the label a line tells", list(told.items())),
    )


CHECK: Check = LeakingText()
