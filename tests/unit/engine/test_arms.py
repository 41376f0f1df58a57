"""Rows under each treatment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diascope.core.case import Target
from diascope.core.errors import BadUsage
from diascope.core.plan import Choice, Plan
from diascope.engine.arms import arms_of
from diascope.engine.batch import Example
from diascope.engine.network import AnswerNetwork
from diascope.engine.reading import Reader
from diascope.testing import a_case

SETTINGS = {"kind": "table", "columns": ["age", "drug", "sex"], "categories": {"sex": ["f", "m"]}}


def a_plan(treatment: str = "drug") -> Plan:
    fields: dict[str, Any] = {
        "image_inputs": [], "readings": {"table": SETTINGS},
        "read_batch": 2, "treatment": treatment,
        "treatment_values": {"drug": [1, 2], "sex": ["f", "m"]},
    }  # fmt: skip
    choices = {name: Choice(value=value, kind="rule", reason="") for name, value in fields.items()}
    return Plan(dataset="d", task="t", target=Target(name="y", kind="k", columns=("y",)), seed=0, choices=choices)


class Sums(nn.Module):
    channels = (1,)

    def forward(self, rows: Tensor) -> Tensor:
        return rows @ torch.tensor([[1.0], [10.0], [100.0]])


def test_a_treatment_of_numbers_and_one_of_words() -> None:
    drug, sex = arms_of(a_plan()), arms_of(a_plan("sex"))
    assert drug is not None
    assert sex is not None
    assert (drug.place, dict(drug.codes)) == (1, {"1": 1.0, "2": 2.0})
    assert (sex.place, dict(sex.codes)) == (2, {"f": 0.0, "m": 1.0})
    assert [drug.number_of(value) for value in (1.0, 2.0, float("nan"))] == [0, 1, None]
    assert arms_of(a_plan("")) is None


def test_a_column_of_many_values_is_no_treatment() -> None:
    with pytest.raises(BadUsage, match="'age' cannot be the treatment") as caught:
        arms_of(a_plan("age"))
    assert "drug, sex" in str(caught.value)


def test_a_row_is_read_as_it_is_and_under_each_value() -> None:
    reader = Reader([AnswerNetwork("table", Sums())], a_plan(), "torch", "fp32")
    rows = np.array([[3, 1, 0], [4, 2, 1], [5, np.nan, 1]], np.float32)
    examples = [Example(a_case(n), {"table": row}, {}) for n, row in enumerate(rows)]
    found = list(reader.read_all(examples))
    np.testing.assert_array_equal([one.values[0] for one in found], [13, 124, np.nan])
    assert [(one.under["1"][0], one.under["2"][0]) for one in found] == [(13, 23), (114, 124), (115, 125)]
    np.testing.assert_array_equal(examples[0].inputs["table"], [3, 1, 0])
    assert next(reader.read_all(examples, under=False)).under == {}
