"""A row of a table as numbers, and why a row is not what a release was made for."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.case import Case, Scalar, TableRef, number_of
from diascope.core.errors import DataRefused
from diascope.core.evaluation import ColumnRule, Gate
from diascope.core.plan import InputFacts

SPELT = str.maketrans("μ×", "ux", "[]")
TAIL = 2.0
"""A positive column whose maximum is so many times its 95 % quantile has a long tail, as liver enzymes have."""
BEYOND_TAIL = 5.0
"""Of such a column a value may be so many times the maximum; of another one, one range beyond its ends."""


def row_of(case: Case, name: str, settings: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """(D,) values of a table input: numbers, and for a category the index of its word; nan where one is missing.

    All are missing where the case has no such input. A word that was not in the training part counts as missing.

    Raises:
        DataRefused: When the row lacks a column, or states another unit.
    """
    columns: Sequence[str] = settings["columns"]
    ref = case.inputs.get(name)
    if not isinstance(ref, TableRef):
        return np.full(len(columns), np.nan, dtype=np.float32)
    units = settings.get("units", {})
    keys = {column: named_in(ref, column, units.get(column, "")) for column in columns}
    if lacking := [column for column, key in keys.items() if key is None]:
        raise DataRefused(
            f"case {case.id} lacks the columns {', '.join(map(repr, lacking))} of {name!r}",
            given=", ".join(ref.values) or "none",
            todo="Add the columns; a cell may be empty where a value is not known",
        )
    words, zeros = settings.get("categories", {}), settings.get("zeros_missing", ())
    found = []
    for column, key in keys.items():
        value = ref.values[key or ""]
        _refuse_other_unit(case, ref, (column, key or ""), units.get(column, ""))
        if "categories" not in settings and isinstance(value, str):
            raise DataRefused(f"case {case.id} has text where a number is expected", given=f"{column} = {value!r}")
        found.append(_number(value, words.get(column)))
    row = np.array(found, dtype=np.float32)
    row[[column in zeros and value == 0 for column, value in zip(columns, found, strict=True)]] = np.nan
    return row


def named_in(ref: TableRef, column: str, unit: str) -> str | None:
    """A column of a row: by its name, else the only one that is called alike but for capitals and the unit."""
    if column in ref.values:
        return column
    wanted = _bare(column, unit)
    found = [one for one in ref.values if _bare(one, ref.units.get(one, "")) == wanted]
    return found[0] if len(found) == 1 else None


def _refuse_other_unit(case: Case, ref: TableRef, names: tuple[str, str], unit: str) -> None:
    column, key = names
    theirs = ref.units.get(key, "")
    if unit and theirs and _alike(unit) != _alike(theirs):
        raise DataRefused(
            f"case {case.id} has {_bare(column, unit)!r} in {theirs}, and the release reads it in {unit}",
            todo="Convert the column, and write its unit in brackets",
        )


def _alike(unit: str) -> str:
    """A unit without what is only spelling: capitals, blanks, brackets, which micro sign."""
    plain = "".join(unicodedata.normalize("NFKC", unit).split()).casefold()
    return plain.translate(SPELT)


def _bare(column: str, unit: str) -> str:
    """A column's name without its unit."""
    for brackets in ("[]", "()", "［］", "（）"):
        column = column.replace(f"{brackets[0]}{unit}{brackets[1]}", "") if unit else column
    return column.strip().lower()


def _number(value: Scalar, words: Sequence[str] | None) -> float:
    """A cell as the plan wants it; what it is not is missing, and `unknown_words` says so."""
    if value is None:
        return float("nan")
    if words is not None:
        word = _word(value)
        return float(words.index(word)) if word in words else float("nan")
    number = number_of(value)
    return float("nan") if number is None else number


def _word(value: Scalar) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


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
        key = named_in(ref, rule.column, rule.unit) if isinstance(ref, TableRef) else None
        if not isinstance(ref, TableRef) or key is None:
            continue
        value, unit = number_of(ref.values[key]), ref.units.get(key, "")
        words = f"{rule.input}: {rule.column}"
        if unit and rule.unit and _alike(unit) != _alike(rule.unit):
            found.append(f"{words} is in {unit}, trained on {rule.unit}")
        elif value is None or (rule.zero_is_missing and value == 0):
            continue
        elif not rule.low <= value <= rule.high:
            shown = f"{value:g} {rule.unit}".strip()
            found.append(f"{words} is {shown}, read from {rule.low:.4g} to {rule.high:.4g} (another unit?)")
    return found


def unknown_words(case: Case, name: str, settings: Mapping[str, Any]) -> list[str]:
    """What a row holds that cannot be read, and that counts as missing: new words, words for numbers."""
    found: list[str] = []
    ref = case.inputs.get(name)
    if not isinstance(ref, TableRef):
        return found
    units = settings.get("units", {})
    for column in settings["columns"]:
        value = ref.values.get(named_in(ref, column, units.get(column, "")) or "")
        words = settings.get("categories", {}).get(column)
        if words is not None and value is not None and _word(value) not in words:
            found.append(f"{name}: {column} is {_word(value)!r}, which was not in training and counts as missing")
        elif words is None and isinstance(value, str) and number_of(value) is None:
            found.append(f"{name}: {column} is {value!r}, which is no number and counts as missing")
    return found
