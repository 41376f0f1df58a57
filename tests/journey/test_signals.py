"""Invented recordings go the whole way: learnt, measured, read one by one, explained, and refused where they differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import resample_poly

from diascope import cli
from diascope.core import registry
from diascope.core.signal import Signal
from diascope.testing.factories import a_signal


def a_study(folder: Path, count: int = 80) -> Path:
    """Recordings of two leads, in a table each; a wave comes early or late after each beat."""
    folder.mkdir()
    lines = ["record,patient,rhythm"]
    for number in range(count):
        late = number % 2 == 1
        write(folder / f"r{number}.csv", a_signal(late, seconds=3.0, seed=number))
        lines.append(f"r{number},p{number},{'late' if late else 'normal'}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def write(path: Path, signal: Signal) -> Path:
    registry.get("formats", "signal_csv").write(signal, path)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    capsys.readouterr()
    assert cli.run([*map(str, arguments), "--json", "--quiet"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out or "{}")


def test_recordings_are_learnt_read_explained_and_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ("--workspace", tmp_path / "space")
    quick = ("--set", "model=cnn1d", "--set", "steps=100", "--folds", 1, "--minutes", 2)
    made = run(capsys, "fit", a_study(tmp_path / "study"), "--target", "rhythm", *quick, *space)
    assert made["evaluation"]["metrics"]["auroc"]["value"] >= 0.9
    plan = json.loads(Path(made["plan"]).read_text())["choices"]
    reading = plan["readings"]["value"]["signal"]
    assert (reading["rate"], reading["length"], reading["units"]) == (100.0, 300, ["mV", "mV"])

    late = a_signal(True, seconds=3.0, seed=900)
    faster = Signal(resample_poly(late.values, 5, 2, axis=0), 250.0, late.channels, late.units)
    new = tmp_path / "new"
    new.mkdir()
    write(new / "a-same.csv", late)
    write(new / "b-other-unit.csv", Signal(late.values * 1000, late.rate, late.channels, ("uV", "uV")))
    write(new / "c-faster.csv", faster)
    write(new / "d-one-lead.csv", Signal(late.values[:, :1], late.rate, ("I",), ("mV",)))
    write(new / "e-flat.csv", late.with_values(np.zeros_like(late.values)))
    write(new / "f-pressure.csv", Signal(late.values, late.rate, late.channels, ("mm[Hg]", "mV")))
    write(new / "g-slow.csv", Signal(late.values[::5], 20.0, late.channels, late.units))
    write(new / "h-huge.csv", late.with_values(late.values * 1000))
    said = run(capsys, "predict", made["release"], new, "--out", tmp_path / "out", *space)["findings"]
    late_of = [next(one for one in case["findings"] if one["concept"] == "late") for case in said]
    assert [one["status"] for one in late_of] == ["present"] * 3 + ["abstained"] * 5, [one["reason"] for one in late_of]
    chances = [one["measures"]["probability"]["value"] for one in late_of[:2]]
    assert chances[0] == pytest.approx(chances[1], abs=1e-5)
    reasons = [one["reason"] for one in late_of[3:]]
    words = ("lacks the channel aVR", "says nothing", "in mm[Hg], trained on mV", "20 Hz, trained on 100 Hz", "reaches")
    assert all(word in reason for word, reason in zip(words, reasons, strict=True))

    alone = run(capsys, "predict", made["release"], new / "a-same.csv", "--out", tmp_path / "one", *space)["findings"]
    assert len(alone) == 1
    shown = run(capsys, "explain", made["release"], new / "a-same.csv", "--out", tmp_path / "why", *space)
    assert "sanity check" in shown["sanity"]
