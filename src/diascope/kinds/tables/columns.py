"""Columns of a table input: what they hold in the training part, and zeros that stand for missing values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from diascope.core.case import Case, Scalar, TableRef
from diascope.core.plan import ColumnFacts

APART = 5.0
"""A lone zero lies so many times the usual step between neighbouring values below the smallest other one."""
NEAR = 0.05
"""A zero is not impossible where the smallest other value is below this share of the median."""
ENOUGH = 10
"""Of fewer different values nobody can say what a usual step is."""
QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


def columns_of(cases: Sequence[Case], name: str) -> dict[str, list[Scalar]]:
    """Column to one value a case, of those cases that have the table input `name`."""
    return values_by_column([ref for case in cases if isinstance(ref := case.inputs.get(name), TableRef)])


def values_by_column(rows: Sequence[TableRef]) -> dict[str, list[Scalar]]:
    """Column to one value a row."""
    names = dict.fromkeys(column for row in rows for column in row.values)
    return {column: [row.values.get(column) for row in rows] for column in names}


def column_facts(name: str, values: Sequence[Scalar], unit: str = "") -> ColumnFacts | None:
    """Facts of one column; None where it says nothing (no value, or one value for all)."""
    present = [value for value in values if value is not None]
    if len(set(present)) < 2 and len(present) in (0, len(values)):
        return None
    words = sorted({str(value) for value in present}) if any(isinstance(one, str) for one in present) else []
    if words:
        missing = 1 - len(present) / len(values)
        return ColumnFacts(name=name, kind="category", unit=unit, values=tuple(words), missing=missing)
    numbers = np.array([float(value) for value in present])
    zeros = zeros_stand_apart(numbers)
    known = numbers[numbers != 0] if zeros else numbers
    return ColumnFacts(
        name=name,
        kind="number",
        unit=unit,
        quantiles=tuple(float(one) for one in np.quantile(known, QUANTILES)),
        missing=1 - len(known) / len(values),
        zeros_missing=zeros,
    )


def zeros_stand_apart(numbers: npt.NDArray[np.float64]) -> bool:
    """Whether zeros stand for missing values, as a blood pressure of 0 does.

    All others are positive, and the smallest of them is far from 0: many times as far as values usually are from each
    other. A count (0, 1, 2, ...) has no such gap.
    """
    zeros, others = numbers == 0, np.unique(numbers[numbers != 0])
    if not zeros.any() or len(others) < ENOUGH or others[0] <= 0:
        return False
    lower = others[: max(ENOUGH, len(others) // 2)]
    step = float(np.median(np.diff(lower)))
    return bool(others[0] >= APART * step and others[0] >= NEAR * np.median(numbers[~zeros]))
