"""Data sets that people upload: half-written ones have hidden names, and whole ones belong to a project."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from sqlalchemy import Connection, insert

from diascope.core.errors import DataRefused, StorageFull
from diascope.serve.database.tables import nouns
from diascope.serve.incoming.unpacking import Bounds, unpack
from diascope.serve.nouns import Noun, folder_of
from diascope.serve.service import Service

KIND = "uploads"
TABLES = (".csv", ".tsv", ".parquet", ".arff")
ARCHIVE = ".zip"
UNPACKED = 10
"""Times the largest upload that one may be when it is unpacked."""
LONGEST = 60
"""Characters of a name, before its id."""
OTHERS_MAY_WRITE = 86400.0
"""Seconds that a half-written upload may be left alone where other hosts write into the same workspace."""

Tell = Callable[[Connection, Noun], None]


def receive(service: Service, chunks: Iterable[bytes], given: str, owner: tuple[str, str], tell: Tell) -> Noun:
    """Keep what arrives: an archive unpacked, or a table.

    Args:
        service: Whose workspace.
        chunks: Of the body, bounded.
        given: Name of the file as its owner has it.
        owner: Id of the project, and who uploads.
        tell: Records it in the transaction that makes it the project's.

    Raises:
        DataRefused: When it is neither, or holds what is not taken.
        StorageFull: When there is no room.
    """
    stem, ending = named(given)
    folder = folder_of(service.workspace, KIND)
    folder.mkdir(exist_ok=True)
    name = f"{stem}-{secrets.token_hex(4)}"
    packed, unpacked = folder / f".{name}.arriving", folder / f".{name}"
    try:
        size = _written(service, chunks, packed)
        unpacked.mkdir()
        if ending == ARCHIVE:
            unpack(packed, unpacked, _bounds(service))
        elif size:
            packed.rename(unpacked / f"{stem}{ending}")
        else:
            raise DataRefused("the file is empty", given=given[:200])
        os.sync()  # before it is acknowledged; one by one, many small files would take minutes
        return _kept(service, unpacked, Noun(KIND, name, *owner, service.clock()), tell)
    finally:
        packed.unlink(missing_ok=True)
        shutil.rmtree(unpacked, ignore_errors=True)


def named(given: str) -> tuple[str, str]:
    """The stem of a name without what a path can't have, and its ending.

    Raises:
        DataRefused: When the ending is of nothing that is taken.
    """
    ending = next((one for one in (ARCHIVE, *TABLES) if given.lower().endswith(one)), "")
    if not ending:
        raise DataRefused(
            "this kind of file is not taken",
            given=given[:200],
            todo="Upload a .zip, or a table (.csv, .tsv, .parquet, .arff)",
        )
    stem = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in given[: -len(ending)])
    return stem.strip("-_.")[:LONGEST].strip("-_.") or "upload", ending


def place_of(service: Service, name: str) -> str:
    """What stands for an upload in a path of the source `uploads`: its folder, or the table that is alone in it."""
    with os.scandir(folder_of(service.workspace, KIND) / name) as found:
        first = [entry.name for entry, _ in zip(found, range(2), strict=False)]
    alone = len(first) == 1 and first[0].lower().endswith(TABLES)
    return f"{name}/{first[0]}" if alone else name


def sweep(service: Service, older_than: float) -> int:
    """Remove what a crash left half-written.

    Args:
        service: Whose workspace.
        older_than: Seconds before now.

    Returns:
        How many were removed.
    """
    folder, removed = folder_of(service.workspace, KIND), 0
    if not folder.is_dir():
        return 0
    before = time.time() - (older_than if service.database.is_sqlite else OTHERS_MAY_WRITE)
    for path in folder.iterdir():
        if path.name.startswith(".") and path.lstat().st_mtime < before:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            removed += 1
    return removed


def _kept(service: Service, unpacked: Path, noun: Noun, tell: Tell) -> Noun:
    """Whose it is stands in the database before anybody can see it; a row of nothing means nothing."""

    def work(connection: Connection) -> None:
        row = {"kind": KIND, "name": noun.name, "project_id": noun.project, "by": noun.by, "created": noun.created}
        connection.execute(insert(nouns).values(**row))
        tell(connection, noun)

    service.database.change(work)
    unpacked.rename(unpacked.with_name(noun.name))
    return noun


def _written(service: Service, chunks: Iterable[bytes], path: Path) -> int:
    size, keep_free = 0, service.settings.keep_free_gb * 1e9
    try:
        with path.open("xb") as sink:
            for chunk in chunks:
                if shutil.disk_usage(path.parent).free - len(chunk) < keep_free:
                    raise StorageFull("there is no room for it", todo="Free disk space")
                size += sink.write(chunk)
    except OSError as error:
        raise StorageFull(f"the disk does not take it: {error.strerror}", todo="Free disk space") from error
    return size


def _bounds(service: Service) -> Bounds:
    most = service.settings.largest_upload_mb * 1_000_000
    return Bounds(UNPACKED * most, int(service.settings.keep_free_gb * 1e9))
