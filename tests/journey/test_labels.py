"""Several labels go the whole way: rows and pictures with cells that are uncertain or say nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diascope import cli
from diascope.testing.releases import SMALL

NAMES = ("nodule", "catheter", "line")
SHARES = (0.45, 0.35, 0.25)


def cells_of(truth: list[int], rng: np.random.Generator) -> list[object]:
    """A tenth says nothing, a twentieth is uncertain."""
    return [
        "" if draw < 0.1 else -1 if draw < 0.15 else label for label, draw in zip(truth, rng.random(3), strict=True)
    ]


def write(path: Path, head: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([head, *rows])
    return path


def a_table(path: Path, patients: int, seed: int, names: tuple[str, ...] = NAMES, told: bool = True) -> Path:
    """Three markers, each of which tells one label."""
    rng = np.random.default_rng(seed)
    rows: list[list[object]] = []
    for number in range(patients):
        truth = [int(rng.random() < share) for share in SHARES]
        markers = rng.normal(size=3) + 1.8 * np.array(truth)
        cells = dict(zip(NAMES, cells_of(truth, rng), strict=True))
        labels = [cells[name] for name in names] if told else []
        rows.append([f"p{number}", *(f"{value:.3f}" for value in markers), *labels])
    return write(path, ["patient", "ast", "crp", "ldh", *(names if told else ())], rows)


def a_picture(truth: list[int], rng: np.random.Generator) -> Image.Image:
    y, x = np.mgrid[:32, :32]
    picture = rng.normal(90, 12, (32, 32))
    if truth[0]:
        row, column = rng.integers(8, 24, 2)
        picture += 90 * (np.hypot(y - row, x - column) < 5)
    if truth[1]:
        picture[:, rng.integers(4, 26) :][:, :3] += 80
    if truth[2]:
        picture[rng.integers(4, 26) :][:3] -= 80
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def a_manifest(folder: Path, count: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    folder.mkdir()
    rows: list[list[object]] = []
    for number in range(count):
        truth = [int(rng.random() < share) for share in SHARES]
        a_picture(truth, rng).save(folder / f"{number}.png")
        rows.append([f"{number}.png", f"p{number // 2}", *cells_of(truth, rng)])
    write(folder / "manifest.csv", ["image", "patient", *NAMES], rows)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    assert cli.run([*map(str, arguments), "--json", "--quiet"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out or "{}")


def test_rows_of_a_table_and_other_data_with_other_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ("--workspace", tmp_path / "space")
    study = a_table(tmp_path / "study.csv", 300, 0)
    asked = ("--target", ",".join(NAMES), "--set", "model=linear", "--set", "uncertain=negative")
    made = run(capsys, "fit", study, *asked, *space, "--minutes", 2)
    metrics = made["evaluation"]["metrics"]
    assert metrics["auroc"]["value"] >= 0.8
    assert metrics["auroc"]["value"] == pytest.approx(np.mean([metrics[f"auroc/{name}"]["value"] for name in NAMES]))
    plan = json.loads(Path(made["plan"]).read_text())["choices"]
    assert plan["uncertain"]["kind"] == "by hand"
    assert plan["model_options"]["value"]["uncertain"] == "negative"
    assert "各标签的病例数" in _in_chinese(capsys, tmp_path, made, study)

    new = a_table(tmp_path / "new.csv", 3, 7, told=False)
    said = run(capsys, "predict", made["release"], new, "--out", tmp_path / "out", *space)["findings"]
    for one in said:
        assert [finding["concept"] for finding in one["findings"]] == list(NAMES)
        assert all(finding["status"] in ("present", "absent") for finding in one["findings"])

    other = a_table(tmp_path / "elsewhere.csv", 120, 5, ("line", "nodule"))
    found = run(capsys, "evaluate", made["release"], other, "--target", "line,nodule", *space)["evaluation"]["metrics"]
    assert found["auroc/line"]["value"] >= 0.8
    assert found["auroc/catheter"]["value"] is None
    again = a_table(tmp_path / "again.csv", 120, 6, ("line", "catheter", "nodule"))
    found = run(capsys, "evaluate", made["release"], again, *space)["evaluation"]["metrics"]
    assert all(found[f"auroc/{name}"]["value"] >= 0.8 for name in NAMES)


def _in_chinese(capsys: pytest.CaptureFixture[str], folder: Path, made: dict[str, Any], study: Path) -> str:
    """The report on the training data itself, in Chinese."""
    arguments = ("evaluate", made["release"], study, "--workspace", folder / "space", "--lang", "zh-CN")
    return Path(run(capsys, *arguments)["report"]).read_text(encoding="utf-8")


@pytest.mark.slow
def test_pictures_and_a_map_of_one_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ("--workspace", tmp_path / "space")
    films = a_manifest(tmp_path / "films", 300, 0)
    small = ("--set", f"model_options={json.dumps(SMALL)}", "--set", "threads=1", "--set", "steps=300")
    made = run(capsys, "fit", films, *space, "--minutes", 2, *small)
    metrics = made["evaluation"]["metrics"]
    assert metrics["auroc"]["value"] >= 0.8
    assert metrics["auroc"]["low"] < metrics["auroc"]["value"] < metrics["auroc"]["high"]
    picture = tmp_path / "new.png"
    a_picture([1, 0, 1], np.random.default_rng(3)).save(picture)
    (said,) = run(capsys, "predict", made["release"], picture, "--out", tmp_path / "out", *space)["findings"]
    assert [finding["concept"] for finding in said["findings"]] == list(NAMES)
    assert said["findings"][0]["operating_point"]["of"] == "nodule"
    why = run(capsys, "explain", made["release"], picture, "--label", "line", "--out", tmp_path / "why", *space)
    assert "sanity check" in why["sanity"]
    assert cli.run(["explain", made["release"], str(picture), "--label", "mass", "--out", str(tmp_path / "no")]) == 2
    assert "'mass'" in capsys.readouterr().err
