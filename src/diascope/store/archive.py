"""The archive: what arrived, byte for byte, each object under a name of the server's own.

An object is written as a draft, and kept in this order: fsync(file), rename, fsync(folder). When `keep` returns it is
durable; before that it does not exist. Objects are never changed. With a `Sealer` each one is encrypted under its own
name; the plain copy of a draft, which the decoder reads, is then never flushed, and is gone when the draft is.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from diascope.core.errors import DataRefused, DiascopeError, StorageFailed, StorageFull, Tampered
from diascope.privacy.sealing import Sealer, SealingStream
from diascope.store.places import (
    OBJECTS_A_FOLDER,
    DiskFailed,
    ObjectMissing,
    Written,
    checked,
    failing,
    new_key,
    new_shard,
    opened_place,
    remove_drafts,
)

CHUNK = 1 << 20
"""Bytes that are read at once."""
BATCH = 500
"""Keys that `sweep` asks for at once."""
LOOK_EVERY = 32 << 20
"""Bytes of one draft after which the room that is left is looked at again."""
LARGEST_SWEEP = 200
"""Objects. More than that, and more than the rows name, is no remainder of a crash but another archive's database."""


@dataclass(frozen=True)
class Stored:
    """An object that is kept.

    Args:
        key: Its name in the archive.
        size: Plain bytes.
        sha256: Of the plain bytes, 64 hexadecimal digits.
    """

    key: str
    size: int
    sha256: str


class Archive:
    """Objects in a folder, or in a store that fsspec knows. Several threads may use one.

    Args:
        place: A folder, or a URL (`s3://bucket/prefix`).
        sealer: Encrypts what is kept from now on; objects that were kept plain stay readable.
        drafts: A folder of this machine for the plain copies of a sealed archive; by default beside the objects. It may
            lie in memory (`/dev/shm/...`).
        keep_free: Bytes that are left on the disk: nothing is begun, or written on, below them. Reading goes on.
    """

    def __init__(
        self, place: Path | str, sealer: Sealer | None = None, drafts: Path | None = None, keep_free: float = 0.0
    ) -> None:
        self._place = opened_place(place, drafts)
        self.sealer, self.keep_free = sealer, keep_free
        self.degraded = ""
        """Why nothing is kept any more: the disk failed so that later successes are doubtful. Reading goes on."""
        self._lock = threading.Lock()
        self._shard, self._room = "", 0

    def draft(self) -> Draft:
        """Begin an object.

        Raises:
            StorageFailed: When the archive is degraded.
            StorageFull: When there is no room.
        """
        return self._begin(with_plain=True)

    def put(self, content: bytes) -> Stored:
        """Keep an object that is in memory; durable when this returns."""
        with self._begin(with_plain=False) as draft:
            draft.write(content)
            return draft.keep()

    def read(self, key: str, sha256: str | None = None) -> bytes:
        """An object's plain bytes.

        Args:
            key: Its name.
            sha256: What the row says of it; an object that is not sealed shows a flipped byte only so.

        Raises:
            ObjectMissing: When there is no such object.
            Tampered: When its bytes differ from what was kept.
            StorageFailed: When the disk or the store fails.
        """
        return b"".join(self.stream(key, sha256))

    def stream(self, key: str, sha256: str | None = None) -> Iterator[bytes]:
        """An object's plain bytes in chunks of at most 1 MiB; raises as `read`, a wrong hash after the last chunk."""
        source = self._place.open(checked(key))
        return self._chunks(key, source, sha256)

    @contextmanager
    def local(self, key: str, sha256: str | None = None) -> Iterator[Path]:
        """A plain file with an object's bytes, to be read only; a copy is removed afterwards. Raises as `read`."""
        if self._place.folder is not None and not _is_sealed(checked(key)):
            path = self._place.folder / key
            if sha256 is not None:
                for _ in self.stream(key, sha256):
                    pass
            elif not path.exists():
                self._place.open(key).close()  # says what is missing
            yield path
            return
        with failing("copy an object"):
            copy = Written(self._place.drafts)
        try:
            with failing("copy an object"):
                for chunk in self.stream(key, sha256):
                    copy.write(chunk)
            yield copy.path
        finally:
            copy.drop()

    def delete(self, key: str) -> None:
        """Remove an object, if it is there. After a power cut it may be there again: `sweep` then removes it."""
        self._place.delete(checked(key))

    def keys(self) -> Iterator[str]:
        """Names of all objects, sorted."""
        return self._place.keys()

    def sweep(self, known: Callable[[Sequence[str]], set[str]], older_than: float) -> int:
        """Remove drafts that nobody finished, and objects that no row names: what a crash left.

        Others may keep objects meanwhile: what is younger is not touched, and each key is asked for twice.

        Args:
            known: Of these keys, those that a row names.
            older_than: Seconds before now. Younger ones may be about to get their row.

        Returns:
            How many were removed.

        Raises:
            DiascopeError: When most of a large archive would go; nothing is then removed.
        """
        began, named, lost, keys = time.monotonic(), 0, list[str](), self.keys()

        def is_old(age: float) -> bool:
            return age - (time.monotonic() - began) >= older_than

        while some := list(islice(keys, BATCH)):
            of_rows = known(some)
            named += len(of_rows)
            lost += [key for key in some if key not in of_rows and is_old(self._place.age(key))]
        if len(lost) > max(LARGEST_SWEEP, named):
            raise DiascopeError(
                "the database does not belong to this archive: it names few of its objects",
                given=f"{named} objects with a row, {len(lost)} without",
                todo="Open the archive with its own database, or restore that from a back-up; nothing was removed",
            )
        late = {key for one in range(0, len(lost), BATCH) for key in known(lost[one : one + BATCH])}
        for key in lost:
            if key not in late:
                self.delete(key)
        return len(lost) - len(late) + remove_drafts(self._place, is_old)

    def raw(self, key: str) -> BinaryIO:
        """An object's bytes as they lie there, sealed where it is; for a back-up. Raises `ObjectMissing`."""
        return self._place.open(checked(key))

    def put_raw(self, key: str, source: BinaryIO) -> None:
        """Keep bytes that `raw` gave under their own name again; durable when this returns."""
        checked(key)
        with self._noticing(), failing("write an object"):
            written = Written(self._place.staging)
            try:
                while chunk := source.read(CHUNK):
                    written.write(chunk)
                self._place.commit(written.handle, written.path, key)
            finally:
                written.drop()

    def check_room(self) -> None:
        """Look whether more may be written.

        Raises:
            StorageFull: When less than `keep_free` is left.
        """
        free = self.free_bytes() if self.keep_free else None
        if free is not None and free < self.keep_free:
            raise StorageFull(
                f"less than {self.keep_free / 1e9:g} GB are left on the archive's disk",
                todo="Free some room; nothing has to be restarted",
            )

    def scrub(self, expected: Iterable[tuple[str, str]]) -> list[str]:
        """Read objects and compare.

        Args:
            expected: Key and SHA-256 of the plain bytes, as the rows say.

        Returns:
            Keys of those that are missing, cannot be read, or differ.
        """
        damaged = []
        for key, sha256 in expected:
            try:
                for _ in self.stream(key, sha256):
                    pass
            except (DataRefused, StorageFailed):
                damaged.append(key)
        return damaged

    def free_bytes(self) -> int | None:
        """Bytes of room that is left, where the place can tell."""
        return self._place.free_bytes()

    def _begin(self, with_plain: bool) -> Draft:
        if self.degraded:
            raise StorageFailed(
                f"nothing is kept any more: {self.degraded}", todo="Look at the disk, then start the service again"
            )
        self.check_room()
        with self._noticing():
            return Draft(self, new_key(self._next_shard(), self.sealer is not None), with_plain)

    def _next_shard(self) -> str:
        with self._lock:
            if not self._room:
                self._shard, self._room = new_shard(), OBJECTS_A_FOLDER
            self._room -= 1
            return self._shard

    def _chunks(self, key: str, source: BinaryIO, sha256: str | None) -> Iterator[bytes]:
        hasher = hashlib.sha256() if sha256 is not None else None
        with source, self._place.answering("read an object"):
            for chunk in self._plain(key, source):
                if hasher is not None:
                    hasher.update(chunk)
                yield chunk
        if hasher is not None and hasher.hexdigest() != sha256:
            raise Tampered("an object of the archive is not what was kept", given=key, todo="Restore it from a back-up")

    def _plain(self, key: str, source: BinaryIO) -> Iterator[bytes]:
        if not _is_sealed(key):
            return iter(lambda: source.read(CHUNK), b"")
        if self.sealer is None:
            raise DiascopeError("an object of the archive is sealed", given=key, todo="Open the archive with its keys")
        return self.sealer.opened(source, key)

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Remember a failure after which a later success means nothing."""
        try:
            yield
        except DiskFailed as error:
            self.degraded = str(error)
            raise


class Draft:
    """An object that is being written; dropped at the end of its `with` unless it was kept."""

    def __init__(self, archive: Archive, key: str, with_plain: bool) -> None:
        self._archive, self._key = archive, key
        self._hasher, self.size, self._unchecked = hashlib.sha256(), 0, 0
        self._is_open = True
        place = archive._place
        self._plain: Written | None = None
        self._sealing: SealingStream | None = None
        with failing("begin an object"):
            self._written = Written(place.staging)
        if archive.sealer is None:
            return
        try:
            self._sealing = archive.sealer.stream(key)
            with failing("begin an object"):
                self._plain = Written(place.drafts) if with_plain else None
        except BaseException:
            self.drop()
            raise

    @property
    def path(self) -> Path:
        """A plain file with what was written so far: to be read, not to be changed, and only until `keep`."""
        if self._sealing is None:
            return self._written.path
        if self._plain is None:
            raise DiascopeError("this draft has no plain file")
        return self._plain.path

    @property
    def sha256(self) -> str:
        """Of the plain bytes so far, 64 hexadecimal digits."""
        return self._hasher.hexdigest()

    def write(self, content: bytes) -> None:
        """Add bytes.

        Raises:
            StorageFull: When there is no room; the draft is lost.
            StorageFailed: When the disk fails; the draft is lost.
        """
        self._check()
        with self._lost_if_failing():
            self._written.write(content if self._sealing is None else self._sealing.update(content))
            if self._plain is not None:
                self._plain.write(content)
        self._hasher.update(content)
        self.size += len(content)
        self._unchecked += len(content)
        if self._unchecked >= LOOK_EVERY:
            self._unchecked = 0
            with self._lost_if_failing():
                self._archive.check_room()

    def flush(self) -> None:
        """Begin to make it durable, while somebody else has something to do; `keep` then has less to wait for.

        Raises:
            StorageFull: When there is no room; the draft is lost.
            StorageFailed: When the disk fails; the draft is lost.
        """
        self._check()
        if self._sealing is not None or self._archive._place.folder is None:
            return
        with self._lost_if_failing():
            os.fsync(self._written.handle)

    def keep(self) -> Stored:
        """Make it an object; durable when this returns.

        Raises:
            StorageFull: When there is no room; the draft is lost.
            StorageFailed: When the disk fails; the draft is lost, and fsync is not tried again: after a failure its
                "success" means nothing.
        """
        self._check()
        try:
            with self._archive._noticing(), failing("write an object"):
                if self._sealing is not None:
                    self._written.write(self._sealing.finish())
                self._archive._place.commit(self._written.handle, self._written.path, self._key)
        finally:
            self.drop()
        return Stored(self._key, self.size, self.sha256)

    def drop(self) -> None:
        """Give it up; nothing happens where it was kept."""
        self._is_open = False
        self._written.drop()
        if self._plain is not None:
            self._plain.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    @contextmanager
    def _lost_if_failing(self) -> Iterator[None]:
        try:
            with self._archive._noticing(), failing("write an object"):
                yield
        except (StorageFull, StorageFailed):
            self.drop()
            raise

    def _check(self) -> None:
        if not self._is_open:
            raise DiascopeError("this draft was kept or dropped", todo="Begin another one")


def _is_sealed(key: str) -> bool:
    return key.endswith(".s")


__all__ = ["Archive", "Draft", "ObjectMissing", "Stored"]
