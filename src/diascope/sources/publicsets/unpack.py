"""Archives of other people: nothing is written outside the folder, and nothing grows without end."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from diascope.core.errors import DiascopeError, Tampered
from diascope.engine.progress import Tell
from diascope.sources.publicsets.download import MB, require_room

TIMES = 20
"""An archive that holds more than so many times its size is a bomb: packed images shrink two- to fourfold."""
WORK = ".unpacking"


def unpack(archive: Path, into: Path, wanted: str, tell: Tell) -> None:
    """Unpack one folder of an archive (tar, also compressed, or zip); it appears whole or not at all.

    Args:
        archive: The file.
        into: Folder that `wanted` will be in.
        wanted: The folder of the archive that is kept.
        tell: Told about progress.

    Raises:
        Tampered: When a member leads out of the folder, the archive is broken, too large, or lacks `wanted`.
        DiascopeError: When the disk has no room.
    """
    if not hasattr(tarfile, "data_filter"):
        raise DiascopeError(
            "this Python cannot unpack archives safely (PEP 706)", todo="Use Python 3.11.4 or newer, or 3.12"
        )
    work = into / WORK
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    size = archive.stat().st_size
    require_room(into, size)
    total, told = max(1, -(-size // MB)), 0
    try:
        for at, unpacked in _members(archive, work):
            if unpacked > TIMES * size:
                raise Tampered(f"{archive} holds more than {TIMES} times its size", todo="Do not use this file")
            if min(at // MB, total - 1) > told:
                told = min(at // MB, total - 1)
                tell({"event": "progress", "what": f"unpacking {archive.name}, MB", "done": told, "total": total})
        if not (work / wanted).is_dir():
            raise Tampered(f"{archive} holds no folder {wanted}", todo="Do not use this file")
        shutil.rmtree(into / wanted, ignore_errors=True)
        os.replace(work / wanted, into / wanted)
        tell({"event": "progress", "what": f"unpacking {archive.name}, MB", "done": total, "total": total})
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise Tampered(f"cannot unpack {archive}: {error}", todo="Do not use this file") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _members(archive: Path, work: Path) -> Iterator[tuple[int, int]]:
    """Place in the archive and bytes unpacked, each time before a member is written."""
    if tarfile.is_tarfile(archive):
        yield from _of_tar(archive, work)
    else:
        yield from _of_zip(archive, work)


def _of_tar(archive: Path, work: Path) -> Iterator[tuple[int, int]]:
    unpacked = 0
    with tarfile.open(archive) as content:
        for member in content:
            unpacked += member.size
            yield member.offset_data, unpacked
            if not _is_resource_fork(member.name):
                content.extract(member, work, filter="data")


def _of_zip(archive: Path, work: Path) -> Iterator[tuple[int, int]]:
    unpacked = 0
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            unpacked += member.file_size
            yield member.header_offset, unpacked
            if not (work / member.filename).resolve().is_relative_to(work.resolve()):
                raise Tampered(
                    f"{archive} would write outside its folder", given=member.filename, todo="Do not use this file"
                )
            if not _is_resource_fork(member.filename):
                content.extract(member, work)


def _is_resource_fork(name: str) -> bool:
    """Whether macOS put this beside a file; the Decathlon's archives are full of such."""
    return PurePosixPath(name).name.startswith("._")
