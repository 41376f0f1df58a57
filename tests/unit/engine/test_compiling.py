"""torch.compile stays only where it is faster, and a resumed run computes each step in the same way."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from diascope.engine import compiling as module
from diascope.engine.compiling import COMPILED, EAGER, Trial, compile_encoders, own_stance, words


@pytest.fixture(autouse=True)
def stances(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(module.torch.compiler, "set_stance", found.append)
    return found


def verdicts(trial: Trial, eager: float, compiled: float, steps: range = range(100)) -> list[object]:
    took = {step: eager if step < EAGER.stop else compiled for step in steps}
    took[EAGER.stop] = 60.0
    found = [trial.seen(step, took[step]) for step in steps]
    return [facts for facts in found if facts is not None]


def test_what_is_faster_is_kept_and_compiling_itself_is_not_counted() -> None:
    (facts,) = verdicts(Trial(True), eager=0.2, compiled=0.1)
    assert facts == {"faster": True, "eager_ms": 200.0, "compiled_ms": 100.0}
    assert words(facts) == "torch.compile is kept: a step takes 100.0 ms with it, 200.0 ms without"


def test_what_is_no_faster_is_dropped(stances: list[str]) -> None:
    trial = Trial(True)
    assert verdicts(trial, eager=0.2, compiled=0.199)
    for step in (0, EAGER.stop - 1, EAGER.stop, COMPILED.stop - 1, COMPILED.stop, 5000):
        trial.switch(step)
    assert stances == ["force_eager", "force_eager", "default", "default", "force_eager", "force_eager"]


def test_a_verdict_of_before_is_obeyed_and_not_made_again(stances: list[str]) -> None:
    trial = Trial(True, verdict=False)
    assert verdicts(trial, eager=0.2, compiled=0.01) == [{"faster": False, "eager_ms": 200.0, "compiled_ms": 10.0}]
    trial.switch(COMPILED.stop)
    assert stances == ["force_eager"]


def test_a_run_resumed_in_the_middle_has_nothing_to_compare_with() -> None:
    (facts,) = verdicts(Trial(True), 0.2, 0.9, range(EAGER.stop, 100))
    assert facts == {"faster": True, "eager_ms": None, "compiled_ms": 900.0}


def test_without_compilation_nothing_is_touched(stances: list[str]) -> None:
    trial = Trial(False)
    trial.switch(30)
    assert verdicts(trial, 0.2, 0.1) == []
    assert stances == []


def test_the_stance_ends_with_the_loop(stances: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), own_stance():
        raise KeyboardInterrupt
    assert stances == ["default"]


class Twice(nn.Module):
    gives = "vector"

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, row: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layer(self.layer(row)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")  # torch imports what it deprecates
def test_compiled_encoders_answer_the_same_and_keep_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.manual_seed(0)
    network = nn.Sequential(Twice())
    row, names = torch.randn(3, 4), list(network.state_dict())
    with torch.no_grad():
        plain = network(row)
        compile_encoders(network)
        torch.testing.assert_close(network(row), plain)
    assert list(network.state_dict()) == names
