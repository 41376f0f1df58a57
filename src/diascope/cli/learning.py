"""Verbs that learn: from data to a candidate release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diascope.cli.program import Here, app, workspace_of
from diascope.console import Console
from diascope.options import (
    AcceptOption,
    FoldsOption,
    FromOption,
    InputsOption,
    JsonOption,
    LangOption,
    MemoryOption,
    MinutesOption,
    PatientOption,
    QuietOption,
    ReadOption,
    SeedOption,
    SetOption,
    SiteOption,
    SourceArgument,
    SourceOption,
    TargetOption,
    TaskOption,
    WithoutOption,
    WorkspaceOption,
    requested,
)


@app.command(epilog="Example: diascope check ../films --patient patient_id")
def check(
    source_folder: SourceArgument,
    workspace: WorkspaceOption = Here,
    source: SourceOption = None,
    task: TaskOption = "auto",
    target: TargetOption = None,
    patient: PatientOption = None,
    site: SiteOption = None,
    without: WithoutOption = None,
    read: ReadOption = None,
    inputs: InputsOption = None,
    accept: AcceptOption = None,
    lang: LangOption = "en",
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Audit a data set: what is wrong with it, before anything is trained."""
    from diascope.stages.check import check as run_check

    console = Console(quiet, as_json)
    request = requested(source_folder, source, task, (target, patient, site, without, read, inputs), None, seed, accept)
    found = run_check(workspace_of(workspace), request, console.tell, lang)
    console.finish(found.to_json(), lambda: console.show_check(found))
    if found.refusing:
        raise typer.Exit(3)


@app.command(
    epilog="Examples: diascope fit ../hippocampus · diascope fit ../skin --target dx --minutes 30 --set batch=32"
)
def fit(
    source_folder: SourceArgument,
    workspace: WorkspaceOption = Here,
    source: SourceOption = None,
    task: TaskOption = "auto",
    target: TargetOption = None,
    patient: PatientOption = None,
    site: SiteOption = None,
    without: WithoutOption = None,
    read: ReadOption = None,
    inputs: InputsOption = None,
    minutes: MinutesOption = 15.0,
    memory: MemoryOption = None,
    folds: FoldsOption = None,
    settings: SetOption = None,
    accept: AcceptOption = None,
    begin: FromOption = None,
    lang: LangOption = "en",
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """The main job: check, plan, train, evaluate, and pack a candidate release with its report."""
    from diascope.planning.budget import Budget
    from diascope.planning.settings import parse_settings
    from diascope.workflows.fit import fit as run_fit

    console, place = Console(quiet, as_json), workspace_of(workspace)
    request = requested(
        source_folder, source, task, (target, patient, site, without, read, inputs), folds, seed, accept
    )
    budget = Budget(minutes=minutes, memory_gb=memory, folds=folds)
    with place.locked():
        made = run_fit(place, request, budget, parse_settings(settings or []), console.tell, lang, begin)
    console.finish(made.to_json(), lambda: console.show_fitted(made))


@app.command(epilog="Example: diascope plan ../films --minutes 30")
def plan(
    source_folder: SourceArgument,
    workspace: WorkspaceOption = Here,
    source: SourceOption = None,
    task: TaskOption = "auto",
    target: TargetOption = None,
    patient: PatientOption = None,
    site: SiteOption = None,
    without: WithoutOption = None,
    read: ReadOption = None,
    inputs: InputsOption = None,
    minutes: MinutesOption = 15.0,
    memory: MemoryOption = None,
    folds: FoldsOption = None,
    settings: SetOption = None,
    accept: AcceptOption = None,
    begin: FromOption = None,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Check a data set, freeze it, and write a plan that you can read and edit."""
    from diascope.planning.budget import Budget
    from diascope.planning.settings import parse_settings
    from diascope.workflows.prepare import prepare

    console, place = Console(quiet, as_json), workspace_of(workspace)
    request = requested(
        source_folder, source, task, (target, patient, site, without, read, inputs), folds, seed, accept
    )
    budget = Budget(minutes=minutes, memory_gb=memory, folds=folds)
    with place.locked():
        made, path = prepare(place, request, budget, parse_settings(settings or []), console.tell, begin)
    console.finish({"plan": str(path), **made.to_json()}, lambda: console.show_plan(made, path))


@app.command(epilog="Example: diascope train diascope-workspace/plans/films-classification.json --resume")
def train(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan's file.", exists=True, dir_okay=False)],
    workspace: WorkspaceOption = Here,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the newest run of this plan was stopped.")
    ] = False,
    devices: Annotated[int, typer.Option("--devices", help="Processes or GPUs that share each batch.", min=1)] = 1,
    begin: FromOption = None,
    lang: LangOption = "en",
    as_json: JsonOption = False,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Must be the plan's: a seed is chosen with a plan.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Train what a plan says, then evaluate it and pack a candidate release."""
    from diascope.engine.launching import is_launched, launch
    from diascope.store.workspace import process_rank
    from diascope.workflows.train_plan import train_plan

    if devices > 1 and not is_launched():
        switches = ["--resume"] * resume + ["--json"] * as_json + ["--quiet"] * quiet
        switches += [] if seed is None else ["--seed", str(seed)]
        switches += [] if begin is None else ["--from", begin]
        words = ["train", str(plan_file), "--workspace", str(workspace), "--lang", lang, *switches]
        raise typer.Exit(launch(words, devices))
    console, place = Console(quiet or process_rank() > 0, as_json), workspace_of(workspace)
    with place.locked():
        made = train_plan(place, plan_file, (resume, devices), console.tell, lang, seed, begin)
    if made is not None:
        console.finish(made.to_json(), lambda: console.show_fitted(made))


@app.command(epilog="Example: diascope pretrain ../unlabelled-films --minutes 60")
def pretrain(
    source_folder: SourceArgument,
    workspace: WorkspaceOption = Here,
    source: SourceOption = None,
    task: Annotated[
        str, typer.Option("--task", help="What to learn without labels; auto: what suits the images and the model.")
    ] = "auto",
    patient: PatientOption = None,
    minutes: MinutesOption = 15.0,
    memory: MemoryOption = None,
    settings: SetOption = None,
    accept: AcceptOption = None,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Learn from images without labels, and keep the encoder: diascope fit SOURCE --from NAME starts from it."""
    from diascope.planning.budget import Budget
    from diascope.planning.settings import parse_settings
    from diascope.workflows.pretrain import pretrain as run_pretrain

    console, place = Console(quiet, as_json), workspace_of(workspace)
    request = requested(source_folder, source, task, (None, patient, None, None, None, None), 1, seed, accept)
    budget = Budget(minutes=minutes, memory_gb=memory)
    with place.locked():
        made, folder = run_pretrain(place, request, budget, parse_settings(settings or []), console.tell)
    console.finish({"encoder": str(folder), **made.to_json()}, lambda: console.show_encoder(made, folder))


@app.command(epilog="Example: diascope adopt model.json ../films --target diagnosis")
def adopt(
    manifest: Annotated[
        Path,
        typer.Argument(metavar="MANIFEST", help="JSON file about a network, or a MONAI bundle.", exists=True),
    ],
    source_folder: SourceArgument,
    workspace: WorkspaceOption = Here,
    source: SourceOption = None,
    task: TaskOption = "auto",
    target: TargetOption = None,
    patient: PatientOption = None,
    site: SiteOption = None,
    without: WithoutOption = None,
    inputs: InputsOption = None,
    folds: FoldsOption = None,
    settings: SetOption = None,
    accept: AcceptOption = None,
    trust: Annotated[bool, typer.Option("--trust", help="Let a TorchScript file run its code.")] = False,
    lang: LangOption = "en",
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Take a network that others made: measure it on local cases, recalibrate it, and pack a candidate release."""
    from diascope.planning.settings import parse_settings
    from diascope.workflows.adopt import adopt as run_adopt

    console, place = Console(quiet, as_json), workspace_of(workspace)
    columns = (target, patient, site, without, None, inputs)
    request = requested(source_folder, source, task, columns, folds, seed, accept)
    with place.locked():
        made = run_adopt(place, manifest, request, (trust, parse_settings(settings or [])), console.tell, lang)
    console.finish(made.to_json(), lambda: console.show_fitted(made))
