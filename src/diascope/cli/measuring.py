"""Verbs that make a table of data, without a release: what is marked in images, what a case was before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from diascope.cli.program import Here, app
from diascope.console import Console
from diascope.options import (
    JsonOption,
    NoSeedOption,
    PatientOption,
    QuietOption,
    SourceArgument,
    SourceOption,
    WorkspaceOption,
    requested,
)


@app.command(
    epilog="Example: diascope radiomics ../lungs --out features.csv && diascope fit features.csv --target stage"
)
def radiomics(
    source_folder: SourceArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="New CSV: a row a case, a column a feature.")],
    source: SourceOption = None,
    target: Annotated[str | None, typer.Option("--target", help="The mask, where there are several.")] = None,
    patient: PatientOption = None,
    width: Annotated[float | None, typer.Option("--width", help="Width of a grey level; HU: 25.", min=1e-6)] = None,
    levels: Annotated[int | None, typer.Option("--levels", help="Or their number; units but HU: 32.", min=2)] = None,
    spacing: Annotated[float | None, typer.Option("--spacing", help="mm to resample to first.", min=0.01)] = None,
    workspace: WorkspaceOption = Here,
    as_json: JsonOption = False,
    seed: NoSeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Measure marked structures (radiomics), as a table that fit reads."""
    from diascope.core.errors import BadUsage
    from diascope.features import Bins
    from diascope.stages.radiomics import Grid
    from diascope.stages.radiomics import radiomics as run_radiomics

    if width is not None and levels is not None:
        raise BadUsage("--width and --levels exclude each other", given=f"{width:g} and {levels}", todo="Give one")
    console = Console(quiet, as_json)
    bins = Bins(width, levels) if width is not None or levels is not None else None
    request = requested(source_folder, source, "auto", (target, patient, None, None, None, None), None, seed, None)
    found = run_radiomics(request, out, Grid(bins, spacing), console.tell)
    console.finish(found.to_json(), lambda: console.show_lines(_measured(found)))


def _measured(found: Any) -> list[str]:
    left = [f"left out: {case}: {why}" for case, why in found.left_out.items()]
    return [*left, *found.notes, f"{found.cases} cases, {found.features} features: {found.out}"]


@app.command(epilog="Example: diascope longitudinal visits.csv --target relapse --out followed.csv")
def longitudinal(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Manifest or table: a row a visit.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New CSV: what each visit was before, beside it.")],
    target: Annotated[
        str | None, typer.Option("--target", help="Column to learn later (or TIME,EVENT): it gets no history.")
    ] = None,
    no_target: Annotated[bool, typer.Option("--no-target", help="A table without labels, for predict.")] = False,
    patient: PatientOption = None,
    date: Annotated[str | None, typer.Option("--date", help="Column that says when a row was taken.")] = None,
    follow_ups: Annotated[bool, typer.Option("--follow-ups", help="Leave first visits out.")] = False,
    register: Annotated[
        bool, typer.Option("--register", help="Turn and shift earlier volumes onto later ones.")
    ] = False,
    workspace: WorkspaceOption = Here,
    as_json: JsonOption = False,
    seed: NoSeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Add what a patient's earlier visit was, and how fast it changed, to a table that fit reads."""
    from diascope.core.errors import BadUsage
    from diascope.stages.longitudinal import Asked
    from diascope.stages.longitudinal import longitudinal as run_longitudinal

    if (target is None) != no_target:
        raise BadUsage(
            "how the column changed that is learnt later would be the answer, so it must be known",
            todo="Name it with --target, or give --no-target for a table that is read with predict",
        )
    console = Console(quiet, as_json)
    found = run_longitudinal(table, out, Asked(target, patient, date, follow_ups, register), console.tell)
    console.finish(found.to_json(), lambda: console.show_lines(_followed(found)))


def _followed(found: Any) -> list[str]:
    left = [f"not registered: {case}: {why}" for case, why in found.problems.items()]
    return [
        *left,
        *found.notes,
        f"added: {', '.join(found.added)}",
        f"{found.rows} rows, {found.with_earlier} with an earlier visit: {found.out}",
    ]
