"""Texts whose characters are not those that were written: lost ones, and bytes that were read in another encoding."""

from __future__ import annotations

from collections.abc import Mapping

from diascope.checks import Check
from diascope.checks.judging.words import share, some
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

REPLACED = "\N{REPLACEMENT CHARACTER}"
LOST = 0.01
"""Share of lost characters above which a text is not what was written."""
ACCENTED = 0.3
"""Share of characters from U+0080 to U+00FF above which bytes were taken for Western letters: no language that is
written with accents has so many, and Chinese in UTF-8 becomes nothing else."""
ENOUGH = 20
"""Characters below which no share means anything."""


class TextEncoding:
    """A model would learn noise, and read true texts as strange ones."""

    title = "Texts read in the wrong encoding"

    def look(self, survey: Survey) -> list[Problem]:
        lost, wrong = [], []
        for case in survey.cases:
            for look in survey.facts[case.id].looks.values() if case.id in survey.facts else ():
                letters = look.facts.get("letters")
                if not isinstance(letters, Mapping) or look.size < ENOUGH:
                    continue
                if letters.get(REPLACED, 0) > LOST * look.size:
                    lost.append(case.id)
                elif sum(n for one, n in letters.items() if "\x80" <= one <= "\xff") > ACCENTED * look.size:
                    wrong.append(case.id)
        total = len(survey.cases)
        return [
            *_problem(lost, total, "with lost characters", "Some bytes had no meaning when they were saved last."),
            *_problem(wrong, total, "read in another encoding than they were written in", "Save them in UTF-8."),
        ]


def _problem(cases: list[str], total: int, what: str, todo: str) -> list[Problem]:
    if not cases:
        return []
    ids = tuple(dict.fromkeys(cases))
    return [
        Problem(
            check="text_encoding",
            severity="refuse" if len(ids) == total else "warn",
            title=f"{share(len(ids), total)} {what}",
            detail=f"{some(ids)}. {todo} They are left out.",
            cases=ids,
            exclude=ids,
        )
    ]


CHECK: Check = TextEncoding()
