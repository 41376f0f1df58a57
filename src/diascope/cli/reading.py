"""Verbs that use a release: measure it, let it read, compare it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diascope.cli.program import Here, app, workspace_of
from diascope.console import Console
from diascope.options import (
    AcceptOption,
    InputArgument,
    InputsOption,
    JsonOption,
    LangOption,
    MemoryOption,
    NoSeedOption,
    PatientOption,
    QuietOption,
    ReadOption,
    ReleaseArgument,
    SeedOption,
    SiteOption,
    SourceOption,
    TargetOption,
    WithoutOption,
    WorkspaceOption,
    requested,
)


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
    read: ReadOption = None,
    inputs: InputsOption = None,
    accept: AcceptOption = None,
    lang: LangOption = "en",
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """External validation: measure a release on other labelled data."""
    from diascope.workflows.external import evaluate_release

    console, place = Console(quiet, as_json), workspace_of(workspace)
    request = requested(
        source_folder, source, "auto", (target, patient, site, without, read, inputs), None, seed, accept
    )
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
    from diascope.stages.predict import answered

    console, place = Console(quiet, as_json), workspace_of(workspace)
    found = answered(place.find("releases", release), location, out, backend, memory, console.tell)
    said, folders = [one.to_json() for one in found.values()], [str(folder) for folder in found]
    console.finish({"out": str(out), "findings": said, "folders": folders}, lambda: console.show_findings(found, out))


@app.command(epilog="Example: diascope synthesize films-synthesis@1 --count 200 --class benign --out made")
def synthesize(
    release: ReleaseArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the images and their manifest.")],
    count: Annotated[int, typer.Option("--count", help="Images of each class.", min=1)] = 16,
    label: Annotated[str | None, typer.Option("--class", help="The one class to make; default: every class.")] = None,
    workspace: WorkspaceOption = Here,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Make images of nobody, marked as synthetic, with a manifest that fit reads."""
    from diascope.stages.synthesize import Wanted
    from diascope.stages.synthesize import synthesize as run_synthesize

    console, place = Console(quiet, as_json), workspace_of(workspace)
    found = run_synthesize(place.find("releases", release), out, Wanted(count, label, seed), console.tell)
    console.finish(found, lambda: console.show_lines([f"{key}: {value}" for key, value in found.items()]))


@app.command(epilog="Example: diascope explain films-classification@1 film.png --out why")
def explain(
    release: ReleaseArgument,
    location: InputArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the maps.")],
    workspace: WorkspaceOption = Here,
    explainer: Annotated[str, typer.Option("--explainer", help="diascope list explainers")] = "grad_cam",
    label: Annotated[str | None, typer.Option("--label", help="Explain this label, not the likeliest one.")] = None,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Show what in the image led to the answer (only where the sanity check passes)."""
    from diascope.workflows.explaining import explain_location

    console, place = Console(quiet, as_json), workspace_of(workspace)
    found = explain_location(place.find("releases", release), location, out, (explainer, seed), console.tell, label)
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
    read: ReadOption = None,
    inputs: InputsOption = None,
    accept: AcceptOption = None,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Compare two releases on the same cases, with paired intervals."""
    from diascope.workflows.external import compare_releases

    console, place = Console(quiet, as_json), workspace_of(workspace)
    request = requested(
        source_folder, source, "auto", (target, patient, site, without, read, inputs), None, seed, accept
    )
    found = compare_releases(place, (one, other), request, console.tell)
    console.finish(found, lambda: console.show_comparison(found))


@app.command(epilog="Example: diascope search ../reports 'effusion -fracture' · diascope search ../reports 胸腔积液")
def search(
    source_folder: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Reports: folder, file, or a data set of the workspace.")
    ],
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help='Words that all occur; "a phrase", a OR b, -without, begin*.')
    ],
    most: Annotated[int, typer.Option("--most", help="Reports that are shown.", min=1)] = 10,
    workspace: WorkspaceOption = Here,
    source: SourceOption = None,
    without: WithoutOption = None,
    as_json: JsonOption = False,
    seed: NoSeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Find reports by their words, English or Chinese."""
    from diascope.stages.search import search as run_search

    console, place = Console(quiet, as_json), workspace_of(workspace)
    request = requested(source_folder, source, "auto", (None, None, None, without, None, None), None, seed, None)
    found = run_search(place, request, query, most, console.tell)
    console.finish(found.to_json(), lambda: console.show_hits(found))
