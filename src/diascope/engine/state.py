"""What the loop is given, and what it changes: the content of a checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from diascope.core.errors import BadUsage
from diascope.core.plan import Plan
from diascope.engine.batch import Batch
from diascope.engine.checkpoint import load_module, load_optimiser, module_tensors, optimiser_tensors
from diascope.engine.compiling import Trial
from diascope.engine.devices import lay_out
from diascope.engine.feeding import Feed
from diascope.engine.pace import Pace
from diascope.engine.sharing import share_norms
from diascope.engine.task import Phase

Validate = Callable[[nn.Module], Mapping[str, float]]
Schedule = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Training:
    """All that the loop needs.

    Args:
        plan: `steps`, `learning_rate`, `weight_decay`, `warmup`, `ema`, `clip`, `precision`, `compile`, `log_every`,
            `checkpoint_every`, `validate_every` are read from it.
        network: With fresh weights.
        phases: From the task.
        feed: Makes the batches.
        folder: Of the run; checkpoints and logs go there.
        validate: Scores a network on the validation part.
        show: Called with what a progress line shows.
        pace: Watches the clock and proposes another number of steps.
        resume: Whether to go on from the newest checkpoint.
        schedule: (step, total) in order, from step 0: how many steps it is from when on; None is the plan's `steps`,
            with changes as `pace` proposes.
        compiled: Whether torch.compile was faster when this plan was trained before; None finds out.
    """

    plan: Plan
    network: nn.Module
    phases: Sequence[Phase]
    feed: Feed
    folder: Path
    validate: Validate
    show: Callable[[dict[str, Any]], None]
    pace: Pace
    resume: bool = False
    schedule: Schedule | None = None
    compiled: bool | None = None


class Objective(nn.Module):
    """The network and its losses as one module, so that Fabric (and DDP) see one forward a phase."""

    def __init__(self, network: nn.Module, phases: Sequence[Phase]) -> None:
        super().__init__()
        self.network = network
        self._losses = {phase.name: phase.loss for phase in phases}

    def forward(self, phase: str, inputs: dict[str, Tensor], target: Kept, step: int) -> Tensor:
        """The loss of one phase."""
        return self._losses[phase](self.network, Batch(inputs, target.tensors, (), step)).float()


class Kept:
    """The target of a batch, as it is: Fabric turns every tensor that it can see into the precision of the network."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = dict(tensors)


class State:
    """What a checkpoint holds: network, averaged network, optimisers, and how many steps were skipped."""

    def __init__(self, training: Training, fabric: Fabric) -> None:
        plan = training.plan
        network = lay_out(training.network, plan["channels_last"])
        self.average = copy.deepcopy(network).requires_grad_(False).eval()
        if fabric.world_size > 1:
            share_norms(network)
        objective = Objective(network, training.phases)
        optimisers = [_optimiser(phase, network, plan) for phase in training.phases]
        wrapped = fabric.setup(objective, *optimisers)
        self.objective, self.optimisers = wrapped[0], list(wrapped[1:])
        self.network = network
        self.average.to(fabric.device)
        self.skipped = 0
        self.usual: dict[str, float] = {}
        self.trial = Trial(plan["compile"], training.compiled)
        given = _checked(training.schedule) if training.schedule is not None else [[0, plan["steps"]]]
        self.total = given[0][1]
        self.changes: list[list[int]] = [[0, self.total]]
        self.decided: dict[int, tuple[int, str]] = {step: (total, "as the plan says") for step, total in given[1:]}

    def tensors(self) -> dict[str, Tensor]:
        """Everything that changes, by name."""
        found = module_tensors(self.network, "network") | module_tensors(self.average, "average")
        for number, optimiser in enumerate(self.optimisers):
            found |= optimiser_tensors(optimiser, f"optimiser-{number}")
        return found

    def load(self, tensors: dict[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Put a checkpoint back."""
        load_module(self.network, tensors, "network")
        load_module(self.average, tensors, "average")
        for number, optimiser in enumerate(self.optimisers):
            load_optimiser(optimiser, tensors, f"optimiser-{number}")
        self.skipped, self.total = facts["skipped"], facts["total"]
        self.changes, self.usual = facts["changes"], facts["usual"]
        self.trial.verdict = self.trial.verdict if facts["compiled"] is None else facts["compiled"]

    def change_total(self, step: int, total: int) -> None:
        """From `step` on, the schedule ends at `total`."""
        self.total = total
        self.changes.append([step, total])


def _checked(given: Schedule) -> list[list[int]]:
    """A schedule that starts at step 0 and whose totals lie ahead.

    Raises:
        BadUsage: When it is not one.
    """
    steps = [list(pair) for pair in given]
    sound = bool(steps) and all(
        len(pair) == 2 and all(isinstance(n, int) for n in pair) and pair[0] < pair[1] for pair in steps
    )
    if not sound or steps[0][0] != 0 or any(one[0] >= other[0] for one, other in pairwise(steps)):
        raise BadUsage(
            "a schedule is a list of [step, total], from step 0 on, each total beyond its step",
            given=given,
            todo="For example schedule=[[0,300],[120,250]]",
        )
    return steps


def _optimiser(phase: Phase, network: nn.Module, plan: Plan) -> Optimizer:
    """AdamW; vectors (norms, biases) are not decayed."""
    parameters = list(phase.parameters(network))
    groups: Iterator[tuple[float, list[nn.Parameter]]] = iter(
        [
            (plan["weight_decay"], [p for p in parameters if p.ndim > 1]),
            (0.0, [p for p in parameters if p.ndim <= 1]),
        ]
    )
    content = [{"params": members, "weight_decay": decay} for decay, members in groups if members]
    return AdamW(content, lr=plan["learning_rate"], betas=tuple(plan["betas"]))
