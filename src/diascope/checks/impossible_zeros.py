"""Zeros that stand for a missing value: a blood pressure of 0."""

from __future__ import annotations

import numpy as np

from diascope.checks import Check
from diascope.checks.judging.words import bars, count
from diascope.core.case import TableRef
from diascope.core.problem import Problem
from diascope.kinds.tables.columns import columns_of, zeros_stand_apart
from diascope.planning.survey import Survey


class ImpossibleZeros:
    """A column whose zeros lie far below every other value, where values otherwise lie close together."""

    title = "Zeros in tables that stand for missing values"

    def look(self, survey: Survey) -> list[Problem]:
        names = dict.fromkeys(
            name for case in survey.cases for name, ref in case.inputs.items() if isinstance(ref, TableRef)
        )
        found: dict[str, tuple[int, float]] = {}
        for name in names:
            for column, values in columns_of(survey.cases, name).items():
                known = [value for value in values if value is not None]
                if known and not any(isinstance(value, str) for value in known):
                    numbers = np.array([float(value) for value in known if not isinstance(value, str)])
                    if zeros_stand_apart(numbers):
                        found[column] = (int((numbers == 0).sum()), float(numbers[numbers != 0].min()))
        if not found:
            return []
        each = "; ".join(
            f"{column}: {zeros} {'zero' if zeros == 1 else 'zeros'}, the next value is {least:g}"
            for column, (zeros, least) in found.items()
        )
        cases = tuple(case.id for case in survey.cases if _has_zero(case.inputs.values(), found))
        return [
            Problem(
                check="impossible_zeros",
                severity="warn",
                title=f"zeros that stand for missing values in {count(len(found), 'column')}: {', '.join(found)}",
                detail=f"{each}. They count as missing, and the model is told that they are. Where a 0 is a real "
                "value, take the column out of zeros_missing in the field readings of the plan (diascope plan, edit, "
                "diascope train).",
                cases=cases,
                figure=bars("Zeros that count as missing", [(name, zeros) for name, (zeros, _) in found.items()]),
            )
        ]


def _has_zero(refs: object, columns: dict[str, tuple[int, float]]) -> bool:
    return any(
        isinstance(ref, TableRef) and any(ref.values.get(column) == 0 for column in columns)
        for ref in refs  # type: ignore[attr-defined]
    )


CHECK: Check = ImpossibleZeros()
