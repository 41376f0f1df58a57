"""Numbers: intervals that hold the truth as often as they say, networks in the unit of the target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diascope.core.case import Label, Target
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.sources import Listing, Request
from diascope.stages.check import choose_target
from diascope.tasks.regression import COVERED, TASK, NumberNetwork
from diascope.testing import a_case

TARGET = Target(name="mass", kind="number", columns=("mass",), unit="kg")


def a_plan(**changes: Any) -> Plan:
    fields = {"loss": "huber", "target_scale": [70.0, 10.0], "dropout": 0.0, **changes}
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in fields.items()}
    return Plan(dataset="d", task="regression", target=TARGET, seed=0, choices=choices)


def rows(errors: np.ndarray) -> list[Row]:
    true = np.linspace(50, 90, len(errors))
    return [
        {"case": f"c{n}", "patient": f"p{n}", "said": float(a + e), "true": float(a)}
        for n, (a, e) in enumerate(zip(true, errors, strict=True))
    ]


def test_it_claims_numbers_alone() -> None:
    other = Target(name="y", kind="category", columns=("y",))
    assert TASK.claim([TARGET, other]) == (TARGET,)


def test_a_few_counts_are_learnt_as_numbers_where_the_user_says_so(tmp_path: Any) -> None:
    def classes(*names: str) -> Target:
        labels = tuple(Label(name=name, value=number) for number, name in enumerate(names))
        return Target(name="mass", kind="category", columns=("mass",), labels=labels)

    listing = Listing(tmp_path, (), (classes("0", "1", "2.5"),))
    assert choose_target(listing, Request(location="x"))[0] == "classification"
    task, target = choose_target(listing, Request(location="x", task="regression", options={"target": "mass"}))
    assert (task, target.kind, target.labels) == ("regression", "number", ())
    assert TASK.claim([classes("0", "1", "many")]) == ()


def test_cases_without_a_number_are_left_out_and_a_constant_is_refused() -> None:
    cases = [a_case(n, targets={"mass": value}) for n, value in enumerate([70.0, None, float("nan"), 71.0])]
    (problem,) = TASK.problems(cases, TARGET)
    assert problem.exclude == ("case1", "case2")
    (refused,) = TASK.problems([a_case(n, targets={"mass": 70.0}) for n in range(3)], TARGET)
    assert refused.severity == "refuse"


def test_the_interval_holds_new_truths_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        decision = TASK.fit_decision(rows(rng.normal(0, 3, 60)), a_plan())
        covered += [TASK.decide(row, decision, a_plan())["inside"] for row in rows(rng.normal(0, 3, 20))]
    assert np.mean(covered) == pytest.approx(COVERED, abs=0.015)


def test_too_few_cases_give_no_interval() -> None:
    decision = TASK.fit_decision(rows(np.ones(5)), a_plan())
    assert decision["width"] is None
    (finding,) = TASK.decode(Output(np.array([71.0])), Example(a_case(), {}, {}), decision, a_plan()).findings
    measure = finding.measures["value"]
    assert (measure.value, measure.unit, measure.low) == (71.0, "kg", None)
    assert "too few" in measure.note


def test_metrics_in_the_unit_of_the_target() -> None:
    plan = a_plan()
    some = rows(np.tile([2.0, -2.0], 20))
    decision = TASK.fit_decision(some, plan)
    scores = TASK.score([TASK.decide(row, decision, plan) for row in some], plan)
    found = {one.name: one for one in scores.statistics}
    every = np.arange(40)
    assert (found["mae"].of(every), found["mae"].unit, found["mae"].better) == (2.0, "kg", "lower")
    assert found["rmse"].of(every) == pytest.approx(2.0)
    assert 0.9 < found["r2"].of(every) < 1
    assert np.isnan(found["r2"].of(every[:1]))


def test_a_network_answers_in_the_unit_of_the_target_and_learns() -> None:
    class Identity(nn.Module):
        channels = (1,)

        def forward(self, values: Tensor) -> Tensor:
            return values

    torch.manual_seed(0)
    network = NumberNetwork({"table": Identity()}, (70.0, 10.0))
    values = torch.linspace(-2, 2, 32)[:, None]
    batch = Batch({"table": values}, {"value": 70 + 10 * values[:, 0].double()}, ("c",) * 32)
    (phase,) = TASK.phases(a_plan())
    optimiser = torch.optim.Adam(phase.parameters(network), lr=0.1)
    first = float(phase.loss(network, batch).detach())
    for _ in range(100):
        optimiser.zero_grad()
        loss = phase.loss(network, batch)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.01 * first
    assert network({"table": torch.tensor([[1.0]])}).item() == pytest.approx(80.0, abs=1.0)
