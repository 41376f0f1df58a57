"""Where an archive keeps its objects: a folder of this machine, or an object store that fsspec knows (`s3://`, `memory://`)."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from diascope.core.errors import BadUsage, DataRefused, DiascopeError, MissingPackage, StorageFailed, StorageFull

KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{32}(?:\.s)?")
"""Names of objects, all of our own making. Nothing else becomes a path (RELIABILITY B5)."""
DRAFTS = "drafts"
OBJECTS_A_FOLDER = 512
"""So many objects go into one folder before another one is drawn: making a folder durable costs two more fsyncs."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
LASTING = {errno.EIO, errno.EROFS, errno.ENODEV, errno.ENXIO, errno.ESTALE, getattr(errno, "EUCLEAN", errno.EIO)}
"""The device is in doubt. After EIO from fsync the kernel may have dropped the pages; the next fsync says "success"."""


class ObjectMissing(DataRefused):
    """An object that a row names and the archive does not have."""


class DiskFailed(StorageFailed):
    """The device itself is in doubt: what is written next may be lost too, whatever it says."""


class Place(Protocol):
    """What an archive asks of where it lies. Every method raises `StorageFull` or `StorageFailed`."""

    staging: Path
    """A folder of this machine for what will be kept."""
    drafts: Path
    """A folder of this machine for plain copies."""
    folder: Path | None
    """Where objects lie as files of this machine, and None elsewhere."""

    def commit(self, handle: int, draft: Path, key: str) -> None:
        """Keep a draft under a key; it is durable when this returns. `handle` is open for writing, and stays open."""
        ...

    def open(self, key: str) -> BinaryIO:
        """The object's bytes; `ObjectMissing` where there is none."""
        ...

    def delete(self, key: str) -> None: ...

    def keys(self) -> Iterator[str]: ...

    def age(self, key: str) -> float:
        """Seconds since the object was kept; 0 where it is gone."""
        ...

    def free_bytes(self) -> int | None: ...

    def answering(self, what: str) -> AbstractContextManager[None]:
        """Turn the errors of reading on into those of `core/errors.py`."""
        ...


def opened_place(place: Path | str, drafts: Path | None = None) -> Place:
    """A folder, or an object store by its URL."""
    if isinstance(place, str) and "://" in place:
        return ObjectStore(place, drafts)
    return Folder(Path(place), drafts)


class Folder:
    """A folder of this machine.

    Args:
        root: Made with mode 0700 where it is missing.
        drafts: For plain copies; without one they lie where objects are written.
    """

    def __init__(self, root: Path, drafts: Path | None = None) -> None:
        self.folder: Path | None = root
        self._root, self.staging = root, root / DRAFTS
        self.drafts = drafts or self.staging
        self._durable: set[Path] = set()
        self._lock = threading.Lock()
        with failing("make the archive's folder"):
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.staging.mkdir(exist_ok=True, mode=0o700)
            self.drafts.mkdir(parents=True, exist_ok=True, mode=0o700)

    def commit(self, handle: int, draft: Path, key: str) -> None:
        with failing("keep an object"):
            os.fsync(handle)
            path = self._root / key
            self._make_durable(path.parent)
            os.rename(draft, path)
            try:
                sync_folder(path.parent)
            except OSError:
                # Nobody was told that it is kept: it must not be found as if it were.
                with contextlib.suppress(OSError):
                    path.unlink()
                raise

    def open(self, key: str) -> BinaryIO:
        with failing("read an object"):
            try:
                return (self._root / key).open("rb")
            except FileNotFoundError as error:
                raise missing(key) from error

    def delete(self, key: str) -> None:
        with failing("delete an object"):
            (self._root / key).unlink(missing_ok=True)

    def keys(self) -> Iterator[str]:
        with failing("list the archive"):
            for outer in _folders(self._root):
                for inner in _folders(outer):
                    names = sorted(f"{outer.name}/{inner.name}/{name}" for name in os.listdir(inner))
                    yield from (name for name in names if KEY.fullmatch(name))

    def age(self, key: str) -> float:
        with failing("read an object"):
            return _age_of(self._root / key)

    def free_bytes(self) -> int | None:
        with failing("ask for free room"):
            found = os.statvfs(self._root)
            return found.f_bavail * found.f_frsize

    def answering(self, what: str) -> AbstractContextManager[None]:
        return failing(what)

    def _make_durable(self, shard: Path) -> None:
        """Make a shard's folders; their entries are durable before anything in them counts as kept."""
        with self._lock:
            if shard in self._durable:
                return
            shard.parent.mkdir(mode=0o700, exist_ok=True)
            shard.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._root)
            sync_folder(shard.parent)
            self._durable.add(shard)


class ObjectStore:
    """A store that fsspec knows by a URL. Its own acknowledgement is what counts as durable.

    Args:
        url: For example `s3://bucket/prefix`.
        drafts: A local folder for what is being written; without one, a temporary one.
    """

    def __init__(self, url: str, drafts: Path | None = None) -> None:
        try:
            import fsspec
        except ImportError as error:
            raise MissingPackage("fsspec", "serve", f"An archive at {url.split('://')[0]}://") from error
        self._scheme = url.split("://")[0]
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise MissingPackage(str(error.name or "s3fs"), "s3", f"An archive at {self._scheme}://") from error
        except ValueError as error:
            raise BadUsage("no such kind of store", given=f"{self._scheme}://", todo="Use a folder or s3://") from error
        self._root = str(self._root).rstrip("/")
        self.folder: Path | None = None
        self.staging = self.drafts = drafts or Path(tempfile.mkdtemp(prefix="diascope-drafts-"))
        if drafts is None:
            weakref.finalize(self, shutil.rmtree, self.drafts, ignore_errors=True)
        self.drafts.mkdir(parents=True, exist_ok=True, mode=0o700)

    def commit(self, handle: int, draft: Path, key: str) -> None:
        with self.answering("keep an object"):
            self._files.put_file(str(draft), self._path(key))

    def open(self, key: str) -> BinaryIO:
        with self.answering("read an object"):
            try:
                return cast(BinaryIO, self._files.open(self._path(key), "rb"))
            except FileNotFoundError as error:
                raise missing(key) from error

    def delete(self, key: str) -> None:
        with self.answering("delete an object"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(key))

    def keys(self) -> Iterator[str]:
        with self.answering("list the archive"):
            self._files.invalidate_cache()
            found: list[str] = self._files.find(self._root)
        names = sorted(name.removeprefix(self._root).lstrip("/") for name in found)
        return (name for name in names if KEY.fullmatch(name))

    def age(self, key: str) -> float:
        with self.answering("read an object"):
            try:
                modified: Any = self._files.modified(self._path(key))
            except FileNotFoundError:
                return 0.0
            return time.time() - float(modified.timestamp())

    def free_bytes(self) -> int | None:
        return None

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    @contextmanager
    def answering(self, what: str) -> Iterator[None]:
        try:
            yield
        except DiascopeError:
            raise
        except Exception as error:
            # A process border: each store raises errors of its own libraries, and all mean that it did not answer.
            raise StorageFailed(
                f"the object store could not {what}: {type(error).__name__}",
                given=f"{self._scheme}://",
                todo="Look at the store's own log, and at the address and rights that it was given",
            ) from error


class Written:
    """A file of our own in the folder of drafts, unbuffered, so that every error shows where it happens."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / secrets.token_hex(16)
        self.handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self.handle, rest) :]

    def drop(self) -> None:
        """Close, and remove what is still there under this name."""
        if self.handle < 0:
            return
        handle, self.handle = self.handle, -1
        with contextlib.suppress(OSError):
            os.close(handle)
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def remove_drafts(place: Place, is_old: Callable[[float], bool]) -> int:
    """Remove what was begun and never kept.

    Args:
        place: Where.
        is_old: Whether a draft of that age, in seconds, is nobody's any more.

    Returns:
        How many were removed.
    """
    with failing("remove drafts"):
        folders = {place.staging, place.drafts}
        drafts = [one for folder in folders for one in folder.iterdir() if is_old(_age_of(one))]
        for draft in drafts:
            draft.unlink(missing_ok=True)
    return len(drafts)


def new_key(shard: str, is_sealed: bool) -> str:
    """A name for an object.

    `.s` says that it is sealed. So its row says it too, and nobody can put plain bytes in its place.
    """
    return f"{shard}/{secrets.token_hex(16)}{'.s' if is_sealed else ''}"


def new_shard() -> str:
    """A folder for objects, drawn."""
    drawn = secrets.token_hex(2)
    return f"{drawn[:2]}/{drawn[2:]}"


def checked(key: str) -> str:
    """The key, if it is one.

    Raises:
        BadUsage: When it is not.
    """
    if not KEY.fullmatch(key):
        raise BadUsage("that is no name of an object in the archive", given=f"{len(key)} characters")
    return key


def missing(key: str) -> ObjectMissing:
    """The error for an object that is not there."""
    return ObjectMissing("the archive has no such object", given=key, todo="Restore it from a back-up")


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _age_of(path: Path) -> float:
    """Seconds since a file was written or renamed; 0 where it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0.0
    return time.time() - max(found.st_mtime, found.st_ctime)


def _folders(folder: Path) -> list[Path]:
    return sorted(
        Path(one.path) for one in os.scandir(folder) if re.fullmatch("[0-9a-f]{2}", one.name) and _is_folder(one)
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode)


@contextmanager
def failing(what: str) -> Iterator[None]:
    """Turn an error of the operating system into `StorageFull` or `StorageFailed`."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(
                f"no room is left to {what}", given=error.strerror, todo="Free some room; nothing has to be restarted"
            ) from error
        kind = DiskFailed if error.errno in LASTING else StorageFailed
        raise kind(
            f"the disk could not {what}",
            given=f"{errno.errorcode.get(error.errno or 0, '?')}: {error.strerror}",
            todo="Look at the disk and at the system's log (dmesg)",
        ) from error
