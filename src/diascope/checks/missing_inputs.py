"""Cases that lack an image which the others have."""

from __future__ import annotations

from collections import Counter

from diascope.checks import Check
from diascope.checks.judging.words import share, some
from diascope.core.case import Case, FileRef
from diascope.core.problem import Problem
from diascope.planning.survey import Survey


class MissingInputs:
    """A model reads all of its image inputs: a case that lacks one can neither teach nor test it."""

    title = "Cases that lack an image input which others have"

    def look(self, survey: Survey) -> list[Problem]:
        names = Counter(name for case in survey.cases for name in _images(case))
        lacking = {case.id: [name for name in names if name not in case.inputs] for case in survey.cases}
        lacking = {key: missing for key, missing in lacking.items() if missing}
        if not lacking:
            return []
        shown = some(f"{key} ({', '.join(missing)})" for key, missing in lacking.items())
        return [
            Problem(
                check="missing_inputs",
                severity="warn",
                title=f"{share(len(lacking), len(survey.cases))} without an image that others have",
                detail=f"{shown}. They are left out: a model reads all of its images for every case. Give them these "
                "images to have the cases back.",
                cases=tuple(lacking),
                exclude=tuple(lacking),
            )
        ]


def _images(case: Case) -> list[str]:
    return [name for name, ref in case.inputs.items() if isinstance(ref, FileRef)]


CHECK: Check = MissingInputs()
