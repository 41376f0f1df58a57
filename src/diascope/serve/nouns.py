"""Nouns of the workspace: files and folders that the command line makes too, and the project that each belongs to.

The API writes down whose a noun is when a job has made it. What nobody wrote down was made on the command line, and
belongs to the first project; while a job is making something, it is nobody's yet and nobody sees it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from diascope.core.errors import DiascopeError
from diascope.serve.access.refusals import Missing
from diascope.serve.database.tables import jobs, nouns
from diascope.serve.service import FIRST_PROJECT, Service
from diascope.store.workspace import Workspace

KINDS = (
    "datasets", "plans", "runs", "evaluations", "releases", "encoders", "reports", "exports", "uploads", "feedback",
)  # fmt: skip
JOB = "command"
"""Kind of the jobs that make them."""
COMMAND_LINE = "command line"
ALONE = "command.lock"
"""File of the service that holds the id of the one job that makes nouns now."""


@dataclass(frozen=True)
class Noun:
    """Something in the workspace.

    Args:
        kind: Of `KINDS`.
        name: Of its file or folder.
        project: Id.
        by: Who made it.
        created: Seconds since 1970.
    """

    kind: str
    name: str
    project: str
    by: str
    created: float


def folder_of(workspace: Workspace, kind: str) -> Path:
    """Where the nouns of a kind are."""
    return workspace.root / kind


def names(workspace: Workspace, kind: str) -> list[str]:
    """Of the nouns of a kind, sorted; what is being written is left out."""
    folder = folder_of(workspace, kind)
    return sorted(one.name for one in folder.iterdir() if not one.name.startswith(".")) if folder.is_dir() else []


def path_of(workspace: Workspace, kind: str, name: str) -> Path:
    """The file or folder of a noun. The name is compared with what is there, and never joined into a path before (B5).

    Raises:
        Missing: When there is none.
    """
    if name not in names(workspace, kind):
        raise Missing(kind.rstrip("s"), name[:100])
    return folder_of(workspace, kind) / name


def listed(service: Service, kind: str) -> list[Noun]:
    """The nouns of a kind by name."""
    with service.database.reading() as connection:
        known, hidden = _known(connection, kind), _is_making(connection)
    found = []
    for name in names(service.workspace, kind):
        if name in known:
            found.append(known[name])
        elif not hidden:
            found.append(_unclaimed(service, kind, name))
    return found


def read(service: Service, kind: str, name: str) -> Noun:
    """A noun by name.

    Raises:
        Missing: When there is none.
    """
    path_of(service.workspace, kind, name)
    with service.database.reading() as connection:
        known, hidden = _known(connection, kind), _is_making(connection)
    if name in known:
        return known[name]
    if hidden:
        raise Missing(kind.rstrip("s"), name[:100])
    return _unclaimed(service, kind, name)


def of_job(service: Service, kind: str, job: str, made: Sequence[Mapping[str, str]] | None) -> str:
    """The newest noun of a kind that a job has made, or is making; "" where there is none.

    Args:
        service: Whose workspace.
        kind: Of `KINDS`.
        job: Id.
        made: `made` of its result; None where it has not ended.
    """
    if made is not None:
        return next((one["name"] for one in reversed(made) if one["kind"] == kind), "")
    lock = service.root / ALONE
    if not lock.is_file() or lock.read_text(encoding="utf-8").strip() != job:
        return ""  # it waits for another one, whose things are not its
    with service.database.reading() as connection:
        known = _known(connection, kind)
    mine = [one for one in names(service.workspace, kind) if one not in known]
    return max(mine, key=lambda one: (folder_of(service.workspace, kind) / one).stat().st_mtime, default="")


def claim(connection: Connection, service: Service, project: str, by: str) -> list[Noun]:
    """Write down whose everything is that is nobody's.

    Args:
        connection: Of the transaction.
        service: Whose workspace.
        project: That gets it.
        by: Who made it.

    Returns:
        What it got.
    """
    found = []
    for kind in KINDS:
        known = _known(connection, kind)
        for name in names(service.workspace, kind):
            if name not in known:
                made = Noun(kind, name, project, by, service.clock())
                row = {"kind": kind, "name": name, "project_id": project, "by": by, "created": made.created}
                connection.execute(insert(nouns).values(**row))
                found.append(made)
    return found


def remove(service: Service, noun: Noun) -> None:
    """Delete a noun; what was made of it stays.

    Raises:
        WorkspaceBusy: When a training is using the workspace.
        DiascopeError: When the disk refuses.
    """
    with service.workspace.locked():
        path = path_of(service.workspace, noun.kind, noun.name)
        gone = path.with_name(f".{path.name}.gone")
        try:
            path.rename(gone)  # whole or not at all for whoever looks
            shutil.rmtree(gone) if gone.is_dir() and not gone.is_symlink() else gone.unlink()
        except OSError as error:
            raise DiascopeError(f"it can't be deleted: {error.strerror}", given=noun.name) from error
    mine = (nouns.c.kind == noun.kind) & (nouns.c.name == noun.name)
    service.database.change(lambda connection: connection.execute(delete(nouns).where(mine)))


@contextmanager
def free_of(service: Service, kind: str, name: str) -> Iterator[Path]:
    """The file of a noun to be written anew, while nothing else uses the workspace.

    Raises:
        WorkspaceBusy: When something does.
        Missing: When there is no such noun.
    """
    with service.workspace.locked():
        yield path_of(service.workspace, kind, name)


def _known(connection: Connection, kind: str) -> Mapping[str, Noun]:
    rows = connection.execute(select(nouns).where(nouns.c.kind == kind))
    return {row.name: Noun(kind, row.name, row.project_id, row.by, row.created) for row in rows}


def _is_making(connection: Connection) -> bool:
    """Whether a job has begun and has not ended: what it has made so far is nobody's."""
    begun = (jobs.c.kind == JOB) & jobs.c.state.in_(("running", "queued")) & (jobs.c.attempts > 0)
    return connection.execute(select(jobs.c.id).where(begun).limit(1)).first() is not None


def _unclaimed(service: Service, kind: str, name: str) -> Noun:
    path = folder_of(service.workspace, kind) / name
    try:
        created = path.stat().st_mtime
    except OSError:  # it has just been deleted
        created = 0.0
    return Noun(kind, name, FIRST_PROJECT, COMMAND_LINE, created)
