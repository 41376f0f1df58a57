"""What led to an answer, of models of every sort: the word or column that they go by, only where it was learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diascope.core.finding import Finding, Measure
from diascope.engine.batch import Example
from diascope.engine.opening import ready
from diascope.serve.beside.attributing import Attributed, Redrawn, attributed, learnt, strongest
from diascope.serve.beside.rows import LabRow
from diascope.store.releases import open_release
from diascope.testing import a_case
from diascope.testing.service import a_service
from diascope.testing.statement_calls import COLUMNS, MIDDLES, UNITS, a_row_release, a_text_release

FAILING = (3.2, *MIDDLES[1:])


def said(concept: str, probability: float, status: Any = "present") -> Finding:
    return Finding(concept=concept, status=status, measures={"probability": Measure(value=probability)})


def silent(done: int, total: int) -> None:
    return


def of_row(folder: Path, values: tuple[float, ...] = FAILING) -> Attributed:
    opened = open_release(folder)
    network = ready(opened).reader.networks[0]
    row = LabRow(dict(zip(COLUMNS, values, strict=True)), UNITS)
    example = Example(a_case(), {"row": np.array(values, np.float32)}, {})
    return attributed(network, example, opened.plan, ([said("kidney failure", 0.9)], row), silent)


@pytest.mark.parametrize("model", ["linear", "boosting"])
def test_the_column_that_a_model_goes_by_is_the_first(tmp_path: Path, model: str) -> None:
    found = of_row(a_row_release(a_service(tmp_path), model=model))
    (led,) = found.items
    assert led["passed"]
    assert led["parts"][0] == {"name": "Creatinine", "given": 3.2, "unit": "mg/dL", "value": 1.0}


def test_a_column_that_is_missing_leads_to_nothing(tmp_path: Path) -> None:
    found = of_row(a_row_release(a_service(tmp_path)), (3.2, float("nan"), *MIDDLES[2:]))
    assert "Sodium" not in [part["name"] for led in found.items for part in led["parts"]]


@pytest.mark.parametrize("model", ["linear", "boosting"])
def test_an_estimator_is_drawn_anew_and_stays_what_it_was(tmp_path: Path, model: str) -> None:
    from diascope.explainers.maps import InColumns
    from diascope.explainers.sanity import randomised

    opened = open_release(a_row_release(a_service(tmp_path), model=model))
    network = InColumns(ready(opened).reader.networks[0], "row")
    rows = {"image": torch.tensor([FAILING, MIDDLES])}
    before, held = network(rows), [one.clone() for one in learnt(network)]
    redrawn = Redrawn(network)
    assert torch.equal(redrawn(rows), before)
    assert not torch.allclose(randomised(redrawn, 0)(rows), before)
    assert torch.equal(redrawn(rows), before)
    assert all(torch.equal(one, other) for one, other in zip(learnt(network), held, strict=True))


def test_what_has_learnt_nothing_that_can_be_drawn_is_not_explained(tmp_path: Path) -> None:
    opened = open_release(a_text_release(a_service(tmp_path)))

    class Fixed(torch.nn.Module):
        output = "vector"

        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            return torch.zeros(len(inputs["note"]), 2)

    codes = np.array([ord(one) for one in "small effusion"], np.int32)
    example = Example(a_case(), {"note": codes}, {})
    found = attributed(Fixed(), example, opened.plan, ([said("with effusion", 0.9)], None), silent)
    assert (found.items, found.explainer) == ((), "")
    assert "could be checked" in found.unexplained


def test_the_surest_of_what_is_there_is_explained() -> None:
    several = [said(name, value) for name, value in (("a", 0.6), ("b", 0.9), ("c", 0.7), ("d", 0.8))]
    assert [one.concept for one in strongest([*several, said("e", 0.99, "absent")])] == ["b", "d", "c"]
    absent = [said("a", 0.1, "absent"), said("b", 0.3, "absent")]
    assert [one.concept for one in strongest(absent)] == ["b"]
    assert strongest([Finding(concept="a", status="abstained", reason="x")]) == []
