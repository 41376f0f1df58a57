"""Does it learn? The demo's segmentation, measured on patients that were invented after training (minutes)."""

import json

import pytest

from diascope.cli import run


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_demo_segments_fresh_phantoms(tmp_path, capsys):
    place = ["-w", str(tmp_path / "ws"), "--json", "--quiet"]
    assert run(["fit", "phantom", "--target", "organs", "--folds", "1", "--minutes", "2.4", *place]) == 0
    release = json.loads(capsys.readouterr().out)["release"]
    assert run(["evaluate", release, "phantom:1001:60", "--target", "organs", *place]) == 0
    metrics = json.loads(capsys.readouterr().out)["evaluation"]["metrics"]
    assert metrics["dice"]["value"] >= 0.85


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_demo_classifies_fresh_phantoms(tmp_path, capsys):
    place = ["-w", str(tmp_path / "ws"), "--json", "--quiet"]
    assert run(["fit", "phantom", "--target", "diagnosis", "--folds", "1", "--minutes", "2", *place]) == 0
    release = json.loads(capsys.readouterr().out)["release"]
    assert run(["evaluate", release, "phantom:1002:60", "--target", "diagnosis", *place]) == 0
    metrics = json.loads(capsys.readouterr().out)["evaluation"]["metrics"]
    assert metrics["auroc"]["value"] >= 0.9
