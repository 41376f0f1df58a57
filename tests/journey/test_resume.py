"""F1: a run that is killed at any moment and resumed ends with the bytes of the uninterrupted one.

One process loads the libraries once and forks a child for each command, so that a kill costs no start-up.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

NURSERY = """
import importlib, json, os, signal, sys
import diascope.workflows.fit, diascope.workflows.train_plan, diascope.workflows.prepare
from diascope import cli
from diascope.core import registry
for family in ("tasks", "models", "transforms", "losses", "metrics", "modalities", "formats", "sources", "checks"):
    list(registry.each(family))
registry.get("backends", "torch")

def deadly(place, attribute, number, late):
    module = importlib.import_module(place)
    real, calls = getattr(module, attribute), [0]
    def counted(*values, **named):
        calls[0] += 1
        if calls[0] == number and not late:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*values, **named)
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(module, attribute, counted)

def job(wanted):
    import torch
    torch.set_num_threads(1)
    if wanted["train_only"]:
        import diascope.workflows.train_plan as workflow
        workflow.finish = lambda *_: None
    if wanted["kill"]:
        deadly(*wanted["kill"])
    return cli.run(wanted["arguments"])

for line in sys.stdin:
    wanted = json.loads(line)
    pid = os.fork()
    if pid == 0:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(wanted[name], os.O_CREAT | os.O_TRUNC | os.O_WRONLY), number)
        code = 70
        try:
            code = job(wanted)
        finally:
            sys.stdout.flush()
            os._exit(code)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
KILLS = [
    # Where, what, at which call, and whether after it: in a checkpoint, while the log is cut, in validation, between.
    ("diascope.engine.checkpoint", "write_durably", 3, False),
    ("diascope.engine.checkpoint", "save", 2, True),
    ("diascope.engine.fit", "score_quickly", 2, False),
    ("diascope.engine.log", "write_durably", 1, False),
    ("diascope.engine.loop", "_average", 17, True),
    ("diascope.engine.fit", "save_weights", 1, False),
    ("diascope.engine.fit", "pack_cases", 1, True),
    ("diascope.engine.checkpoint", "_make_durable", 2, False),
]
STEPS = 24
OUTSIDE = Path(__file__).parents[1] / "outside"
"""Plug-ins of another package: among them a task of two networks that play against each other."""


class Nursery:
    """Runs command lines in forked children.

    Args:
        folder: For their outputs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(OUTSIDE)},
        )

    def start(self, arguments: Sequence[str], kill: Sequence[Any] | None = None, train_only: bool = True) -> int:
        """Begin one command line; returns its process id."""
        wanted = {"arguments": list(arguments), "kill": kill, "train_only": train_only}
        wanted |= {"out": str(self.folder / "out"), "err": str(self.folder / "err")}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def wait(self) -> int:
        """The exit code of what was started; negative: the signal that killed it."""
        return int(self._line())

    def run(self, arguments: Sequence[str], kill: Sequence[Any] | None = None) -> int:
        self.start(arguments, kill)
        return self.wait()

    def said(self, name: str = "err") -> str:
        return (self.folder / name).read_text()

    def _line(self) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 120)
        assert ready, "a command did not end within two minutes"
        return self.process.stdout.readline()

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)


def pictures(folder: Path) -> Path:
    """A MedMNIST archive of 8 x 8 pictures, one class with a bright corner."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 48), ("val", 12), ("test", 12)):
        labels = np.arange(count) % 2
        images = rng.integers(0, 90, (count, 8, 8))
        images[labels == 1, :4, :5] += 100
        arrays |= {f"{part}_images": images.astype(np.uint8), f"{part}_labels": labels[:, None].astype(np.uint8)}
    np.savez(folder / "tiny.npz", **arrays)
    return folder / "tiny.npz"


def volumes(folder: Path) -> Path:
    """A Decathlon folder of twelve MR volumes of about 16 x 12 x 12 voxels with one bright structure."""
    rng = np.random.default_rng(1)
    for name in ("imagesTr", "labelsTr"):
        (folder / "task" / name).mkdir(parents=True)
    listed = []
    for number in range(12):
        mask = np.zeros((16, 12, 12), np.uint8)
        z, y, x = rng.integers(2, 6, 3)
        mask[z : z + 6, y : y + 5, x : x + 4] = 1
        image = (rng.normal(100, 20, mask.shape) + 80 * mask).astype(np.float32)
        paths = [f"imagesTr/v{number:02}.nii.gz", f"labelsTr/v{number:02}.nii.gz"]
        for path, array in zip(paths, (image, mask), strict=True):
            nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 1.2, 1.5, 1.0])), folder / "task" / path)
        listed.append({"image": "./" + paths[0], "label": "./" + paths[1]})
    content = {"name": "task", "modality": {"0": "MRI"}, "labels": {"0": "background", "1": "organ"}}
    (folder / "task" / "dataset.json").write_text(json.dumps({**content, "training": listed, "test": []}))
    return folder / "task"


CLASSIFY = ["--set", f"steps={STEPS}", "--set", "batch=8", "--set", "checkpoint_every=5", "--set", "validate_every=8"]
CLASSIFY += ["--set", "model_options=" + json.dumps(
    {"depth": [1] * 4, "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1]] * 4 + [[1, 2, 2]] * 2}
)]  # fmt: skip
SEGMENT = ["--set", "steps=12", "--set", "batch=2", "--set", "checkpoint_every=5", "--set", "validate_every=6"]
SEGMENT += ["--folds", "3", "--set", "patch=[8,8,8]", "--set", "recipe=[]", "--set", "precision=fp32"]
SEGMENT += ["--set", "model_options=" + json.dumps(
    {"features": [8, 8], "strides": [[1, 1, 1], [2, 2, 2]], "kernels": [[3, 3, 3]] * 2, "blocks": [1, 1],
     "decoder_blocks": [1], "levels": 1}
)]  # fmt: skip


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("nursery"))
    yield made
    made.close()


class Trial:
    """A plan, trained once without interruption.

    Args:
        nursery: Runs the commands.
        source: The data.
        folder: For the workspace.
        settings: Of `diascope plan`.
    """

    def __init__(self, nursery: Nursery, source: Path, folder: Path, settings: Sequence[str]) -> None:
        self.nursery, self.workspace = nursery, folder / "ws"
        arguments = ["plan", str(source), "-w", str(self.workspace), "--minutes", "0.5", "-q", *settings]
        assert nursery.run(arguments) == 0, nursery.said()
        self.plan = next((self.workspace / "plans").glob("*.json"))
        began = time.monotonic()
        assert self.train() == 0, nursery.said()
        self.seconds = time.monotonic() - began
        self.whole = bytes_of(self.newest())

    def command(self, resume: bool = False) -> list[str]:
        own = self.newest() / "plan.json" if resume else self.plan
        return ["train", str(own), "-w", str(self.workspace), "-q", *["--resume"] * resume]

    def train(self, resume: bool = False, kill: Sequence[Any] | None = None) -> int:
        return self.nursery.run(self.command(resume), kill)

    def newest(self) -> Path:
        return max((self.workspace / "runs").iterdir(), key=lambda run: int(run.name.rpartition("-")[2])
                   if run.name.rpartition("-")[2].isdigit() else 1)  # fmt: skip

    def finish(self) -> dict[str, str]:
        assert self.train(resume=True) == 0, self.nursery.said()
        return bytes_of(self.newest())


def bytes_of(run: Path) -> dict[str, str]:
    """SHA-256 of everything in a run that must not depend on the clock or on interruptions."""
    names = [path for path in sorted(run.rglob("*")) if path.name in ("log.jsonl", "weights.safetensors")]
    names += sorted(run.rglob("state.safetensors"))
    assert len(names) >= 4
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in names}


@pytest.fixture(scope="module")
def pictures_trial(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("pictures")
    return Trial(nursery, pictures(folder), folder, CLASSIFY)


@pytest.fixture(scope="module")
def game_trial(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("game")
    settings = ["--task", "toy_gan", "--set", f"steps={STEPS}", "--set", "batch=8", "--set", "checkpoint_every=5"]
    return Trial(nursery, pictures(folder), folder, [*settings, "--set", "validate_every=8"])


@pytest.fixture(scope="module")
def volumes_trial(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("volumes")
    return Trial(nursery, volumes(folder), folder, SEGMENT)


def test_the_same_seed_gives_the_same_bytes(pictures_trial: Trial) -> None:
    assert pictures_trial.train() == 0
    assert bytes_of(pictures_trial.newest()) == pictures_trial.whole


@pytest.mark.parametrize(
    "kinds",
    [
        KILLS[:3],
        pytest.param(KILLS[3:6], marks=pytest.mark.slow),
        pytest.param(KILLS[6:], marks=pytest.mark.slow),
    ],
    ids=["saving", "cutting", "preparing"],
)
def test_killed_three_times_and_resumed_is_equal_on_pictures(
    pictures_trial: Trial, kinds: list[tuple[Any, ...]]
) -> None:
    for number, kill in enumerate(kinds):
        assert pictures_trial.train(resume=number > 0, kill=kill) == -signal.SIGKILL, pictures_trial.nursery.said()
    assert pictures_trial.finish() == pictures_trial.whole


def test_killed_three_times_and_resumed_is_equal_on_folds_of_volumes(volumes_trial: Trial) -> None:
    for number, kill in enumerate((KILLS[0], KILLS[2], KILLS[4])):
        assert volumes_trial.train(resume=number > 0, kill=kill) == -signal.SIGKILL, volumes_trial.nursery.said()
    assert volumes_trial.finish() == volumes_trial.whole


def test_killed_three_times_and_resumed_a_game_of_two_is_equal(game_trial: Trial) -> None:
    for number, kill in enumerate((KILLS[1], ("diascope.engine.loop", "_average", 9, False), KILLS[0])):
        assert game_trial.train(resume=number > 0, kill=kill) == -signal.SIGKILL, game_trial.nursery.said()
    assert game_trial.finish() == game_trial.whole


@pytest.mark.slow
@pytest.mark.parametrize("which", ["pictures_trial", "volumes_trial", "game_trial"])
def test_killed_twenty_times_at_random_and_resumed_is_equal(which: str, request: pytest.FixtureRequest) -> None:
    trial: Trial = request.getfixturevalue(which)
    chance, kills, resume = random.Random(7), 0, False
    while kills < 20:
        pid = trial.nursery.start(trial.command(resume))
        delay = chance.uniform(0.1, 1.2 * trial.seconds)
        timer = threading.Timer(delay, os.kill, (pid, signal.SIGKILL))
        timer.start()
        code = trial.nursery.wait()
        timer.cancel()
        assert code in (0, -signal.SIGKILL), trial.nursery.said()
        kills += code != 0
        resume = code != 0 and (trial.newest() / "plan.json").exists() and not (trial.newest() / "run.json").exists()
        if code == 0:
            assert bytes_of(trial.newest()) == trial.whole
    if resume:
        assert trial.finish() == trial.whole


def test_ctrl_c_stops_cleanly_and_says_how_to_resume(pictures_trial: Trial) -> None:
    nursery = pictures_trial.nursery
    known = {run.name for run in (pictures_trial.workspace / "runs").iterdir()}
    pid = nursery.start(pictures_trial.command())
    _await_step(pictures_trial.workspace / "runs", known)
    os.kill(pid, signal.SIGINT)
    assert nursery.wait() == 1
    said = nursery.said()
    assert "stopped at step" in said
    assert f"diascope train {pictures_trial.newest() / 'plan.json'} --resume" in said
    assert "Traceback" not in said
    assert pictures_trial.finish() == pictures_trial.whole


def _await_step(runs: Path, known: set[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        new = [run for run in runs.iterdir() if run.name not in known]
        if new and (new[0] / "log.jsonl").exists() and (new[0] / "log.jsonl").stat().st_size:
            return
        time.sleep(0.005)
    pytest.fail("training did not start")


def test_a_finished_run_that_is_resumed_does_nothing(pictures_trial: Trial) -> None:
    run = pictures_trial.newest()
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in run.rglob("*") if path.is_file()}
    assert pictures_trial.train(resume=True) == 0
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in run.rglob("*") if path.is_file()} == before


def test_a_plan_whose_run_was_killed_before_it_wrote_anything_starts(pictures_trial: Trial, tmp_path: Path) -> None:
    content = json.loads(pictures_trial.plan.read_text())
    content["choices"]["steps"]["value"] = 7
    (tmp_path / "other.json").write_text(json.dumps(content))
    arguments = ["train", str(tmp_path / "other.json"), "-w", str(pictures_trial.workspace), "--resume"]
    assert pictures_trial.nursery.run(arguments) == 0
    assert "it starts now" in pictures_trial.nursery.said()
    assert (pictures_trial.workspace / "runs/other/weights.safetensors").exists()


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(pictures_trial: Trial) -> None:
    assert pictures_trial.train(kill=("diascope.engine.loop", "_average", 18, True)) == -signal.SIGKILL
    newest = max((pictures_trial.newest() / "checkpoints").glob("step-*"))
    content = bytearray((newest / "state.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (newest / "state.safetensors").write_bytes(content)
    assert pictures_trial.finish() == pictures_trial.whole
    assert f"checkpoint {newest.name} is damaged" in pictures_trial.nursery.said()


def test_a_plan_with_a_schedule_obeys_it_and_again(pictures_trial: Trial, tmp_path: Path) -> None:
    content = json.loads(pictures_trial.plan.read_text())
    content["choices"]["schedule"] = {"value": [[0, 30], [9, 16]], "kind": "by hand", "reason": "a test"}
    plan = tmp_path / "shortened.json"
    plan.write_text(json.dumps(content))
    arguments = ["train", str(plan), "-w", str(pictures_trial.workspace), "-q"]
    assert pictures_trial.nursery.run(arguments) == 0, pictures_trial.nursery.said()
    run = pictures_trial.workspace / "runs" / "shortened"
    member = json.loads((run / "run.json").read_text())["members"][0]
    assert (member["steps"], member["changes"]) == (16, [[0, 30], [9, 16]])
    whole = bytes_of(run)
    assert pictures_trial.nursery.run(arguments, ("diascope.engine.loop", "_average", 13, True)) == -signal.SIGKILL
    again = pictures_trial.workspace / "runs" / "shortened-2"
    resume = ["train", str(again / "plan.json"), "-w", str(pictures_trial.workspace), "-q", "--resume"]
    assert pictures_trial.nursery.run(resume) == 0
    assert bytes_of(again) == whole


def test_a_run_that_the_clock_changed_can_be_trained_again_to_the_same_bytes(
    pictures_trial: Trial, tmp_path: Path
) -> None:
    content = json.loads(pictures_trial.plan.read_text())
    # So little time that the first look ends the run.
    content["choices"]["train_seconds"]["value"] = 0.01
    (tmp_path / "timed.json").write_text(json.dumps(content))
    arguments = ["-w", str(pictures_trial.workspace), "-q"]
    assert pictures_trial.nursery.run(["train", str(tmp_path / "timed.json"), *arguments]) == 0
    run = pictures_trial.workspace / "runs" / "timed"
    went = json.loads((run / "plan.json").read_text())["choices"]["schedule"]["value"]
    assert went[0] == [0, STEPS]
    assert went[-1][1] < STEPS
    assert pictures_trial.nursery.run(["train", str(run / "plan.json"), *arguments]) == 0, pictures_trial.nursery.said()
    again = pictures_trial.workspace / "runs" / "timed-2"
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (run, again)]
    assert weights[0] == weights[1]
    assert (again / "plan.json").read_bytes() == (run / "plan.json").read_bytes()
    assert pictures_trial.nursery.run(["train", str(tmp_path / "timed.json"), *arguments, "--resume"]) == 0
    assert {path.name for path in (pictures_trial.workspace / "runs").glob("timed*")} == {"timed", "timed-2"}
