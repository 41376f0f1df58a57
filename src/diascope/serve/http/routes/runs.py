"""Runs: trainings. They are child processes of low priority: reading goes first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from diascope.core.errors import DiascopeError
from diascope.core.plan import Plan
from diascope.serve import nouns as kept
from diascope.serve.http import nouns
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Answer, Body, InPath, Line, Name
from diascope.serve.http.idempotency import Once
from diascope.serve.http.nouns import InAddress, Owned, WithRecord
from diascope.serve.http.paging import Page, Paged
from diascope.serve.http.routes.jobs import Job, found_job
from diascope.serve.http.running import Language, Names, Place, Seed, run

router = APIRouter(tags=["runs"])

TAIL = 4 << 20
"""Bytes of a log that are read from its end."""
MOST = 400
"""Lines of one network that are told to whoever follows it."""


class Training(Body):
    """A plan that is trained; what is made belongs to its project."""

    plan: Name
    """Name of the plan, as `GET /plans` says it."""
    resume: bool = False
    """Go on where the newest run of this plan was stopped."""
    start: Name | None = None
    """Release, or pretrained encoder, whose weights are started from."""
    lang: Language = "en"
    """Of the report."""


class Pretraining(Place):
    """Images without labels that are learnt from."""

    layout: Line | None = None
    """Where several fit."""
    task: Line = "auto"
    """What to learn."""
    patient: Line | None = None
    """Column that holds the patient."""
    minutes: Annotated[float, Field(ge=0.5, le=100_000)] = 15.0
    """Wall-clock minutes for everything."""
    memory: Annotated[float, Field(ge=0.5, le=4096)] | None = None
    """Peak memory, GB."""
    settings: dict[Line, Any] = Field(default_factory=dict)
    """Fields of the plan that are set by hand."""
    accept: Names = Field(default_factory=list)
    """Findings of the data check that are accepted."""
    seed: Seed = 0
    """Of all randomness."""


class Log(Answer):
    """What a run has said."""

    items: list[dict[str, Any]]
    """The last lines, the oldest first."""


class Network(Answer):
    """One network of a run."""

    name: str
    """Of its folder; empty where the run has one network."""
    lines: list[dict[str, Any]]
    """What its log says, the oldest first; of many losses some are left out."""


class Course(Answer):
    """How a training goes, while it goes on and afterwards."""

    run: str
    """Name of the run; empty before it has begun."""
    networks: int
    """That are trained in all."""
    steps: int
    """That one network is planned to take."""
    minutes: float | None
    """Wall-clock minutes that were predicted for everything; null where nothing was."""
    members: list[Network]
    """Networks that have begun, in their order."""


@router.get("/runs", openapi_extra=operation("runs.list"))
def list_runs(asked: Who, paging: Paged) -> Page[Owned]:
    """Runs by name."""
    return nouns.listed(asked, "runs", paging)


@router.post("/runs", status_code=202, openapi_extra=operation("runs.start"))
def train(asked: Who, once: Once, body: Training) -> Job:
    """Train what a plan says, evaluate it, and pack a candidate release."""
    plan, _ = nouns.found(asked, "plans", body.plan)
    options = {"resume": body.resume, "from": body.start, "lang": body.lang}
    return run(asked, once, plan.project, "train", [{"plan": body.plan}], options)


@router.post("/runs/pretrain", status_code=202, openapi_extra=operation("runs.start"))
def pretrain(asked: Who, once: Once, body: Pretraining) -> Job:
    """Learn from images without labels, and keep the encoder."""
    said = body.model_dump(include={"task", "patient", "minutes", "memory", "accept", "seed"})
    said |= {"source": body.layout, "set": body.settings}
    return run(asked, once, body.project, "pretrain", [body.place], said)


@router.get("/runs/{run}", openapi_extra=operation("runs.read"))
def read_run(asked: Who, run: InAddress) -> WithRecord:
    """A run: how it went and what it cost; while it goes on, its plan."""
    noun, path = nouns.found(asked, "runs", run)
    done = path / "run.json"
    return nouns.with_record(noun, done if done.is_file() else path / "plan.json")


@router.get("/runs/{run}/log", openapi_extra=operation("runs.read"))
def read_log(
    asked: Who, run: InAddress, last: Annotated[int, Query(ge=1, le=10_000, description="Lines, at most")] = 200
) -> Log:
    """The last lines of a run's log: losses, learning rates, measurements."""
    _, path = nouns.found(asked, "runs", run)
    logs = [one for one in sorted(path.rglob("log.jsonl")) if not one.is_symlink()]
    return Log(items=[line for log in logs for line in _lines(log)][-last:])


@router.get("/jobs/{job}/course", openapi_extra=operation("runs.read"))
def follow_training(asked: Who, job: InPath) -> Course:
    """Follow the training of a job: losses and measurements, network by network."""
    found = found_job(asked, job)
    made = None if found.state in ("queued", "running") else (found.result or {}).get("made", [])
    name = kept.of_job(asked.service, "runs", job, made)
    if not name:
        return Course(run="", networks=0, steps=0, minutes=None, members=[])
    path = kept.path_of(asked.service.workspace, "runs", name)
    logs = [one for one in sorted(path.rglob("log.jsonl")) if not one.is_symlink()]
    members = [Network(name=one.parent.name if one.parent != path else "", lines=_thinned(_lines(one))) for one in logs]
    choices = _choices(path)
    return Course(
        run=name,
        networks=max(1, int(choices.get("folds") or 1)),
        steps=int(choices.get("steps") or 0),
        minutes=choices.get("predicted_minutes"),
        members=members,
    )


@router.delete("/runs/{run}", status_code=204, openapi_extra=operation("runs.delete"))
def remove_run(asked: Who, run: InAddress) -> None:
    """Delete a run; its release stays."""
    nouns.deleted(asked, "runs", run)


@router.get("/encoders", openapi_extra=operation("runs.list"))
def list_encoders(asked: Who, paging: Paged) -> Page[Owned]:
    """Pretrained encoders by name."""
    return nouns.listed(asked, "encoders", paging)


@router.get("/encoders/{encoder}", openapi_extra=operation("runs.read"))
def read_encoder(asked: Who, encoder: InAddress) -> WithRecord:
    """A pretrained encoder; it answers nothing by itself."""
    noun, path = nouns.found(asked, "encoders", encoder)
    return nouns.with_record(noun, path / "encoder.json")


@router.delete("/encoders/{encoder}", status_code=204, openapi_extra=operation("runs.delete"))
def remove_encoder(asked: Who, encoder: InAddress) -> None:
    """Delete a pretrained encoder; what started from it stays."""
    nouns.deleted(asked, "encoders", encoder)


def _lines(log: Path) -> list[dict[str, Any]]:
    """The last lines of a log."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - TAIL))
        return [line for line in map(_line, stream.read(TAIL).splitlines()) if line]


def _thinned(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """No more than a curve can show."""
    every = -(-len(lines) // MOST)
    return [line for at, line in enumerate(lines) if at % every == 0 or at == len(lines) - 1] if every > 1 else lines


def _choices(run: Path) -> dict[str, Any]:
    """Field to value of the plan of a run; empty while it is not written."""
    try:
        return {field: choice.value for field, choice in Plan.read(run / "plan.json").choices.items()}
    except DiascopeError:
        return {}


def _line(line: bytes) -> dict[str, Any]:
    """A line of a log; empty where it is cut."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
