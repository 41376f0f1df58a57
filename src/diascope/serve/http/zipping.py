"""Folders as zip archives, written while they are sent: nothing is kept in memory, and no link is followed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from io import RawIOBase
from pathlib import Path

from fastapi.responses import StreamingResponse

CHUNK = 1 << 20
MADE = (1980, 1, 1, 0, 0, 0)
"""Time of every member: what was zipped twice is the same."""


class _Sink(RawIOBase):
    """Takes what the archive writes, until it is fetched."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        part = bytes(content)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def taken(self) -> bytes:
        """What has been written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name in the archive and path of every plain file below a folder, sorted."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.resolve().is_relative_to(folder.resolve()):
            yield path.relative_to(folder).as_posix(), path


def zipped(members: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """An archive of files, stored as they are."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, path in members:
            info = zipfile.ZipInfo(name, MADE)
            with archive.open(info, "w", force_zip64=True) as out, path.open("rb") as stream:
                while part := stream.read(CHUNK):
                    out.write(part)
                    yield sink.taken()
    yield sink.taken()


def as_zip(members: Iterable[tuple[str, Path]], name: str) -> StreamingResponse:
    """The archive as an answer, to be saved."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "@._-") else "-" for letter in name)
    headers = {"Content-Disposition": f'attachment; filename="{plain}.zip"'}
    return StreamingResponse(zipped(members), media_type="application/zip", headers=headers)
