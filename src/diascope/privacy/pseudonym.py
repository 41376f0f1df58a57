"""Pseudonyms: a keyed hash of an identifier, the same on one machine, and useless without its key.

Plain hashes of patient numbers can be undone by hashing every number; HMAC with a secret key cannot (RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from diascope.core.errors import DiascopeError

KEY_VARIABLE = "DIASCOPE_PSEUDONYM_KEY"
"""Environment variable with the path of the key file; the default is `diascope/pseudonym.key` in the user's
configuration folder (`XDG_CONFIG_HOME`, else `~/.config`)."""

KEY_BYTES = 32
DIGITS = 16


def pseudonym(value: str, kind: str) -> str:
    """A name for an identifier that does not tell it.

    Args:
        value: The identifier: a patient number, a UID.
        kind: What it identifies (`patient`, `study`): equal values of two kinds get different names.

    Returns:
        `kind-` and 16 hexadecimal digits (64 bits).

    Raises:
        DiascopeError: When the key can be neither read nor made.
    """
    digest = hmac.new(_key(key_file()), f"{kind}\0{value}".encode(), hashlib.sha256)
    return f"{kind}-{digest.hexdigest()[:DIGITS]}"


def key_file() -> Path:
    """Where the key of this machine is."""
    named = os.environ.get(KEY_VARIABLE)
    if named:
        return Path(named)
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "diascope" / "pseudonym.key"


_known: dict[Path, bytes] = {}


def _key(path: Path) -> bytes:
    """The key, made at first use; read once a process."""
    if path not in _known:
        try:
            if not path.exists():
                _make(path)
            key = path.read_bytes()
        except OSError as error:
            raise DiascopeError(
                f"cannot read or make the key for pseudonyms: {path}: {error.strerror}",
                todo=f"Set {KEY_VARIABLE} to a file that may be written",
            ) from error
        if len(key) != KEY_BYTES:
            raise DiascopeError(
                f"{path} is no key for pseudonyms",
                given=f"{len(key)} bytes instead of {KEY_BYTES}",
                todo="Restore it from a copy; removing it gives every patient a new name",
            )
        _known[path] = key
    return _known[path]


def _make(path: Path) -> None:
    """Write a new key whole or not at all; where another process was faster, its key stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        Path(temporary).unlink()
