"""A picture and a row about the same patient: fitted together, measured apart, read where one of them is missing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from diascope import cli

CASES = 160


def a_study(folder: Path, count: int, seed: int) -> Path:
    """A bright square in the picture and a high marker in the row each make half of the answer."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    path = folder / "study.csv"
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["image", "patient", "marker [mmol/L]", "sex", "label"])
        for number in range(count):
            seen, high = rng.random() < 0.5, rng.random() < 0.5
            array = rng.integers(0, 60, (32, 32), dtype=np.uint8)
            if seen:
                y, x = rng.integers(4, 20, 2)
                array[y : y + 8, x : x + 8] += 150
            Picture.fromarray(array).save(folder / f"{number}.png")
            marker = rng.normal(6 if high else 4, 0.4)
            # Every tenth case has no row.
            row = ["", ""] if number % 10 == 0 else [f"{marker:.2f}", "fm"[number % 2]]
            ill = seen + high + rng.normal(0, 0.3) > 0.8
            table.writerow([f"{number}.png", f"p{number}", *row, "ill" if ill else "well"])
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    capsys.readouterr()
    assert cli.run([*map(str, arguments), "--json", "--quiet"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out or "{}")


@pytest.mark.slow
def test_both_are_read_and_one_may_be_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ("--workspace", tmp_path / "space")
    study = a_study(tmp_path / "study", CASES, 0)
    asked = ("--target", "label", "--read", "marker [mmol/L],sex", "--folds", 1, "--set", "steps=150")
    made = run(capsys, "fit", study, *asked, *space, "--minutes", 3)
    assert made["evaluation"]["metrics"]["auroc"]["value"] >= 0.75
    plan = json.loads(Path(made["plan"]).read_text())["choices"]
    assert plan["encoders"]["value"]["table"]["model"] == "table_mlp"
    report = Path(made["report"]).read_text()
    assert "What each input is worth" in report
    assert "table alone" in report

    said = run(capsys, "predict", made["release"], study.parent / "1.png", "--out", tmp_path / "alone", *space)[
        "findings"
    ]
    assert said[0]["findings"][0]["status"] in ("present", "absent")
    assert "table is missing: read without it" in said[0]["notes"]
    again = a_study(tmp_path / "again", 40, 5)
    measured = run(capsys, "evaluate", made["release"], again, "--target", "label", *space)["evaluation"]
    assert measured["metrics"]["auroc"]["value"] >= 0.7


def test_an_input_that_one_class_never_has_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = a_study(tmp_path / "study", 40, 0)
    rows = list(csv.reader(study.read_text().splitlines()))
    with study.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(rows[0])
        for row in rows[1:]:
            table.writerow([*row[:2], "", "", row[4]] if row[4] == "well" else [*row[:2], "5", "f", row[4]])
    space = ("--workspace", tmp_path / "space")
    asked = ("--target", "label", "--read", "marker [mmol/L],sex", "--minutes", "1")
    assert cli.run([*map(str, ("fit", study, *asked, *space))]) == 3
    assert "missing for every case of well" in capsys.readouterr().err
