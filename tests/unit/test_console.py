"""What a person sees while the work goes on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from diascope.console import Console
from diascope.core.finding import Finding, Findings, Measure, Place


def said(capsys: pytest.CaptureFixture[str], *news: dict[str, Any], quiet: bool = False) -> str:
    console = Console(quiet=quiet, as_json=False)
    for facts in news:
        console.tell(facts)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def a_line(**changes: Any) -> dict[str, Any]:
    pace = {"steps_per_second": 9.4, "peak_gb": 1.23}
    return {
        "event": "train",
        "fold": None,
        "folds": 0,
        "step": 10,
        "total": 10,
        "network": 0.5,
        "pace": pace,
        **changes,
    }


def test_a_line_of_training_has_loss_speed_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert "training 10 · 0 s · network 0.5000 · 9.4 steps/s · 1.2 GB" in said(capsys, a_line())
    assert "fold 2/5 training" in said(capsys, a_line(fold=1, folds=5))


@pytest.mark.parametrize("event", ["schedule", "compile"])
def test_what_the_clock_decides_is_not_silent(capsys: pytest.CaptureFixture[str], event: str) -> None:
    news = {"event": event, "fold": None, "folds": 0, "message": "step 40: 900 -> 700 steps (slow)"}
    assert "step 40: 900 -> 700 steps (slow)" in said(capsys, news)
    assert said(capsys, news, quiet=True) == ""


def test_a_warning_is_said_also_to_those_who_want_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert "! look" in said(capsys, {"event": "warning", "message": "look"}, quiet=True)


def test_a_score_of_the_validation_part_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, {"event": "train", "fold": None, "step": 8, "total": 9, "validation": {"dice": 0.8}})
    assert "step 8: validation dice 0.8000" in shown


def test_a_check_says_what_was_not_read_and_why_data_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    found = SimpleNamespace(
        problems=(), notes=("not read: [remark]",), refusing=(1,), because=("because of this",), cases=3, patients=2,
        report="r.html",
    )  # fmt: skip
    Console(quiet=True, as_json=False).show_check(found)
    shown = capsys.readouterr().out
    assert "not read: [remark]" in shown
    assert "would be refused\n  because of this\n" in shown


def test_an_answer_says_where_in_the_patient_and_which_files_were_written(capsys: pytest.CaptureFixture[str]) -> None:
    place = Place(start=(1, 2, 3), stop=(2, 3, 4), centre_mm=(-25.07, -34.5, 317.0))
    measures = {"width": Measure(value=9.2, unit="mm")}
    finding = Finding(concept="nodule", status="present", measures=measures, place=place)
    said = Findings(
        release="r@1 abc", signed_by=None, signature="unsigned", task="detection", case="p", inputs={}, backend="torch",
        created="2026-01-01T00:00:00+00:00", findings=(finding,),
        files={"made": "made.nii.gz", "expected_error": "expected_error.nii.gz"},
    )  # fmt: skip
    Console(quiet=True, as_json=False).show_findings({Path("out", "p-1"): said}, Path("out"))
    shown = capsys.readouterr().out
    assert "nodule at (-25.07, -34.5, 317) mm LPS: present width 9.2 mm" in shown
    assert f"{Path('out', 'p-1')}: made.nii.gz, expected_error.nii.gz" in shown


def test_a_difference_of_two_releases_has_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    shares, errors = Measure(value=0.1, low=0.05, high=0.2), Measure(value=-3.5, low=-4.0, high=-3.0, unit="HU")
    metrics = {
        name: {"one": 1.0, "other": 2.0, "difference": measure.model_dump(mode="json"), "p": 0.01}
        for name, measure in (("ssim", shares), ("mae", errors))
    }
    Console(quiet=True, as_json=False).show_comparison({"metrics": metrics})
    shown = capsys.readouterr().out
    assert "-3.5000 HU" in shown
    assert "+0.1000  " in shown
