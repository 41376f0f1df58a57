"""The main job from DICOM series to findings: two tasks on a few phantoms, through the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from diascope.cli import run
from diascope.core import registry
from diascope.core.case import FileRef
from diascope.sources import SourceOptions

QUICK = ["--minutes", "1", "--folds", "1", "--set", "steps=6", "--set", "threads=1", "--quiet"]


def phantoms(folder, seed, count):
    """A folder of invented patients, made by the phantom source."""
    listing = registry.get("sources", "phantom").list(f"phantom:{seed}:{count}:{folder}", SourceOptions())
    return listing


def fitted(folder, workspace, target, capsys):
    """The JSON document of `diascope fit`."""
    command = ["fit", str(folder), "--source", "dicom_tree", "--target", target, "-w", str(workspace), "--json", *QUICK]
    assert run(command) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def studies(tmp_path):
    return phantoms(tmp_path / "studies", 5, 12)


def test_a_mask_is_learnt_and_an_unseen_study_gets_its_seg_in_the_right_place(tmp_path, studies, capsys):
    made = fitted(studies.root, tmp_path / "ws", "mask", capsys)
    assert set(made) >= {"dataset", "plan", "run", "evaluation", "release", "report", "minutes"}
    assert set(made["evaluation"]["metrics"]["dice"]) >= {"value", "low", "high"}
    assert "<html" in Path(made["report"]).read_text()[:300]
    # Killed after the release was packed and before the report was written.
    Path(made["report"]).unlink()
    again = ["train", f"{made['run']}/plan.json", "--resume", "-w", str(tmp_path / "ws"), "--json", "--quiet"]
    assert run(again) == 0
    assert json.loads(capsys.readouterr().out)["report"] == made["report"]
    assert "<html" in Path(made["report"]).read_text()[:300]
    unseen = phantoms(tmp_path / "unseen", 77, 1)
    ref = unseen.cases[0].inputs["image"]
    assert isinstance(ref, FileRef)
    series = (unseen.root / ref.paths[0]).parent
    assert run(["predict", made["release"], str(series), "--out", str(tmp_path / "out"), "--quiet", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)["findings"][0]
    assert answer["signed_by"] is None
    assert answer["reviewed"] == "not reviewed"
    (seg,) = (tmp_path / "out").rglob("mask.dcm")
    (nifti,) = (tmp_path / "out").rglob("mask.nii.gz")
    source = registry.get("formats", "dicom").read([unseen.root / path for path in ref.paths])
    mask = registry.get("formats", "dicom_seg").read([seg])
    assert list(answer["inputs"]["image"]) == list(source.attributes["sop_uids"])
    # The same voxel at the same millimetre, in both files and in the source.
    assert registry.get("formats", "nifti").read([nifti]).geometry.is_close(source.geometry, 0.01)
    centre = np.array(mask.shape) // 2
    placed = source.geometry.to_voxel(mask.geometry.to_mm(centre))
    assert np.abs(placed - np.round(placed)).max() < 0.01


def test_a_diagnosis_is_learnt_and_signed_and_a_photograph_is_refused(tmp_path, studies, capsys):
    made = fitted(studies.root, tmp_path / "ws", "diagnosis", capsys)
    release = made["release"]
    assert {"auroc", "sensitivity", "brier", "calibration_slope"} <= set(made["evaluation"]["metrics"])
    assert run(["release", release, "--by", "Doe, Jane", "-w", str(tmp_path / "ws"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["signed_by"] == "Doe, Jane"
    flat = tmp_path / "photo.png"
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(flat)
    assert run(["predict", release, str(flat), "--out", str(tmp_path / "no"), "--quiet"]) == 3
    assert "was not made for" in capsys.readouterr().err
    (refused,) = (tmp_path / "no").rglob("findings.json")
    assert all(one["status"] == "abstained" for one in json.loads(refused.read_text())["findings"])
