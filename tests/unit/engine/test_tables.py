"""Rows of tables on their way to a network, and through the input gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.core.case import Case, TableRef, Target
from diascope.core.errors import DataRefused
from diascope.core.plan import Choice, Fingerprint, InputFacts, Plan
from diascope.engine.batch import Output
from diascope.engine.gate import distance, features, fit_gate
from diascope.engine.preparing import prepare


def a_plan(*columns: str) -> Plan:
    readings = {"blood": {"kind": "table", "columns": list(columns), "scales": {name: [0.0, 1.0] for name in columns}}}
    values: dict[str, Any] = {"image_inputs": [], "readings": readings}
    return Plan(
        dataset="d",
        task="any",
        target=Target(name="t", kind="number", columns=("t",)),
        seed=0,
        choices={name: Choice(value=value, kind="fixed", reason="test") for name, value in values.items()},
    )


def a_row(**values: Any) -> Case:
    return Case(id="c", patient="p", inputs={"blood": TableRef(values=values)})


def test_values_come_in_the_plans_order_and_missing_ones_are_nan():
    example = prepare(a_row(k=4.1, na=140, hb=None, extra=1), {}, a_plan("hb", "na", "k"), Path())
    np.testing.assert_array_equal(example.inputs["blood"], np.array([np.nan, 140, 4.1], np.float32))


def test_a_case_without_the_input_has_nothing_but_missing_values():
    example = prepare(Case(id="c", patient="p", inputs={}), {}, a_plan("na", "k"), Path())
    assert np.isnan(example.inputs["blood"]).all()


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(DataRefused, match=r"case c lacks the columns 'hb' of 'blood'.*na"):
        prepare(a_row(na=140), {}, a_plan("hb", "na"), Path())


def test_what_is_missing_is_neither_near_nor_far_from_the_training_rows():
    rng = np.random.default_rng(0)
    plan, output = a_plan("age", "na"), Output(np.zeros(1, np.float32))

    def described(age: float | None, sodium: float | None) -> np.ndarray:
        return features(prepare(a_row(age=age, na=sodium), {}, plan, Path()), output, plan)

    rows = [described(rng.normal(60, 5), None if number % 4 == 0 else rng.normal(140, 2)) for number in range(80)]
    facts = Fingerprint(
        dataset="d",
        cases=80,
        patients=80,
        inputs={"blood": InputFacts.without_space("table", 2)},
        strata={},
        bytes_decoded=0,
        seconds_per_case=0,
    )
    gate, arrays = fit_gate(plan, facts, rows, [str(number) for number in range(80)])
    assert gate.distance_limit is not None
    assert distance(described(60, None), arrays) < gate.distance_limit
    assert distance(described(61, 141), arrays) < gate.distance_limit
    assert distance(described(60, 14), arrays) > gate.distance_limit
