"""The command line's own work: exit codes, one JSON document, who prints what; several processes for one command."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer

from diascope import cli
from diascope.core.case import Target
from diascope.core.errors import BadUsage, DataRefused, DiascopeError, Tampered
from diascope.core.plan import Plan
from diascope.engine import launching


def answer(monkeypatch: pytest.MonkeyPatch, error: BaseException, *words: str) -> int:
    """Run `list` as if it met an error."""

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("diascope.core.registry.names", fail)
    return cli.run(["list", "tasks", *words])


ERRORS: list[tuple[BaseException, int, str]] = [
    (DiascopeError("it broke", given="x", todo="Mend it"), 1, "it broke. Given: x. Mend it."),
    (BadUsage("no such thing"), 2, "no such thing"),
    (DataRefused("not good"), 3, "not good"),
    (Tampered("changed"), 3, "changed"),
    (KeyboardInterrupt(), 1, "stopped"),
    (OSError(errno.ENOSPC, "No space left on device", "/full/file"), 1, "Given: /full/file. Free disk space"),
    (PermissionError(errno.EACCES, "Permission denied", "/root/x"), 1, "/root/x"),
]


@pytest.mark.parametrize(("error", "code", "words"), ERRORS, ids=lambda one: type(one).__name__)
def test_an_error_has_its_code_and_says_itself_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    assert answer(monkeypatch, error) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("diascope: ")
    assert said.err.count("\n") == 1
    assert words in said.err


@pytest.mark.parametrize(("error", "code", "words"), ERRORS, ids=lambda one: type(one).__name__)
def test_with_json_there_is_one_document_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    assert answer(monkeypatch, error, "--json") == code
    said = capsys.readouterr()
    assert set(json.loads(said.out)["error"]) == {"kind", "wrong", "given", "todo"}
    assert words in said.err


def test_with_json_every_case_that_is_to_blame_is_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(monkeypatch, DataRefused("the data was refused", cases=("a", "b")), "--json") == 3
    assert json.loads(capsys.readouterr().out)["error"]["cases"] == ["a", "b"]


def test_a_fault_of_the_program_is_shown_whole_and_asked_to_be_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(monkeypatch, ZeroDivisionError("a fault"), "--json") == 1
    said = capsys.readouterr()
    assert "Traceback" in said.err
    assert "Please report it" in said.err
    assert "ZeroDivisionError: a fault" in json.loads(said.out)["error"]["wrong"]


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    assert cli.run(["fit", "--help"]) == 0
    assert "Example" in capsys.readouterr().out


def test_the_module_runs_as_the_program_does() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "diascope", "list", "tasks", "--json"], capture_output=True, text=True, check=True
    )
    assert "classification" in json.loads(said.stdout)["tasks"]


def start(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let `launch` run a program in place of diascope; it sees RANK and its arguments."""
    real = subprocess.Popen

    def other(words: list[str], **named: Any) -> Any:
        return real([sys.executable, "-c", f"import os, sys, time, signal\n{program}", *words[3:]], **named)

    monkeypatch.setattr(launching.subprocess, "Popen", other)


RANK = "rank = int(os.environ['RANK']); "


def test_every_process_knows_its_place_and_only_the_first_one_is_heard(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    names = "'RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'LOCAL_WORLD_SIZE', 'MASTER_ADDR'"
    start(monkeypatch, f"print([os.environ[n] for n in ({names})], sys.argv[1:])")
    assert launching.launch(["train", "plan.json"], 3) == 0
    assert capfd.readouterr().out == "['0', '0', '3', '3', '127.0.0.1'] ['train', 'plan.json']\n"


@pytest.mark.parametrize("failing", [0, 1])
def test_when_one_fails_the_others_end_and_its_code_is_the_code(monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    monkeypatch.setattr(launching, "GRACE", 0.3)
    start(monkeypatch, RANK + f"sys.exit(3) if rank == {failing} else time.sleep(60)")
    began = time.monotonic()
    assert launching.launch(["train"], 2) == 3
    assert time.monotonic() - began < 10


def test_a_process_that_was_killed_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "GRACE", 0.3)
    start(monkeypatch, RANK + "os.kill(os.getpid(), 9) if rank else time.sleep(60)")
    assert launching.launch(["train"], 2) == 9


def test_ctrl_c_reaches_every_process_and_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = f"""
def stop(*_):
    time.sleep(0.2); open(r'{tmp_path}/' + os.environ['RANK'], 'w').close(); sys.exit(1)
signal.signal(signal.SIGINT, stop)
open(r'{tmp_path}/ready' + os.environ['RANK'], 'w').close()
time.sleep(60)
"""
    start(monkeypatch, program)
    real = launching._awaited

    def interrupted(children: Any) -> int:
        while len(list(tmp_path.glob("ready*"))) < 2:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
        return real(children)

    monkeypatch.setattr(launching, "_awaited", interrupted)
    assert launching.launch(["train"], 2) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1", "ready0", "ready1"}


def test_several_devices_are_started_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[list[str], int]] = []
    monkeypatch.setattr(launching, "launch", lambda words, count: asked.append((list(words), count)) or 5)
    (tmp_path / "plan.json").write_text("{}")
    words = ["train", str(tmp_path / "plan.json"), "-w", str(tmp_path), "--devices", "2", "--resume", "--json"]
    assert cli.run(words) == 5
    plan = str(tmp_path / "plan.json")
    assert asked == [(["train", plan, "--workspace", str(tmp_path), "--lang", "en", "--resume", "--json"], 2)]
    assert capsys.readouterr().out == ""


def test_from_python_several_devices_need_a_launcher(tmp_path: Path) -> None:
    from diascope.api import train

    with pytest.raises(BadUsage, match="torchrun"):
        train(tmp_path / "plan.json", tmp_path, devices=2)


VERBS = typer.main.get_command(cli.app).commands


SERVICE = {"serve", "worker", "audit", "backup", "restore", "keys"}
"""Commands that run or look after the service, and make no noun."""


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - SERVICE))
def test_every_verb_has_the_common_options(verb: str) -> None:
    options = {flag for one in VERBS[verb].params for flag in one.opts}
    assert {"--workspace", "--json", "--seed", "--quiet"} <= options


@pytest.mark.parametrize("verb", ["check", "fit", "plan", "evaluate", "compare"])
def test_every_verb_that_reads_labelled_data_takes_its_columns(verb: str) -> None:
    options = {flag for one in VERBS[verb].params for flag in one.opts}
    assert {"--target", "--patient", "--site", "--accept", "--source"} <= options


def test_list_takes_what_every_verb_takes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.run(["list", "tasks", "--json", "--quiet", "--seed", "1", "-w", str(tmp_path / "none")]) == 0
    assert "segmentation" in json.loads(capsys.readouterr().out)["tasks"]
    assert not (tmp_path / "none").exists()


def test_train_takes_no_other_seed_than_the_plans(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = Target(name="label", kind="category", columns=("label",))
    Plan(dataset="d", task="classification", target=target, seed=3, choices={}).write(tmp_path / "plan.json")
    assert cli.run(["train", str(tmp_path / "plan.json"), "-w", str(tmp_path / "ws"), "--seed", "4"]) == 2
    assert "the seed of this plan is 3. Given: --seed 4" in capsys.readouterr().err
