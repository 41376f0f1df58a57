"""What a person sees in the terminal: progress with remaining time on stderr, results as tables on stdout."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console as Rich
from rich.markup import escape
from rich.table import Table

from diascope.core.errors import BadUsage, DataRefused, DiascopeError, Stopped

INTERRUPTED = 130
"""What typer makes of Ctrl-C."""
MARK = {"refuse": "[bold red]✗ refuse[/]", "warn": "[yellow]! warn  [/]", "note": "[dim]· note  [/]"}


EVENTS = "DIASCOPE_EVENTS"
"""Environment variable; `json` makes every piece of news one line of JSON on stderr."""


class Console:
    """Shows progress and results.

    Args:
        quiet: No progress.
        as_json: One JSON document on stdout and nothing else there.
    """

    def __init__(self, quiet: bool, as_json: bool) -> None:
        self.quiet, self.as_json = quiet, as_json
        self.err, self.out = (
            Rich(stderr=True, highlight=False, soft_wrap=True),
            Rich(highlight=False, soft_wrap=True),
        )
        self._line = ""
        self._began: dict[str, float] = {}
        self._last = 0.0

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Show one piece of news from the work (see `engine/progress.py`)."""
        event = facts.get("event", "")
        if os.environ.get(EVENTS) == "json":
            self._say_json(facts)
        elif event == "warning":
            self._say(f"[yellow]! {escape(str(facts['message']))}[/]")
        elif self.quiet:
            return
        elif event == "phase":
            self._say(f"[bold]{escape(str(facts['message']))}[/]")
        elif event == "progress":
            self._bar(str(facts["what"]), int(facts["done"]), int(facts["total"]), "")
        elif event in ("train", "schedule", "compile"):
            self._training(facts)
        elif event == "checked":
            for problem in facts["problems"]:
                self._say(f"  {MARK[problem.severity]} {escape(problem.title)} [dim]({problem.check})[/]")
        elif event == "planned":
            self._planned(facts["plan"])

    def _say_json(self, facts: Mapping[str, Any]) -> None:
        """What is plain of it, as one line: for the service, which shows the progress of a training."""
        plain = {name: value for name, value in facts.items() if isinstance(value, (str, int, float, bool))}
        self.err.file.write(json.dumps(plain) + "\n")
        self.err.file.flush()

    def _training(self, facts: Mapping[str, Any]) -> None:
        fold = f"fold {facts['fold'] + 1}/{facts['folds']} " if facts.get("fold") is not None else ""
        if "message" in facts:
            self._say(f"  {escape(fold + str(facts['message']))}")
            return
        if "validation" in facts:
            words = ", ".join(f"{name} {value:.4f}" for name, value in facts["validation"].items())
            self._say(f"  {fold}step {facts['step']}: validation {escape(words)}")
            return
        losses = " ".join(f"{k} {v:.4f}" for k, v in facts.items() if isinstance(v, float))
        pace = facts["pace"]
        extra = f"{losses} · {pace['steps_per_second']:.1f} steps/s · {pace['peak_gb']:.1f} GB"
        self._bar(f"{fold}training", int(facts["step"]), int(facts["total"]), extra)

    def _planned(self, plan: Any) -> None:
        shown = ("model", "patch", "batch", "steps", "precision", "compile", "folds")
        words = ", ".join(f"{name} {plan[name]}" for name in shown if name in plan.choices)
        self._say(f"  plan: {escape(words)}")
        self._say(
            f"  [bold]will take about {plan['predicted_minutes']:.1f} minutes and {plan['predicted_gb']:.1f} GB[/]"
        )

    def _bar(self, what: str, done: int, total: int, extra: str) -> None:
        now = time.monotonic()
        self._began.setdefault(what, now)
        finished = done >= total
        if not finished and now - self._last < (0.2 if self.err.is_terminal else 10.0):
            return
        self._last = now
        spent = now - self._began[what]
        left = spent / done * (total - done) if done else 0.0
        text = f"  {what} {done}/{total} · {clock(left)} left" if not finished else f"  {what} {total} · {clock(spent)}"
        text += f" · {extra}" if extra else ""
        if finished:
            self._began.pop(what, None)
        if self.err.is_terminal and not finished:
            self.err.file.write(f"\r\x1b[2K{text}")
            self.err.file.flush()
            self._line = text
        else:
            self._say(escape(text))

    def _say(self, text: str) -> None:
        if self._line:
            self.err.file.write("\r\x1b[2K")
            self._line = ""
        self.err.print(text)

    def finish(self, content: object, show: Callable[[], None]) -> None:
        """Print the result: as one JSON document, or for a person."""
        if self.as_json:
            sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=1) + "\n")
        else:
            show()

    def warn(self, line: str) -> None:
        """A line on stderr that is shown also when no progress is wanted."""
        self.err.print(escape(line), style="bold yellow", soft_wrap=True)

    def show_lines(self, lines: Sequence[str]) -> None:
        """Plain lines."""
        for line in lines:
            self.out.print(escape(line))

    def show_service(self, places: Any, first: tuple[str, str] | None) -> None:
        """Where a service listens; the first administrator's password is shown this once."""
        if self.as_json:
            self.out.print_json(json.dumps({"web": places.web, "dicom": places.dicom, "first": first}))
            return
        self.show_lines([f"web    {places.web}", f"DICOM  {places.dicom}", "stop with Ctrl-C. Not a medical device."])
        if first is not None:
            name, password = first
            self.show_lines(["", f"log in as {name} with {password} and choose another password: it is shown once"])

    def show_metrics(self, evaluation: Any, names: Sequence[str]) -> None:
        """A table of metrics with their intervals."""
        table = Table(box=None, pad_edge=False)
        table.add_column("metric")
        table.add_column("value", justify="right")
        table.add_column("95 % interval")
        for name in names:
            measure = evaluation.metrics[name]
            value = (
                "–"
                if measure.value is None
                else f"{measure.value:.3f}" + ("" if measure.unit == "1" else f" {measure.unit}")
            )
            interval = f"{measure.low:.3f} to {measure.high:.3f}" if measure.low is not None else measure.note
            table.add_row(escape(name), value, escape(interval))
        self.out.print(table)

    def show_fitted(self, made: Any) -> None:
        """What `fit` made."""
        evaluation = made.evaluation
        part = "cross-validated" if evaluation.part == "cross-validated" else f"{evaluation.part} part"
        self.out.print(
            f"\n[bold]{escape(made.release.label)}[/] · {part}: "
            f"{evaluation.cases} cases, {evaluation.patients} patients"
        )
        self.show_metrics(evaluation, evaluation.headline)
        for warning in evaluation.warnings:
            self.out.print(f"[yellow]! {escape(warning)}[/]")
        for why in evaluation.blocks:
            self.out.print(f"[bold red]✗ it must not be used, and cannot be signed: {escape(why)}[/]")
        minutes = made.minutes
        self.out.print(f"took {minutes['actual']:.1f} minutes (predicted {minutes['predicted']:.1f})")
        self.out.print(f"report   {escape(str(made.report))}")
        self.out.print(f"release  {escape(str(made.release_folder))} (candidate: sign it with diascope release)")

    def show_encoder(self, made: Any, folder: Path) -> None:
        """What `pretrain` made."""
        seen = ", ".join(f"{name} {value:.4f}" for name, value in made.seen.items()) or "no validation part"
        self.out.print(
            f"\n[bold]{escape(made.label)}[/] · {escape(made.model)}, learnt from {made.cases} cases of "
            f"{made.patients} patients in {made.steps} steps · {escape(seen)}"
        )
        self.out.print(f"encoder  {escape(str(folder))}")
        self.out.print(f"next     diascope fit SOURCE --from {escape(made.label)}")

    def show_evaluation(self, made: Any) -> None:
        """An external evaluation."""
        evaluation = made.evaluation
        self.out.print(
            f"[bold]{escape(evaluation.release)}[/] on {evaluation.cases} cases of {evaluation.patients} patients"
        )
        self.show_metrics(evaluation, list(evaluation.metrics))
        for warning in evaluation.warnings:
            self.out.print(f"[yellow]! {escape(warning)}[/]")
        self.out.print(f"report      {escape(str(made.report))}")
        self.out.print(f"evaluation  {escape(str(made.file))}")

    def show_plan(self, plan: Any, path: Path) -> None:
        """A plan with its reasons."""
        table = Table(box=None, pad_edge=False)
        for column in ("field", "value", "kind", "reason"):
            table.add_column(column, overflow="fold")
        for name, choice in sorted(plan.choices.items()):
            table.add_row(name, escape(str(choice.value)), choice.kind, escape(choice.reason))
        self.out.print(table)
        self.out.print(f"plan  {escape(str(path))} (edit it, then: diascope train {escape(str(path))})")

    def show_check(self, found: Any) -> None:
        """What the checks found."""
        for problem in found.problems:
            self.out.print(f"{MARK[problem.severity]} [bold]{escape(problem.title)}[/] [dim]({problem.check})[/]")
            self.out.print(f"         {escape(problem.detail)}")
        for note in found.notes:
            self.out.print(f"[dim]· {escape(note)}[/]")
        words = "the data would be refused" if found.refusing else "the data can be used"
        self.out.print(f"\n{found.cases} cases, {found.patients} patients: {words}")
        for line in found.because:
            self.out.print(f"  {escape(line)}")
        self.out.print(f"report  {escape(str(found.report))}")

    def show_findings(self, findings: Mapping[Path, Any], out: Path) -> None:
        """What a release said, by the folder of each case, and the files that lie in it."""
        for folder, one in findings.items():
            self.out.print(
                f"[bold]{escape(one.case)}[/] [dim]{escape(one.release)}{'' if one.signed_by else ' · unsigned'}[/]"
            )
            for finding in one.findings:
                numbers = ", ".join(
                    f"{name} {m.value:g} {'' if m.unit == '1' or m.unit.startswith('{') else m.unit}".strip()
                    for name, m in finding.measures.items()
                    if m.value is not None
                )
                span, middle = finding.span, finding.place and finding.place.centre_mm
                where = f" {span.start}-{span.stop} {escape(repr(span.text))}" if span else ""
                where += f" at ({', '.join(f'{number:g}' for number in middle)}) mm LPS" if middle else ""
                said = f"{finding.status} {escape(numbers)} {escape(finding.reason)}".rstrip()
                self.out.print(f"  {escape(finding.concept)}{where}: {said}")
            if one.files:
                self.out.print(f"  [dim]{escape(str(folder))}: {escape(', '.join(one.files.values()))}[/]")
        self.out.print(f"written to {escape(str(out))}. Not a medical device.")

    def show_hits(self, found: Any) -> None:
        """Reports that a search found, what was found in bold."""
        for hit in found.hits:
            place, parts = 0, []
            for start, end in hit.marks:
                parts += [escape(hit.snippet[place:start]), f"[bold yellow]{escape(hit.snippet[start:end])}[/]"]
                place = end
            self.out.print(f"[bold]{escape(hit.case)}[/]  {''.join(parts)}{escape(hit.snippet[place:])}")
        for case, reason in list(found.unreadable.items())[:3]:
            self.err.print(f"[yellow]! {escape(case)}: {escape(reason)}[/]")
        shown = f", the best {len(found.hits)} are shown" if found.total > len(found.hits) else ""
        self.out.print(f"{found.total} of {found.texts} reports{shown}")

    def show_comparison(self, found: Mapping[str, Any]) -> None:
        """Two releases side by side."""
        table = Table(box=None, pad_edge=False)
        for column in ("metric", "one", "other", "difference", "95 % interval", "p"):
            table.add_column(column)
        for name, row in found["metrics"].items():
            difference = row["difference"]
            interval = (
                f"{difference['low']:.4f} to {difference['high']:.4f}"
                if difference["low"] is not None
                else difference["note"]
            )
            cells = [f"{row[k]:.4f}" if row[k] is not None else "–" for k in ("one", "other")]
            unit = "" if difference["unit"] == "1" else f" {escape(difference['unit'])}"
            value = "–" if difference["value"] is None else f"{difference['value']:+.4f}{unit}"
            table.add_row(name, *cells, value, interval, "–" if row["p"] is None else f"{row['p']:.3f}")
        self.out.print(table)


def of_system(error: OSError) -> DiascopeError:
    """What the operating system refused: no room, no permission, no such file."""
    todo = {errno.ENOSPC: "Free disk space", errno.EDQUOT: "Free disk space", errno.EFBIG: "Free disk space"}
    return DiascopeError(
        f"{error.strerror or error}", given=error.filename, todo=todo.get(error.errno or 0, "See that it can be used")
    )


def exit_code(work: Callable[[], Any], as_json: bool) -> int:
    """Do the work of one command line; whatever is raised becomes one message and an exit code."""
    stopped = Stopped("stopped", todo="What was finished is kept; run the same command again")
    try:
        code = work()
        return int(code or 0) if code != INTERRUPTED else failed(stopped, as_json)
    except typer.Exit as error:
        return int(error.exit_code)
    except DiascopeError as error:
        return failed(error, as_json)
    except (KeyboardInterrupt, typer.Abort):
        return failed(stopped, as_json)
    except OSError as error:
        return failed(of_system(error), as_json)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            return failed(BadUsage(error.format_message(), todo="See diascope --help"), as_json)
        traceback.print_exc()
        wrong = f"a fault of diascope itself: {type(error).__name__}: {error}"
        return failed(DiascopeError(wrong, todo="Please report it, with the lines above"), as_json)


def failed(error: DiascopeError, as_json: bool) -> int:
    """Say an error, with `--json` as the one document on stdout too; returns the exit code."""
    if as_json:
        content = {
            "error": {
                "kind": type(error).__name__,
                "wrong": error.wrong,
                "given": str(error.given or ""),
                "todo": error.todo,
                **({"cases": list(error.cases)} if isinstance(error, DataRefused) and error.cases else {}),
            }
        }
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
    sys.stderr.write(f"diascope: {error}\n")
    return error.exit_code


def clock(seconds: float) -> str:
    """Seconds as `1 h 02 min`, `3 min 05 s`, `12 s`."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
