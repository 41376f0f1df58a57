"""Arguments and options that several verbs of the command line share, and what they mean together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

SourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", help="Folder, file, or public set (diascope list sets).")
]
ReleaseArgument = Annotated[str, typer.Argument(metavar="RELEASE", help="Name or folder of a release.")]
InputArgument = Annotated[str, typer.Argument(metavar="INPUT", help="File, folder, DICOM series or study.")]
WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", help="Folder that holds everything.", envvar="DIASCOPE_WORKSPACE")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, nothing else there.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Of all randomness.")]
NoSeedOption = Annotated[int, typer.Option("--seed", help="Of all randomness; there is none here.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
SourceOption = Annotated[
    str | None, typer.Option("--source", help="Layout, where several fit (diascope list sources).")
]
TargetOption = Annotated[str | None, typer.Option("--target", help="Column or mask to learn.")]
PatientOption = Annotated[str | None, typer.Option("--patient", help="Column that holds the patient.")]
SiteOption = Annotated[str | None, typer.Option("--site", help="Column that holds the site.")]
WithoutOption = Annotated[
    list[str] | None, typer.Option("--without", help="Column that is not looked at; may be given again.")
]
TaskOption = Annotated[str, typer.Option("--task", help="What to learn (diascope list tasks).")]
AcceptOption = Annotated[
    list[str] | None, typer.Option("--accept", help="Use the data despite this finding; recorded.")
]
LangOption = Annotated[str, typer.Option("--lang", help="Language of reports: en or zh-CN.")]
MinutesOption = Annotated[float, typer.Option("--minutes", help="Wall-clock minutes for everything.", min=0.5)]
MemoryOption = Annotated[float | None, typer.Option("--memory", help="Peak memory in GB.", min=0.5)]
FoldsOption = Annotated[
    int | None, typer.Option("--folds", help="Cross-validate with this many folds; 1: one split.", min=1)
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Set a plan field by hand: batch=8.")]
FromOption = Annotated[
    str | None, typer.Option("--from", help="Release, or pretrained encoder, whose weights are started from.")
]


def requested(
    location: str,
    source: str | None,
    task: str,
    columns: tuple[str | None, str | None, str | None, list[str] | None],
    folds: int | None,
    seed: int,
    accept: list[str] | None,
) -> Any:
    """What was said about a data set, as the record that the stages take; `columns`: target, patient, site, without."""
    from diascope.sources import Request, SourceOptions

    target, patient, site, without = columns
    options = SourceOptions(target=target, patient=patient, site=site, without=tuple(without or ()), seed=seed)
    return Request(
        location=location, source=source, task=task, options=options, folds=folds, seed=seed, accept=tuple(accept or ())
    )


def workspace_at(root: Path) -> Any:
    """The workspace at a folder."""
    from diascope.store.workspace import Workspace

    return Workspace(root)
