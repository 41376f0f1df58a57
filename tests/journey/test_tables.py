"""A table goes the whole way: classes, numbers and grades; what is learnt, what is refused, what is said of a row."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope import cli

HEAD = ["patient", "age", "sex", "marker [mmol/L]", "pressure", "noise"]


def a_table(path: Path, patients: int, seed: int, answer: str) -> Path:
    """A marker and, for men, age tell the answer; every tenth pressure was written as 0."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow([*HEAD, answer] if answer else HEAD)
        for number in range(patients):
            age, marker, noise = rng.normal(60, 10), rng.normal(4, 1), rng.normal()
            risk = 1.5 * (marker - 4) + (0.15 * (age - 60) if number % 2 else 0)
            pressure = 0 if number % 10 == 3 else round(rng.normal(75, 10))
            row = [f"p{number}", f"{age:.1f}", "fm"[number % 2], f"{marker:.3f}", pressure, f"{noise:.3f}"]
            said = {
                "outcome": "ill" if risk + rng.logistic() * 0.5 > 0 else "well",
                "size": f"{20 + 5 * risk + rng.normal():.2f}",
                "grade": str(int(np.clip(round(risk + 1.5), 0, 3))),
            }
            table.writerow([*row, said[answer]] if answer else row)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    capsys.readouterr()
    assert cli.run([*map(str, arguments), "--json", "--quiet"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out or "{}")


def test_classes_by_the_model_that_is_best_on_training_cases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = ("--workspace", tmp_path / "space")
    made = run(capsys, "fit", a_table(tmp_path / "study.csv", 300, 0, "outcome"), *space, "--minutes", 2)
    auroc = made["evaluation"]["metrics"]["auroc"]
    assert auroc["value"] >= 0.85
    assert auroc["low"] < auroc["value"] < auroc["high"]
    plan = json.loads(Path(made["plan"]).read_text())["choices"]
    assert set(plan["contest"]["value"]) >= {"linear", "boosting", "table_mlp"}
    assert plan["model"]["kind"] == "measured"
    assert plan["readings"]["value"]["table"]["zeros_missing"] == ["pressure"]
    figures = json.loads((Path(made["release"]) / "evaluation.json").read_text())["figures"]
    bars = next(one for one in figures if "shuffled" in one["title"])
    assert bars["names"][0] == "marker [mmol/L]"
    assert bars["low"][0] > 0
    report = Path(made["report"]).read_text()
    assert "marker [mmol/L]" in report

    new = a_table(tmp_path / "new.csv", 3, 7, "")
    with new.open("a") as stream:
        stream.write("p3,61,m,4500,80,0\np4,61,x,4,80,0\n")
    said = run(capsys, "predict", made["release"], new, "--out", tmp_path / "out", *space)["findings"]
    assert [one["findings"][0]["status"] == "abstained" for one in said] == [False, False, False, True, False]
    assert "another unit?" in said[3]["findings"][0]["reason"]
    assert any("'x'" in note for note in said[4]["notes"])

    other = a_table(tmp_path / "elsewhere.csv", 100, 5, "outcome")
    assert run(capsys, "evaluate", made["release"], other, *space)["evaluation"]["metrics"]["auroc"]["value"] >= 0.8


@pytest.mark.slow
def test_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ("--workspace", tmp_path / "space")
    study = a_table(tmp_path / "study.csv", 300, 0, "size")
    made = run(capsys, "fit", study, "--target", "size", *space, "--minutes", 2)
    assert made["evaluation"]["metrics"]["r2"]["value"] >= 0.7
    new = a_table(tmp_path / "new.csv", 2, 7, "")
    said = run(capsys, "predict", made["release"], new, "--out", tmp_path / "out", *space)["findings"]
    measure = said[0]["findings"][0]["measures"]["value"]
    assert measure["low"] < measure["value"] < measure["high"]


@pytest.mark.slow
def test_grades_and_a_network_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ("--workspace", tmp_path / "space")
    study = a_table(tmp_path / "study.csv", 300, 0, "grade")
    asked = ("--target", "grade", "--task", "ordinal", "--set", "model=table_mlp", "--set", "steps=300")
    made = run(capsys, "fit", study, *asked, *space, "--minutes", 2)
    assert made["evaluation"]["metrics"]["quadratic_kappa"]["value"] >= 0.6


def test_a_column_that_gives_the_answer_away_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.split(",") for line in a_table(tmp_path / "a.csv", 200, 0, "outcome").read_text().splitlines()]
    rows = [[*line, "code" if not n else {"ill": "7", "well": "3"}[line[-1]]] for n, line in enumerate(lines)]
    path = tmp_path / "study.csv"
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    space = ("--workspace", tmp_path / "space")
    assert cli.run([*map(str, ("fit", path, *space, "--target", "outcome", "--minutes", 1))]) == 3
    assert "--without 'code'" in capsys.readouterr().err
    run(capsys, "fit", path, *space, "--target", "outcome", "--without", "code", "--minutes", 1)
