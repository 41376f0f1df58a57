"""What was corrected while reading: no correction is silent."""

from __future__ import annotations

import re

from diascope.checks import Check
from diascope.checks.judging.seen import images
from diascope.checks.judging.words import share, some
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


class Corrections:
    """Notes that the formats left on the images, counted; numbers apart they are the same note."""

    title = "What was corrected while reading the images"

    def look(self, survey: Survey) -> list[Problem]:
        noted: dict[str, dict[str, str]] = {}
        for seen in images(survey).values():
            for case, facts in seen:
                for note in facts.history:
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
