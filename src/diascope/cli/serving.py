"""The service: serve, worker, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from diascope.cli.program import Here, app, workspace_of
from diascope.console import Console
from diascope.options import JsonOption, QuietOption, WorkspaceOption

DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="postgresql://…; default: SQLite in the workspace.", show_default=False)
]
HostOption = Annotated[str | None, typer.Option("--host", help="HTTP; default 127.0.0.1.", show_default=False)]
PortOption = Annotated[int | None, typer.Option("--port", help="HTTP; default 8080.", show_default=False)]

audit = typer.Typer(no_args_is_help=True, help="The audit trail of the service.")
app.add_typer(audit, name="audit")


def opened(workspace: Path, **given: Any) -> Any:
    """The service of a workspace, with its settings file and what was given."""
    from diascope.serve.service import Service, service_folder
    from diascope.serve.settings import read_settings

    place = workspace_of(workspace)
    return Service.open(place, read_settings(service_folder(place), given))


@app.command(epilog="Example: diascope serve --workspace hospital")
def serve(
    workspace: WorkspaceOption = Here,
    host: HostOption = None,
    port: PortOption = None,
    dicom_host: Annotated[str | None, typer.Option("--dicom-host", help="DICOM; default 127.0.0.1.")] = None,
    dicom_port: Annotated[int | None, typer.Option("--dicom-port", help="DICOM; default 11112.")] = None,
    ae_title: Annotated[str | None, typer.Option("--ae-title", help="Default DIASCOPE.")] = None,
    database: DatabaseOption = None,
    archive: Annotated[str | None, typer.Option("--archive", help="Folder or s3://… of the objects.")] = None,
    encrypt: Annotated[bool | None, typer.Option("--encrypt", help="Encrypt objects at rest.")] = None,
    certificate: Annotated[Path | None, typer.Option("--certificate", help="TLS certificate, PEM.")] = None,
    certificate_key: Annotated[Path | None, typer.Option("--certificate-key", help="Its key, PEM.")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="TOML file of routing rules.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Jobs at a time; default 1.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take studies from the hospital's systems, let releases read them, send results back."""
    from diascope.serve.access.logins import FIRST, first_administrator
    from diascope.serve.running import Running

    console = Console(quiet, as_json)
    service = opened(
        workspace, host=host, port=port, dicom_host=dicom_host, dicom_port=dicom_port, ae_title=ae_title,
        database=database, archive=archive, encrypt=encrypt, certificate=certificate,
        certificate_key=certificate_key, rules=rules, workers=workers,
    )  # fmt: skip
    try:
        password = first_administrator(service)
        Running(service).run(lambda places: console.show_service(places, (FIRST, password) if password else None))
    finally:
        service.close()


@app.command(epilog="Example: diascope worker --workspace hospital --database postgresql://…")
def worker(
    workspace: WorkspaceOption = Here,
    database: DatabaseOption = None,
    archive: Annotated[str | None, typer.Option("--archive", help="Folder or s3://… of the objects.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Jobs at a time; default 1.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Work on the jobs of a service that runs elsewhere, on the same PostgreSQL and archive."""
    from diascope.serve.working import work

    console = Console(quiet, False)
    service = opened(workspace, database=database, archive=archive, workers=workers)
    try:
        work(service, lambda: console.show_lines(["working; stop with Ctrl-C"]))
    finally:
        service.close()


@audit.command("verify", epilog="Example: diascope audit verify --workspace hospital")
def verify(workspace: WorkspaceOption = Here, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Read the whole audit trail and name the first record that is not what it was."""
    from diascope.serve.inspecting import verified

    console = Console(False, as_json)
    found = verified(workspace_of(workspace), database)
    console.finish(found, lambda: console.show_lines([f"{found['records']} records, all as they were written"]))
