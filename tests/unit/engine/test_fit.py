"""Fitting from cases to weights: what is poisoned is named, what is written is finite, several processes are one."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from diascope.core.case import Case, FileRef, Label, Target
from diascope.core.errors import DataRefused, DiascopeError, Tampered
from diascope.core.plan import Choice, Plan
from diascope.engine import fit as module
from diascope.engine.batch import Example
from diascope.engine.fit import Part, fit_network, load_weights, make_fabric, pack_cases, poisoned, save_weights
from diascope.engine.log import read_log
from diascope.store.files import file_digest
from diascope.testing import a_case

LABELS = (Label(name="no", value=0), Label(name="yes", value=1))
TARGET = Target(name="label", kind="category", columns=("label",), labels=LABELS, positive="yes")


def a_plan(**changes: Any) -> Plan:
    plain: dict[str, Any] = {
        "model": "resnet",
        "model_options": {
            "depth": [1] * 4,
            "width": 8,
            "stem": [1, 3, 3],
            "strides": [[1, 1, 1]] * 4 + [[1, 2, 2]] * 2,
        },
        "image_inputs": ["image"],
        "readings": {},
        "channels": {"image": 1},
        "intensity": {"image": {"rule": "grey"}},
        "prepare": [],
        "patch": [1, 8, 8],
        "spacing": [1.0, 1.0, 1.0],
        "whole": True,
        "recipe": [["noise", {"probability": 0.5}]],
        "mirror_axes": [],
        "mirror_reading": False,
        "read_batch": 8,
        "foreground": 0.0,
        "batch": 4,
        "steps": 6,
        "steps_cap": 100,
        "train_seconds": None,
        "folds": 0,
        "threads": 1,
        "precision": "fp32",
        "compile": False,
        "channels_last": False,
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "betas": [0.9, 0.99],
        "clip": 5.0,
        "ema": 0.9,
        "warmup": 2,
        "dropout": 0.0,
        "mixup": 0.0,
        "loss": "cross_entropy",
        "class_weights": [1.0, 1.0],
        "label_smoothing": 0.0,
        "operating_point": {"name": "youden"},
        "log_every": 2,
        "validate_every": 3,
        "watched": 8,
        "checkpoint_every": 2,
        "memory_gb": 2.0,
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in {**plain, **changes}.items()}
    return Plan(dataset="d", task="classification", target=TARGET, seed=2, choices=choices)


def some_cases(folder: Path, count: int = 12) -> tuple[Case, ...]:
    """Pictures of 8 x 8 in an npz, one item a case; every second one has a bright corner."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 90, (count, 8, 8)).astype(np.uint8)
    images[1::2, :4, :4] += 120
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "a.npz", images=images)
    refs = [FileRef(format="npz", paths=("a.npz",), item=f"images:{n}", modality="unknown") for n in range(count)]
    return tuple(a_case(n, inputs={"image": refs[n]}, targets={"label": ["no", "yes"][n % 2]}) for n in range(count))


def some_part(folder: Path) -> Part:
    cases = some_cases(folder)
    return Part(cases[:8], cases[8:], folder)


def fit(folder: Path, plan: Plan | None = None, **options: Any) -> Path:
    return fit_network(plan or a_plan(), some_part(folder / "data"), folder / "run", lambda facts: None, options)


def test_weights_and_log_are_written_and_nothing_else_stays(tmp_path: Path) -> None:
    weights = fit(tmp_path)
    assert weights == tmp_path / "run/weights.safetensors"
    assert {path.name for path in (tmp_path / "run").rglob("*") if path.is_file()} == {
        "weights.safetensors", "log.jsonl", "clock.jsonl", "state.json", "state.safetensors",
    }  # fmt: skip
    assert [line["step"] for line in read_log(tmp_path / "run/log.jsonl") if line["event"] == "validation"] == [3, 6]
    network = load_weights(a_plan(), weights)
    assert not network.training
    assert set(network.state_dict()) == set(load_file(weights))


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    one, same = fit(tmp_path / "a").read_bytes(), fit(tmp_path / "b").read_bytes()
    other = fit(tmp_path / "c", a_plan().model_copy(update={"seed": 3})).read_bytes()
    assert one == same
    assert one != other


def test_a_finished_network_is_not_fitted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = fit(tmp_path)
    monkeypatch.setattr(module, "pack_cases", lambda *_: pytest.fail("it was prepared again"))
    assert fit(tmp_path, resume=True) == weights


def test_a_file_that_changed_since_curation_is_named(tmp_path: Path) -> None:
    case = some_cases(tmp_path)[0]
    ref = case.inputs["image"].model_copy(update={"digest": file_digest([tmp_path / "a.npz"])})
    case = case.model_copy(update={"inputs": {"image": ref}})
    pack_cases([case], tmp_path, a_plan(), tmp_path / "pack")
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(DataRefused, match=r"a\.npz of case case0 has changed"):
        pack_cases([case], tmp_path, a_plan(), tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_a_full_disk_while_preparing_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        """Takes one case, then has no room."""

        def __init__(self, stream: Any) -> None:
            self.stream, self.left = stream, 300

        def write(self, content: bytes) -> int:
            self.left -= len(content)
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(self.stream.write(content))

        def close(self) -> None:
            self.stream.close()

    real = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode="r", **k: Full(real(path, mode)) if mode == "wb" else real(path, mode, **k)
    )
    cases = some_cases(tmp_path / "data")
    with pytest.raises(DiascopeError, match=r"cannot write prepared cases.*No space left") as caught:
        pack_cases(cases, tmp_path / "data", a_plan(), tmp_path / "cache/pack")
    assert "Free disk space" in caught.value.todo
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_disk_cannot_hold_is_refused_before_it_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: SimpleNamespace(free=100))
    cases = some_cases(tmp_path / "data")
    with pytest.raises(DiascopeError, match=r"do not fit the disk.*GB are free.*--workspace"):
        pack_cases(cases, tmp_path / "data", a_plan(), tmp_path / "cache/pack")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_case_with_values_that_are_not_finite_is_refused_by_name(value: float) -> None:
    image = np.zeros((1, 2, 3, 4), np.float32)
    image[0, 1, 2, 3] = value
    with pytest.raises(DataRefused, match="case case7 has 1 voxels that are not finite in 'image'"):
        poisoned(Example(a_case(7), {"image": image}, {}), TARGET)


def test_missing_values_of_a_table_are_no_poison() -> None:
    poisoned(Example(a_case(7), {"blood": np.array([np.nan, 1.0], np.float32)}, {"class": np.array(1)}), TARGET)


def test_a_label_that_was_not_declared_is_refused_by_name() -> None:
    masks = Target(
        name="mask", kind="mask", columns=("mask",), labels=(Label(name="a", value=2, members=(3, 4)),), ignore=9
    )
    sound = np.array([[[0, 2, 3, 4, 9]]], np.uint8)
    poisoned(Example(a_case(7), {}, {"mask": sound}), masks)
    with pytest.raises(DataRefused, match=r"case case7 has labels in 'mask'.*Given: 7"):
        poisoned(Example(a_case(7), {}, {"mask": sound + (sound == 4) * np.uint8(3)}), masks)
    with pytest.raises(DataRefused, match=r"case case7.*Given: 5"):
        poisoned(Example(a_case(7), {}, {"class": np.array(5)}), TARGET)


def test_an_image_of_zeros_trains_and_stays_finite(tmp_path: Path) -> None:
    part = some_part(tmp_path)
    np.savez(tmp_path / "a.npz", images=np.zeros((12, 8, 8), np.uint8))
    plan = a_plan(intensity={"image": {"rule": "z-score"}}, recipe=[])
    weights = fit_network(plan, part, tmp_path / "run", lambda facts: None, {})
    assert all(bool(torch.isfinite(one).all()) for one in load_file(weights).values())


def test_weights_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    network = nn.Linear(2, 2)
    with torch.no_grad():
        network.weight[1, 0] = float("nan")
    with pytest.raises(DiascopeError, match="the weight weight is not finite"):
        save_weights(network, tmp_path / "weights.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_while_writing_weights_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiascopeError, match=r"cannot write the weights.*No space left"):
        save_weights(nn.Linear(2, 2), tmp_path / "weights.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_weights(nn.Linear(2, 2), tmp_path / "weights.safetensors")
    with pytest.raises(Tampered, match="do not fit"):
        load_weights(a_plan(), tmp_path / "weights.safetensors")


def test_one_process_needs_no_group() -> None:
    fabric = make_fabric(a_plan())
    assert fabric.world_size == 1
    assert not torch.distributed.is_initialized()


RANK = """
    import importlib.util, sys
    from pathlib import Path
    spec = importlib.util.spec_from_file_location("these", sys.argv[1])
    these = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(these)
    folder, poison, resume, stop = Path(sys.argv[2]), sys.argv[3] == "1", sys.argv[4] == "1", int(sys.argv[5])
    import os
    data = folder / "data" / os.environ.get("RANK", "0")
    plan = these.a_plan(batch=4 if poison else 8, steps=8, log_every=1)
    if poison:
        from diascope.engine import fit
        fit.poisoned = lambda *_: None
    from diascope.engine import loop
    real = loop._one_step
    def dying(training, state, fabric, batch, log):
        if batch.step == stop:
            raise SystemExit(0)
        real(training, state, fabric, batch, log)
    loop._one_step = dying
    these.fit_network(plan, these.group_part(data, poison), folder / "run", lambda facts: None, {"resume": resume})
"""


def group_part(folder: Path, poison: bool) -> Part:
    """For several processes: every one writes the same file; with a poisoned case if asked."""
    part = some_part(folder)
    if not poison:
        return part
    images = np.load(folder / "a.npz", allow_pickle=False)["images"].astype(np.float32)
    images[5, 0, 0] = np.nan
    np.savez(folder / "a.npz", images=images)
    return part


def group(folder: Path, count: int, poison: bool = False, resume: bool = False, stop: int = -1) -> Path:
    """Fit in `count` processes; returns the run's folder."""
    port = str(20_000 + os.getpid() % 20_000 + hash(folder) % 97)
    children = []
    for rank in range(count):
        own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
        named = {**own, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
        environment = {**os.environ, **{name: str(value) for name, value in named.items()}}
        words = [
            sys.executable,
            "-c",
            textwrap.dedent(RANK),
            __file__,
            str(folder),
            str(int(poison)),
            str(int(resume)),
            str(stop),
        ]
        children.append(subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True))
    said = [child.communicate(timeout=120)[1] for child in children]
    assert [child.returncode for child in children] == [0] * count, said
    return folder / "run"


def losses(run: Path) -> list[float]:
    return [line["network"] for line in read_log(run / "log.jsonl") if line["event"] == "loss"]


def test_two_processes_have_the_losses_of_one(tmp_path: Path) -> None:
    plan, part = a_plan(batch=8, steps=8, log_every=1), some_part(tmp_path / "data")
    one, two = tmp_path / "one", group(tmp_path / "two", 2)
    fit_network(plan, part, one, lambda facts: None, {})
    assert len(losses(one)) == 8
    assert losses(two) == pytest.approx(losses(one), abs=2e-4)
    alone, shared = load_file(one / "weights.safetensors"), load_file(two / "weights.safetensors")
    assert all(torch.allclose(alone[name].float(), shared[name].float(), atol=5e-3) for name in alone)


@pytest.mark.slow
def test_two_processes_resume_to_the_same_bytes(tmp_path: Path) -> None:
    two = group(tmp_path / "two", 2)
    group(tmp_path / "cut", 2, stop=5)
    assert not (tmp_path / "cut/run/weights.safetensors").exists()
    group(tmp_path / "cut", 2, resume=True)
    for name in ("weights.safetensors", "log.jsonl"):
        assert (tmp_path / "cut/run" / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.slow
def test_two_processes_skip_a_poisoned_case_together_and_name_it(tmp_path: Path) -> None:
    run = group(tmp_path, 2, poison=True)
    skipped = [line["cases"] for line in read_log(run / "log.jsonl") if line["event"] == "skipped"]
    assert skipped
    assert all(cases == ["case5"] for cases in skipped)
    assert all(bool(torch.isfinite(one).all()) for one in load_file(run / "weights.safetensors").values())


def test_the_plan_of_these_tests_is_one_that_can_be_written() -> None:
    assert Plan.from_json(json.loads(json.dumps(a_plan().to_json()))) == a_plan()
