"""Boxes through the whole program: annotated pictures in, a release that finds what it was shown, files out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from diascope.cli import run
from diascope.core.finding import Findings
from diascope.formats.boxes.coco import read_coco

HEIGHT, WIDTH = 96, 128


def a_smear(rng: np.random.Generator) -> tuple[np.ndarray, list[tuple[str, float, float, float, float]]]:
    """(Y, X, 3) with discs of two kinds, and (label, xmin, ymin, xmax, ymax) of each as VOC counts."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    picture = np.full((HEIGHT, WIDTH, 3), 200.0) + rng.normal(0, 8, (HEIGHT, WIDTH, 3))
    boxes, taken = [], np.zeros((HEIGHT, WIDTH), bool)
    for name, colour, (least, most), number in (
        ("cell", (220, 90, 90), (13, 17), 3),
        ("speck", (60, 60, 150), (6, 8), 2),
    ):
        for _ in range(int(rng.integers(0, number + 1))):
            r = float(rng.uniform(least, most))
            cy, cx = float(rng.uniform(r, HEIGHT - r)), float(rng.uniform(r, WIDTH - r))
            inside = (y - cy) ** 2 + (x - cx) ** 2 < r**2
            if (taken & inside).any():
                continue
            taken |= inside
            picture[inside] = np.array(colour) + rng.normal(0, 8, (int(inside.sum()), 3))
            rows, columns = np.nonzero(inside)
            boxes.append((name, columns.min() + 1, rows.min() + 1, columns.max() + 1, rows.max() + 1))
    return picture.clip(0, 255).astype(np.uint8), boxes


def smears(root: Path, count: int, seed: int) -> Path:
    """A Pascal VOC folder; the last box of the first picture was only clicked."""
    rng = np.random.default_rng(seed)
    for folder in ("JPEGImages", "Annotations"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        picture, boxes = a_smear(rng)
        if number == 0:
            boxes.append(("cell", 5, 5, 5, 5))
        PIL.Image.fromarray(picture).save(root / "JPEGImages" / f"{number:03}.png")
        objects = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax>"
            "</bndbox></object>"
            for name, a, b, c, d in boxes
        )
        (root / "Annotations" / f"{number:03}.xml").write_text(f"<annotation>{objects}</annotation>")
    return root


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_boxes_are_learnt_measured_on_other_pictures_and_written(tmp_path: Path, capsys) -> None:
    data, fresh = smears(tmp_path / "smears", 130, 1), smears(tmp_path / "fresh", 40, 2)
    place = ["-w", str(tmp_path / "ws"), "--json", "--quiet"]
    settings = ["--set", "steps=170", "--set", "batch=8", "--folds", "1"]
    assert run(["fit", str(data), "--minutes", "3", *settings, *place]) == 0
    made = json.loads(capsys.readouterr().out)
    report = Path(made["report"]).read_text()
    assert "FROC" in report
    assert "without extent in 1 of 130 cases" in report

    assert run(["evaluate", made["release"], str(fresh), *place]) == 0
    metrics = json.loads(capsys.readouterr().out)["evaluation"]["metrics"]
    assert metrics["map50"]["value"] >= 0.85
    assert metrics["map50"]["low"] is not None
    assert metrics["sensitivity_at_1_false_positives"]["value"] >= 0.8

    out = tmp_path / "out"
    assert run(["predict", made["release"], str(fresh / "JPEGImages"), "--out", str(out), *place]) == 0
    answers = sorted(out.glob("*/findings.json"))
    assert len(answers) == 40
    for path in answers:
        said = Findings.read(path)
        present = [finding for finding in said.findings if finding.status == "present"]
        for finding in present:
            assert finding.place is not None
            assert 0 <= finding.place.start[1] < finding.place.stop[1] <= HEIGHT
            assert 0 <= finding.place.start[2] < finding.place.stop[2] <= WIDTH
        (listed,) = read_coco(path.parent / said.files["coco"])
        assert listed.size == (WIDTH, HEIGHT)
        assert len(listed.boxes.corners) == len(present)
        assert (path.parent / said.files["picture"]).is_file()
