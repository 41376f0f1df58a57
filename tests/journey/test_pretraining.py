"""From images without labels to a fit that starts from them, and from a release to another: by the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from diascope import cli
from diascope.core import registry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Plan
from diascope.store.releases import open_encoder, read_arrays

QUICK = ("--minutes", "1", "--set", "steps=4", "--set", "threads=1")
MR = Geometry.from_spacing((1.0, 1.0, 1.0))
SHAPE = (8, 16, 12)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """The JSON that a command prints."""
    capsys.readouterr()
    code = cli.run([*map(str, arguments), "--json", "--quiet"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return json.loads(printed.out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command that must fail says."""
    capsys.readouterr()
    assert cli.run([*map(str, arguments), "--quiet"]) in (2, 3)
    return capsys.readouterr().err


def a_ball(number: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(number)
    places = np.indices(SHAPE).astype(float)
    centre = [rng.uniform(0.35 * side, 0.65 * side) for side in SHAPE]
    inside = sum((axis - at) ** 2 for axis, at in zip(places, centre, strict=True)) < 10
    return (100 * inside + rng.normal(50, 10, SHAPE)).astype(np.float32), inside.astype(np.uint8)


def volumes(folder: Path, numbers: range, labelled: bool) -> Path:
    """Volumes of a ball: in a folder of their own, or with masks in a manifest that splits them."""
    folder.mkdir(parents=True)
    write = registry.get("formats", "nifti").write
    rows = []
    for place, number in enumerate(numbers):
        image, mask = a_ball(number)
        write(Image(image[None], MR, "mr", "a.u."), folder / f"v{number}.nii.gz")
        if labelled:
            write(Image(mask[None], MR, "mr", "label"), folder / f"m{number}.nii.gz")
        split = ("train", "train", "val", "test")[place % 4]
        rows.append([f"c{number}", f"v{number}.nii.gz", f"m{number}.nii.gz", f"p{number}", split])
    if not labelled:
        return folder
    (folder / "labels.json").write_text('{"ball": 1}')
    with (folder / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["case", "image", "mask", "patient", "split"], *rows])
    return folder / "manifest.csv"


def test_volumes_are_pretrained_on_and_a_fit_starts_from_them(tmp_path, capsys):
    space = ("-w", tmp_path / "ws")
    made = run(capsys, "pretrain", volumes(tmp_path / "unlabelled", range(100, 116), labelled=False), *space, *QUICK)
    assert made["model"] == "residual_unet"
    assert made["steps"] == 4
    assert set(made["seen"]) == {"r2", "rmse"}
    opened = open_encoder(Path(made["encoder"]))
    weights = read_arrays(opened.folder / "weights.safetensors")
    assert weights
    assert all(name.startswith("encoder.") for name in weights)  # nothing of the head

    data = volumes(tmp_path / "labelled", range(12), labelled=True)
    label = opened.encoder.label
    fitted = run(capsys, "fit", data, *space, *QUICK, "--from", label, "--set", "freeze=1")
    plan = Plan.read(Path(fitted["plan"]))
    start = plan["weights"]
    assert (start["of"], start["seal"], start["fresh"]) == (label, opened.encoder.seal, [])
    assert start["taken"] == len(weights)
    assert plan["model_options"] == opened.plan["model_options"]
    assert f"{len(weights)} of {len(weights)} weights of the encoder taken" in plan.choices["weights"].reason
    assert "fit no other network" in plan.choices["model"].reason
    card = (Path(fitted["release"]) / "model-card.md").read_text()
    assert f"- Started from `{label}` (SHA-256 {start['sha256'][:12]})" in card
    assert "its first 1 stage(s) were not trained" in card
    # What was frozen is in the release as it was pretrained; the rest has moved.
    released = read_arrays(Path(fitted["release"]) / "weights-0.safetensors")
    same = {name for name, array in weights.items() if np.array_equal(array, released[name])}
    assert any(name.startswith("encoder.stages.0") for name in same)
    assert not any(name.startswith("encoder.stages.1") and name.endswith("convolution.weight") for name in same)

    # The release reads, and is itself a start for other patients, but not for its own.
    found = run(
        capsys, "predict", fitted["release"], tmp_path / "labelled" / "v0.nii.gz", "-o", tmp_path / "out", *space
    )
    assert found["findings"][0]["findings"]
    others = volumes(tmp_path / "others", range(20, 32), labelled=True)
    name = Path(fitted["release"]).name
    again = run(capsys, "plan", others, *space, *QUICK, "--from", name)
    assert again["choices"]["weights"]["value"]["of"] == name
    rows = data.read_text().splitlines()
    turned = [line.replace(",test", ",new").replace(",train", ",test").replace(",new", ",train") for line in rows]
    (tmp_path / "labelled" / "manifest.csv").write_text("\n".join(turned))
    assert "has learnt the labels of" in refused(capsys, "plan", data, *space, *QUICK, "--from", name)


@pytest.mark.slow
def test_pictures_are_pretrained_on_and_a_plan_starts_from_them_or_from_a_file(tmp_path, capsys):
    space = ("-w", tmp_path / "ws")
    rng = np.random.default_rng(0)
    for kind in ("ill", "well"):
        for number in range(16):
            path = tmp_path / "films" / kind / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            bright = 120 if kind == "ill" else 60
            Picture.fromarray((rng.normal(bright, 20, (16, 16)).clip(0, 255)).astype(np.uint8)).save(path)
    small = ("--set", 'model_options={"depth":[1,1,1,1],"width":8,"stem":[1,3,3],'
             '"strides":[[1,1,1],[1,1,1],[1,1,1],[1,2,2],[1,2,2],[1,2,2]]}')  # fmt: skip
    made = run(capsys, "pretrain", tmp_path / "films", *space, *QUICK, *small)
    assert (made["task"], made["model"]) == ("contrastive_images", "resnet")
    label = Path(made["encoder"]).name
    first = ("--folds", "1", *QUICK)
    plan = run(capsys, "plan", tmp_path / "films", *space, *first, "--from", label)
    reason = plan["choices"]["weights"]["reason"]
    assert "weights of the encoder taken" in reason
    assert "without their labels" in reason  # the same films were split once more

    # A plan that was made without a start can be trained with one.
    plain = run(capsys, "plan", tmp_path / "films", *space, *first, *small)
    trained = run(capsys, "train", plain["plan"], *space, "--from", label)
    assert Plan.read(Path(trained["plan"]))["weights"]["of"] == label
    resumed = run(capsys, "train", plain["plan"], *space, "--from", label, "--resume")
    assert resumed["run"] == trained["run"]

    state = {f"module.{name}": torch.from_numpy(array) for name, array in
             read_arrays(Path(made["encoder"]) / "weights.safetensors").items()}  # fmt: skip
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "weights.pth")
    file = ("--set", f"weights={tmp_path / 'weights.pth'}")
    by_file = run(capsys, "plan", tmp_path / "films", *space, *first, *small, *file, "--set", "freeze=2")
    assert by_file["choices"]["weights"]["value"]["taken"] == len(state)
    assert by_file["choices"]["freeze"]["value"] == 2

    torch.save({"fc.weight": torch.ones(7, 7)}, tmp_path / "other.pth")
    other = ("--set", f"weights={tmp_path / 'other.pth'}")
    assert "no weight of the file fits" in refused(capsys, "plan", tmp_path / "films", *space, *first, *small, *other)
    assert "would be frozen, and learn nothing" in refused(
        capsys, "plan", tmp_path / "films", *space, *first, "--set", "freeze=1"
    )
    assert "whose weights fit no other network" in refused(
        capsys, "plan", tmp_path / "films", *space, *first, "--from", label, "--set", "model=unet"
    )
    assert "no release or pretrained encoder named 'flims'" in refused(
        capsys, "plan", tmp_path / "films", *space, *first, "--from", "flims"
    )
    assert "pretrained encoder, and no release" in refused(
        capsys, "predict", made["encoder"], tmp_path / "films" / "ill" / "1.png", "-o", tmp_path / "out", *space
    )


def test_a_task_that_needs_labels_is_no_pretraining(tmp_path, capsys):
    folder = volumes(tmp_path / "unlabelled", range(3), labelled=False)
    said = refused(capsys, "pretrain", folder, "-w", tmp_path / "ws", "--task", "classification")
    assert "no task that learns from images alone named 'classification'" in said
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "notes.txt").write_text("nothing")
    assert "no source recognises" in refused(capsys, "pretrain", tmp_path / "words", "-w", tmp_path / "ws")
