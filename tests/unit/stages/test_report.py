"""The commands of a report work when they are pasted; curves of training are drawn where there is something."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from diascope.cli import app
from diascope.core.case import Target
from diascope.core.plan import Choice, Plan
from diascope.core.run import Member, Run
from diascope.planning.looked import Looked
from diascope.planning.settings import parse_settings
from diascope.sources import Request, SourceOptions
from diascope.stages.curate import curate
from diascope.stages.report import commands, training_figures
from diascope.store.workspace import Workspace
from diascope.testing.factories import CLASSES, a_survey

BY_HAND: dict[str, Any] = {
    "batch": 8,
    "model": "my resnet",
    "recipe": ["mirror", ["noise", {"strength": 0.5}]],
    "whole": True,
    "loss": "1e3",
    "note": 'it\'s "so"; rm -rf $HOME',
    "low": None,
}


def a_plan(**by_hand: Any) -> Plan:
    plain = {"minutes": 2.5, "memory_gb": 6.4, "folds": 0, "steps": 100}
    choices = {name: Choice(value=value, kind="rule", reason="") for name, value in plain.items()}
    choices |= {name: Choice(value=value, kind="by hand", reason="given") for name, value in by_hand.items()}
    return Plan(dataset="d", task="classification", target=Target(name="dx", kind="category", columns=("dx",)),
                seed=7, choices=choices)  # fmt: skip


def options(words: list[str]) -> dict[str, list[str]]:
    """Option to its values; all options of `fit` here take one."""
    found: dict[str, list[str]] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        found.setdefault(name, []).append(value)
    return found


def test_everything_that_was_asked_is_in_the_command(tmp_path: Path) -> None:
    request = Request(
        location="/data/my films/manifest.csv",
        source="manifest",
        task="classification",
        options=SourceOptions(target="dx; type", patient="MRN $1", site="ward"),
        folds=1,
        accept=("patients", "size"),
    )
    fit, *_ = commands(a_plan(memory_gb=4.0), request, tmp_path / "runs" / "r", tmp_path / "releases" / "r@1")
    words = shlex.split(fit)
    assert words[:3] == ["diascope", "fit", "/data/my films/manifest.csv"]
    assert options(words[3:]) == {
        "--source": ["manifest"],
        "--task": ["classification"],
        "--target": ["dx; type"],
        "--patient": ["MRN $1"],
        "--site": ["ward"],
        "--minutes": ["2.5"],
        "--memory": ["4"],
        "--folds": ["1"],
        "--seed": ["7"],
        "--accept": ["patients", "size"],
    }


def test_what_was_not_asked_is_left_to_the_rules(tmp_path: Path) -> None:
    fit, *_ = commands(a_plan(), Request(location="films"), tmp_path / "runs" / "r", tmp_path / "releases" / "r@1")
    assert fit == "diascope fit films --minutes 2.5 --seed 7"


def test_settings_come_back_from_the_shell_as_they_were(tmp_path: Path) -> None:
    plan = a_plan(**BY_HAND)
    fit, *_ = commands(plan, Request(location="films"), tmp_path / "runs" / "r", tmp_path / "releases" / "r@1")
    assert parse_settings(options(shlex.split(fit)[3:])["--set"]) == BY_HAND


@pytest.mark.parametrize("number", range(4))
def test_the_command_line_knows_every_option(tmp_path: Path, number: int) -> None:
    request = Request(location="films", options=SourceOptions(patient="p", site="s"), folds=3, accept=("patients",))
    plan = a_plan(memory_gb=4.0, batch=8)
    line = commands(plan, request, tmp_path / "runs" / "r", tmp_path / "releases" / "r@1")[number]
    _, verb, *words = shlex.split(line)
    shown = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert [word for word in words if word.startswith("--") and word not in shown] == []


def test_curation_keeps_the_request_with_a_location_that_means_the_same_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "films").mkdir()
    monkeypatch.chdir(tmp_path)
    survey = a_survey(20)
    looked = Looked("manifest", survey.cases, (), "classification", CLASSES, survey, ())
    request = Request(location="films", options=SourceOptions(patient="p"), folds=3, accept=("patients",))
    made = curate(Workspace(tmp_path / "space"), looked, request)
    kept = Request.read(made.folder / "request.json")
    assert kept == request.model_copy(update={"location": str(tmp_path / "films")})
    other = curate(Workspace(tmp_path / "space"), looked, request.model_copy(update={"location": "phantom:20"}))
    assert Request.read(other.folder / "request.json").location == "phantom:20"


def test_a_measure_that_is_never_defined_in_training_has_no_empty_chart(tmp_path: Path) -> None:
    member = Member(fold=None, weights="weights.safetensors", sha256="", steps=9, changes=())
    run = Run(
        name="r", plan_hash="", dataset="d", members=(member,), environment={}, process={}, predicted_minutes=1.0,
        actual_minutes=1.0, predicted_gb=1.0, actual_gb=1.0, created="",
    )  # fmt: skip
    lines = [
        {"event": "loss", "step": 3, "network": 1.0, "learning_rate": 0.1},
        {"event": "validation", "step": 3, "mae": 2.0, "below_bound": float("nan")},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [figure.title for figure in training_figures(tmp_path, run)] == ["Training loss", "Validation: mae"]
