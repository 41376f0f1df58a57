"""Checkpoints: safetensors and JSON, each hashed; the last two are kept, so that one good one always exists (F2)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim import Optimizer

from diascope.core.errors import DiascopeError
from diascope.core.record import canonical_json, hash_of, write_durably

KEEP = 2


def write_checkpoint(folder: Path, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write `step-<n>/` whole or not at all, then drop all but the newest two.

    Raises:
        DiascopeError: When the disk is full; earlier checkpoints stay.
    """
    final, temporary = folder / f"step-{step:08d}", folder / f".step-{step:08d}.partial"
    for left in folder.glob(".step-*.partial"):  # of a process that was killed while it wrote
        shutil.rmtree(left, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        content = save({key: value.detach().contiguous().cpu() for key, value in tensors.items()})
        write_durably(temporary / "state.safetensors", content)
        known = {**facts, "step": step, "sha256": hashlib.sha256(content).hexdigest()}
        write_durably(temporary / "state.json", canonical_json({"facts": known, "sha256": hash_of(known)}).encode())
        if final.exists():
            shutil.rmtree(final)
        os.replace(temporary, final)
        _make_durable(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise DiascopeError(
            f"cannot write the checkpoint of step {step}: {error}",
            given=str(folder),
            todo="Free disk space, then resume with: diascope train PLAN --resume",
        ) from error
    for old in sorted(folder.glob("step-*"))[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], list[str]] | None:
    """The newest checkpoint whose bytes are right; None where there is none.

    Returns:
        Tensors, facts, and a line for each damaged checkpoint that was passed over.
    """
    passed: list[str] = []
    for path in sorted(folder.glob("step-*"), reverse=True):
        try:
            index = json.loads((path / "state.json").read_text(encoding="utf-8"))
            facts: dict[str, Any] = index["facts"]
            content = (path / "state.safetensors").read_bytes()
            if hash_of(facts) != index["sha256"] or hashlib.sha256(content).hexdigest() != facts["sha256"]:
                raise ValueError("its bytes differ from their hash")
            return load(content), facts, passed
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            passed.append(f"checkpoint {path.name} is damaged ({error}); an earlier one is used")
    if passed:
        raise DiascopeError("every checkpoint is damaged: " + "; ".join(passed), todo="Train again without --resume")
    return None


def _make_durable(folder: Path) -> None:
    """A rename survives a power cut only after its folder was synchronised."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def module_tensors(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    """A module's state with a prefix."""
    return {f"{prefix}/{key}": value for key, value in module.state_dict().items()}


def load_module(module: nn.Module, tensors: dict[str, Tensor], prefix: str) -> None:
    """Put tensors with a prefix back into a module."""
    start = len(prefix) + 1
    module.load_state_dict({key[start:]: value for key, value in tensors.items() if key.startswith(prefix + "/")})


def optimiser_tensors(optimiser: Optimizer, prefix: str) -> dict[str, Tensor]:
    """An optimiser's state (moments, counters), by the number of the parameter."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{prefix}/{number}/{name}": value if isinstance(value, Tensor) else torch.tensor(value)
        for number, entries in state.items()
        for name, value in entries.items()
    }


def load_optimiser(optimiser: Optimizer, tensors: dict[str, Tensor], prefix: str) -> None:
    """Put an optimiser's state back."""
    content = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(prefix + "/"):
            number, name = key[len(prefix) + 1 :].split("/")
            state.setdefault(int(number), {})[name] = value
    content["state"] = state
    optimiser.load_state_dict(content)
    for parameter, entries in optimiser.state.items():  # laid out in memory as the parameter is, as torch made them
        for name, entry in entries.items():
            if isinstance(entry, Tensor) and entry.shape == parameter.shape:
                entries[name] = torch.empty_like(parameter).copy_(entry)
