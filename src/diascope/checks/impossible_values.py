"""Numbers in tables that stand alone, far from all others: another unit, or a slip of the pen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from diascope.checks import Check
from diascope.checks.judging.words import share, some
from diascope.core.case import Case, Scalar, TableRef
from diascope.core.problem import Problem
from diascope.kinds.tables.columns import columns_of, zeros_stand_apart
from diascope.planning.survey import Survey

GAP = 5.0
"""A value that stands alone is so many times its neighbour (or its neighbour so many times it)."""
WIDTHS = 8.0
"""Robust standard deviations (of the logarithms of positive values) from the median."""
WIDE = 1.5
"""A value also stands alone behind a gap so many times as wide as all others lie apart (a 999, a -9, an age of 230),"""
LEANING = 3.0
"""where the others lie about evenly round their median: no side of it is so many times as long as the other,"""
FEWEST = 50
"""and there are so many: of fewer, a tail may be cut off by chance."""
BETWEEN = 2.0
"""Two units: the largest value of the lower group is so many times below the smallest of the upper one,"""
APART = 4.0
"""their middles are so many of their widths together (robust standard deviations of the logarithms) apart,"""
DIFFERENT = 8
"""and each group has so many different values: doses and codes have fewer."""
LIMITS = MappingProxyType({"age": (0, 125), "age_years": (0, 125), "patient_age": (0, 125), "年龄": (0, 125)})
"""Columns, without a unit or in years, whose values nobody has beyond these ends."""
YEARS = ("", "years", "year", "yrs", "yr", "y", "a", "岁")
ENOUGH = 20
"""Of fewer values nobody can say what is usual."""


Floats = npt.NDArray[np.float64]


class ImpossibleValues:
    """A potassium of 4,500 among values around 4: no patient has it, and a model would be ruled by it."""

    title = "Values in tables that no other comes near: another unit, or a slip of the pen"

    def look(self, survey: Survey) -> list[Problem]:
        strange: dict[str, list[str]] = {}
        parted: dict[str, str] = {}
        for name in dict.fromkeys(name for case in survey.cases for name in _tables(case)):
            cases = [case for case in survey.cases if name in _tables(case)]
            for column, values in columns_of(cases, name).items():
                for index in sorted({*standing_alone(values), *beyond_limits(column, values)}):
                    strange.setdefault(cases[index].id, []).append(f"{column} = {values[index]:g}")
                if (groups := two_units(values)) is not None:
                    parted[column] = groups
        return [*_strange(strange, len(survey.cases)), *_parted(parted)]


def _strange(strange: Mapping[str, Sequence[str]], cases: int) -> list[Problem]:
    if not strange:
        return []
    shown = some(f"{case}: {', '.join(words)}" for case, words in strange.items())
    return [
        Problem(
            check="impossible_values",
            severity="warn",
            title=f"{share(len(strange), cases)} with a value that no other comes near",
            detail=f"{shown}. These cases are left out. If it is another unit, convert it; if it is a slip of the "
            "pen, correct it or leave the cell empty.",
            cases=tuple(strange),
            exclude=tuple(strange),
        )
    ]


def _parted(parted: Mapping[str, str]) -> list[Problem]:
    if not parted:
        return []
    return [
        Problem(
            check="impossible_values",
            severity="warn",
            title=f"TWO UNITS IN ONE COLUMN? {', '.join(parted)}",
            detail=f"{'; '.join(f'{column}: {words}' for column, words in parted.items())}. Nothing lies between "
            "the groups. Where they are two units, convert one of them: a model would read them as different patients. "
            "All cases are kept.",
        )
    ]


def standing_alone(values: Sequence[Scalar]) -> list[int]:
    """Indices of the numbers that lie apart from all others: beyond a gap, and far from the median.

    Positive values are looked at by their logarithm, on which the long tail of a liver enzyme is no gap. Where there is
    no long tail, any numbers are looked at as they are.
    """
    if any(isinstance(value, str) for value in values):
        return []
    known = np.array([float(value) for value in values if isinstance(value, int | float)])
    # Such zeros count as missing already.
    missing = (None, 0) if zeros_stand_apart(known) else (None,)
    places = [index for index, value in enumerate(values) if value not in missing]
    numbers = np.array([float(values[index] or 0.0) for index in places])
    apart = _apart(numbers)
    if numbers.size and numbers.min() >= 0:
        positive = np.flatnonzero(numbers > 0)
        apart |= {int(one) for one in positive[_far(np.log(numbers[positive]))]}
    return sorted(places[one] for one in apart)


def beyond_limits(column: str, values: Sequence[Scalar]) -> list[int]:
    """Indices of the numbers that a column of this name cannot hold (see `LIMITS`)."""
    name, _, unit = column.strip().lower().rstrip(")]）").replace("[", "(").replace("（", "(").partition("(")
    ends = LIMITS.get(name.strip().replace(" ", "_"))
    if ends is None or unit.strip() not in YEARS:
        return []
    numbers = ((index, value) for index, value in enumerate(values) if isinstance(value, int | float))
    return [index for index, value in numbers if not ends[0] <= value <= ends[1]]


def _far(logs: Floats) -> list[int]:
    """Indices of logarithms beyond a gap and far from the median."""
    if len(logs) < ENOUGH:
        return []
    order = np.argsort(logs)
    middle = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - middle))) or 0.05
    gaps = np.diff(logs[order]) > np.log(GAP)
    found: set[int] = set()
    for cut in np.flatnonzero(gaps):
        low, high = order[: cut + 1], order[cut + 1 :]
        alone = low if len(low) < len(high) else high
        if len(alone) <= _most(len(order)) and (np.abs(logs[alone] - middle) > WIDTHS * spread).all():
            found |= set(alone.tolist())
    return sorted(found)


def _apart(numbers: Floats) -> set[int]:
    """Indices of numbers behind a gap that is wider than all others lie apart, where these have no long tail."""
    if len(numbers) < FEWEST:
        return set()
    found: set[int] = set()
    for side in (numbers, -numbers):
        order = np.argsort(side, kind="stable")
        rising = side[order]
        for alone in range(1, _most(len(order)) + 1):
            rest = rising[alone:]
            if rest[0] - rising[alone - 1] > WIDE * (rest[-1] - rest[0]) and _balanced(rest):
                found |= set(order[:alone].tolist())
    return found


def _most(count: int) -> int:
    """Values that can stand alone: more of them are a group of their own."""
    return max(1, count // 20)


def _balanced(rising: Floats) -> bool:
    low, high = float(np.median(rising) - rising[0]), float(rising[-1] - np.median(rising))
    return len(np.unique(rising)) >= DIFFERENT and max(low, high) <= LEANING * min(low, high)


def two_units(values: Sequence[Scalar]) -> str | None:
    """The two groups that a column of positive numbers falls into, as two units make them; None where it does not.

    Nothing lies between the groups, each holds many different values, and they are far apart for their widths.
    """
    if any(isinstance(value, str) or (value is not None and value < 0) for value in values):
        return None
    logs = np.sort(np.log(np.array([float(value) for value in values if value and not isinstance(value, str)])))
    if len(logs) < ENOUGH:
        return None
    cut = int(np.argmax(np.diff(logs))) + 1
    low, high = logs[:cut], logs[cut:]
    if high[0] - low[-1] < np.log(BETWEEN) or min(len(np.unique(low)), len(np.unique(high))) < DIFFERENT:
        return None
    middles = [float(np.median(group)) for group in (low, high)]
    widths = [1.4826 * float(np.median(np.abs(group - np.median(group)))) for group in (low, high)]
    if min(len(low), len(high)) < len(logs) / 20 or middles[1] - middles[0] < APART * sum(widths):
        return None
    return (
        f"{len(low)} values around {np.exp(middles[0]):.3g} and {len(high)} around {np.exp(middles[1]):.3g}, "
        f"{np.exp(middles[1] - middles[0]):.3g} times as large"
    )


def _tables(case: Case) -> list[str]:
    return [name for name, ref in case.inputs.items() if isinstance(ref, TableRef)]


CHECK: Check = ImpossibleValues()
