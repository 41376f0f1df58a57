"""Section 10: bad input gets a clear answer, and nothing is lost. Each through the command line, as a user meets it."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from diascope.cli import run

NETWORK = json.dumps({"depth": [1] * 4, "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1]] * 4 + [[1, 2, 2]] * 2})
TINY = ["--minutes", "0.5", "--set", "steps=6", "--set", "batch=4", "--set", f"model_options={NETWORK}"]
TINY += ["--set", "checkpoint_every=2"]


def films(folder: Path, classes: dict[str, int] | None = None, spoil: Callable[[Path], None] | None = None) -> Path:
    """A folder of small pictures with a class a sub-folder.

    Args:
        folder: Its parent.
        classes: Class to number of pictures.
        spoil: Called with the finished folder.
    """
    rng = np.random.default_rng(0)
    for number, (name, count) in enumerate((classes or {"ill": 60, "well": 60}).items()):
        (folder / "films" / name).mkdir(parents=True)
        for index in range(count):
            array = rng.integers(0, 120, (16, 16), dtype=np.uint8)
            array[2:9, 3:11] += np.uint8(100 * number)
            Pillow.fromarray(array).save(folder / "films" / name / f"{name}{index:03}.png")
    if spoil is not None:
        spoil(folder / "films")
    return folder / "films"


class Said:
    """What one command line answered: exit code, stdout, stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


@pytest.fixture
def ask(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def asked(*words: object) -> Said:
        capfd.readouterr()
        needs = [] if words[0] in ("list", "--help") else ["--workspace", tmp_path / "ws"]
        code = run([str(word) for word in [*words, *needs]])
        said = capfd.readouterr()
        assert "Traceback" not in said.err, said.err
        return Said(code, said.out, said.err)

    return asked


def test_an_empty_folder(ask: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = ask("fit", tmp_path / "empty")
    assert said.code in (2, 3)
    assert "empty" in said.err
    assert said.out == ""


def test_a_folder_that_is_not_there(ask: Callable[..., Said], tmp_path: Path) -> None:
    said = ask("fit", tmp_path / "nowhere")
    assert said.code in (2, 3)
    assert "nowhere" in said.err


def test_mixed_kinds_are_refused_and_the_layouts_named(ask: Callable[..., Said], tmp_path: Path) -> None:
    source = films(tmp_path)
    np.savez(source / "more.npz", train_images=np.zeros((4, 8, 8), np.uint8), train_labels=np.zeros((4, 1), np.uint8))
    said = ask("check", source)
    assert said.code == 3
    assert "no source recognises" in said.err
    assert "image_folder" in said.err
    assert "medmnist" in said.err
    assert "manifest" in said.err


def test_a_class_with_one_patient(ask: Callable[..., Said], tmp_path: Path) -> None:
    said = ask("plan", films(tmp_path, {"ill": 1, "well": 80}), *TINY)
    assert said.code in (0, 3)
    if said.code:
        assert "ill" in said.err
    else:
        dataset = json.loads(next((tmp_path / "ws/datasets").glob("*/dataset.json")).read_text())
        assert sum(case["targets"]["label"] == "ill" for case in dataset["cases"]) == 1


def _table(folder: Path) -> Path:
    source = films(folder)
    rows = ["image,diagnosis,age"]
    for number, path in enumerate(sorted(source.rglob("*.png"))):
        label = "" if number in (3, 70) else path.parent.name
        rows.append(f"{path.relative_to(source)},{label},{30 + number % 40}")
    (source / "manifest.csv").write_text("\n".join(rows) + "\n")
    return source / "manifest.csv"


def test_labels_that_are_missing_for_some_cases(ask: Callable[..., Said], tmp_path: Path) -> None:
    table = _table(tmp_path)
    refused = ask("plan", table, "--target", "diagnosis", *TINY)
    assert refused.code == 3
    assert "2 cases without a label" in refused.err
    assert "--accept labels --accept target" in refused.err
    accepted = ask("plan", table, "--target", "diagnosis", "--accept", "labels", "--accept", "target", *TINY)
    assert accepted.code == 0, accepted.err
    dataset = json.loads(next((tmp_path / "ws/datasets").glob("*/dataset.json")).read_text())
    assert len(dataset["cases"]) == 118
    assert len(dataset["exclusions"]) == 2
    assert dataset["accepted"] == ["labels", "target"]


def test_a_target_that_does_not_exist_names_those_that_do(ask: Callable[..., Said], tmp_path: Path) -> None:
    said = ask("fit", _table(tmp_path), "--target", "diagnose")
    assert said.code in (2, 3)
    assert "diagnosis" in said.err
    assert "age" in said.err
    assert "Did you mean 'diagnosis'" in said.err


def test_one_corrupt_file_among_many_is_left_out_and_named(ask: Callable[..., Said], tmp_path: Path) -> None:
    def cut(source: Path) -> None:
        path = source / "ill/ill003.png"
        path.write_bytes(path.read_bytes()[:60])

    source = films(tmp_path, {"ill": 70, "well": 60}, cut)
    said = ask("plan", source, *TINY)
    assert said.code == 0, said.err
    assert "cannot be read" in said.err
    dataset = json.loads(next((tmp_path / "ws/datasets").glob("*/dataset.json")).read_text())
    assert [one["case"] for one in dataset["exclusions"]] == ["ill/ill003"] or "ill003" in str(dataset["exclusions"])
    assert len(dataset["cases"]) == 129


def test_five_percent_corrupt_files_are_refused_with_their_number_and_may_be_accepted(
    ask: Callable[..., Said], tmp_path: Path
) -> None:
    def cut(source: Path) -> None:
        for number in range(6):
            (source / f"ill/ill{number:03}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20 * number))

    source = films(tmp_path, spoil=cut)
    said = ask("plan", source, *TINY)
    assert said.code == 3
    assert "6 of 120" in said.err
    assert "--accept unreadable" in said.err
    assert ask("plan", source, "--accept", "unreadable", *TINY).code == 0


def test_a_file_that_changes_during_the_run_is_named(ask: Callable[..., Said], tmp_path: Path) -> None:
    source = films(tmp_path)
    assert ask("plan", source, *TINY).code == 0
    plan = next((tmp_path / "ws/plans").glob("*.json"))
    Pillow.fromarray(np.zeros((16, 16), np.uint8)).save(source / "well/well007.png")
    said = ask("train", plan)
    assert said.code == 3
    assert "well007.png" in said.err
    assert "has changed" in said.err
    (source / "well/well007.png").unlink()
    assert "vanished" in ask("train", plan).err


def _full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_loses_nothing(
    ask: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diascope.engine import checkpoint, feeding
    from diascope.workflows import train_plan

    monkeypatch.setattr(train_plan, "finish", lambda *_: None)
    assert ask("plan", films(tmp_path), *TINY).code == 0
    plan = next((tmp_path / "ws/plans").glob("*.json"))
    with monkeypatch.context() as patch:
        patch.setattr(feeding.Pack, "add", _full)
        said = ask("train", plan)
    assert said.code == 1
    assert "cannot write prepared cases" in said.err
    assert "Free disk space" in said.err
    assert [path for path in (tmp_path / "ws/runs").rglob("*") if path.suffix == ".pack"] == []
    real, calls = checkpoint.write_durably, [0]

    def filling(path: Path, content: bytes) -> None:
        calls[0] += 1
        _full() if calls[0] > 3 else real(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_durably", filling)
        said = ask("train", plan)
    assert said.code == 1
    assert "cannot write the checkpoint of step 4" in said.err
    run_folder = max((tmp_path / "ws/runs").iterdir())
    assert [path.name for path in (run_folder / "checkpoints").iterdir()] == ["step-00000002"]
    assert ask("train", run_folder / "plan.json", "--resume").code == 0
    assert ask("train", plan).code == 0
    whole = max((tmp_path / "ws/runs").iterdir())
    assert (whole / "weights.safetensors").read_bytes() == (run_folder / "weights.safetensors").read_bytes()


@pytest.mark.slow
def test_a_file_size_limit_is_said_and_no_half_file_stays(tmp_path: Path) -> None:
    source = films(tmp_path)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    said = subprocess.run(
        [sys.executable, "-m", "diascope", "plan", str(source), "-w", str(tmp_path / "ws"), *TINY],
        preexec_fn=limited, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert said.returncode == 1
    assert "File too large" in said.stderr
    assert "Traceback" not in said.stderr
    left = [path.name for path in (tmp_path / "ws").rglob("*") if path.is_file()]
    assert [name for name in left if name != ".lock"] == []


HOLD = """
import sys
from pathlib import Path
from diascope.store.workspace import Workspace
with Workspace(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_workspace_in_use_names_the_process(ask: Callable[..., Said], tmp_path: Path) -> None:
    source = films(tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "ws")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        said = ask("fit", source)
        assert said.code == 1
        assert f"process {holder.pid}" in said.err
        assert "--workspace" in said.err
    finally:
        holder.communicate()


@pytest.mark.parametrize(
    "words",
    [
        ["fit"],
        ["fit", "x", "--no-such-option"],
        ["fit", "x", "--minutes", "soon"],
        ["fit", "x", "--minutes", "0"],
        ["fit", "x", "--set", "steps"],
        ["fat", "x"],
        ["train", "/no/such/plan.json"],
        ["list", "no-such-family"],
        ["predict", "no-such-release", "x", "--out", "y"],
    ],
)
def test_bad_usage_is_two(words: Sequence[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    needs = [] if words[0] in ("list", "fat") else ["--workspace", str(tmp_path)]
    assert run([*words, *needs]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("diascope: ")
    assert "Traceback" not in said.err
    assert run([*words, *needs, "--json"]) == 2
    said = capfd.readouterr()
    assert json.loads(said.out)["error"]["wrong"]
    assert said.err.startswith("diascope: ")


@pytest.mark.parametrize("setting", ["batch=many", "steps=-3", "batch=0", "patch=5", "model=no_such", "loss=no_such",
                                     "stpes=4", "learning_rate=fast"])  # fmt: skip
def test_a_setting_that_makes_no_sense_is_refused_by_name(
    ask: Callable[..., Said], tmp_path: Path, setting: str
) -> None:
    said = ask("plan", films(tmp_path), "--minutes", "0.5", "--set", setting)
    assert said.code == 2, said.err
    assert setting.split("=")[0] in said.err or setting.split("=")[1] in said.err


def test_json_is_one_document_on_stdout_also_when_refused(ask: Callable[..., Said], tmp_path: Path) -> None:
    source = films(tmp_path)
    good = ask("check", source, "--json")
    assert good.code == 0
    assert good.document()["cases"] == 120
    (tmp_path / "empty").mkdir()
    bad = ask("check", tmp_path / "empty", "--json")
    assert bad.code in (2, 3)
    error = bad.document()["error"]
    assert set(error) == {"kind", "wrong", "given", "todo"}
    assert error["wrong"] in bad.err
    planned = ask("plan", source, "--json", *TINY)
    assert planned.code == 0
    assert planned.document()["task"] == "classification"
    assert planned.err


def test_a_workspace_that_is_a_file_or_read_only_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    assert run(["check", str(films(tmp_path)), "--workspace", str(tmp_path / "file")]) == 1
    said = capfd.readouterr()
    assert str(tmp_path / "file") in said.err
    assert "Traceback" not in said.err
