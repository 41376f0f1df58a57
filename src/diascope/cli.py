"""The command line: verb to function, no logic.

Heavy imports happen inside the verbs, so that `diascope --help` answers at once.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from diascope.console import Console, failed, of_system
from diascope.core.errors import BadUsage, DiascopeError, Stopped
from diascope.options import (
    AcceptOption,
    FoldsOption,
    FromOption,
    InputArgument,
    JsonOption,
    LangOption,
    MemoryOption,
    MinutesOption,
    NoSeedOption,
    PatientOption,
    QuietOption,
    ReleaseArgument,
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
    workspace_at,
)

app = typer.Typer(
    name="diascope",
    help="An open second reader for medical images: from a folder of studies to a model you can believe.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    epilog="Start with: diascope fit FOLDER. Not a medical device.",
)

Here = Path("diascope-workspace")
INTERRUPTED = 130  # what typer makes of Ctrl-C


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
    accept: AcceptOption = None,
    lang: LangOption = "en",
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Audit a data set: what is wrong with it, before anything is trained."""
    from diascope.stages.check import check as run_check

    console = Console(quiet, as_json)
    request = requested(source_folder, source, task, (target, patient, site, without), None, seed, accept)
    found = run_check(workspace_at(workspace), request, console.tell, lang)
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

    console, place = Console(quiet, as_json), workspace_at(workspace)
    request = requested(source_folder, source, task, (target, patient, site, without), folds, seed, accept)
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

    console, place = Console(quiet, as_json), workspace_at(workspace)
    request = requested(source_folder, source, task, (target, patient, site, without), folds, seed, accept)
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
    console, place = Console(quiet or process_rank() > 0, as_json), workspace_at(workspace)
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

    console, place = Console(quiet, as_json), workspace_at(workspace)
    request = requested(source_folder, source, task, (None, patient, None, None), 1, seed, accept)
    budget = Budget(minutes=minutes, memory_gb=memory)
    with place.locked():
        made, folder = run_pretrain(place, request, budget, parse_settings(settings or []), console.tell)
    console.finish({"encoder": str(folder), **made.to_json()}, lambda: console.show_encoder(made, folder))


@app.command(epilog="Example: diascope evaluate films-classification@1 ../films-from-another-hospital")
def evaluate(
    release: ReleaseArgument,
    source_folder: Annotated[str, typer.Argument(metavar="SOURCE", help="Other labelled data.")],
    workspace: WorkspaceOption = Here,
    source: SourceOption = None,
    target: TargetOption = None,
    patient: PatientOption = None,
    site: SiteOption = None,
    without: WithoutOption = None,
    accept: AcceptOption = None,
    lang: LangOption = "en",
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """External validation: measure a release on other labelled data."""
    from diascope.workflows.external import evaluate_release

    console, place = Console(quiet, as_json), workspace_at(workspace)
    request = requested(source_folder, source, "auto", (target, patient, site, without), None, seed, accept)
    made = evaluate_release(place, release, request, console.tell, lang)
    console.finish(made.to_json(), lambda: console.show_evaluation(made))


@app.command(epilog="Example: diascope predict films-classification@1 new-film.png --out answers")
def predict(
    release: ReleaseArgument,
    location: InputArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the answers.")],
    workspace: WorkspaceOption = Here,
    backend: Annotated[str | None, typer.Option("--backend", help="torch, openvino, onnxruntime.")] = None,
    memory: MemoryOption = None,
    as_json: JsonOption = False,
    seed: NoSeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Read new studies: findings, masks, pictures, DICOM SEG."""
    from diascope.stages.predict import predict as run_predict

    console, place = Console(quiet, as_json), workspace_at(workspace)
    found = run_predict(place.find("releases", release), location, out, backend, memory, console.tell)
    console.finish(
        {"out": str(out), "findings": [one.to_json() for one in found]}, lambda: console.show_findings(found, out)
    )


@app.command(epilog="Example: diascope explain films-classification@1 film.png --out why")
def explain(
    release: ReleaseArgument,
    location: InputArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the maps.")],
    workspace: WorkspaceOption = Here,
    explainer: Annotated[str, typer.Option("--explainer", help="diascope list explainers")] = "grad_cam",
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Show what in the image led to the answer (only where the sanity check passes)."""
    from diascope.workflows.explaining import explain_location

    console, place = Console(quiet, as_json), workspace_at(workspace)
    found = explain_location(place.find("releases", release), location, out, (explainer, seed), console.tell)
    console.finish(found, lambda: console.show_lines([f"{key}: {value}" for key, value in found.items()]))


@app.command(epilog="Example: diascope compare films@1 films@2 ../films-of-this-year")
def compare(
    one: Annotated[str, typer.Argument(metavar="RELEASE", help="A release.")],
    other: Annotated[str, typer.Argument(metavar="RELEASE", help="Another release of the same task.")],
    source_folder: Annotated[str, typer.Argument(metavar="SOURCE", help="Labelled data that neither was trained on.")],
    workspace: WorkspaceOption = Here,
    source: SourceOption = None,
    target: TargetOption = None,
    patient: PatientOption = None,
    site: SiteOption = None,
    without: WithoutOption = None,
    accept: AcceptOption = None,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Compare two releases on the same cases, with paired intervals."""
    from diascope.workflows.external import compare_releases

    console, place = Console(quiet, as_json), workspace_at(workspace)
    request = requested(source_folder, source, "auto", (target, patient, site, without), None, seed, accept)
    found = compare_releases(place, (one, other), request, console.tell)
    console.finish(found, lambda: console.show_comparison(found))


@app.command(epilog="Example: diascope release films-classification@1 --by 'Li, Na'")
def release(
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="Name or folder of a candidate release.")],
    by: Annotated[str, typer.Option("--by", help="Who signs it.")],
    licence: Annotated[
        str | None, typer.Option("--licence", help="Of the weights; default: what the source of the data states.")
    ] = None,
    workspace: WorkspaceOption = Here,
    as_json: JsonOption = False,
    seed: NoSeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Sign a candidate with your name, so that it may be served."""
    from diascope.stages.release import sign

    console, place = Console(quiet, as_json), workspace_at(workspace)
    signed = sign(place, candidate, by, licence)
    console.finish(signed.to_json(), lambda: console.show_lines([f"{signed.label} is signed by {signed.signed_by}"]))


@app.command(epilog="Example: diascope export films-classification@1 --to onnx")
def export(
    release: ReleaseArgument,
    to: Annotated[str, typer.Option("--to", help="onnx or openvino.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder; default: exports/ in the workspace.")] = None,
    workspace: WorkspaceOption = Here,
    as_json: JsonOption = False,
    seed: NoSeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Write a release's network for other programs, after it gave the same answers."""
    from diascope.stages.export import export as run_export

    console, place = Console(quiet, as_json), workspace_at(workspace)
    found = run_export(place, place.find("releases", release), to, out)
    console.finish(found, lambda: console.show_lines([f"{key}: {value}" for key, value in found.items()]))


@app.command("list", epilog="Example: diascope list models")
def list_plugins(
    family: Annotated[
        str | None, typer.Argument(help="A family of plug-ins (all without it), or sets: the public data sets.")
    ] = None,
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="Not needed: plug-ins are of the program.")
    ] = Here,
    as_json: JsonOption = False,
    seed: NoSeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """List the plug-ins: tasks, models, formats, sources, checks, ..., or the public data sets."""
    from diascope.core import registry
    from diascope.sources.publicsets.catalogue import catalogue

    console = Console(quiet, as_json)
    if family == "sets":
        sets = catalogue().values()
        console.finish([one.to_json() for one in sets], lambda: console.show_lines([one.line for one in sets]))
        return
    found = {name: list(registry.names(name)) for name in ([family] if family else registry.FAMILIES)}
    console.finish(
        found, lambda: console.show_lines([f"{name}: {', '.join(members)}" for name, members in found.items()])
    )


def main() -> None:
    """The program `diascope`: errors become one message and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns its exit code (0 done, 1 failed, 2 bad usage, 3 the data was refused)."""
    command: Callable[..., Any] = typer.main.get_command(app)
    as_json = "--json" in arguments
    stopped = Stopped("stopped", todo="What was finished is kept; run the same command again")
    try:
        code = command(arguments, prog_name="diascope", standalone_mode=False)
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
