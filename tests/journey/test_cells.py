"""Every filled cell of the README's table of inputs and tasks: fitted, measured and read once, on invented cases."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from diascope import cli
from diascope.core import registry
from diascope.testing.cells import cells

HERE = Path(__file__).parent
SOURCE = HERE.parent.parent / "src" / "diascope"
OWN = {
    "segmentation": "test_main_job.py",
    "detection": "test_boxes.py",
    "entities": "test_entities.py",
    "synthesis": "test_synthesis.py",
    "image_to_image": "test_image_to_image.py",
    "masked_images": "test_pretraining.py",
    "contrastive_images": "test_pretraining.py",
}
"""Tasks whose targets are no columns, and the journey that covers them."""
ASKED = {
    "classification": ("--target", "label"),
    "multilabel": ("--target", "first,second,third", "--task", "multilabel"),
    "ordinal": ("--target", "grade", "--task", "ordinal"),
    "regression": ("--target", "size"),
    "survival": ("--target", "time,event", "--task", "survival"),
    "competing_risks": ("--target", "time,which", "--task", "competing_risks"),
}
CASES = 90


def of_columns() -> Iterator[tuple[str, str]]:
    """Cells whose task learns columns; plug-ins of other packages are not ours to test."""
    for kind, task in cells():
        if task not in OWN and (SOURCE / "tasks" / f"{task}.py").is_file():
            yield kind, task


def a_picture(folder: Path, number: int, strength: float, rng: np.random.Generator) -> str:
    array = rng.integers(0, 40, (24, 24), dtype=np.uint8)
    array[6:14, 6:14] += np.uint8(150 * strength)
    Picture.fromarray(array).save(folder / f"{number}.png")
    return f"{number}.png"


def a_signal(folder: Path, number: int, strength: float, rng: np.random.Generator) -> str:
    times = np.arange(80) / 40
    values = np.sin(2 * np.pi * (1 + 3 * strength) * times) + rng.normal(0, 0.1, 80)
    lines = ["time [s],lead [mV]", *(f"{t:.4f},{v:.4f}" for t, v in zip(times, values, strict=True))]
    (folder / f"{number}.csv").write_text("\n".join(lines) + "\n")
    return f"{number}.csv"


def a_text(folder: Path, number: int, strength: float, rng: np.random.Generator) -> str:
    words = ["effusion" if rng.random() < strength else "clear", "heart", "lungs", "normal", "size", f"n{number}"]
    return "Findings: " + " ".join(words[one] for one in rng.permutation(len(words))) + "."


def a_sequence(folder: Path, number: int, strength: float, rng: np.random.Generator) -> str:
    letters = rng.choice(list("ACGT"), 40)
    if rng.random() < strength:
        letters[16:24] = list("GGGTTTGG")
    return "".join(letters)


def a_number(folder: Path, number: int, strength: float, rng: np.random.Generator) -> str:
    return f"{5 * strength + rng.normal(0, 0.3):.3f}"


WRITE: dict[str, Callable[[Path, int, float, np.random.Generator], str]] = {
    "image": a_picture,
    "signal": a_signal,
    "text": a_text,
    "sequence": a_sequence,
    "table": a_number,
}


def a_study(folder: Path, kind: str) -> Path:
    """One input a case, and every target that a column can hold, all from one strength."""
    rng = np.random.default_rng(3)
    folder.mkdir()
    path = folder / "study.csv"
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        head = ["marker" if kind == "table" else kind, "patient"]
        table.writerow([*head, "label", "first", "second", "third", "grade", "size", "time", "event", "which"])
        for number in range(CASES):
            strength = float(rng.random())
            time = round(float(rng.exponential(10 * (1.2 - strength))) + 0.1, 2)
            columns = ["ill" if strength > 0.5 else "well", *(int(strength > one) for one in (0.3, 0.5, 0.7))]
            event = int(rng.random() < 0.8)
            answers = [*columns, int(strength * 3), round(10 * strength, 2), time, event, event * (1 + number % 2)]
            table.writerow([WRITE[kind](folder, number, strength, rng), f"p{number}", *answers])
    return path


def without(task: str) -> list[str]:
    """Columns that tell the answer, which a user would leave out."""
    told = ["label", "first", "second", "third", "grade", "size", "time", "event", "which"]
    asked = ASKED[task][1].split(",")
    return [part for name in told if name not in asked for part in ("--without", name)]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "task"), list(of_columns()))
def test_fitted_measured_and_read(kind: str, task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, space = a_study(tmp_path / "study", kind), ("--workspace", str(tmp_path / "space"))
    quick = (
        ("--minutes", "2", "--folds", "1", "--set", "steps=40")
        if kind == "image"
        else ("--minutes", "1", "--folds", "1")
    )
    said = ("--json", "--quiet")
    assert cli.run(["fit", str(study), *ASKED[task], *without(task), *quick, *space, *said]) == 0, (
        capsys.readouterr().err
    )
    made = json.loads(capsys.readouterr().out)
    assert made["evaluation"]["task"] == task
    headline = made["evaluation"]["headline"]
    values: list[Any] = [made["evaluation"]["metrics"][name]["value"] for name in headline]
    assert any(value is not None for value in values)
    out = str(tmp_path / "out")
    assert cli.run(["predict", made["release"], str(study), "--out", out, *space, *said]) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)["findings"]
    assert len(found) == CASES
    assert all(one["findings"] for one in found)


def test_tasks_of_other_targets_have_a_journey_of_their_own() -> None:
    for task in registry.names("tasks"):
        if (SOURCE / "tasks" / f"{task}.py").is_file():
            assert task in ASKED or (HERE / OWN.get(task, "there is none")).is_file(), task
