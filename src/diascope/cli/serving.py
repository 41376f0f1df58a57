"""The service: serve, worker, audit."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from diascope.cli.program import Here, app, workspace_of
from diascope.console import Console
from diascope.core.errors import WorkspaceBusy
from diascope.options import JsonOption, NoSeedOption, QuietOption, WorkspaceOption

DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="postgresql://…; default: SQLite in the workspace.", show_default=False)
]
HostOption = Annotated[str | None, typer.Option("--host", help="HTTP; default 127.0.0.1.", show_default=False)]
PortOption = Annotated[int | None, typer.Option("--port", help="HTTP; default 8080.", show_default=False)]

ToArgument = Annotated[Path, typer.Argument(metavar="TO", help="Folder of the back-up.")]
FromArgument = Annotated[Path, typer.Argument(metavar="FROM", help="Folder of a back-up.")]

audit = typer.Typer(no_args_is_help=True, help="The audit trail of the service.")
app.add_typer(audit, name="audit")
keys = typer.Typer(no_args_is_help=True, help="The keys of the service.")
app.add_typer(keys, name="keys")


def opened(workspace: Path, **given: Any) -> Any:
    """The service of a workspace, with its settings file and what was given."""
    from diascope.serve.service import Service, service_folder
    from diascope.serve.settings import read_settings

    os.umask(0o077)
    place = workspace_of(workspace)
    return Service.open(place, read_settings(service_folder(place), given))


def warn_of_password(console: Console, database: str | None) -> None:
    """Every user of this machine sees the command lines of all processes (RELIABILITY C12)."""
    from diascope.serve.keeping.hardening import names_password

    if database is not None and names_password(database):
        console.warn("--database holds a password that every user of this machine can see: put it into settings.toml,")
        console.warn("PGPASSWORD or ~/.pgpass")


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
    warn_of_password(console, database)
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
    warn_of_password(console, database)
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


@app.command(epilog="Example: diascope backup /backups/diascope --workspace hospital --incremental")
def backup(
    to: ToArgument,
    workspace: WorkspaceOption = Here,
    database: DatabaseOption = None,
    incremental: Annotated[bool, typer.Option("--incremental", help="Continue the back-up that is there.")] = False,
    with_keys: Annotated[bool, typer.Option("--with-keys", help="With the keys: it then reads without them.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Back up the service, also while it runs and receives."""
    from diascope.serve.keeping.backup import back_up

    os.umask(0o077)
    console = Console(False, as_json)
    made = back_up(workspace, to, incremental, with_keys, database)
    if with_keys:
        console.warn("THE KEYS ARE IN THIS BACK-UP: whoever has it can read every name in it. Lock it away.")
    else:
        console.warn(f"THE KEYS ARE NOT IN THIS BACK-UP: without {made['keys_file']} it can never be read.")
        console.warn("Keep a copy of that file in another place.")
    if made["missing"]:
        console.warn(f"{len(made['missing'])} objects that the database names were not in the archive")
    line = f"{made['objects']} objects, {made['copied']} copied now; keys {', '.join(made['keys'])}"
    console.finish(made, lambda: console.show_lines([line]))


@app.command(epilog="Example: diascope restore /backups/diascope --workspace hospital-2")
def restore(
    source: FromArgument,
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="New folder; empty, or none yet.")],
    keys_file: Annotated[Path | None, typer.Option("--keys", help="File of the keys.", show_default=False)] = None,
    database: DatabaseOption = None,
    identities: Annotated[str | None, typer.Option("--identities", help="Database of the identities.")] = None,
    archive: Annotated[str | None, typer.Option("--archive", help="Folder or s3://… of the objects.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a back-up into a new workspace; every hash and the audit trail are compared."""
    from dataclasses import asdict

    from diascope.serve.keeping.restoring import restore as put_back

    os.umask(0o077)
    console = Console(False, as_json)
    made = put_back(source, workspace, keys_file, database=database, identities=identities, archive=archive)
    console.warn(f"The keys of this service are in {made.keys}: keep a copy in another place.")
    for key in made.aside:
        console.warn(f"{key} could not be indexed; it lies in service/unindexed")
    lines = [
        f"{made.objects} objects put back, {made.there} were there",
        f"{made.indexed} objects indexed that arrived after the back-up was made",
        f"{made.records} audit records, all as they were written",
    ]
    console.finish(asdict(made), lambda: console.show_lines(lines))


@keys.command("rotate", epilog="Example: diascope keys rotate --workspace hospital")
def rotate(workspace: WorkspaceOption = Here, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Make a new key and seal every identity with it; a service that runs takes it within a minute."""
    from diascope.serve.keeping.rotating import rotate_keys

    os.umask(0o077)
    console = Console(False, as_json)
    made = rotate_keys(workspace, database)
    console.warn(f"{made['file']} has a new key: keep a new copy of it. Objects stay sealed with the older ones.")
    line = f"key {made['key']}; {made['resealed']} rows sealed with it"
    console.finish(made, lambda: console.show_lines([line]))


@app.command(epilog="Example: diascope feedback --workspace hospital --release chest@1")
def feedback(
    workspace: WorkspaceOption = Here,
    project: Annotated[str, typer.Option("--project", help="Id of the project.")] = "default",
    release: Annotated[str, typer.Option("--release", help="Only what was said about this release.")] = "",
    labelling: Annotated[str, typer.Option("--labelling", help="Only what was said on this label page.")] = "",
    since: Annotated[datetime | None, typer.Option("--since", help="From this moment on (UTC).")] = None,
    newest: Annotated[bool, typer.Option("--newest", help="Where readers disagree the newest answer counts.")] = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
    seed: NoSeedOption = 0,
    quiet: QuietOption = False,
) -> None:
    """Turn what readers answered into label changes, and into a folder that fit learns from."""
    from diascope.serve.feedback.collecting import Wanted
    from diascope.serve.feedback.gathering import Gathering, gather
    from diascope.serve.feedback.telling import facts_of, lines_of

    console = Console(quiet, as_json)
    warn_of_password(console, database)
    try:
        service = opened(workspace, database=database)
    except WorkspaceBusy as error:
        todo = "Gather on the training page of the running service, or with POST /api/v1/gathered; or stop it first"
        raise WorkspaceBusy(error.wrong, given=error.given, todo=todo) from error
    try:
        start = None if since is None else since.replace(tzinfo=UTC).timestamp()
        wanted = Wanted(project, release, labelling, start)
        record, folder = gather(
            service,
            Gathering(wanted, "command line", newest),
            lambda done, total: console.tell({"event": "progress", "what": "cases", "done": done, "total": total}),
        )
    finally:
        service.close()
    console.finish(facts_of(record, folder), lambda: console.show_lines(lines_of(record, folder)))
