"""From what the user wrote to a place on this disk: a public set is fetched on its first use, anything else is left.

An existing path always wins over a name. Sets lie in `$DIASCOPE_CACHE/sets` (`~/.cache/diascope/sets` by default), each
with its licence in `set.json`, which is written last: a set without it is not complete. What the numbers of its labels
mean is written beside its file, as `labels.json`.
"""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import json
import os
import shutil
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from diascope.core.errors import BadUsage, DiascopeError, Tampered, UnknownName
from diascope.core.record import write_durably
from diascope.engine.progress import Tell, silent
from diascope.sources.folders.named import LABELS
from diascope.sources.publicsets.catalogue import PublicSet, catalogue
from diascope.sources.publicsets.download import FULL, LOST, download, no_room, reason, require_room
from diascope.sources.publicsets.unpack import unpack

CACHE, MIRROR = "DIASCOPE_CACHE", "DIASCOPE_MIRROR"
MARKER = "set.json"
CLOSE = 0.85
"""How alike a location and the name of a set must be to be taken for a slip of the pen."""


@dataclass(frozen=True)
class Place:
    """Where a source can read.

    Args:
        location: Folder, file or address.
        notes: Licence, citation and meaning of the labels of a public set.
        licence: Of a public set, and where it is stated.
    """

    location: str
    notes: tuple[str, ...] = ()
    licence: str = ""


def located(location: str, tell: Tell = silent) -> Place:
    """The place that a location means; a public set is fetched where it is not here yet.

    Raises:
        UnknownName: When it looks like a public set that does not exist; names the closest.
        DiascopeError: When the set cannot be fetched; says which file to put where by hand.
        Tampered: When the bytes are not those that were published.
    """
    sets = catalogue()
    if os.path.exists(location):
        return Place(location)
    if location in sets:
        entry = sets[location]
        return Place(str(fetch(entry, tell)), entry.notes, f"{entry.licence}, stated at {entry.licence_stated}")
    collections = {name.split("/")[0] for name in sets}
    if location.split("/")[0] in collections or difflib.get_close_matches(location, sets, n=1, cutoff=CLOSE):
        raise UnknownName("file, folder or public set", location, sets)
    return Place(location)


def cache_folder() -> Path:
    """Where public sets are kept."""
    named = os.environ.get(CACHE)
    if named:
        return Path(named).expanduser().absolute() / "sets"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diascope" / "sets"


def fetch(entry: PublicSet, tell: Tell = silent) -> Path:
    """The file or folder of a set, fetched, verified and unpacked where it is not here yet.

    Raises:
        DiascopeError: When it cannot be fetched, or the disk is full.
        Tampered: When the bytes are not those that were published; the file is set aside.
    """
    folder = cache_folder() / entry.name
    if not _is_complete(folder, entry):
        folder.mkdir(parents=True, exist_ok=True)
        with _held(folder, entry, tell):
            if not _is_complete(folder, entry):  # it may have been fetched while this process waited
                _install(entry, folder, tell)
    _name_labels(entry, folder)
    return _opened(folder, entry)


def _opened(folder: Path, entry: PublicSet) -> Path:
    return folder / (entry.folder or entry.file)


def _name_labels(entry: PublicSet, folder: Path) -> None:
    """Write what the numbers mean where the set's source reads it; sets that were fetched before it did get it, too."""
    if entry.labels and not (folder / LABELS).is_file():
        content = json.dumps(dict(enumerate(entry.labels)), indent=1, ensure_ascii=False)
        write_durably(folder / LABELS, f"{content}\n".encode())


def _is_complete(folder: Path, entry: PublicSet) -> bool:
    marker = folder / MARKER
    return marker.is_file() and _opened(folder, entry).exists() and PublicSet.read(marker).md5 == entry.md5


@contextmanager
def _held(folder: Path, entry: PublicSet, tell: Tell) -> Iterator[None]:
    """Hold a set for this process; another one that wants it waits."""
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell({"event": "phase", "message": f"waiting for another process that fetches {entry.name}"})
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _install(entry: PublicSet, folder: Path, tell: Tell) -> None:
    tell({"event": "phase", "message": f"fetching {entry.name} ({entry.size}, licence {entry.licence}) into {folder}"})
    try:
        file = _obtained(entry, folder, tell)
        if entry.folder is not None:
            unpack(file, folder, entry.folder, tell)
            if file.parent == folder:
                file.unlink()
        elif file.parent != folder:
            require_room(folder, file.stat().st_size)
            shutil.copyfile(file, _part(folder, entry))
            os.replace(_part(folder, entry), folder / entry.file)
    except OSError as error:
        if error.errno in FULL:
            raise no_room(folder, str(error)) from error
        raise
    entry.write(folder / MARKER)


def _part(folder: Path, entry: PublicSet) -> Path:
    return folder / f"{entry.file}.part"


def _obtained(entry: PublicSet, folder: Path, tell: Tell) -> Path:
    """The published file with the right bytes: put there by hand, from a mirror, or from where it is published."""
    own = folder / entry.file
    if own.is_file():
        _verify(own, entry, tell, set_aside=True)
        return own
    mirror = os.environ.get(MIRROR, "")
    if mirror and not mirror.startswith(("http://", "https://")):
        found = _in_mirror(Path(mirror).expanduser(), entry)
        _verify(found, entry, tell, set_aside=False)
        return found
    part = _part(folder, entry)
    _download(entry, mirror, part, tell)
    _verify(part, entry, tell, set_aside=True)
    os.replace(part, own)
    return own


def _in_mirror(mirror: Path, entry: PublicSet) -> Path:
    if not mirror.is_dir():
        raise BadUsage(f"{MIRROR} is no folder and no http address", given=mirror, todo="Name a folder that exists")
    for found in (mirror / entry.name / entry.file, mirror / entry.file):
        if found.is_file():
            return found
    raise DiascopeError(
        f"the mirror has no {entry.file}, so {entry.name} cannot be used",
        given=f"{MIRROR}={mirror}",
        todo=f"Fetch {entry.url} (MD5 {entry.md5}) and put it into {mirror}",
    )


def _download(entry: PublicSet, mirror: str, part: Path, tell: Tell) -> None:
    base = mirror.rstrip("/")
    urls = [f"{base}/{entry.name}/{entry.file}", f"{base}/{entry.file}"] if mirror else [entry.url]
    for url in urls:
        try:
            download(url, part, tell, room=1 if entry.folder is None else 2)
            return
        except LOST as error:
            missing = isinstance(error, urllib.error.HTTPError) and error.code == 404
            if missing and url != urls[-1]:
                continue
            raise DiascopeError(
                f"cannot fetch {entry.name}: {reason(error)}",
                given=url,
                todo=f"Run the same command again to go on; or fetch {entry.url} (MD5 {entry.md5}) by hand and put it "
                f"at {part.with_name(entry.file)}, or into a folder that {MIRROR} names",
            ) from error


def _verify(file: Path, entry: PublicSet, tell: Tell, set_aside: bool) -> None:
    """Compare a file with the published checksum.

    Raises:
        Tampered: When it differs.
    """
    tell({"event": "phase", "message": f"verifying {file.name.removesuffix('.part')}"})
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found == entry.md5:
        return
    todo = f"Replace it by {entry.url}"
    if set_aside:
        aside = file.with_name(f"{entry.file}.wrong")
        os.replace(file, aside)
        todo = f"It was set aside as {aside}; run the same command again, and do not use the set if this comes again"
    raise Tampered(
        f"{file.name.removesuffix('.part')} is not the published file of {entry.name}",
        given=f"MD5 {found}, published {entry.md5} at {entry.md5_stated}",
        todo=todo,
    )
