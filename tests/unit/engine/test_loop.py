from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from diascope.core.case import Target
from diascope.core.errors import BadUsage, TrainingFailed
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Batch
from diascope.engine.checkpoint import read_checkpoint
from diascope.engine.feeding import Feed, Stored
from diascope.engine.log import read_log
from diascope.engine.loop import SKIP_BUDGET, run_loop, schedule
from diascope.engine.pace import Pace
from diascope.engine.state import State, Training
from diascope.engine.task import Phase

CASES = 12


def a_plan(**changes: Any) -> Plan:
    plain: dict[str, Any] = {
        "steps": 12,
        "batch": 4,
        "whole": True,
        "recipe": [],
        "learning_rate": 1e-2,
        "weight_decay": 0.01,
        "betas": [0.9, 0.99],
        "clip": 5.0,
        "ema": 0.9,
        "warmup": 2,
        "compile": False,
        "channels_last": False,
        "log_every": 3,
        "validate_every": 0,
        "checkpoint_every": 4,
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in {**plain, **changes}.items()}
    target = Target(name="label", kind="category", columns=("label",))
    return Plan(dataset="d", task="classification", target=target, seed=3, choices=choices)


def some_cases(poison: Mapping[int, float] | None = None) -> list[Stored]:
    """Rows of five numbers; the class is the sign of the first. `poison` overwrites a number of a case."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(CASES):
        row = rng.normal(size=5).astype(np.float32)
        label = np.array(int(row[0] > 0), np.int64)
        row[1] = (poison or {}).get(number, row[1])
        found.append(Stored(f"case{number}", {"input/row": row, "target/class": label}))
    return found


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.first, self.last = nn.BatchNorm1d(5), nn.Linear(5, 8), nn.Linear(8, 2)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        dropped = nn.functional.dropout(torch.relu(self.first(self.norm(inputs["row"]))), 0.2, self.training)
        return self.last(dropped)  # type: ignore[no-any-return]


def cross_entropy(network: nn.Module, batch: Batch) -> Tensor:
    return nn.functional.cross_entropy(network(batch.inputs), batch.target["class"])


class Shown(list[dict[str, Any]]):
    def warnings(self) -> list[str]:
        return [line["message"] for line in self if line.get("event") == "warning"]


def a_training(folder: Path, plan: Plan, cases: Sequence[Stored], **changes: Any) -> Training:
    torch.manual_seed(plan.seed)
    phases = [Phase("network", lambda network: network.parameters(), changes.pop("loss", cross_entropy))]
    plain: dict[str, Any] = {
        "plan": plan,
        "network": Net(),
        "phases": phases,
        "feed": Feed(cases, plan),
        "folder": folder,
        "validate": lambda network: {},
        "show": Shown().append,
        "pace": Pace(None),
    }
    return Training(**{**plain, **changes})


def train(folder: Path, plan: Plan | None = None, cases: Sequence[Stored] | None = None, **changes: Any) -> State:
    return run_loop(a_training(folder, plan or a_plan(), cases or some_cases(), **changes), Fabric(accelerator="cpu"))


def weights(state: State) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in state.average.state_dict().items()}


def everything_finite(state: State) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in state.tensors().values() if value.is_floating_point())


def dies_after(steps: int) -> Callable[[nn.Module, Batch], Tensor]:
    """A loss that ends the process's work when it is asked for a later step."""

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        if batch.step >= steps:
            raise InterruptedError
        return cross_entropy(network, batch)

    return loss


def test_the_loss_falls_and_the_log_is_whole(tmp_path: Path) -> None:
    train(tmp_path, a_plan(steps=60))
    losses = [line["network"] for line in read_log(tmp_path / "log.jsonl") if line["event"] == "loss"]
    assert len(losses) == 20
    assert np.mean(losses[-4:]) < 0.6 * np.mean(losses[:4])


def test_the_schedule_warms_up_and_ends_near_zero() -> None:
    rates = [schedule(step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[-1] < 0.011
    assert all(one > other for one, other in pairwise(rates[10:]))


@pytest.mark.parametrize("at", [3, 4, 5, 8, 11])
def test_a_resumed_run_is_equal_bit_for_bit(tmp_path: Path, at: int) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", loss=dies_after(at))
    resumed = train(tmp_path / "cut", resume=True)
    assert weights(resumed) == weights(whole)
    assert (tmp_path / "cut/log.jsonl").read_bytes() == (tmp_path / "whole/log.jsonl").read_bytes()


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
def test_a_poisoned_case_is_named_and_moves_nothing(tmp_path: Path, poison: float) -> None:
    shown = Shown()
    state = train(tmp_path, cases=some_cases({5: poison}), show=shown.append)
    assert state.skipped == 4  # Once an epoch of three steps.
    assert all("case5" in line and "case4" not in line for line in shown.warnings())
    assert len(shown.warnings()) == 4
    assert everything_finite(state)


def test_a_skipped_step_is_logged_once_also_when_the_run_is_resumed_right_there(tmp_path: Path) -> None:
    cases = some_cases({5: float("nan")})
    train(tmp_path / "whole", cases=cases)
    skipped = [line["step"] for line in read_log(tmp_path / "whole/log.jsonl") if line["event"] == "skipped"]
    plan = a_plan(checkpoint_every=skipped[1] - 1)
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", plan, cases, loss=dies_after(skipped[1]))
    train(tmp_path / "cut", plan, cases, resume=True)
    assert (tmp_path / "cut/log.jsonl").read_bytes() == (tmp_path / "whole/log.jsonl").read_bytes()


def test_too_many_poisoned_cases_stop_the_run_and_are_named(tmp_path: Path) -> None:
    poisoned = {number: float("nan") for number in range(8)}
    with pytest.raises(TrainingFailed) as caught:
        train(tmp_path, cases=some_cases(poisoned))
    assert f"{SKIP_BUDGET + 1} steps" in str(caught.value)
    assert any(f"case{number}" in str(caught.value) for number in poisoned)
    assert not any(f"case{number}" in str(caught.value) for number in range(8, CASES))


def test_a_spike_of_the_loss_is_skipped_and_its_case_named(tmp_path: Path) -> None:
    def loss(network: nn.Module, batch: Batch) -> Tensor:
        each = nn.functional.cross_entropy(network(batch.inputs), batch.target["class"], reduction="none")
        return (each * (batch.target["weight"] if batch.step > 5 else 1.0)).mean()

    weight = {"case7": np.float32(1e6)}
    cases = [
        Stored(one.case, {**one.arrays, "target/weight": np.array(weight.get(one.case, 1.0), np.float32)})
        for one in some_cases()
    ]
    shown = Shown()
    state = train(tmp_path, cases=cases, loss=loss, show=shown.append)
    assert state.skipped == 2
    assert all("case7" in line and "case6" not in line for line in shown.warnings())


def test_gradients_that_overflow_move_nothing_and_the_whole_batch_is_named(tmp_path: Path) -> None:
    def loss(network: nn.Module, batch: Batch) -> Tensor:
        value = cross_entropy(network, batch)
        # Finite forwards, infinite backwards.
        return value + (value * 0).sqrt() if batch.step == 6 and network.training else value

    shown = Shown()
    state = train(tmp_path, loss=loss, show=shown.append)
    assert state.skipped == 1
    assert everything_finite(state)
    assert shown.warnings()[0].count("case") == 4


def test_an_overrun_shortens_the_schedule_at_a_logged_step_which_a_resume_obeys(tmp_path: Path) -> None:
    class Slow(Pace):
        def propose(self, step: int, total: int) -> tuple[int, str] | None:
            return (9, "slow") if step == 6 else None

    class Fast(Pace):
        def propose(self, step: int, total: int) -> tuple[int, str] | None:
            return (50, "fast") if step == 5 else None

    whole = train(tmp_path / "whole", pace=Slow(1.0))
    assert whole.changes == [[0, 12], [6, 9]]
    lines = [line for line in read_log(tmp_path / "whole/log.jsonl") if line["event"] == "schedule"]
    assert lines == [{"event": "schedule", "step": 6, "from": 12, "to": 9, "reason": "slow"}]
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", pace=Slow(1.0), loss=dies_after(7))  # After the change, before the next checkpoint.
    resumed = train(tmp_path / "cut", pace=Fast(1.0), resume=True)
    assert weights(resumed) == weights(whole)
    assert (tmp_path / "cut/log.jsonl").read_bytes() == (tmp_path / "whole/log.jsonl").read_bytes()


def test_a_given_schedule_is_obeyed_whatever_the_clock_says(tmp_path: Path) -> None:
    class Eager(Pace):
        def propose(self, step: int, total: int) -> tuple[int, str] | None:
            return 40, "fast"

    planned = train(tmp_path / "a", a_plan(steps=99), schedule=[[0, 12], [5, 8]], pace=Eager(1.0))
    assert planned.changes == [[0, 12], [5, 8]]
    longer = train(tmp_path / "b", schedule=[[0, 5], [3, 9]], pace=Eager(1.0))
    assert max(line["step"] for line in read_log(tmp_path / "b/log.jsonl")) == 9
    assert longer.total == 9


@pytest.mark.parametrize(
    "given", [[], [[1, 5]], [[0, 0]], [[0, 9], [4, 4]], [[0, 9], [4, 8], [4, 7]], [[0, 5.5]], [[0]]]
)
def test_a_schedule_that_is_none_is_refused(tmp_path: Path, given: Any) -> None:
    with pytest.raises(BadUsage, match="list of \\[step, total\\]"):
        train(tmp_path, schedule=given)


def test_two_phases_move_their_own_parameters_and_resume_equal(tmp_path: Path) -> None:
    def adversarial(network: nn.Module, batch: Batch) -> Tensor:
        return -cross_entropy(network, batch) + torch.rand(()) * 0

    def phases() -> list[Phase]:
        first = Phase("first", lambda network: network.first.parameters(), cross_entropy)  # type: ignore[union-attr]
        last = Phase("last", lambda network: network.last.parameters(), adversarial, 2)  # type: ignore[union-attr]
        return [first, last]

    whole = train(tmp_path / "whole", phases=phases())
    lines = [line for line in read_log(tmp_path / "whole/log.jsonl") if line["event"] == "loss"]
    assert all({"first", "last"} <= set(line) for line in lines)
    for stop in (5, 10):
        first, last = phases()
        dying = Phase(first.name, first.parameters, dies_after(stop))
        with pytest.raises(InterruptedError):
            train(tmp_path / "cut", phases=[dying, last], resume=stop > 5)
    assert weights(train(tmp_path / "cut", phases=phases(), resume=True)) == weights(whole)


def test_a_checkpoint_holds_the_whole_state(tmp_path: Path) -> None:
    state = train(tmp_path)
    found = read_checkpoint(tmp_path / "checkpoints")
    assert found is not None
    tensors, facts, passed = found
    assert passed == []
    assert facts["step"] == 12
    assert set(tensors) == set(state.tensors())
    assert {name.split("/")[0] for name in tensors} == {"network", "average", "optimiser-0"}


def test_a_damaged_checkpoint_is_warned_of_and_the_result_is_the_same(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", loss=dies_after(11))
    facts = tmp_path / "cut/checkpoints/step-00000008/state.json"
    content = json.loads(facts.read_text())
    content["facts"]["total"] = 11
    facts.write_text(json.dumps(content))
    shown = Shown()
    resumed = train(tmp_path / "cut", resume=True, show=shown.append)
    assert "step-00000008 is damaged" in shown.warnings()[0]
    assert weights(resumed) == weights(whole)


def test_the_average_is_what_is_released_and_lags_behind(tmp_path: Path) -> None:
    state = train(tmp_path)
    assert all(not parameter.requires_grad for parameter in state.average.parameters())
    assert not torch.equal(state.average.first.weight, state.network.first.weight)  # type: ignore[union-attr,arg-type]
    assert torch.equal(state.average.norm.running_mean, state.network.norm.running_mean)  # type: ignore[union-attr,arg-type]


@pytest.mark.parametrize("faster", [True, False])
def test_a_verdict_on_compilation_that_was_logged_holds_after_a_kill(tmp_path: Path, faster: bool) -> None:
    plan = a_plan(steps=60, checkpoint_every=30, compile=True)
    with pytest.raises(InterruptedError):
        train(tmp_path, plan, loss=dies_after(50))
    kept = tmp_path / "decisions.jsonl"
    (verdict,) = read_log(kept)
    kept.write_text(json.dumps({**verdict, "faster": faster}) + "\n")
    # A second kill, before the decision is reached again, must not forget it.
    with pytest.raises(InterruptedError):
        train(tmp_path, plan, resume=True, loss=dies_after(10))
    state = train(tmp_path, plan, resume=True)
    assert state.trial.verdict is faster
    assert [line["faster"] for line in read_log(tmp_path / "log.jsonl") if line["event"] == "compile"] == [faster]


def test_nothing_is_kept_of_a_trial_that_is_not_over(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        train(tmp_path, a_plan(steps=60, checkpoint_every=5, compile=True), loss=dies_after(38))
    assert not (tmp_path / "checkpoints").exists()


class SlowPace(Pace):
    """Shortens at a step, once, as a slow machine would."""

    def __init__(self, at: int, to: int) -> None:
        super().__init__(None)
        self.at, self.to = at, to

    def propose(self, step: int, total: int) -> tuple[int, str] | None:
        return (self.to, "slow") if step == self.at and total != self.to else None


def test_a_change_of_the_schedule_survives_two_kills(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", a_plan(steps=40, checkpoint_every=8), pace=SlowPace(10, 30))
    for dies, pace in ((14, SlowPace(10, 30)), (9, SlowPace(99, 0))):
        with pytest.raises(InterruptedError):
            train(
                tmp_path / "cut",
                a_plan(steps=40, checkpoint_every=8),
                loss=dies_after(dies),
                resume=dies != 14,
                pace=pace,
            )
    again = train(tmp_path / "cut", a_plan(steps=40, checkpoint_every=8), resume=True, pace=SlowPace(99, 0))
    assert again.total == whole.total == 30
    assert weights(again) == weights(whole)
    assert (tmp_path / "cut/log.jsonl").read_bytes() == (tmp_path / "whole/log.jsonl").read_bytes()


def test_time_that_a_kill_undid_is_not_counted(tmp_path: Path) -> None:
    pace = Pace(None)
    with pytest.raises(InterruptedError):
        train(tmp_path, a_plan(steps=40, checkpoint_every=8), loss=dies_after(14))
    train(tmp_path, a_plan(steps=40, checkpoint_every=8), resume=True, pace=pace)
    facts = json.loads((tmp_path / "checkpoints/step-00000040/state.json").read_text())["facts"]
    assert facts["seconds"] == pytest.approx(pace.elapsed(), abs=1.0)
    assert 0 < pace.used < facts["seconds"]


def test_a_phase_has_its_own_rate(tmp_path: Path) -> None:
    """Of two alike parts of a network, the one whose rate is 0 stays where it is."""
    torch.manual_seed(0)
    pair = nn.ModuleDict({"still": nn.Linear(5, 2), "fast": nn.Linear(5, 2)})
    before = {name: part.weight.clone() for name, part in pair.items()}

    def of(name: str) -> Callable[[nn.Module, Batch], Tensor]:
        return lambda network, batch: nn.functional.cross_entropy(
            network[name](batch.inputs["row"]), batch.target["class"]
        )

    def phase(name: str, rate: float) -> Phase:
        return Phase(name, lambda network: network[name].parameters(), of(name), rate=rate)

    state = train(tmp_path, network=pair, phases=[phase("still", 0.0), phase("fast", 3.0)])
    assert state.optimisers[0].param_groups[0]["lr"] == 0
    last = a_plan()["learning_rate"] * schedule(11, 12, 2)
    assert state.optimisers[1].param_groups[0]["lr"] == pytest.approx(3 * last)
    assert torch.equal(pair["still"].weight, before["still"])
    assert not torch.equal(pair["fast"].weight, before["fast"])
