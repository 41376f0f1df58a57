"""Covariates (age, sex, site, ...) that are missing for some cases."""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.judging.seen import is_missing
from diascope.checks.judging.words import bars, share
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

MANY = 0.05
"""Share of missing values from which it is a warning."""


class Covariates:
    """They are not learnt from, but subgroups are made of them."""

    title = "Missing values of covariates"

    def look(self, survey: Survey) -> list[Problem]:
        names = dict.fromkeys(name for case in survey.cases for name in case.covariates)
        columns = {name: [case.covariates.get(name) for case in survey.cases] for name in names}
        if any(case.site for case in survey.cases):
            columns["site"] = [case.site for case in survey.cases]
        missing = {
            name: tuple(case.id for case, value in zip(survey.cases, values, strict=True) if is_missing(value))
            for name, values in columns.items()
        }
        number = len(survey.cases)
        return [
            Problem(
                check="covariates",
                severity="warn" if len(cases) > MANY * number else "note",
                title=f"{name} is missing for {share(len(cases), number)}",
                detail=f"They are in the group {name!r} = missing of the subgroup table; nothing is filled in.",
                cases=cases,
                figure=bars(name, [("known", number - len(cases)), ("missing", len(cases))]),
            )
            for name, cases in missing.items()
            if cases
        ]


CHECK: Check = Covariates()
