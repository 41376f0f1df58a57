"""report: everything about one release on one page that opens anywhere."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import diascope
from diascope.core.case import Dataset
from diascope.core.figure import Chart, Figure, Line
from diascope.core.plan import Fingerprint, Plan
from diascope.core.problem import Problems
from diascope.core.record import write_durably
from diascope.core.run import Run
from diascope.engine.log import read_log
from diascope.reports.content import ReportContent
from diascope.reports.html import render_report
from diascope.sources import Request, SourceOptions
from diascope.store.releases import open_release

OF_MANIFEST = ("model", "model_options", "patch", "prepare", "channels", "intensity", "read_batch", "origin", "spacing")
"""Plan fields that the manifest of an adopted model says."""


def report(
    release_folder: Path,
    run_folder: Path,
    dataset_folder: Path,
    path: Path,
    cost: Mapping[str, float],
    explanations: Sequence[Figure] = (),
    lang: str = "en",
) -> Path:
    """Write the report of a release.

    Args:
        release_folder: Of the release.
        run_folder: Of the run that it was made from.
        dataset_folder: Of the data set that it was trained on.
        path: Where to write.
        cost: Predicted and actual minutes and GB.
        explanations: Galleries from `explain`.
        lang: `en` or `zh-CN`.
    """
    opened = open_release(release_folder)
    run, dataset = Run.read(run_folder / "run.json"), Dataset.read(dataset_folder / "dataset.json")
    content = ReportContent(
        title=dataset.name,
        evaluation=opened.evaluation,
        release=opened.release,
        plan=opened.plan,
        fingerprint=Fingerprint.read(dataset_folder / "fingerprint.json"),
        dataset=dataset,
        problems=Problems.read(dataset_folder / "problems.json").problems,
        training=training_figures(run_folder, run),
        explanations=tuple(explanations),
        cost=dict(cost),
        environment={
            **run.environment,
            **run.process,
            "diascope": diascope.__version__,
            "python": sys.version.split()[0],
        },
        reproduce=commands(opened.plan, _request(dataset_folder, dataset), run_folder, release_folder),
    )
    write_durably(path, render_report(content, lang).encode())
    return path


def training_figures(run_folder: Path, run: Run) -> tuple[Figure, ...]:
    """Loss and validation curves of every member of a run."""
    losses: list[Line] = []
    watched: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for member in run.members:
        log = read_log((run_folder / member.weights).parent / "log.jsonl")
        name = "" if member.fold is None else f"fold {member.fold + 1}"
        points = [line for line in log if line["event"] == "loss"]
        for phase in sorted({key for line in points for key in line} - {"step", "event", "learning_rate"}):
            some = [(line["step"], line[phase]) for line in points if phase in line]
            losses.append(_line(" ".join(filter(None, (phase, name))), some))
        for line in log:
            if line["event"] == "validation":
                for key, value in line.items():
                    if key not in ("step", "event"):
                        watched.setdefault(key, {}).setdefault(name, []).append((line["step"], value))
    charts: list[Figure] = []
    if losses:
        charts.append(Chart(title="Training loss", x_label="step", y_label="loss", lines=tuple(losses)))
    for metric, lines in watched.items():
        drawn = tuple(_line(name or metric, points) for name, points in lines.items())
        if any(line.x for line in drawn):  # some are never defined while training goes on
            charts.append(Chart(title=f"Validation: {metric}", x_label="step", y_label=metric, lines=drawn))
    return tuple(charts)


def _line(label: str, points: Sequence[tuple[float, float]]) -> Line:
    thin = points[:: max(1, len(points) // 200)]
    known = [(x, y) for x, y in thin if y == y]
    return Line(label=label, x=tuple(float(x) for x, _ in known), y=tuple(float(y) for _, y in known))


def commands(plan: Plan, request: Request, run_folder: Path, release_folder: Path) -> tuple[str, ...]:
    """What to paste into a shell to make this again, and to use it.

    Args:
        plan: What was trained.
        request: What the user said about the data.
        run_folder: Of the run.
        release_folder: Of the release.

    Returns:
        `fit` from the files; `train` of the finished plan, which gives the same weights; `evaluate`; `predict`.
    """
    options = request.options
    said = {
        "--source": request.source,
        "--task": None if request.task == "auto" else request.task,
        "--target": options.target,
        "--patient": options.patient,
        "--site": options.site,
        "--minutes": None if request.adopted else f"{plan['minutes']:g}",
        "--memory": f"{plan['memory_gb']:g}" if plan.choices["memory_gb"].kind == "by hand" else None,
        "--folds": request.folds,
        "--seed": plan.seed,
    }
    adopted = [request.adopted, *_trust(plan)] if request.adopted else []
    fit = ["diascope", "adopt" if adopted else "fit", *adopted, request.location]
    fit += [word for name, value in said.items() if value is not None for word in (name, str(value))]
    fit += [word for column in options.without for word in ("--without", column)]
    fit += [word for finding in request.accept for word in ("--accept", finding)]
    for name, choice in plan.choices.items():
        if choice.kind == "by hand" and name not in (
            "minutes",
            "memory_gb",
            "folds",
            *(OF_MANIFEST if adopted else ()),
        ):
            fit += ["--set", f"{name}={_setting(choice.value)}"]
    workspace = run_folder.parent.parent.resolve()
    release = str(release_folder.resolve())
    return (
        shlex.join(fit),
        shlex.join(["diascope", "train", str(run_folder.resolve() / "plan.json"), "--workspace", str(workspace)]),
        f"{shlex.join(['diascope', 'evaluate', release])} FOLDER",
        f"{shlex.join(['diascope', 'predict', release])} STUDY --out DIR",
    )


def _trust(plan: Plan) -> list[str]:
    """What lets a file run its code."""
    return [] if plan["origin"].get("format") == "onnx" else ["--trust"]


def _setting(value: Any) -> str:
    """A value as `--set` reads it: JSON; words as they are, unless JSON would read them as something else."""
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _request(dataset_folder: Path, dataset: Dataset) -> Request:
    """What the user said; of a set that was frozen before this was kept, what is known of it."""
    path = dataset_folder / "request.json"
    if path.exists():
        return Request.read(path)
    options = SourceOptions(target=dataset.target.name)
    return Request(
        location=dataset.root,
        source=dataset.source,
        task=dataset.task,
        options=options,
        folds=len(dataset.folds) or None,
        accept=dataset.accepted,
    )
