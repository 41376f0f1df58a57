"""Pictures that a program made and that nothing marks as such: they would be tested on."""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.judging.words import share, some
from diascope.core.problem import Problem
from diascope.formats.picture import SYNTHETIC
from diascope.planning.survey import Survey


class UnmarkedSynthetic:
    """The files say it themselves, wherever they were copied to."""

    title = "Synthetic pictures among real ones"

    def look(self, survey: Survey) -> list[Problem]:
        found = tuple(
            case.id
            for case in survey.cases
            if not case.synthetic
            and case.id in survey.facts
            and any(note.startswith(SYNTHETIC) for one in survey.facts[case.id].inputs.values() for note in one.history)
        )
        if not found:
            return []
        return [
            Problem(
                check="unmarked_synthetic",
                severity="refuse",
                title=f"{share(len(found), len(survey.cases))} SHOW NOBODY: a program made them, and no table says so",
                detail=f"{some(found)}. They would be tested on, and counted as patients. Keep the manifest that they "
                "came with, or mark them in a column 'synthetic': they are then only trained on.",
                cases=found,
            )
        ]


CHECK: Check = UnmarkedSynthetic()
