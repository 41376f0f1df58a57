"""Fitting: the loop for what learns by gradient, one call for what is fitted at once. Nobody else asks which."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from diascope.core import registry
from diascope.core.case import Case, Target
from diascope.core.errors import DataRefused, DiascopeError, Tampered
from diascope.core.plan import Plan
from diascope.core.record import write_durably
from diascope.engine.batch import Example, Row
from diascope.engine.building import build_network
from diascope.engine.compiling import compile_encoders
from diascope.engine.devices import prepare_process
from diascope.engine.feeding import Feed, Pack, Stored
from diascope.engine.loop import run_loop
from diascope.engine.network import AnswerNetwork
from diascope.engine.pace import Pace
from diascope.engine.preparing import prepared, truth_of, with_target
from diascope.engine.reading import Reader
from diascope.engine.starting import begun_network
from diascope.engine.state import Training
from diascope.engine.task import Task
from diascope.models import learns
from diascope.store.releases import safe_bytes

WATCHED = 48
"""Validation cases that are scored during training."""

Show = Callable[[dict[str, Any]], None]


class Packed:
    """The training cases of a run in one file, prepared when first asked for: folds do not prepare them again.

    Args:
        cases: Of all fits.
        root: Where their files are.
        plan: How they are prepared.
        path: Of the file; it is gone when this process ends.
    """

    def __init__(self, cases: Sequence[Case], root: Path, plan: Plan, path: Path) -> None:
        self.cases, self.root, self.plan, self.path = tuple(cases), root, plan, path
        self._stored: dict[str, Stored] = {}

    def of(self, cases: Sequence[Case], show: Show) -> tuple[Stored, ...]:
        """These cases, in this order."""
        if not self._stored:
            found = pack_cases(self.cases, self.root, self.plan, self.path, show)
            self._stored = {stored.case: stored for stored in found}
        return tuple(self._stored[case.id] for case in cases)


@dataclass(frozen=True)
class Part:
    """Cases to fit on or to watch, and where their files are."""

    train: tuple[Case, ...]
    val: tuple[Case, ...]
    root: Path
    packed: Packed | None = None
    """What the fits of one run share; without it the cases are prepared for this fit alone."""
    spare: bool = False
    """Whether `val` is only watched (the neighbour of a fold): what is fitted at once learns from it instead."""


def fit_network(plan: Plan, part: Part, folder: Path, show: Show, options: Mapping[str, Any]) -> Path:
    """Fit one network and write its weights.

    Args:
        plan: What to do.
        part: On which cases.
        folder: Of the run (or of one fold); holds checkpoints, logs and `weights.safetensors`.
        show: Told about progress.
        options: `resume`, `devices`, `schedule`, `compiled` (see `Training`).

    Returns:
        The weights file.

    Raises:
        TrainingFailed: See `run_loop`.
        DiascopeError: When the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    if options.get("resume") and weights.exists():
        return weights
    fabric = make_fabric(plan, int(options.get("devices", 1)))
    threads = plan["threads"] if "threads" in plan.choices else None
    prepare_process(threads and max(1, threads // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    if registry.get("models", plan["model"]).fitted == "once":
        network = _fit_once(plan, part, folder, fabric, show)
    else:
        network = _fit_by_gradient(plan, part, folder, fabric, show, options)
    if fabric.global_rank == 0:
        save_weights(network, weights)
    fabric.barrier()
    return weights


def _pack(part: Part, folder: Path, plan: Plan, fabric: Fabric, show: Show) -> tuple[Stored, ...]:
    packed = part.packed or Packed(part.train, part.root, plan, pack_file(folder, fabric.global_rank))
    return packed.of(part.train, show)


def pack_file(folder: Path, rank: int) -> Path:
    """Where a process of a run keeps prepared cases."""
    return folder / "cache" / f"train-{rank}.pack"


def _fit_once(plan: Plan, part: Part, folder: Path, fabric: Fabric, show: Show) -> nn.Module:
    torch.manual_seed(plan.seed)
    network = build_network(plan)
    if not isinstance(network, AnswerNetwork):
        raise DiascopeError(f"the model {plan['model']!r} is fitted at once but gives no answer")
    model = registry.get("models", plan["model"])
    if not learns(model):
        model.fit(network.estimator, np.zeros(0, np.float32), {}, plan["model_options"])
        return network.eval()
    part = replace(part, train=(*part.train, *part.val)) if part.spare else part
    stored = _pack(part, folder, plan, fabric, show)
    inputs = np.stack([one.arrays[f"input/{network.name}"] for one in stored])
    keys = [key for key in stored[0].arrays if key.startswith("target/")]
    target = {key[7:]: np.stack([one.arrays[key] for one in stored]) for key in keys}
    # Inner folds of an estimator keep a patient on one side.
    target["patient"] = np.unique([case.group or case.patient for case in part.train], return_inverse=True)[1]
    model.fit(network.estimator, inputs, target, plan["model_options"])
    return network.eval()


def _fit_by_gradient(
    plan: Plan, part: Part, folder: Path, fabric: Fabric, show: Show, options: Mapping[str, Any]
) -> nn.Module:
    task: Task = registry.get("tasks", plan.task)
    feed = Feed(_pack(part, folder, plan, fabric, show), plan, (fabric.global_rank, fabric.world_size))
    watched = _watched(part.val, part.root, plan) if fabric.global_rank == 0 else ()
    torch.manual_seed(plan.seed)
    network = begun_network(plan)
    if plan["compile"]:
        compile_encoders(network)

    def validate(current: nn.Module) -> dict[str, float]:
        return score_quickly(current, watched, plan, task)

    seconds = plan["train_seconds"] and plan["train_seconds"] / max(1, plan["folds"])
    probed = plan["seconds_per_step"] if "seconds_per_step" in plan.choices else 0.0
    pace = Pace(seconds, plan["steps_cap"], planned=plan["steps"], step_planned=probed)
    resume, schedule = bool(options.get("resume")), options.get("schedule")
    training = Training(
        plan, network, task.phases(plan), feed, folder, validate, show, pace, resume, schedule, options.get("compiled")
    )
    return run_loop(training, fabric).average


def make_fabric(plan: Plan, devices: int = 1) -> Fabric:
    """Fabric for this plan: device, precision and distribution are its business.

    One process with one device needs no strategy; several (`--devices`, or `torchrun`) share each batch by DDP.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the precision stands in the plan, with its reason
    gpu = torch.cuda.is_available()
    world = max(devices, int(os.environ.get("WORLD_SIZE", "1")))
    strategy: Any = "auto"
    if world > 1:
        strategy = DDPStrategy(process_group_backend="nccl" if gpu else "gloo", find_unused_parameters=True)
    local = int(os.environ.get("LOCAL_WORLD_SIZE", devices))
    fabric = Fabric(
        accelerator="cuda" if gpu else "cpu",
        devices=local,
        num_nodes=max(1, world // local),
        precision="bf16-mixed" if plan["precision"] == "bf16" else "32-true",
        strategy=strategy,
    )
    if world > 1:
        fabric.launch()
    return fabric


def pack_cases(
    cases: Sequence[Case], root: Path, plan: Plan, path: Path, show: Show = lambda facts: None
) -> tuple[Stored, ...]:
    """Prepare cases with targets into one memory-mapped file.

    Raises:
        DiascopeError: When the disk is full.
        DataRefused: When a file changed since curation.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with Pack(path) as pack:
            for number, case in enumerate(cases, 1):
                example = with_target(*prepared(case, root, plan), plan)
                poisoned(example, plan.target)
                if number == 1:
                    _refuse_small_disk(example, len(cases), path.parent)
                pack.add(example)
                show({"event": "progress", "what": "preparing", "done": number, "total": len(cases)})
            return pack.close()
    except OSError as error:
        raise DiascopeError(
            f"cannot write prepared cases: {error}", given=str(path), todo="Free disk space, then run the command again"
        ) from error


def _refuse_small_disk(example: Example, count: int, folder: Path) -> None:
    """Refuse at once what cannot be kept: hours later is too late. Cases differ in size, hence the half."""
    need = count * sum(array.nbytes for array in (*example.inputs.values(), *example.target.values()))
    free = shutil.disk_usage(folder).free
    if need / 2 > free:
        raise DiascopeError(
            "the prepared cases do not fit the disk",
            given=f"about {need / 1e9:.1f} GB for {count} cases, {free / 1e9:.1f} GB are free at {folder}",
            todo="Free disk space, or put the workspace on another disk with --workspace",
        )


def poisoned(example: Example, target: Target) -> None:
    """Refuse a prepared case with a value that is not finite, or a label that was not declared (F4).

    Raises:
        DataRefused: Names the case and the input.
    """
    known = {value for label in target.labels for value in (label.value, *label.members)} | {0, target.ignore}
    for name, array in example.target.items():
        strange = set(np.unique(array).tolist()) - known if target.labels and array.dtype.kind in "iu" else set()
        if strange:
            raise DataRefused(
                f"case {example.case.id} has labels in {name!r} that are not among the declared ones",
                given=", ".join(map(str, sorted(strange)[:10])),
                todo="Run diascope check; exclude or repair the case",
            )
    for name, array in example.inputs.items():
        if name == "image" and not np.isfinite(array).all():
            raise DataRefused(
                f"case {example.case.id} has {int((~np.isfinite(array)).sum())} voxels that are not finite in {name!r}",
                todo="Run diascope check; exclude or repair the case",
            )


def _watched(cases: Sequence[Case], root: Path, plan: Plan) -> Sequence[tuple[Example, Mapping[str, Any]]]:
    count = plan["watched"]
    chosen = cases[:: max(1, len(cases) // count)][:count]
    found = []
    for case in chosen:
        example, masks = prepared(case, root, plan)
        found.append((example, masks))
    return found


def score_quickly(
    network: nn.Module, watched: Sequence[tuple[Example, Mapping[str, Any]]], plan: Plan, task: Task
) -> dict[str, float]:
    """The headline metrics of a few validation cases, without intervals or calibration."""
    if not watched:
        return {}
    plain = plan.with_choice("mirror_reading", False, "fixed", "watched without mirroring")
    reader = Reader([network.eval()], plain, "torch", plan["precision"])
    rows: list[Row] = []
    for (example, masks), output in zip(watched, reader.read_all([one for one, _ in watched]), strict=True):
        rows.append(task.observe(output, example, truth_of(example, masks, plan), plan))
    decision = task.fit_decision(rows, plan)
    scores = task.score([task.decide(row, decision, plan) for row in rows], plan)
    everything = np.arange(len(rows))
    chosen = {one.name: one for one in scores.statistics}
    return {name: round(float(chosen[name].of(everything)), 6) for name in scores.headline if name in chosen}


def save_weights(network: nn.Module, path: Path) -> str:
    """Write weights as safetensors; returns their SHA-256.

    Parts that only train (`training_parts` of a network) are left out: a judge knows what it was shown.

    Raises:
        DiascopeError: When a weight is not finite (never written), or the disk is full.
    """
    state = {key: value for key, value in network.state_dict().items() if not key.startswith(_only_training(network))}
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DiascopeError(f"the weight {name} is not finite; nothing was written", todo="Lower the learning rate")
    content = save(tensors)
    try:
        write_durably(path, content)
    except OSError as error:
        raise DiascopeError(
            f"cannot write the weights: {error}",
            given=str(path),
            todo="Free disk space, then resume with: diascope train PLAN --resume",
        ) from error
    return hashlib.sha256(content).hexdigest()


def _only_training(network: nn.Module) -> tuple[str, ...]:
    """Beginnings of the names of weights that no release holds."""
    return tuple(f"{name}." for name in getattr(network, "training_parts", ()))


def load_weights(plan: Plan, path: Path) -> nn.Module:
    """The plan's network with the weights of a file, in `eval()`.

    Raises:
        Tampered: When the file does not fit the plan's network.
    """
    try:
        tensors = load(safe_bytes(path))
    except (ValueError, TypeError, KeyError, SafetensorError) as error:
        raise Tampered(f"cannot read the weights {path}: {type(error).__name__} {error}") from error
    network = build_network(plan)
    left_out = {key: one for key, one in network.state_dict().items() if key.startswith(_only_training(network))}
    try:
        network.load_state_dict({**left_out, **tensors})
    except RuntimeError as error:
        raise Tampered(f"the weights {path} do not fit the plan's network: {error}") from error
    return network.eval()
