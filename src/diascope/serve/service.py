"""The service, opened: everything that its parts share, passed to whoever needs it."""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from diascope.core.errors import BadUsage, WorkspaceBusy
from diascope.core.record import write_durably
from diascope.privacy.keys import KeyRing
from diascope.privacy.sealing import Sealer
from diascope.serve.audit import Audit
from diascope.serve.database.identity_tables import apart
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import index, projects
from diascope.serve.identities import Identities
from diascope.serve.jobs.queue import Queue
from diascope.serve.settings import Settings
from diascope.serve.viewing.shelf import Shelf
from diascope.store.archive import Archive
from diascope.store.workspace import Workspace

FIRST_PROJECT = "default"
"""Id and name of the project that studies belong to unless a peer says otherwise."""

RESTORING = "restore-unfinished"
"""A file beside the databases while they are restored; a workspace that has it is not served."""

HELD = "sweeping-held"
"""A file beside the databases while nothing is swept: the archive may hold what a restored database does not know."""


@dataclass(frozen=True)
class Service:
    """What the parts of the service share.

    Args:
        settings: How it runs.
        root: Folder of the service, inside the workspace.
        workspace: Where releases are.
        keys: Outside the databases.
        database: The index.
        archive: The objects.
        identities: Apart from the index.
        audit: The trail.
        queue: The jobs.
        clock: Seconds since 1970.
        stirred: Set when something was put into the queue, so that nobody has to ask all the time.
        troubles: Part of the service to what does not work, for its state; kept by whoever found out.
        shelf: Series that are kept open for those who look at them.
    """

    settings: Settings
    root: Path
    workspace: Workspace
    keys: KeyRing
    database: Database
    archive: Archive
    identities: Identities
    audit: Audit
    queue: Queue
    clock: Callable[[], float] = time.time
    stirred: threading.Event = field(default_factory=threading.Event)
    troubles: dict[str, str] = field(default_factory=dict)
    shelf: Shelf[Any] = field(default_factory=lambda: Shelf(lambda one: one.close()), repr=False)
    _lock: int | None = None

    @classmethod
    def open(
        cls, workspace: Workspace, settings: Settings, clock: Callable[[], float] = time.time, migrate: bool = True
    ) -> Service:
        """Open the service of a workspace, and make what is not there yet.

        Args:
            workspace: The folder with everything.
            settings: How it runs.
            clock: Seconds since 1970.
            migrate: Whether migrations are run; else tables are made as they are now (tests).

        Raises:
            WorkspaceBusy: When another process serves this workspace on SQLite, which has one writer.
            BadUsage: When it was restored in part only.
            DiascopeError: When a database, the archive or the keys can't be opened.
        """
        root = service_folder(workspace)
        if (root / RESTORING).exists():
            raise BadUsage(
                "this workspace was restored in part only", given=str(root), todo="Remove it, and restore it again"
            )
        url, apart_url = addresses(root, settings)
        lock = _locked(root) if url.startswith("sqlite") else None
        try:
            return cls._opened(workspace, settings, (url, apart_url), (clock, migrate), lock)
        except BaseException:
            if lock is not None:
                os.close(lock)
            raise

    @classmethod
    def _opened(
        cls,
        workspace: Workspace,
        settings: Settings,
        urls: tuple[str, str],
        how: tuple[Callable[[], float], bool],
        lock: int | None,
    ) -> Service:
        root, (clock, migrate) = service_folder(workspace), how
        keys = keys_of(root, settings)
        database = Database.open(urls[0], index, migrate)
        sealer = Sealer(keys, "archive") if settings.encrypt else None
        database.change(lambda connection: _first_project(connection, clock()))
        audit = Audit(database, keys.derived("audit"), root / "audit-heads.jsonl", clock)
        return cls(
            settings=settings,
            root=root,
            workspace=workspace,
            keys=keys,
            database=database,
            archive=Archive(settings.archive or root / "archive", sealer, keep_free=settings.keep_free_gb * 1e9),
            identities=Identities(Database.open(urls[1], apart, migrate), keys, clock),
            audit=audit,
            queue=Queue(database, clock),
            clock=clock,
            _lock=lock,
        )

    def close(self) -> None:
        """End connections, keep the head of the audit trail outside, and give the workspace back."""
        self.shelf.close()
        self.audit.anchor()
        self.database.close()
        self.identities.database.close()
        if self._lock is not None:
            os.close(self._lock)


def service_folder(workspace: Workspace) -> Path:
    """`service/` of a workspace, readable by its owner alone."""
    root = workspace.root / "service"
    root.mkdir(mode=0o700, exist_ok=True)
    return root


def addresses(root: Path, settings: Settings) -> tuple[str, str]:
    """Of the index and of the identities."""
    url = settings.database or f"sqlite:///{root / 'index.sqlite'}"
    return url, settings.identities or f"sqlite:///{root / 'identities.sqlite'}"


def _locked(root: Path) -> int:
    path = root / "service.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(handle, 100, 0).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise WorkspaceBusy(
            f"process {holder} serves this workspace already, and SQLite has one writer",
            given=str(root),
            todo="Stop it first; or use PostgreSQL (--database) and run `diascope worker` beside it",
        ) from error
    os.truncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


def keys_of(root: Path, settings: Settings) -> KeyRing:
    """The keys of a service; made only for one that is new: with others its names and its audit trail would be lost.

    Raises:
        BadUsage: When the service has been used and its keys are not there.
    """
    path = settings.keys or key_file(root)
    if not path.exists() and ((root / "index.sqlite").exists() or (root / "audit-heads.jsonl").exists()):
        raise BadUsage(
            "the keys of this service are not there",
            given=str(path),
            todo="Put them back from their back-up, or name their file: `keys` in settings.toml",
        )
    return KeyRing.open(path)


def key_file(root: Path) -> Path:
    """In the user's configuration folder, named by the service's own id: it stays found when the workspace moves."""
    name = root / "id"
    if not name.is_file():
        write_durably(name, secrets.token_hex(8).encode())
    return key_file_of(name.read_text(encoding="utf-8").strip())


def key_file_of(service_id: str) -> Path:
    """Where the keys of a service lie for this user unless the settings name another file."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "diascope" / f"service-{service_id}.keys.json"


def _first_project(connection: Connection, now: float) -> None:
    if connection.execute(select(projects.c.id)).first() is None:
        connection.execute(insert(projects).values(id=FIRST_PROJECT, name=FIRST_PROJECT, created=now))
