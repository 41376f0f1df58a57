"""Hashes of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from diascope.core.case import FileRef


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of the bytes of one or several files, one after the other."""
    return _digest_of(tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths))


@lru_cache(maxsize=4)  # thousands of items may lie in one file
def _digest_of(files: tuple[tuple[Path, int, int], ...]) -> str:
    hasher = hashlib.sha256()
    for path, _, _ in files:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                hasher.update(block)
    return hasher.hexdigest()


def changed_file(ref: FileRef, root: Path) -> str | None:
    """The file of a reference that is missing, or whose bytes differ from the digest of curation."""
    for path in ref.paths:
        if not (root / path).is_file():
            return path
    if ref.digest is not None and file_digest(root / path for path in ref.paths) != ref.digest:
        return ref.paths[0]
    return None
