"""Verbs that look into data without a release: measure what is marked in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from diascope.cli.program import app
from diascope.console import Console
from diascope.options import (
    JsonOption,
    NoSeedOption,
    PatientOption,
    QuietOption,
    SourceArgument,
    SourceOption,
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
    as_json: JsonOption = False,
    seed: NoSeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Measure marked structures (radiomics), as a table that fit reads."""
    from diascope.core.errors import BadUsage
    from diascope.radiomics import Bins
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
