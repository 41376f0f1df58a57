"""Files that cannot be read."""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.judging.words import count, share, some
from diascope.core.figure import Grid
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

SHOWN = 50


class Unreadable:
    """Missing, truncated or broken files, and volumes whose slices do not fit together."""

    title = "Files that cannot be read, with the reason"

    def look(self, survey: Survey) -> list[Problem]:
        if not survey.unreadable:
            return []
        bad = tuple(case.id for case in survey.cases if case.id in survey.unreadable)
        if len(bad) == len(survey.cases):
            severity, todo = "refuse", "Nothing is left to learn from."
        else:
            severity, todo = "warn", "They are left out. Replace the files to have them back."
        first = survey.unreadable[bad[0]]
        return [
            Problem(
                check="unreadable",
                severity="refuse" if severity == "refuse" else "warn",
                title=f"{share(len(bad), len(survey.cases))} cannot be read",
                detail=f"{some(bad)}. {todo} The first reason: {first}",
                cases=bad,
                exclude=bad,
                figure=Grid(
                    title="Unreadable cases",
                    columns=("case", "reason"),
                    rows=tuple((key, survey.unreadable[key]) for key in bad[:SHOWN]),
                    note=f"The first {SHOWN} of {count(len(bad), 'case')}." if len(bad) > SHOWN else "",
                ),
            )
        ]


CHECK: Check = Unreadable()
