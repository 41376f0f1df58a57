"""A network that others made becomes a candidate: measured and recalibrated on local cases, then read with."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import warnings
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
from diascope.engine.given import UNKNOWN_TRAINING
from diascope.models.files import trust
from diascope.store.releases import open_release

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    capsys.readouterr()
    assert cli.run([*map(str, arguments), "--json", "--quiet"]) == code, capsys.readouterr().err
    printed = capsys.readouterr()
    return json.loads(printed.out) if code == 0 else printed.err + printed.out


def films(folder: Path, count: int, seed: int = 3) -> Path:
    """Ill films are a little brighter."""
    folder.mkdir()
    rng, rows = np.random.default_rng(seed), [["image", "patient", "diagnosis"]]
    for number in range(count):
        ill = number % 5 < 2
        grey = rng.normal(rng.normal(114 if ill else 100, 10), 25, (30, 36))
        Picture.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"f{number}.png")
        rows.append([f"f{number}.png", f"p{number}", ("benign", "malignant")[ill]])
    with (folder / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return folder


def told(folder: Path, **changed: Any) -> Path:
    """An ONNX file of one picture a time, with one log odds that is far too large, and its manifest."""
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "w", "b"], ["scores"]),
    ]
    values = {"axes": np.array([2, 3]), "w": np.array([[300]], np.float32), "b": np.array([-126], np.float32)}
    image = helper.make_tensor_value_info("image", number, [1, 1, 24, 32])
    scores = helper.make_tensor_value_info("scores", number, [1, 1])
    held = [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "g", [image], [scores], held)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "model.onnx"
    )
    said = {
        "file": "model.onnx",
        "name": "Mean grey",
        "licence": "CC0-1.0",
        "shape": [24, 32],
        "channels": 1,
        "intensity": {"rule": "grey"},
        "outputs": ["Malignant"],
        "activation": "sigmoid",
        "applied": False,
    }
    (folder / "model.json").write_text(json.dumps({**said, **changed}))
    return folder / "model.json"


def test_a_file_is_measured_recalibrated_and_read_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, space = films(tmp_path / "films", 100), ("-w", tmp_path / "ws")
    made = run(capsys, "adopt", told(tmp_path), data, *space, "--target", "diagnosis")
    opened = open_release(Path(made["release"]))
    assert opened.release.members == ("weights-0.safetensors",)
    assert opened.release.licence == "CC0-1.0"
    found = opened.evaluation
    assert (found.part, found.cases) == ("cross-validated", 100)
    assert len(found.decisions_by_fold) == 5
    assert {one["cases"] for one in found.decisions_by_fold} == {80}
    assert opened.release.decision["cases"] == 100
    assert "made elsewhere" in opened.release.decision["fitted_on"]["en"]
    assert any("not known" in warning for warning in found.warnings)
    table = next(one for one in found.figures if one.title == "Before and after recalibration")
    rows = {row[0]: row for row in table.rows}
    assert rows["calibration_slope"][1] < 0.4 < 0.6 < rows["calibration_slope"][3] < 1.8
    assert rows["ece"][3] < rows["ece"][1]
    assert rows["brier"][3] == pytest.approx(found.metrics["brier"].value, abs=5e-4)
    # What it was before is what the file says, which another program would say too.
    truth = np.array([case.startswith("m") for case in ["m" if n % 5 < 2 else "b" for n in range(100)]])
    assert rows["accuracy"][1] == pytest.approx(_right(data, truth), abs=0.011)
    card = (opened.folder / "model-card.md").read_text()
    assert "Made elsewhere: Mean grey" in card
    assert hashlib.sha256((tmp_path / "model.onnx").read_bytes()).hexdigest() in card
    report = Path(made["report"]).read_text()
    assert "Before and after recalibration" in report
    assert f"diascope adopt {tmp_path / 'model.json'}" in report
    (tmp_path / "model.onnx").unlink()  # the release holds it
    run(capsys, "predict", made["release"], data / "f0.png", "-o", tmp_path / "out", *space)
    (answer,) = (tmp_path / "out").rglob("findings.json")
    assert json.loads(answer.read_text())["findings"][0]["measures"]["probability"]["value"] < 0.99
    others = films(tmp_path / "others", 40, seed=4)
    measured = run(capsys, "evaluate", made["release"], others, *space, "--target", "diagnosis")["evaluation"]
    assert UNKNOWN_TRAINING in measured["warnings"]
    both = run(capsys, "compare", made["release"], made["release"], others, *space, "--target", "diagnosis")
    assert any(UNKNOWN_TRAINING in warning for warning in both["warnings"])
    why = run(capsys, "explain", made["release"], data / "f0.png", "-o", tmp_path / "why", *space, code=2)
    assert "made elsewhere" in why
    assert "run as it is" in run(capsys, "export", made["release"], "--to", "onnx", *space, code=1)
    assert "read by torch only" in run(
        capsys, "predict", made["release"], data / "f0.png", "-o", tmp_path / "o", "--backend", "openvino", code=2
    )


def _right(folder: Path, truth: Any) -> float:
    """Share that the mean grey value of the file's own picture calls right."""
    means = [np.asarray(Picture.open(folder / f"f{number}.png"), float).mean() / 255 for number in range(len(truth))]
    return float(((300 * np.array(means) - 126 > 0) == truth).mean())


def test_what_does_not_fit_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = ("-w", tmp_path / "ws", "--target", "diagnosis")
    few, enough = films(tmp_path / "few", 49), films(tmp_path / "films", 50)
    assert "49 local cases are too few" in run(capsys, "adopt", told(tmp_path), few, *space, code=3)
    other = told(tmp_path, outputs=["pneumonia"])
    assert "are not about the same" in run(capsys, "adopt", other, enough, *space, code=2)
    assert "reads arrays (B, 1, 24, 32)" in run(capsys, "adopt", told(tmp_path, shape=[32, 32]), enough, *space, code=3)
    wrong = told(tmp_path, outputs=["benign", "malignant"], activation="softmax")
    assert "names 2 output" in run(capsys, "adopt", wrong, enough, *space, code=3)
    assert "no probabilities" not in run(capsys, "adopt", told(tmp_path, applied=True), enough, *space, code=3)
    assert not list((tmp_path / "ws").glob("releases/*"))
    assert "diascope adopt" in run(capsys, "fit", enough, *space, "--set", "model=given", code=2)


def volumes(folder: Path, count: int) -> Path:
    """A bright half on the left, on the head's side, on both or on none: two labels of each volume."""
    folder.mkdir()
    write, rng = registry.get("formats", "nifti").write, np.random.default_rng(0)
    rows = [["image", "patient", "left", "top"]]
    for number in range(count):
        left, top = number % 2, number // 2 % 2
        array = rng.normal(0, 3, (6, 8, 10)).astype(np.float32)
        array[:, :, 5:] += 2 * left
        array[3:] += 2 * top
        write(Image(array[None], Geometry.from_spacing((1.0, 1.0, 1.0)), "mr", "a.u."), folder / f"v{number}.nii.gz")
        rows.append([f"v{number}.nii.gz", f"p{number}", left, top])
    with (folder / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return folder


def scripted(path: Path) -> str:
    """TorchScript that reads RAS: x rises to the right, z to the head; `top` and `left` as log odds, and a third."""

    class Halves(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            left = image[:, 0, :5].mean((1, 2, 3)) - image[:, 0, 5:].mean((1, 2, 3))
            top = image[:, 0, :, :, 3:].mean((1, 2, 3)) - image[:, 0, :, :, :3].mean((1, 2, 3))
            return torch.stack([40 * top - 40, left, 40 * left - 40], dim=1)

    kept = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(Halves(), torch.zeros(1, 1, 10, 8, 6)), kept)
    path.write_bytes(kept.getvalue())
    return hashlib.sha256(kept.getvalue()).hexdigest()


def test_labels_of_volumes_by_torchscript_that_a_person_trusts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_TRUSTED", set())
    data, digest = volumes(tmp_path / "mr", 60), scripted(tmp_path / "model.ts")
    said = {
        "file": "model.ts",
        "axes": "RAS",
        "shape": [10, 8, 6],
        "spacing": [1, 1, 1],
        "channels": 1,
        "intensity": {"rule": "window", "low": -1000, "high": 1000, "mean": 0, "std": 1},
        "outputs": ["top", None, "left"],
        "activation": "sigmoid",
        "applied": False,
    }
    (tmp_path / "model.json").write_text(json.dumps(said))
    asked = ("adopt", tmp_path / "model.json", data, "-w", tmp_path / "ws", "--target", "left,top")
    assert "runs code" in run(capsys, *asked, code=2)
    made = run(capsys, *asked, "--trust")
    metrics = made["evaluation"]["metrics"]
    assert metrics["auroc/left"]["value"] > 0.9
    assert metrics["auroc/top"]["value"] > 0.9
    opened = open_release(Path(made["release"]))
    assert any(one.title == "Before and after recalibration" for one in opened.evaluation.figures)
    assert "runs code" in (opened.folder / "model-card.md").read_text()
    assert "--trust" in Path(made["report"]).read_text()
    monkeypatch.setattr(trust, "_TRUSTED", set())  # another process, another machine
    reading = ("predict", made["release"], data / "v3.nii.gz", "-o", tmp_path / "out")
    assert digest in run(capsys, *reading, code=2)
    monkeypatch.setenv(trust.VARIABLE, digest[:12])
    run(capsys, *reading)
