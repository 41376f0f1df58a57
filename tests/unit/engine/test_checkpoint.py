from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diascope.core.errors import DiascopeError
from diascope.engine.checkpoint import (
    load_module,
    load_optimiser,
    module_tensors,
    optimiser_tensors,
    read_checkpoint,
    write_checkpoint,
)


def some_tensors(step: int) -> dict[str, Tensor]:
    return {"network/a": torch.full((3, 4), float(step)), "average/b": torch.arange(5) + step}


def some_checkpoints(folder: Path, *steps: int) -> None:
    for step in steps:
        write_checkpoint(folder, step, some_tensors(step), {"total": 100})


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "text":
        path.write_bytes(b"null")
    else:
        flipped = bytearray(content)
        flipped[len(content) * int(how) // 100] ^= 4
        path.write_bytes(bytes(flipped))


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    some_checkpoints(tmp_path, 5, 10, 15)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000010", "step-00000015"]
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found[1]["step"] == 15
    assert torch.equal(found[0]["network/a"], some_tensors(15)["network/a"])
    assert found[2] == []


def test_without_any_there_is_none(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None
    assert read_checkpoint(tmp_path / "nowhere") is None


@pytest.mark.parametrize("name", ["state.safetensors", "state.json"])
@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "text", "0", "5", "35", "60", "99"])
def test_a_damaged_one_is_detected_and_the_one_before_it_used(tmp_path: Path, name: str, how: str) -> None:
    some_checkpoints(tmp_path, 5, 10)
    damage(tmp_path / "step-00000010" / name, how)
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found[1]["step"] == 5
    assert len(found[2]) == 1
    assert "step-00000010 is damaged" in found[2][0]


def test_when_all_are_damaged_it_says_so_and_names_them(tmp_path: Path) -> None:
    some_checkpoints(tmp_path, 5, 10)
    damage(tmp_path / "step-00000010" / "state.safetensors", "truncated")
    damage(tmp_path / "step-00000005" / "state.json", "empty")
    with pytest.raises(DiascopeError, match="every checkpoint is damaged") as caught:
        read_checkpoint(tmp_path)
    assert "step-00000010" in str(caught.value)
    assert "step-00000005" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "number"), [("mkdir", 1), ("fsync", 1), ("fsync", 3), ("fsync", 5), ("replace", 1), ("replace", 3)]
)
def test_a_full_disk_leaves_earlier_ones_and_no_half_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    some_checkpoints(tmp_path, 5)
    real, calls = getattr(os, call), [0]

    def full(*values: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*values, **named)

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DiascopeError, match="No space left") as caught:
        write_checkpoint(tmp_path, 10, some_tensors(10), {})
    monkeypatch.undo()
    assert "Free disk space" in caught.value.todo
    assert [path.name for path in tmp_path.rglob(".*")] == []
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found[2] == []
    assert found[1]["step"] == (10 if (call, number) == ("fsync", 5) else 5)


def test_what_a_kill_left_half_written_is_cleared_by_the_next_one(tmp_path: Path) -> None:
    some_checkpoints(tmp_path, 5)
    shutil.copytree(tmp_path / "step-00000005", tmp_path / ".step-00000007.partial")
    some_checkpoints(tmp_path, 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000005", "step-00000010"]


def test_module_and_optimiser_come_back_bit_for_bit_in_their_own_layout() -> None:
    def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        network = nn.Conv2d(3, 4, 3)
        network.weight.data = network.weight.data.to(memory_format=torch.channels_last)
        return network, torch.optim.AdamW(network.parameters())

    network, optimiser = fresh()
    for _ in range(3):
        optimiser.zero_grad()
        network(torch.ones(2, 3, 5, 5)).square().sum().backward()
        optimiser.step()
    saved = module_tensors(network, "network") | optimiser_tensors(optimiser, "optimiser-0")
    saved = {name: value.detach().contiguous().clone() for name, value in saved.items()}
    other, another = fresh()
    load_module(other, saved, "network")
    load_optimiser(another, saved, "optimiser-0")
    back = module_tensors(other, "network") | optimiser_tensors(another, "optimiser-0")
    assert set(back) == set(saved)
    assert all(torch.equal(back[name], value) for name, value in saved.items())
    moment = another.state[next(iter(other.parameters()))]["exp_avg"]
    assert moment.is_contiguous(memory_format=torch.channels_last)
