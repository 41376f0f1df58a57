"""Zip archives from outside, unpacked where nothing else is: what an archive says of itself is not believed.

Bounds stand before any work: entries, bytes, the ratio of both, free space. A name that leads elsewhere, a link, a
device, a name that no source could be asked for: the whole archive is refused. Archives in it stay files.
"""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from diascope.core.errors import DataRefused, StorageFull

MOST_ENTRIES = 200_000
LONGEST_DIRECTORY = 64 << 20
"""Bytes of the list of entries, which is read whole."""
RATIO, RATIO_FROM = 200, 1 << 30
"""An archive that unpacks to more than so many times its size is a bomb, from so many bytes on: masks pack well."""
LONGEST_NAME, LONGEST_PART, DEEPEST = 1024, 255, 32
"""Bytes of a name, of one folder of it, and folders."""
CHUNK = 1 << 20
LEFT_OUT = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
"""What operating systems add."""
UTF8, ENCRYPTED = 0x800, 0x1
"""Flags of an entry (APPNOTE 4.4.4)."""


@dataclass(frozen=True)
class Bounds:
    """What an archive may become.

    Args:
        bytes: Unpacked.
        keep_free: Bytes that stay free on the disk.
    """

    bytes: int
    keep_free: int


def unpack(archive: Path, folder: Path, bounds: Bounds) -> int:
    """Unpack an archive; one folder around everything is left out.

    Args:
        archive: A zip.
        folder: Empty, and seen by nobody yet; what it holds after an error is to be removed.
        bounds: What it may become.

    Returns:
        Files that were written.

    Raises:
        DataRefused: When it is no archive, or holds what is not taken; names the entry.
        StorageFull: When there is no room.
    """
    with archive.open("rb") as stream:
        _refuse_many(stream)
        try:
            with zipfile.ZipFile(stream) as opened:
                entries = [(one, path) for one in opened.infolist() if (path := _path(one)) is not None]
                _refuse_large(entries, archive.stat().st_size, bounds, folder)
                around = _around([path for one, path in entries if not one.is_dir()])
                for one, path in entries:
                    if not one.is_dir():
                        _write(opened, one, folder / path.relative_to(around))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise DataRefused("this is no sound zip archive", todo="Pack it again, and upload that") from error
    return sum(not one.is_dir() for one, _ in entries)


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(entry) as source, path.open("xb") as sink:
            shutil.copyfileobj(source, sink, CHUNK)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataRefused("two entries of the archive have the same name", given=_shown(entry)) from error
    except OSError as error:
        raise StorageFull(f"the disk does not take it: {error.strerror}", todo="Free disk space") from error


def _path(entry: zipfile.ZipInfo) -> PurePosixPath | None:
    """Where an entry goes; None for what operating systems add.

    Raises:
        DataRefused: When it may go nowhere.
    """
    name = _name(entry).removesuffix("/")
    parts = name.split("/")
    if not LEFT_OUT.isdisjoint(parts):
        return None
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DataRefused("the archive holds links or devices", given=_shown(entry), todo="Pack the files themselves")
    if entry.flag_bits & ENCRYPTED:
        raise DataRefused("the archive is encrypted", given=_shown(entry), todo="Pack it without a password")
    bad = any(part in ("", ".", "..") or part.startswith("~") for part in parts)
    odd = any(ord(letter) < 32 or letter in "\\:\x7f" or "\ud800" <= letter <= "\udfff" for letter in name)
    if bad or odd or _is_long(name, parts):
        todo = "Names are relative, with slashes, without control characters, backslashes and colons"
        raise DataRefused("the archive holds a name that can't be kept", given=_shown(entry), todo=todo)
    return PurePosixPath(name)


def _is_long(name: str, parts: Sequence[str]) -> bool:
    wide = any(len(part.encode(errors="replace")) > LONGEST_PART for part in parts)
    return wide or len(name.encode(errors="replace")) > LONGEST_NAME or len(parts) > DEEPEST


def _name(entry: zipfile.ZipInfo) -> str:
    """Its name; where it is not said to be UTF-8, it may be so all the same, or GB 18030 (Chinese Windows)."""
    if entry.flag_bits & UTF8:
        return entry.orig_filename
    for encoding in ("utf-8", "gb18030"):
        try:
            return entry.orig_filename.encode("cp437").decode(encoding)
        except UnicodeError:
            continue
    return entry.orig_filename


def _around(paths: Sequence[PurePosixPath]) -> PurePosixPath:
    """The one folder that everything is in, if there is one."""
    firsts = {path.parts[0] for path in paths}
    inside = all(len(path.parts) > 1 for path in paths)
    return PurePosixPath(*firsts) if len(firsts) == 1 and inside else PurePosixPath()


def _refuse_large(
    entries: Sequence[tuple[zipfile.ZipInfo, PurePosixPath]], packed: int, bounds: Bounds, folder: Path
) -> None:
    if len(entries) > MOST_ENTRIES:
        raise DataRefused(
            "the archive holds too many files", given=f"{len(entries):,}", todo=f"{MOST_ENTRIES:,} at most"
        )
    total = sum(one.file_size for one, _ in entries)  # no entry gives more than it says: `zipfile` stops there
    if total > bounds.bytes:
        raise DataRefused(
            "the archive is too large when it is unpacked",
            given=f"{total / 1e6:,.0f} MB",
            todo=f"At most {bounds.bytes / 1e6:,.0f} MB are taken; an administrator can raise largest_upload_mb",
        )
    if total > max(RATIO_FROM, RATIO * packed):
        raise DataRefused("the archive unpacks to many times its size", given=f"{total // max(packed, 1):,} times")
    if not any(not one.is_dir() for one, _ in entries):
        raise DataRefused("the archive is empty", todo="Pack the folder with the data set")
    if shutil.disk_usage(folder).free - total < bounds.keep_free:
        raise StorageFull("there is no room to unpack the archive", todo="Free disk space")


def _refuse_many(stream: IO[bytes]) -> None:
    """Look at the end of the archive before its list of entries is read (APPNOTE 4.3.14 to 4.3.16)."""
    size = stream.seek(0, 2)
    start = max(0, size - (1 << 16) - 22 - 20)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise DataRefused("this is no zip archive", todo="Upload a .zip, or a table (.csv, .tsv, .parquet, .arff)")
    many, long = struct.unpack_from("<HI", tail, at + 10)
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        stream.seek(min(struct.unpack_from("<Q", tail, at - 12)[0], size))
        record = stream.read(56)
        if len(record) == 56:
            many, long = struct.unpack_from("<QQ", record, 32)
    if many > MOST_ENTRIES or long > LONGEST_DIRECTORY:
        raise DataRefused("the archive holds too many files", given=f"{many:,}", todo=f"{MOST_ENTRIES:,} at most")
    stream.seek(0)


def _shown(entry: zipfile.ZipInfo) -> str:
    return ascii(entry.orig_filename)[:200]
