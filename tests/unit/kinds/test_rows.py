"""Rows as numbers, and rows that a release was not made for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from diascope.core.case import Case, Label, TableRef, Target
from diascope.core.errors import DataRefused
from diascope.core.evaluation import Gate
from diascope.core.plan import ColumnFacts, InputFacts
from diascope.kinds.tables.rows import broken_columns, column_rules, row_of, unknown_words

TARGET = Target(name="y", kind="category", columns=("y",), labels=(Label(name="a", value=0), Label(name="b", value=1)))


SETTINGS = {"columns": ["age", "sex", "pressure"], "categories": {"sex": ["f", "m"]}, "zeros_missing": ["pressure"]}


def a_row(units: dict[str, str] | None = None, **values: Any) -> Case:
    row = {"age": 61, "sex": "m", "pressure": 80, **values}
    return Case(id="a", patient="a", inputs={"table": TableRef(values=row, units=units or {})})


def test_numbers_words_and_what_is_missing() -> None:
    np.testing.assert_array_equal(row_of(a_row(), "table", SETTINGS), np.float32([61, 1, 80]))
    np.testing.assert_array_equal(row_of(a_row(age=None, sex="x", pressure=0), "table", SETTINGS), [np.nan] * 3)
    empty = Case(id="a", patient="a", inputs={})
    np.testing.assert_array_equal(row_of(empty, "table", SETTINGS), [np.nan] * 3)


def test_a_row_without_a_column_is_refused() -> None:
    case = Case(id="a", patient="a", inputs={"table": TableRef(values={"age": 1, "sex": "f"})})
    with pytest.raises(DataRefused, match="'pressure'"):
        row_of(case, "table", SETTINGS)


def test_a_word_for_a_number_is_missing_and_that_is_said() -> None:
    assert np.isnan(row_of(a_row(age="old"), "table", SETTINGS)[0])
    assert unknown_words(a_row(age="old"), "table", SETTINGS) == [
        "table: age is 'old', which is no number and counts as missing"
    ]


def test_a_column_may_state_its_unit_otherwise_but_not_another_one() -> None:
    settings = {**SETTINGS, "units": {"pressure": "mm[Hg]"}}
    row = {"age": 61, "sex": "m", "pressure (kPa)": 11}
    case = Case(id="a", patient="a", inputs={"table": TableRef(values=row, units={"pressure (kPa)": "kPa"})})
    with pytest.raises(DataRefused, match=r"'pressure' in kPa, and the release reads it in mm\[Hg\]"):
        row_of(case, "table", settings)
    same = {"age": 61, "sex": "m", "Pressure [mm[Hg]]": 80}
    case = Case(id="a", patient="a", inputs={"table": TableRef(values=same, units={"Pressure [mm[Hg]]": "mm[Hg]"})})
    assert row_of(case, "table", settings)[2] == 80


def test_a_class_that_lost_its_type_beside_empty_cells_is_known() -> None:
    settings = {**SETTINGS, "categories": {"sex": ["1", "2"]}}
    assert row_of(a_row(sex=2.0), "table", settings)[1] == 1


def test_a_word_that_training_did_not_hold_is_said() -> None:
    assert unknown_words(a_row(), "table", SETTINGS) == []
    (said,) = unknown_words(a_row(sex="x"), "table", SETTINGS)
    assert "'x'" in said
    assert "counts as missing" in said


def rules(*quantiles: float, unit: str = "") -> Gate:
    facts = InputFacts(
        kind="table", modality="table", channels=1, dimensions=0, physical=False, shapes=((1, 1, 1),) * 5,
        spacings=((1.0, 1.0, 1.0),) * 5, intensity={}, per_case={}, columns=("k",),
        table=(ColumnFacts(name="k", kind="number", unit=unit, quantiles=quantiles),),
    )  # fmt: skip
    return Gate(rules=(), columns=column_rules("table", facts))


def of(value: Any, unit: str = "") -> Case:
    return Case(id="a", patient="a", inputs={"table": TableRef(values={"k": value}, units={"k": unit} if unit else {})})


@pytest.mark.parametrize(("value", "read"), [(4.1, True), (9.9, True), (4500, False), (-1, False), (None, True)])
def test_a_potassium_of_4500_is_not_read(value: float | None, read: bool) -> None:
    broken = broken_columns(rules(2.9, 3.4, 4.1, 5.0, 6.8), of(value))
    assert (broken == []) is read
    assert all("another unit?" in one for one in broken)


def test_a_long_tail_may_go_on() -> None:
    gate = rules(8.0, 12.0, 30.0, 120.0, 900.0)
    assert broken_columns(gate, of(2500)) == []
    assert broken_columns(gate, of(9000))


def test_another_unit_is_said() -> None:
    gate = rules(2.9, 3.4, 4.1, 5.0, 6.8, unit="mmol/L")
    assert broken_columns(gate, of(4.0, "mmol/L")) == []
    assert broken_columns(gate, of(4.0)) == []
    assert broken_columns(gate, of(4.0, "mg/dL")) == ["table: k is in mg/dL, trained on mmol/L"]


def test_a_limit_of_detection_is_a_number_where_numbers_were_read_and_a_word_where_words_were() -> None:
    settings = {**SETTINGS, "categories": {"sex": ["<5", ">=5"]}}
    np.testing.assert_array_equal(row_of(a_row(age="<0.5", sex=">=5"), "table", settings), np.float32([0.5, 1, 80]))
    assert unknown_words(a_row(age="<0.5", sex=">=5"), "table", settings) == []


def test_a_column_that_is_called_alike_is_judged_too() -> None:
    gate = rules(2.9, 3.4, 4.1, 5.0, 6.8, unit="mmol/L")
    case = Case(id="a", patient="a", inputs={"table": TableRef(values={"K [mmol/l]": "4500"}, units={})})
    assert broken_columns(gate, case) == []
    named = {"K [mmol/l]": "4500"}
    case = Case(id="a", patient="a", inputs={"table": TableRef(values=named, units={"K [mmol/l]": "mmol/l"})})
    assert "another unit?" in broken_columns(gate, case)[0]
