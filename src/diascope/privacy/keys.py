"""The keys of an installation: a ring in a file of its own, outside every database and every archive.

What is sealed names the key that sealed it, so a new key can be made current while old rows stay readable. Whoever has
the database without this file has nothing; whoever loses this file has lost the identities: it belongs into a back-up
that is kept apart from that of the database.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from diascope.core.errors import DiascopeError, MissingPackage, Tampered, UnknownName
from diascope.core.record import Record, canonical_json, write_durably

KEY_BYTES, ID_BYTES = 32, 8


class RingKey(Record):
    """One key. Its text shows no secret."""

    model_config = ConfigDict(hide_input_in_errors=True)
    id: str
    """16 hexadecimal digits; no secret."""
    secret: str
    """64 hexadecimal digits."""
    made: str
    """When, ISO 8601, UTC."""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [("id", self.id)]


class Ring(Record):
    """The content of the file: the oldest key first."""

    model_config = ConfigDict(hide_input_in_errors=True)
    SCHEMA: ClassVar[int] = 1
    current: str
    """Id of the key that seals."""
    keys: tuple[RingKey, ...]


class KeyRing:
    """Several keys, one of them current.

    Args:
        path: Of the file, which `open` has checked.
        ring: What is in it.
    """

    def __init__(self, path: Path, ring: Ring) -> None:
        self.path = path
        self._ring = ring
        self._derived: dict[tuple[str, str], bytes] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"KeyRing({str(self.path)!r}, {len(self._ring.keys)} keys)"

    @classmethod
    def open(cls, path: Path) -> KeyRing:
        """Open the ring; where there is no file, one is made with one key, durably, for its owner alone.

        Raises:
            DiascopeError: When it can be neither read nor made, or others may read it.
            Tampered: When it is no ring of keys.
        """
        path = Path(path)
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with _alone(path):
                    if not path.exists():
                        first = _new_key()
                        _write(path, Ring(current=first.id, keys=(first,)))
        except OSError as error:
            raise _unusable(path, error) from error
        return cls(path, _read(path))

    @property
    def current(self) -> str:
        """Id of the key that seals."""
        return self._ring.current

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all keys, the oldest first; no secrets."""
        return tuple(one.id for one in self._ring.keys)

    @property
    def first(self) -> str:
        """Id of the oldest key, from which hashes for searching are derived, forever."""
        return self._ring.keys[0].id

    def key(self, key_id: str) -> bytes:
        """The 32 bytes of a key.

        Raises:
            UnknownName: When the ring has no such key, also after a look at the file: another process may have rotated.
        """
        found = self._find(key_id)
        if found is None:
            self.reload()
            found = self._find(key_id)
        if found is None:
            raise UnknownName(
                "key",
                key_id,
                [one.id for one in self._ring.keys],
                todo=f"Restore {self.path.name} from its back-up",
            )
        return bytes.fromhex(found.secret)

    def reload(self) -> None:
        """Read the file again: another process may have rotated."""
        self._ring = _read(self.path)

    def rotate(self) -> str:
        """Add a key and make it current; older ones stay, for what they have sealed.

        Returns:
            The id of the new key.

        Raises:
            DiascopeError: When the file cannot be written; the ring is then as it was.
        """
        try:
            with self._lock, _alone(self.path):
                before, added = _read(self.path), _new_key()
                after = Ring(current=added.id, keys=(*before.keys, added))
                _write(self.path, after)
                self._ring = after
        except OSError as error:
            raise _unusable(self.path, error) from error
        return added.id

    def derived(self, purpose: str, key_id: str | None = None) -> bytes:
        """A key for one purpose, from which neither the ring's key nor another purpose's can be told.

        Args:
            purpose: What it is for.
            key_id: From which key; without one from the first, which stays the first when the ring is rotated. Hashes
                for searching are made with that: a new key would make every row impossible to find.

        Returns:
            32 bytes: HKDF with SHA-256 (RFC 5869), `purpose` as its info.

        Raises:
            UnknownName: When the ring has no such key.
        """
        chosen = (purpose, key_id or self.first)
        if chosen not in self._derived:
            self._derived[chosen] = _hkdf(self.key(chosen[1]), purpose)
        return self._derived[chosen]

    def _find(self, key_id: str) -> RingKey | None:
        return next((one for one in self._ring.keys if one.id == key_id), None)


def _hkdf(key: bytes, purpose: str) -> bytes:
    try:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError as error:
        raise MissingPackage("cryptography", "serve", "Encryption") from error
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(key)


def _new_key() -> RingKey:
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return RingKey(id=secrets.token_hex(ID_BYTES), secret=secrets.token_hex(KEY_BYTES), made=made)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time makes or rotates a ring."""
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, ring: Ring) -> None:
    write_durably(path, (canonical_json(ring.to_json(), indent=1) + "\n").encode(), mode=0o600)


def _read(path: Path) -> Ring:
    try:
        with path.open("rb") as stream:
            found = os.fstat(stream.fileno())
            content = stream.read()
    except OSError as error:
        raise _unusable(path, error) from error
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077:
        raise DiascopeError(
            f"{path} may be read by others than its owner",
            given=f"mode {stat.S_IMODE(found.st_mode):o}",
            todo=f"Find out who read it, then: chmod 600 {path}",
        )
    try:
        ring = Ring.from_json(json.loads(content), where=str(path))
        secrets_of = {one.id: bytes.fromhex(one.secret) for one in ring.keys}
    except (ValueError, AttributeError, TypeError):
        # Not "from": the error of a JSON parser quotes the text that it could not read.
        raise _no_ring(path, "it is no JSON of keys") from None
    if ring.current not in secrets_of or len(secrets_of) != len(ring.keys):
        raise _no_ring(path, "its current key is missing, or one is there twice")
    if any(len(one) != KEY_BYTES or len(bytes.fromhex(name)) != ID_BYTES for name, one in secrets_of.items()):
        raise _no_ring(path, f"a key has not {KEY_BYTES} bytes")
    return ring


def _no_ring(path: Path, reason: str) -> Tampered:
    return Tampered(
        f"{path} is no ring of keys: {reason}",
        todo="Restore it from its back-up; without it what was sealed cannot be read",
    )


def _unusable(path: Path, error: OSError) -> DiascopeError:
    return DiascopeError(
        f"cannot read or make the keys in {path}: {error.strerror}",
        todo="Name a file in a folder that this user may write, or give it to this user",
    )
