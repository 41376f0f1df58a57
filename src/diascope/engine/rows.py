"""A row of a table as numbers, and why a row is not what a release was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from diascope.core.case import Case, Scalar, TableRef
from diascope.core.errors import DataRefused
from diascope.core.evaluation import ColumnRule, Gate
from diascope.core.plan import InputFacts, Plan

TAIL = 2.0
"""A positive column whose maximum is so many times its 95 % quantile has a long tail, as liver enzymes have."""
BEYOND_TAIL = 5.0
"""Of such a column a value may be so many times the maximum; of another one, one range beyond its ends."""


def row_of(case: Case, name: str, plan: Plan) -> npt.NDArray[np.float32]:
    """(D,) values of a table input: numbers, and for a category the index of its word; nan where one is missing.

    All are missing where the case has no such input. A word that was not in the training part counts as missing.

    Raises:
        DataRefused: When the row lacks a column, states another unit, or holds text where a number is expected.
    """
    columns: Sequence[str] = plan["columns"][name]
    ref = case.inputs.get(name)
    if not isinstance(ref, TableRef):
        return np.full(len(columns), np.nan, dtype=np.float32)
    if lacking := [column for column in columns if column not in ref.values]:
        raise DataRefused(
            f"case {case.id} lacks the columns {', '.join(map(repr, lacking))} of {name!r}",
            given=", ".join(ref.values) or "none",
            todo="Add the columns; a cell may be empty where a value is not known",
        )
    words = plan["categories"][name] if "categories" in plan.choices else {}
    zeros = plan["zeros_missing"][name] if "zeros_missing" in plan.choices else ()
    found = [_number(case, column, ref.values[column], words.get(column)) for column in columns]
    row = np.array(found, dtype=np.float32)
    row[[column in zeros and value == 0 for column, value in zip(columns, found, strict=True)]] = np.nan
    return row


def _number(case: Case, column: str, value: Scalar, words: Sequence[str] | None) -> float:
    if value is None:
        return float("nan")
    if words is not None:
        return float(words.index(str(value))) if str(value) in words else float("nan")
    if isinstance(value, str):
        raise DataRefused(
            f"case {case.id} has text where a number is expected",
            given=f"{column}: {value}",
            todo="Write a number, or leave the cell empty",
        )
    return float(value)


def says_nothing(inputs: Mapping[str, npt.NDArray[np.float32]]) -> bool:
    """Whether every value of every input is missing: nothing is known of such a case."""
    return bool(inputs) and all(bool(np.isnan(values).all()) for values in inputs.values())


def column_rules(name: str, facts: InputFacts) -> tuple[ColumnRule, ...]:
    """Between which numbers the columns of a table input must lie."""
    rules = []
    for one in facts.table:
        if one.kind != "number":
            continue
        least, *_, high_usual, most = one.quantiles
        span = most - least
        low, high = least - span, most + span
        if least >= 0:
            low = 0.0 if least - span <= 0 else low
            high = max(high, BEYOND_TAIL * most) if most >= TAIL * high_usual else high
        rules.append(
            ColumnRule(
                input=name, column=one.name, low=low, high=high, unit=one.unit, zero_is_missing=one.zeros_missing
            )
        )
    return tuple(rules)


def broken_columns(gate: Gate, case: Case) -> list[str]:
    """Why the rows of a case are not what the release was made for; empty where they are."""
    found = []
    for rule in gate.columns:
        ref = case.inputs.get(rule.input)
        if not isinstance(ref, TableRef):
            continue
        value, unit = ref.values.get(rule.column), ref.units.get(rule.column, "")
        words = f"{rule.input}: {rule.column}"
        if unit and rule.unit and unit != rule.unit:
            found.append(f"{words} is in {unit}, trained on {rule.unit}")
        elif rule.zero_is_missing and value == 0:
            continue
        elif isinstance(value, int | float) and not rule.low <= value <= rule.high:
            shown = f"{value:g} {rule.unit}".strip()
            found.append(f"{words} is {shown}, read from {rule.low:.4g} to {rule.high:.4g} (another unit?)")
    return found


def unknown_words(case: Case, plan: Plan) -> list[str]:
    """Words of a row that were not in the training part; they count as missing."""
    found = []
    for name, columns in plan["categories"].items() if "categories" in plan.choices else ():
        ref = case.inputs.get(name)
        values = ref.values if isinstance(ref, TableRef) else {}
        for column, words in columns.items():
            value = values.get(column)
            if value is not None and str(value) not in words:
                found.append(f"{name}: {column} is {str(value)!r}, which was not in training and counts as missing")
    return found
