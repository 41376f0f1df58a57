"""Backing up a service while it runs and receives.

Order: heads of the audit trail, index, identities, objects. So no identity is older than the row that needs it, no head
is newer than the trail, and every object that the index names was durable before. What is deleted meanwhile is noticed
by its objects, and another state is taken. The manifest comes last, durably: a back-up is whole or is none.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from diascope.core.errors import BadUsage, DiascopeError, WorkspaceBusy
from diascope.core.record import canonical_json
from diascope.privacy.keys import KeyRing
from diascope.serve.audit import Audit, Event
from diascope.serve.database.identity_tables import apart
from diascope.serve.database.migrating import is_current
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import index
from diascope.serve.incoming.named import named
from diascope.serve.keeping.manifest import (
    ENDINGS,
    FILE,
    KEYS,
    LIST,
    OBJECTS,
    Entry,
    Manifest,
    entry_of,
    manifest_of,
)
from diascope.serve.keeping.snapshots import kind_of, take
from diascope.serve.service import addresses, keys_of
from diascope.serve.settings import read_settings
from diascope.store.archive import Archive, ObjectMissing
from diascope.store.places import KEY
from diascope.store.workspace import FOLDERS

ROUNDS = 5
"""How often a state is taken anew because something of it was deleted meanwhile."""

CHUNK = 1 << 20
HEADS = "audit-heads.jsonl"
NOT_KEPT = ("cache",)
"""Of the workspace: what can be computed again."""


@dataclass(frozen=True)
class BackUp:
    """What is backed up, and where to.

    Args:
        root: Folder of the service.
        to: Folder of the back-up.
        state: New folder in it, for everything but the objects.
        urls: Of the index and of the identities.
        archive: The live one.
        before: Objects of the earlier back-up that this one continues.
    """

    root: Path
    to: Path
    state: Path
    urls: tuple[str, str]
    archive: Archive
    before: dict[str, Entry]


def back_up(
    workspace: Path, to: Path, incremental: bool = False, with_keys: bool = False, database: str | None = None
) -> dict[str, Any]:
    """Back up the service of a workspace; it may run and receive meanwhile.

    Args:
        workspace: The folder with everything.
        to: A folder that is empty or does not exist; with `incremental` one that holds an earlier back-up.
        incremental: Whether objects that are there already are not copied again.
        with_keys: Whether the ring of keys is in it: whoever has the back-up can then read every name.
        database: Address of the index, where it is not the one of the settings.

    Returns:
        What was done: numbers of objects, ids of the keys that open it.

    Raises:
        BadUsage: When there is nothing to back up, or the folder is not fit.
        DiascopeError: When a disk or a database fails; an earlier back-up in the folder is then as it was.
    """
    root = workspace.resolve() / "service"
    if not root.is_dir():
        raise BadUsage("there is no service in this workspace", given=str(workspace))
    settings = read_settings(root, {"database": database})
    keys, urls = keys_of(root, settings), addresses(root, settings)
    ring = keys.path
    with _alone(_fit(to.resolve(), workspace.resolve(), incremental), incremental) as earlier:
        _check_current(urls)
        before = _objects_of(to, earlier) if earlier is not None else {}
        state = to / f"state-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        state.mkdir(mode=0o700)
        work = BackUp(root, to.resolve(), state, urls, Archive(settings.archive or root / "archive"), before)
        try:
            manifest, copied = _taken(work, keys, ring if with_keys else None)
        except BaseException:
            shutil.rmtree(state, ignore_errors=True)
            raise
        _prune(to, manifest)
    _tell(urls[0], keys, root, manifest)
    return {
        "objects": manifest.objects,
        "copied": copied,
        "missing": list(manifest.missing),
        "keys": list(manifest.keys),
        "with_keys": with_keys,
        "keys_file": str(ring),
    }


def _taken(work: BackUp, keys: KeyRing, ring: Path | None) -> tuple[Manifest, int]:
    heads = work.root / HEADS
    (work.state / "service").mkdir(mode=0o700)
    if heads.is_file():  # before the index: a head may be older than the trail, never newer
        shutil.copyfile(heads, work.state / "service" / HEADS)
    objects, missing, copied = _databases_and_objects(work)
    _list_objects(work.state / LIST, objects)
    _copy_service(work)
    _copy_nouns(work)
    if ring is not None:
        shutil.copyfile(ring, work.state / KEYS)
        (work.state / KEYS).chmod(0o600)
    files = tuple(entry_of(path, work.state) for path in sorted(work.state.rglob("*")) if path.is_file())
    os.sync()  # once for all files, and not once for each
    manifest = Manifest(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("diascope"),
        service=(work.root / "id").read_text(encoding="utf-8").strip() if (work.root / "id").is_file() else "",
        state=work.state.name,
        index=kind_of(work.urls[0]),
        identities=kind_of(work.urls[1]),
        keys=keys.ids,
        with_keys=ring is not None,
        files=files,
        objects=len(objects),
        missing=tuple(missing),
    ).signed(keys)
    manifest.write(work.to / FILE)
    return manifest, copied


def _databases_and_objects(work: BackUp) -> tuple[list[Entry], list[str], int]:
    """A state in which every object that the index names was there; else what is missing for good."""
    copied = 0
    for _ in range(ROUNDS):
        for name in ("index", "identities"):
            for ending in ENDINGS.values():
                (work.state / f"{name}.{ending}").unlink(missing_ok=True)
        names = take(work.urls[0], work.state / f"index.{ENDINGS[kind_of(work.urls[0])]}", objects=True)
        take(work.urls[1], work.state / f"identities.{ENDINGS[kind_of(work.urls[1])]}", objects=False)
        objects, missing = list[Entry](), list[str]()
        for key in names:
            found, is_new = _copied(work, key)
            copied += is_new
            if found is None:
                missing.append(key)
            else:
                objects.append(found)
        if not missing or not _deleted(work, missing):
            return objects, missing, copied
    raise DiascopeError("studies were deleted all the time while they were backed up", todo="Try again later")


def _copied(work: BackUp, key: str) -> tuple[Entry | None, bool]:
    """The object in the back-up, and whether it was copied now; None where the archive has none."""
    target = work.to / OBJECTS / key
    known = work.before.get(key)
    if known is not None and target.is_file() and target.stat().st_size == known.size:
        return known, False
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft, hasher, size = target.with_name(f".{target.name}"), hashlib.sha256(), 0
    try:
        with work.archive.raw(key) as source, draft.open("wb") as sink:
            while chunk := source.read(CHUNK):
                hasher.update(chunk)
                size += sink.write(chunk)
    except ObjectMissing:
        return None, False
    draft.replace(target)
    work.before[key] = Entry(path=key, size=size, sha256=hasher.hexdigest())
    return work.before[key], True


def _deleted(work: BackUp, missing: list[str]) -> bool:
    """Whether rows of objects that are not there are gone too: they were deleted while this ran."""
    database = Database.open(work.urls[0], index)
    try:
        with database.reading() as connection:
            some = missing[:500]
            there = named(connection, some)
        return len(there) < len(some)
    finally:
        database.close()


def _list_objects(path: Path, objects: list[Entry]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(canonical_json(one.to_json()) + "\n" for one in objects)


def _objects_of(to: Path, manifest: Manifest) -> dict[str, Entry]:
    with (to / manifest.state / LIST).open(encoding="utf-8") as stream:
        return {one.path: one for one in (Entry.from_json(json.loads(line)) for line in stream)}


def _copy_service(work: BackUp) -> None:
    """Everything beside the databases and the archive."""
    left = {"archive", "service.lock", HEADS}
    for path in sorted(work.root.iterdir()):
        if path.name in left or path.name.startswith((".", "index.sqlite", "identities.sqlite")):
            continue
        _copy_tree(path, work.state / "service" / path.name)


def _copy_nouns(work: BackUp) -> None:
    for folder in FOLDERS:
        path = work.root.parent / folder
        if folder not in NOT_KEPT and path.is_dir():
            _copy_tree(path, work.state / "workspace" / folder)


def _copy_tree(source: Path, target: Path) -> None:
    """Copy plain files; what vanishes meanwhile was a draft."""
    with contextlib.suppress(FileNotFoundError):
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path in sorted(source.iterdir()):
                _copy_tree(path, target / path.name)
        elif stat.S_ISREG(source.stat().st_mode):
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copy2(source, target)


def _fit(to: Path, workspace: Path, incremental: bool) -> Path:
    if to == workspace or workspace in to.parents or to in workspace.parents:
        raise BadUsage("a back-up lies outside of the workspace", given=str(to), todo="Name a folder on another disk")
    there = to.is_dir() and any(path.name != ".lock" for path in to.iterdir())
    if to.exists() and not to.is_dir():
        raise BadUsage("this is no folder", given=str(to))
    if there and not incremental:
        raise BadUsage("the folder is not empty", given=str(to), todo="Name a new one, or continue it: --incremental")
    if there and not (to / FILE).is_file():
        raise BadUsage("the folder holds no back-up to continue", given=str(to), todo="Name an empty one")
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    return to


@contextlib.contextmanager
def _alone(to: Path, incremental: bool) -> Iterator[Manifest | None]:
    """One process at a time writes into a back-up; gives the manifest of the earlier one."""
    handle = os.open(to / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WorkspaceBusy("another process writes into this back-up", given=str(to)) from error
        yield manifest_of(to) if incremental and (to / FILE).is_file() else None
    finally:
        os.close(handle)


def _check_current(urls: tuple[str, str]) -> None:
    for url, tables in zip(urls, (index, apart), strict=True):
        if kind_of(url) == "sqlite" and not Path(url.removeprefix("sqlite:///")).is_file():
            raise BadUsage("there is no database to back up", given=url, todo="Start the service once")
        database = Database.open(url, tables, migrate=None)
        try:
            if not is_current(database.engine, tables):
                raise BadUsage(
                    "the database was made by another version of diascope", todo="Back it up with that version"
                )
        finally:
            database.close()


def _prune(to: Path, manifest: Manifest) -> None:
    """Remove earlier states, and objects that no state names any more: what was deleted leaves the back-up too."""
    for path in to.glob("state-*"):
        if path.name != manifest.state:
            shutil.rmtree(path, ignore_errors=True)
    named = _objects_of(to, manifest)
    for path in (to / OBJECTS).rglob("*"):
        key = path.relative_to(to / OBJECTS).as_posix()
        if path.is_file() and (KEY.fullmatch(key) is None or key not in named):
            path.unlink()


def _tell(url: str, keys: KeyRing, root: Path, manifest: Manifest) -> None:
    database = Database.open(url, index)
    try:
        detail = {"objects": manifest.objects, "with_keys": manifest.with_keys}
        Audit(database, keys.derived("audit"), root / HEADS).tell(Event("backup.made", "host", detail=detail))
    finally:
        database.close()
