"""Filters and slices from the command line to a finding: in the plan, in the release, and in what is read with it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope import cli
from diascope.core import registry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.store.releases import open_release
from diascope.testing.factories import oblique

QUICK = ("--minutes", "1", "--set", "steps=4", "--set", "threads=1", "--quiet")
ASKED = (
    "--set",
    'preprocess=[["n4", {"levels": 1, "iterations": 2}], ["median", {"size": [1, 3, 3]}], "clahe"]',
    "--set",
    "slices=3",
)
SHAPE = (7, 20, 16)


def studies(folder: Path, column: str, geometry: Geometry, count: int = 12) -> Path:
    """Volumes of a ball on one side, with its mask, or whether it is there."""
    folder.mkdir()
    write, rng = registry.get("formats", "nifti").write, np.random.default_rng(0)
    rows = [["case", "image", column, "patient", "split"]]
    places = np.indices(SHAPE).astype(float)
    for number in range(count):
        centre = [rng.uniform(0.35 * side, 0.65 * side) for side in SHAPE]
        ball = sum((axis - at) ** 2 for axis, at in zip(places, centre, strict=True)) < 12
        ball &= column == "mask" or number % 2 == 0
        array = (100 * ball + rng.normal(80, 10, SHAPE)).astype(np.float32)
        write(Image(array[None], geometry, "mr", "a.u."), folder / f"v{number}.nii.gz")
        write(Image(ball[None].astype(np.uint8), geometry, "mr", "label"), folder / f"m{number}.nii.gz")
        answer = f"m{number}.nii.gz" if column == "mask" else "ab"[number % 2]
        rows.append(
            [
                f"c{number}",
                f"v{number}.nii.gz",
                answer,
                f"p{number}",
                ("train", "train", "val", "test")[number // 2 % 4],
            ]
        )
    (folder / "labels.json").write_text('{"ball": 1}')
    with (folder / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    code = cli.run([*map(str, arguments), "--json"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return json.loads(printed.out)


def test_a_mask_is_learnt_slice_by_slice_and_comes_back_as_a_volume_in_place(tmp_path, capsys):
    data, space = studies(tmp_path / "data", "mask", oblique()), ("-w", tmp_path / "ws")
    made = run(capsys, "fit", data, *space, *QUICK, *ASKED)
    opened = open_release(Path(made["release"]))
    assert [name for name, _ in opened.plan["preprocess"]] == ["n4", "median", "clahe"]
    assert opened.plan["prepare"][-1] == ["slices", {"count": 3}]
    assert opened.plan["patch"][0] == 1
    card = (opened.folder / "model-card.md").read_text()
    assert "- Filters of the images: n4, median, clahe\n- Volumes are read as slices, 3 at once\n" in card
    assert set(made["evaluation"]["metrics"]) >= {"dice", "hd95"}
    run(capsys, "predict", made["release"], data / "v0.nii.gz", "-o", tmp_path / "out", *space, "--quiet")
    (path,) = (tmp_path / "out").rglob("mask.nii.gz")
    read = registry.get("formats", "nifti").read
    mask, source = read([path]), read([data / "v0.nii.gz"])
    assert mask.array.shape == source.array.shape
    assert mask.geometry.is_close(source.geometry, 0.01)


@pytest.mark.slow
def test_a_class_is_learnt_from_the_slices_of_a_volume(tmp_path, capsys):
    data, space = studies(tmp_path / "data", "label", oblique(), 24), ("-w", tmp_path / "ws")
    made = run(capsys, "fit", data, *space, *QUICK, *ASKED, "--accept", "class_counts", "--accept", "shortcuts")
    opened = open_release(Path(made["release"]))
    assert opened.plan["patch"][0] > 1
    weights = opened.arrays("weights-0.safetensors")
    assert weights["encoders.image.encoder.stem.weight"].shape[1:2] == (3,)
    assert weights["encoders.image.encoder.stem.weight"].ndim == 4
    found = run(capsys, "predict", made["release"], data / "v1.nii.gz", "-o", tmp_path / "out", *space, "--quiet")
    assert found["findings"][0]["findings"][0]["status"] in ("present", "absent", "measured")
