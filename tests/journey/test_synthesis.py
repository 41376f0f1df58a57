"""Images of nobody, the whole way: fit, report, sign, synthesize, and a classifier that is trained on them too."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from diascope import cli
from diascope.core.case import Dataset
from diascope.tasks.sampling import classifier

COUNT = 130


def spots(folder: Path) -> Path:
    """12 x 12 pictures with a spot on the left or on the right, and clouds of grey."""
    rng = np.random.default_rng(1)
    y, x = np.indices((12, 12))
    for number in range(COUNT):
        place = folder / ("left", "right")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        down, across = rng.uniform(3, 9), rng.uniform(2, 4) + 5 * (number % 2)
        clouds = np.kron(rng.normal(0, 14, (4, 4)), np.ones((3, 3)))
        grey = 70 + clouds + 120 * np.exp(-(((y - down) ** 2 + (x - across) ** 2) / 4))
        Picture.fromarray(grey.clip(0, 255).astype(np.uint8)).save(place / f"{number}.png")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    """The JSON that a command prints."""
    capsys.readouterr()
    found = cli.run([*map(str, arguments), "--json", "--quiet"])
    printed = capsys.readouterr()
    assert found == code, printed.err
    return json.loads(printed.out)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS", 20)


@pytest.mark.parametrize("model", [pytest.param("gan", marks=pytest.mark.slow), "vae"])
def test_images_are_made_judged_signed_and_learnt_from(model, tmp_path, capsys):
    folder, space = spots(tmp_path / "spots"), ("--workspace", tmp_path / "space")
    asked = ("--task", "synthesis", "--set", f"model={model}", "--set", "steps=15", "--set", "watched=6")
    made = run(capsys, "fit", folder, *space, *asked, "--minutes", 1, "--lang", "zh-CN")
    evaluation = made["evaluation"]
    assert evaluation["blocks"] == []
    metrics = evaluation["metrics"]
    for space_name in ("fixed random network", "classifier of the training part"):
        for name in ("kernel_distance", "frechet_distance", "image_precision", "image_recall"):
            assert metrics[f"{name}/{space_name}"]["low"] <= metrics[f"{name}/{space_name}"]["high"]
    assert metrics["copies"]["value"] == 0
    assert metrics["balanced_accuracy/trained on made images"]["value"] is not None
    log = [json.loads(line) for line in (Path(made["run"]) / "log.jsonl").read_text().splitlines()]
    parts = {"gan": {"critic", "generator"}, "vae": {"autoencoder"}}[model]
    assert all(parts <= line.keys() for line in log if line["event"] == "loss")
    words = re.sub(r"<[^>]+>", " ", Path(made["report"]).read_text(encoding="utf-8"))
    for shown in ("真实图像与合成图像", "到最近训练图像的距离", "核距离", "训练图像的复制"):
        assert shown in words
    if model == "vae":
        return
    run(capsys, "release", made["release"], "--by", "Li, Na", *space)
    found = run(capsys, "synthesize", made["release"], "--count", 40, "--out", tmp_path / "made", *space)
    assert found["images"] == 80

    rows = [{"image": str(path), "label": path.parent.name} for path in sorted(folder.rglob("*.png"))]
    with (tmp_path / "made" / "manifest.csv").open() as stream:
        rows += [{**row, "image": str(tmp_path / "made" / row["image"])} for row in csv.DictReader(stream)]
    with (tmp_path / "both.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, ["image", "label", "patient", "synthetic", "made_by"])
        table.writeheader()
        table.writerows(rows)
    learnt = run(capsys, "fit", tmp_path / "both.csv", *space, "--minutes", 1, "--set", "steps=10")
    dataset = Dataset.read(tmp_path / "space" / "datasets" / learnt["dataset"] / "dataset.json")
    assert {case.split for case in dataset.cases if case.synthetic} == {"train"}
    assert sum(case.synthetic for case in dataset.cases) == 80
    assert learnt["evaluation"]["cases"] < COUNT

    said = run(capsys, "predict", made["release"], folder / "left" / "0.png", "--out", tmp_path / "said", *space)
    assert {"image-0", "image-1"} <= said["findings"][0]["files"].keys()


def test_pictures_without_their_manifest_are_refused(tmp_path, capsys):
    folder = spots(tmp_path / "spots")
    space = ("--workspace", tmp_path / "space")
    asked = ("--task", "synthesis", "--set", "steps=3", "--set", "watched=2", "--minutes", 1)
    made = run(capsys, "fit", folder, *space, *asked)
    run(capsys, "synthesize", made["release"], "--count", 5, "--class", "left", "--out", tmp_path / "made", *space)
    for path in (tmp_path / "made").glob("*.png"):
        path.rename(folder / "left" / path.name)
    refused = run(capsys, "fit", folder, *space, "--minutes", 1, code=3)
    assert "5 of 135 cases (3.7 %) SHOW NOBODY" in refused["error"]["wrong"]
    assert len(refused["error"]["cases"]) == 5
