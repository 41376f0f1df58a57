"""Putting a back-up back: into an empty folder, every hash compared, nothing swept until the archive was gone through.

An archive that lies elsewhere may hold objects that were acknowledged after the back-up was made. No row names them, so
they would be swept as a crash's remainders: they are indexed first.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from diascope.core.errors import BadUsage, DataRefused, Tampered
from diascope.core.record import write_durably
from diascope.formats.dicomio.decoder import Decoder
from diascope.privacy.keys import KeyRing
from diascope.serve.audit import Event
from diascope.serve.database.tables import sessions, studies
from diascope.serve.incoming.decoding import strict_decoder
from diascope.serve.incoming.named import named
from diascope.serve.incoming.storing import Arrival, Origin, store
from diascope.serve.keeping.manifest import (
    ENDINGS,
    KEYS,
    LIST,
    OBJECTS,
    Entry,
    Manifest,
    check_file,
    manifest_of,
)
from diascope.serve.keeping.snapshots import kind_of, put_back
from diascope.serve.service import FIRST_PROJECT, HELD, RESTORING, Service, addresses, key_file_of
from diascope.serve.settings import Settings, read_settings
from diascope.store.archive import Archive, ObjectMissing, Stored
from diascope.store.workspace import Workspace

CHUNK = 1 << 20
BATCH = 500
ASIDE = "unindexed"
"""Folder beside the databases for objects that could not be indexed; a person looks at them."""


@dataclass
class Restored:
    """What was done.

    Args:
        objects: Put back.
        there: Were in the archive already, and are what was backed up.
        indexed: Were acknowledged after the back-up was made.
        aside: Could not be indexed; they lie beside the databases, as they were in the archive.
        missing: Were missing when the back-up was made.
        records: Of the audit trail, all sound.
        keys: File of the ring.
    """

    objects: int = 0
    there: int = 0
    indexed: int = 0
    aside: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    records: int = 0
    keys: str = ""


def restore(source: Path, to: Path, keys: Path | None = None, **given: Any) -> Restored:
    """Restore a back-up.

    Args:
        source: Its folder.
        to: The new workspace: a folder that is empty or does not exist.
        keys: File of the ring, where it is neither in the back-up nor where the service expects it.
        **given: `database`, `identities`, `archive`: where they shall lie, when not where the settings say.

    Raises:
        BadUsage: When the folder is not empty, or keys are missing; names them.
        Tampered: When a file or the audit trail is not what was written. The workspace is then not served.
        DiascopeError: When a disk or a database fails.
    """
    manifest = manifest_of(source)
    state = source / manifest.state
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BadUsage("the folder is not empty", given=str(to), todo="Restore into a new one")
    settings = read_settings(state / "service", given)
    place = _keys(state, manifest, settings, keys)
    manifest.check(KeyRing.open(place))
    for entry in manifest.files:
        check_file(state, entry)
    root = to.resolve() / "service"
    urls = addresses(root, settings)
    if (kind_of(urls[0]), kind_of(urls[1])) != (manifest.index, manifest.identities):
        raise BadUsage(
            "the back-up is of other databases",
            given=f"{manifest.index} and {manifest.identities}",
            todo="Give --database and --identities of the same kinds",
        )
    made = Restored(keys=str(place), missing=list(manifest.missing))
    root.mkdir(parents=True, mode=0o700)
    write_durably(root / RESTORING, b"")
    write_durably(root / HELD, b"")
    for name, folder in (("service", root), ("workspace", to)):
        if (state / name).is_dir():
            shutil.copytree(state / name, folder, dirs_exist_ok=True)
    for name, url in zip(("index", "identities"), urls, strict=True):
        put_back(state / f"{name}.{ENDINGS[kind_of(url)]}", url)
    _put_objects(source, state, Archive(settings.archive or root / "archive"), made)
    (root / RESTORING).unlink()
    _finish(Workspace(to), settings.model_copy(update={"keys": place}), made)
    return made


def _finish(workspace: Workspace, settings: Settings, made: Restored) -> None:
    """Migrate, verify, index what came later; only then may be swept."""
    service = Service.open(workspace, settings)
    try:
        found = service.audit.verify()
        if found.first_bad is not None:
            raise Tampered(
                f"record {found.first_bad} of the restored audit trail is not what it was: {found.reason}",
                todo="Take another back-up",
            )
        made.records = found.records
        # Cookies that were stolen or ended since the back-up must not come to life again.
        service.database.change(lambda connection: connection.execute(delete(sessions)))
        _index_the_others(service, made)
        detail = {"objects": made.objects + made.there, "indexed": made.indexed, "aside": len(made.aside)}
        service.audit.tell(Event("backup.restored", "host", detail=detail))
        (service.root / HELD).unlink()
    finally:
        service.close()


def _keys(state: Path, manifest: Manifest, settings: Settings, given: Path | None) -> Path:
    """The file of the ring that opens the back-up, where the service expects it.

    Raises:
        BadUsage: When it is not there, or lacks keys; says which.
    """
    expected = settings.keys or key_file_of(manifest.service)
    if not expected.exists():
        found = given or (state / KEYS if manifest.with_keys else None)
        if found is None or not found.is_file():
            raise BadUsage(
                f"the back-up is sealed with keys that are not in it: {', '.join(manifest.keys)}",
                given=str(found or expected),
                todo=f"Put their file at {expected} (mode 600), or name it: --keys FILE",
            )
        _check_keys(found, manifest)
        write_durably(expected, found.read_bytes(), mode=0o600)
    _check_keys(expected, manifest)
    return expected


def _check_keys(path: Path, manifest: Manifest) -> None:
    known = KeyRing.open(path).ids
    lacking = [one for one in manifest.keys if one not in known]
    if lacking or known[0] != manifest.keys[0]:
        raise BadUsage(
            f"these are not the keys of the back-up: it needs {', '.join(lacking or manifest.keys)}",
            given=str(path),
            todo="Name the right file: --keys FILE",
        )


def _put_objects(source: Path, state: Path, archive: Archive, made: Restored) -> None:
    """Put back what the archive does not have, or has damaged.

    Raises:
        Tampered: When an object of the back-up is not what was written.
    """
    with (state / LIST).open(encoding="utf-8") as lines:
        for line in lines:
            entry = Entry.from_json(json.loads(line), where=LIST)
            if _is_there(archive, entry):
                made.there += 1
                continue
            with check_file(source / OBJECTS, entry).open("rb") as stream:
                archive.put_raw(entry.path, stream)
            made.objects += 1


def _is_there(archive: Archive, entry: Entry) -> bool:
    hasher = hashlib.sha256()
    try:
        with archive.raw(entry.path) as stream:
            while chunk := stream.read(CHUNK):
                hasher.update(chunk)
    except ObjectMissing:
        return False
    return hasher.hexdigest() == entry.sha256


def _index_the_others(service: Service, made: Restored) -> None:
    """Index objects that no row names; what can't be is put aside, and may then be swept."""
    decoder = strict_decoder()
    for key in _without_row(service):
        try:
            is_known = _indexed(service, decoder, key)
        except DataRefused:  # nobody can read it
            is_known = False
        if is_known:
            made.indexed += 1
            continue
        aside = service.root / ASIDE / key.replace("/", "-")
        with service.archive.raw(key) as stream:
            write_durably(aside, stream.read(), mode=0o600)
        made.aside.append(key)


def _without_row(service: Service) -> Iterator[str]:
    keys = service.archive.keys()
    while some := list(islice(keys, BATCH)):
        with service.database.reading() as connection:
            known = named(connection, some)
        yield from (key for key in some if key not in known)


def _indexed(service: Service, decoder: Decoder, key: str) -> bool:
    """Whether the object has its row now, or one with the same bytes has."""
    size, hasher = 0, hashlib.sha256()
    for chunk in service.archive.stream(key):
        size += len(chunk)
        hasher.update(chunk)
    with service.archive.local(key) as path:
        facts = decoder.index(path)
    with service.database.reading() as connection:
        query = select(studies.c.project_id).where(studies.c.uid == facts["study_uid"])
        project = connection.execute(query).scalar() or FIRST_PROJECT
    arrival = Arrival(facts, Stored(key, size, hasher.hexdigest()), Origin("host", "", project), {"restored": True})
    return _stored(service, [arrival])


def _stored(service: Service, arrivals: Sequence[Arrival]) -> bool:
    return all(outcome.status in ("stored", "same") for outcome in store(service, arrivals))
