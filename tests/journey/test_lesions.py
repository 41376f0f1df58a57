"""Lesions through the whole program: masks in, boxes learnt in patches, measured on other scans, millimetres out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from diascope.cli import run
from diascope.core.finding import Findings

SHAPE, SPACING, ORIGIN = (16, 32, 40), (1.0, 1.0, 2.0), (-40.0, -60.0, 300.0)


def scans(root: Path, count: int, seed: int) -> list[np.ndarray]:
    """Volumes with bright balls and their masks; the middles (N, 3) of the balls in mm of the patient."""
    rng, middles = np.random.default_rng(seed), []
    steps = np.array(SPACING[::-1])
    z, y, x = (np.indices(SHAPE) + 0.5) * steps[:, None, None, None]
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        volume, mask, mine = rng.normal(0, 10, SHAPE), np.zeros(SHAPE, np.uint8), []
        for _ in range(rng.integers(0, 3)):
            radius = rng.uniform(4, 6)
            c, b, a = (rng.uniform(radius, size * step - radius) for size, step in zip(SHAPE, steps, strict=True))
            inside = (z - c) ** 2 + (y - b) ** 2 + (x - a) ** 2 < radius**2
            if mask[inside].any():
                continue
            volume[inside] += 60
            mask[inside] = 1
            mine.append(np.array([a, b, c]) - np.array(SPACING) / 2 + np.array(ORIGIN))
        middles.append(np.array(mine).reshape(-1, 3))
        for folder, array in (("images", volume.astype(np.int16)), ("masks", mask)):
            image = SimpleITK.GetImageFromArray(array)
            image.SetSpacing(SPACING)
            image.SetOrigin(ORIGIN)
            SimpleITK.WriteImage(image, str(root / folder / f"{number:03}.nii.gz"))
    return middles


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_lesions_are_found_where_they_are_in_the_patient(tmp_path: Path, capsys) -> None:
    scans(tmp_path / "scans", 60, 1)
    middles = scans(tmp_path / "fresh", 12, 2)
    place = ["-w", str(tmp_path / "ws"), "--json", "--quiet"]
    settings = ["--source", "mask_boxes", "--set", "steps=60", "--set", "batch=4", "--folds", "1"]
    assert run(["fit", str(tmp_path / "scans"), "--minutes", "4", *settings, *place]) == 0
    made = json.loads(capsys.readouterr().out)
    report = Path(made["report"]).read_text()
    assert "FROC by where the middle of a box lies" in report

    assert run(["evaluate", made["release"], str(tmp_path / "fresh"), "--source", "mask_boxes", *place]) == 0
    metrics = json.loads(capsys.readouterr().out)["evaluation"]["metrics"]
    assert metrics["map10"]["value"] >= 0.7
    assert metrics["froc_centre"]["value"] >= 0.7
    assert {"map50", "map10_50", "froc", "sensitivity_at_0.125_false_positives"} <= set(metrics)

    out = tmp_path / "out"
    assert run(["predict", made["release"], str(tmp_path / "fresh" / "images"), "--out", str(out), *place]) == 0
    found = near = 0
    for number, mine in enumerate(middles):
        (path,) = out.glob(f"*{number:03}*/findings.json")
        said = Findings.read(path)
        with (path.parent / said.files["table"]).open(newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if row["coordX"]]
        assert len(rows) == sum(finding.status == "present" for finding in said.findings)
        for row in rows:
            point = np.array([float(row[name]) for name in ("coordX", "coordY", "coordZ")])
            found += 1
            near += bool((np.linalg.norm(mine - point, axis=1) < 4).any())
    assert found >= 6
    assert near >= 0.8 * found
