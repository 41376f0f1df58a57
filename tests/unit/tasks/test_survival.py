"""Survival as a task: what is refused, what is said of a case, scores that know of censoring."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diascope.core.case import Target
from diascope.core.figure import Grid
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.tasks.curves.survival import groups_chart
from diascope.tasks.survival import FEWEST, TASK, HazardNetwork
from diascope.testing import a_case

TARGET = Target(name="time_to_event", kind="time_to_event", columns=("months", "died"), unit="mo")
EDGES = [0.0, 5.0, 10.0, 20.0, 40.0]


def a_plan(**changes: Any) -> Plan:
    fields = {
        "loss": "hazards", "edges": EDGES, "outputs": 4, "proportional": True, "dropout": 0.0,
        "horizons": [10.0, 20.0], **changes,
    }  # fmt: skip
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in fields.items()}
    return Plan(dataset="d", task="survival", target=TARGET, seed=0, choices=choices)


def rows(count: int = 300, seed: int = 0, wrong: float = 0.0) -> list[Row]:
    """Logits of the true hazards (moved by `wrong`), and times that come of them."""
    rng = np.random.default_rng(seed)
    rate = 0.03 * np.exp(rng.normal(size=count))
    time, end = rng.exponential(1 / rate), rng.exponential(40, count)
    hazards = 1 - np.exp(-rate[:, None] * np.diff(EDGES)[None])
    logits = np.log(hazards / (1 - hazards)) + wrong
    seen, event = np.minimum(time, end), time <= end
    return [
        {
            "case": f"c{n}", "patient": f"p{n}", "logits": list(map(float, logits[n])),
            "time": float(seen[n]), "event": bool(event[n]),
        }
        for n in range(count)
    ]  # fmt: skip


def decided(some: list[Row], plan: Plan) -> tuple[list[Row], dict[str, Any]]:
    decision = TASK.fit_decision(some, plan)
    return [TASK.decide(row, decision, plan) for row in some], decision


def test_it_claims_a_time_and_an_event_alone() -> None:
    number = Target(name="months", kind="number", columns=("months",))
    assert TASK.claim([number, TARGET]) == (TARGET,)


def test_times_that_cannot_be_are_left_out() -> None:
    told = [(5.0, 1), (0.0, 1), (-3.0, 0), (None, 1), (4.0, None), (float("nan"), 1), (6, 0)]
    cases = [a_case(n, targets={"months": time, "died": event}) for n, (time, event) in enumerate(told)]
    cases += [a_case(n + 10, targets={"months": 1.0 + n, "died": 1}) for n in range(FEWEST)]
    early, missing = TASK.problems(cases, TARGET)
    assert early.exclude == ("case1", "case2")
    assert early.title == "2 cases with a time of 0 or less"
    assert "case1: 0, case2: -3" in early.detail
    assert missing.exclude == ("case3", "case4", "case5")
    assert "without a time" in missing.title
    assert TASK.encode(cases[1], {}, TARGET) == {}
    assert [TASK.stratum(case, TARGET) for case in cases[:2]] == ["event", ""]


@pytest.mark.parametrize(("events", "words"), [(0, "all cases are censored"), (FEWEST - 1, f"only {FEWEST - 1}")])
def test_without_events_nothing_is_learnt(events: int, words: str) -> None:
    cases = [a_case(n, targets={"months": 1.0 + n, "died": int(n < events)}) for n in range(60)]
    (problem,) = TASK.problems(cases, TARGET)
    assert problem.severity == "refuse"
    assert words in problem.title


def test_times_that_are_all_below_0_are_not_called_censored() -> None:
    cases = [a_case(n, targets={"months": -1.0 - n, "died": n % 2}) for n in range(60)]
    *_, refusal = TASK.problems(cases, TARGET)
    assert refusal.severity == "refuse"
    assert refusal.title == "no case has a time above 0"


def test_intervals_and_horizons_come_from_the_events() -> None:
    times = tuple(float(one) for one in np.linspace(1, 41, 21))
    facts = Fingerprint(
        dataset="d", cases=200, patients=200, inputs={}, strata={"event": 60, "censored": 140}, label_volumes={},
        target_values=(), event_times=times, bytes_decoded=0, seconds_per_case=0.0,
    )  # fmt: skip
    found = TASK.choices(facts, TARGET)
    assert found["edges"].value[-1] == 41
    assert len(found["edges"].value) - 1 == found["outputs"].value == 12
    assert found["horizons"].value == [11.0, 21.0, 31.0]


def test_a_network_learns_who_has_it_sooner() -> None:
    torch.manual_seed(0)

    class Identity(nn.Module):
        channels = (1,)

        def forward(self, values: Tensor) -> Tensor:
            return values

    plan = a_plan()
    network = HazardNetwork({"table": Identity()}, 4, True)
    rng = np.random.default_rng(0)
    risk = rng.normal(size=(200, 1)).astype(np.float32)
    time = rng.exponential(20 * np.exp(-risk[:, 0]))
    target = {"time": torch.from_numpy(time), "event": torch.ones(200)}
    batch = Batch({"table": torch.from_numpy(risk)}, target, (), torch.Generator())
    (phase,) = TASK.phases(plan)
    optimiser = torch.optim.Adam(phase.parameters(network), 0.05)
    losses = []
    for _ in range(80):
        loss = partial(phase.loss, network)(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.3
    said = network({"table": torch.tensor([[2.0], [-2.0]])}).detach()
    assert float(said[1, 0] - said[0, 0]) < -1


def test_true_hazards_are_ordered_and_calibrated() -> None:
    plan = a_plan()
    some, decision = decided(rows(800), plan)
    assert decision["slope"] == pytest.approx(1.0, abs=0.2)
    assert decision["offset"] == pytest.approx(0.0, abs=0.3)
    found = {one.name: one for one in TASK.score(some, plan).statistics}
    assert set(found) == {
        "concordance", "concordance_ipcw", "integrated_brier", "observed_to_expected", "brier/until 10 mo",
        "brier/until 20 mo",
    }  # fmt: skip
    every = np.arange(800)
    assert found["concordance"].of(every) > 0.68
    assert found["observed_to_expected"].of(every) == pytest.approx(1.0, abs=0.1)
    assert 0.05 < found["brier/until 10 mo"].of(every) < 0.25


def test_calibration_takes_back_what_was_too_high() -> None:
    plan = a_plan()
    wrong, _ = decided(rows(800, wrong=1.0), plan)
    right, _ = decided(rows(800), plan)
    assert wrong[0]["risk"] == pytest.approx(right[0]["risk"], abs=0.02)


def test_groups_are_thirds_that_differ() -> None:
    plan = a_plan()
    some, decision = decided(rows(600), plan)
    assert [sum(row["group"] == one for row in some) for one in range(3)] == [200, 200, 200]
    figures = TASK.figures(some, plan, decision)
    assert figures[0].note == "log-rank p < 0.001"
    titles = [figure.title for figure in figures]
    assert titles[1:3] == ["Calibration of the risk until 10 mo", "Calibration of the risk until 20 mo"]
    table = figures[-1]
    assert isinstance(table, Grid)
    assert [row[1] for row in table.rows] == [200, 200, 200]
    assert "(" in str(table.rows[2][3])
    assert TASK.figures([], plan, decision) == ()


def test_a_finding_says_risks_that_rise_and_the_median() -> None:
    plan = a_plan()
    decision = {"slope": 1.0, "offset": 0.0, "cuts": [0.3, 0.6], "rule": "thirds"}
    example = Example(a_case(), {"table": np.ones(3, np.float32)}, {})
    (finding,) = TASK.decode(Output(np.full(4, -0.5)), example, decision, plan).findings
    said = {name: measure.value for name, measure in finding.measures.items()}
    hazard = 1 / (1 + np.exp(0.5))
    assert said["risk_until_10"] == pytest.approx(1 - (1 - hazard) ** 2, abs=1e-6)
    assert said["risk_until_20"] == pytest.approx(1 - (1 - hazard) ** 3, abs=1e-6)
    half = np.log(0.5) / np.log(1 - hazard)
    assert said["median_survival"] == pytest.approx(5 + (half - 1) * 5, abs=1e-4)
    assert finding.measures["median_survival"].unit == "mo"
    (finding,) = TASK.decode(Output(np.full(4, -9.0)), example, decision, plan).findings
    assert finding.measures["median_survival"].value is None
    assert finding.rule.startswith("low risk")


def test_a_row_without_a_value_gets_no_answer() -> None:
    example = Example(a_case(), {"table": np.full(3, np.nan, np.float32)}, {})
    decision = {"slope": 1.0, "offset": 0.0, "cuts": [0.3, 0.6], "rule": "thirds"}
    (finding,) = TASK.decode(Output(np.zeros(4)), example, decision, a_plan()).findings
    assert finding.status == "abstained"


def test_a_median_that_is_not_reached_is_said_so() -> None:
    time, group = np.arange(1.0, 31.0), np.repeat([0, 1], [10, 20])
    event = np.isin(np.arange(30), (0, 10))
    _, table = groups_chart(time, event, group, ("ten", "twenty"), "mo")
    assert [row[3] for row in table.rows] == ["not reached (1 to not reached)", "not reached"]
