"""What was corrected while reading: no correction is silent."""

from __future__ import annotations

import re
from itertools import chain

from diascope.checks import Check
from diascope.checks.judging.words import share, some
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


class Corrections:
    """Notes that the formats left on inputs and masks, counted; numbers apart they are the same note."""

    title = "What was corrected while reading inputs and masks"

    def look(self, survey: Survey) -> list[Problem]:
        noted: dict[str, dict[str, str]] = {}
        for case in survey.cases:
            facts = survey.facts.get(case.id)
            if facts is None:
                continue
            histories = [
                *(one.history for one in facts.inputs.values()),
                *(one.history for one in facts.masks.values()),
                *(one.history for one in facts.looks.values()),
            ]
            for note in chain.from_iterable(histories):
                noted.setdefault(NUMBER.sub("#", note), {})[case.id] = note
        return [
            Problem(
                check="corrections",
                severity="note",
                title=f"corrected while reading {share(len(cases), len(survey.cases))}: {next(iter(cases.values()))}",
                detail=f"{some(cases)}. The files were not changed.",
                cases=tuple(cases),
            )
            for cases in noted.values()
        ]


CHECK: Check = Corrections()
