"""From data to a signed release: what may be used is what was made, on one process or several."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow
NETWORK = json.dumps({"depth": [1] * 4, "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1]] * 4 + [[1, 2, 2]] * 2})
TINY = ["--minutes", "0.5", "--set", "steps=12", "--set", "batch=8", "--set", f"model_options={NETWORK}"]


def pictures(folder: Path) -> Path:
    """A MedMNIST archive of 8 x 8 pictures, one class with a bright corner."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 48), ("val", 24), ("test", 24)):
        labels = np.arange(count) % 2
        images = rng.integers(0, 90, (count, 8, 8))
        images[labels == 1, :4, :5] += 100
        arrays |= {f"{part}_images": images.astype(np.uint8), f"{part}_labels": labels[:, None].astype(np.uint8)}
    np.savez(folder / "tiny.npz", **arrays)
    return folder / "tiny.npz"


def diascope(
    *words: object, code: int = 0, program: Sequence[str] = ("-m", "diascope")
) -> subprocess.CompletedProcess[str]:
    """Run the program as a user does."""
    said = subprocess.run(
        [sys.executable, *program, *map(str, words)], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert said.returncode == code, said.stderr
    return said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `fit` made of small pictures."""
    folder = tmp_path_factory.mktemp("release")
    said = diascope("fit", pictures(folder), "-w", folder / "ws", "--json", "-q", *TINY)
    return {**json.loads(said.stdout), "folder": folder}


def test_the_release_holds_the_weights_and_the_plan_of_the_run(made: dict[str, Any]) -> None:
    release, run = Path(made["release"]), Path(made["run"])
    assert (release / "weights-0.safetensors").read_bytes() == (run / "weights.safetensors").read_bytes()
    assert json.loads((release / "plan.json").read_text()) == json.loads((run / "plan.json").read_text())


def test_a_candidate_is_signed_once_by_a_named_person(made: dict[str, Any], tmp_path: Path) -> None:
    copy = tmp_path / Path(made["release"]).name
    shutil.copytree(made["release"], copy)
    diascope("release", copy, "--by", "  ", "-w", tmp_path, code=2)
    signed = json.loads(diascope("release", copy, "--by", "Li, Na", "-w", tmp_path, "--json").stdout)
    assert signed["signed_by"] == "Li, Na"
    assert "already signed by Li, Na" in diascope("release", copy, "--by", "Wu, Jun", "-w", tmp_path, code=2).stderr


@pytest.mark.parametrize("name", ["weights-0.safetensors", "release.json"])
def test_a_release_whose_bytes_were_changed_is_not_used(made: dict[str, Any], tmp_path: Path, name: str) -> None:
    copy = tmp_path / "films@1"
    shutil.copytree(made["release"], copy)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    said = diascope("predict", copy, pictures(tmp_path), "--out", tmp_path / "out", "-w", tmp_path, "--json", code=3)
    assert json.loads(said.stdout)["error"]["kind"] == "Tampered"
    assert not (tmp_path / "out").exists()


def test_a_finished_run_that_is_resumed_names_its_release_and_does_nothing(made: dict[str, Any]) -> None:
    workspace = made["folder"] / "ws"
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*") if path.name != ".lock"}
    said = diascope("train", Path(made["run"]) / "plan.json", "-w", workspace, "--resume", "--json", "-q")
    assert json.loads(said.stdout)["release"] == made["release"]
    assert {path: path.stat().st_mtime_ns for path in workspace.rglob("*") if path.name != ".lock"} == before


TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master-port", "29731", "-m", "diascope")


@pytest.mark.parametrize("way", ["devices", "torchrun"])
def test_two_processes_make_one_release_and_one_document(made: dict[str, Any], way: str) -> None:
    words = ["train", made["plan"], "-w", made["folder"] / "ws", "--json", "-q"]
    said = diascope(*words, "--devices", 2) if way == "devices" else diascope(*words, program=TORCHRUN)
    result = json.loads(said.stdout)
    run = Path(result["run"])
    assert json.loads((run / "run.json").read_text())["members"][0]["steps"] == 12
    assert run != Path(made["run"])
    assert [path.name for path in (made["folder"] / "ws/runs").iterdir() if path.name.startswith(run.name)] == [
        run.name
    ]
    alone = json.loads((Path(made["run"]) / "plan.json").read_text())
    assert json.loads((run / "plan.json").read_text()) == alone
