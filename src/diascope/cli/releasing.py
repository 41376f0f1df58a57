"""Verbs that keep releases, and the list of what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diascope.cli.program import Here, app, workspace_of
from diascope.console import Console
from diascope.options import (
    JsonOption,
    NoSeedOption,
    QuietOption,
    ReleaseArgument,
    WorkspaceOption,
)


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

    console, place = Console(quiet, as_json), workspace_of(workspace)
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

    console, place = Console(quiet, as_json), workspace_of(workspace)
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
