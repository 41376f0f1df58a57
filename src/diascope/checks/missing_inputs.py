"""Cases that lack an image which the others have."""

from __future__ import annotations

from collections import Counter

from diascope.checks import Check
from diascope.checks.judging.words import share, some
from diascope.core.case import Case
from diascope.core.problem import Problem
from diascope.planning.survey import Survey


class MissingInputs:
    """A model reads all of its image inputs: a case that lacks one of them can neither teach nor test it.

    One without any image, but with inputs of other kinds, is read without.
    """

    title = "Cases that lack an image input which others have"

    def look(self, survey: Survey) -> list[Problem]:
        names = Counter(name for case in survey.cases for name in _images(case))
        needing = [case for case in survey.cases if _images(case) or not case.inputs]
        lacking = {case.id: [name for name in names if name not in case.inputs] for case in needing}
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
    return [name for name, ref in case.inputs.items() if ref.kind == "image"]


CHECK: Check = MissingInputs()
