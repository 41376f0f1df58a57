"""Noisy volumes and what they should be: checked, learnt, measured beside the noisy ones, read and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope import cli, formats
from diascope.core import registry
from diascope.core.case import FileRef
from diascope.core.geometry import Geometry
from diascope.core.image import Image

SHAPE = (8, 20, 20)
GRID = Geometry.from_spacing((2.0, 1.0, 1.0), (5.0, -3.0, 7.0))


def pairs(folder: Path, count: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    z, y, x = np.indices(SHAPE)
    for kind in ("images", "targets"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        clean = np.full(SHAPE, -1000.0)
        clean[((z - 4) / 4) ** 2 + ((y - 10) / 8) ** 2 + ((x - 10) / 8) ** 2 < 1] = 40
        top, left = rng.integers(5, 11, 2)
        clean[2:6, top : top + 4, left : left + 4] = rng.choice([-100, 120, 300])
        for kind, values in (("images", clean + rng.normal(0, 60, SHAPE)), ("targets", clean)):
            image = Image(values.round().astype(np.int16)[None], GRID, "ct", "HU")
            registry.get("formats", "nifti").write(image, folder / kind / f"{number:02}.nii.gz")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    capsys.readouterr()
    assert cli.run([*map(str, arguments), "--json", "--quiet"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out or "{}")


@pytest.mark.slow
def test_less_noise_than_the_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ("--workspace", tmp_path / "space")
    source, others = pairs(tmp_path / "pairs", 70, 0), pairs(tmp_path / "others", 4, 1)
    quick = ("--minutes", 3, "--folds", 1, "--set", "steps=80", "--set", "mirror_reading=true")
    made = run(capsys, "fit", source, *quick, *space)
    metrics = made["evaluation"]["metrics"]
    assert made["evaluation"]["task"] == "image_to_image"
    gain = metrics["mae/made minus input"]
    assert gain["value"] < 0  # better than the input
    assert gain["unit"] == "HU"
    assert metrics["psnr"]["value"] > metrics["psnr/input as it is"]["value"]
    report = Path(made["report"]).read_text()
    assert "input, target, made, made minus target" in report
    assert "calibration is not applicable" in report

    answers = tmp_path / "answers"
    said = run(capsys, "predict", made["release"], others / "images", "--out", answers, *space)["findings"]
    assert len(said) == 4
    assert set(said[0]["files"]) == {"made", "expected_error", "picture"}
    assert any("made by a program" in note for note in said[0]["notes"])
    assert said[0]["findings"][0]["measures"]["expected absolute error"]["unit"] == "HU"
    written = formats.read(FileRef(format="nifti", paths=(f"{said[0]['case']}/made.nii.gz",)), answers)
    assert written.geometry.is_close(GRID)
    assert (written.shape, written.unit) == (SHAPE, "HU")
    assert str(written.attributes["synthetic"]).startswith("diascope-")

    measured = run(capsys, "evaluate", made["release"], others, *space)["evaluation"]["metrics"]
    assert measured["mae"]["value"] < measured["mae/input as it is"]["value"]


def test_pairs_that_are_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = pairs(tmp_path / "pairs", 3, 0)
    for path in (source / "targets").iterdir():
        moved = formats.read(FileRef(format="nifti", paths=(path.name,)), path.parent)
        registry.get("formats", "nifti").write(moved.with_array(moved.array, GRID.moved((0, 2, 0))), path)
    found = run(capsys, "check", source, "--workspace", tmp_path / "space", code=3)
    assert "target_images" in found["refused"]
