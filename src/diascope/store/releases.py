"""Releases on disk: a folder whose every byte is hashed. Loading verifies, and runs no pickle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.numpy import load

from diascope.core.errors import Blocked, DiascopeError, Tampered
from diascope.core.evaluation import Evaluation, Release
from diascope.core.plan import Plan
from diascope.core.record import Record, hash_of, write_durably
from diascope.core.run import Encoder
from diascope.store.files import file_sha256

INDEX, ENCODER = "release.json", "encoder.json"
LARGEST_HEADER = 32 * 1024 * 1024
"""Bytes: a safetensors header beyond this is refused before it is read (B15)."""
LARGEST_RECORD = 128 * 1024 * 1024
"""Bytes: an evaluation holds pictures, but not so many."""
NEEDED = ("plan.json", "evaluation.json")
AnyRecord = TypeVar("AnyRecord", bound=Record)
AnyIndex = TypeVar("AnyIndex", Release, Encoder)
"""The index of a folder whose every byte is hashed."""


@dataclass(frozen=True)
class OpenRelease:
    """A release whose bytes were verified."""

    folder: Path
    release: Release
    plan: Plan
    evaluation: Evaluation

    def arrays(self, name: str) -> dict[str, Any]:
        """The arrays of one of its safetensors files."""
        return read_arrays(self.folder / name)


@dataclass(frozen=True)
class OpenEncoder:
    """A pretrained encoder whose bytes were verified."""

    folder: Path
    encoder: Encoder
    plan: Plan


def read_arrays(path: Path) -> dict[str, Any]:
    """Arrays of a safetensors file, after its header's size was checked.

    Raises:
        Tampered: When it is not a sound safetensors file.
    """
    content = safe_bytes(path)
    try:
        return dict(load(content))
    except (ValueError, TypeError, KeyError, AttributeError, SafetensorError) as error:
        raise Tampered(f"cannot read the arrays of {path}: {type(error).__name__} {error}") from error


def safe_bytes(path: Path) -> bytes:
    """The bytes of a file that begins as a safetensors file does: pickles, archives and huge headers go no further.

    Raises:
        Tampered: When it does not.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(9)
        header = int.from_bytes(start[:8], "little")
        if start[8:] != b"{" or not 2 <= header <= min(LARGEST_HEADER, size - 8):
            raise Tampered(
                f"{path} is not a safetensors file",
                given=f"{size} bytes that begin with {start[:8].hex() or 'nothing'}",
                todo="Do not use it. Fetch the file again from where it was made",
            )
        return path.read_bytes()
    except OSError as error:
        raise Tampered(f"cannot read the arrays of {path}: {error}") from error


def sealed(index: AnyIndex) -> AnyIndex:
    """The index with its own hash, so that a changed threshold shows as a changed weight does."""
    return index.model_copy(update={"seal": index.model_copy(update={"seal": ""}).content_hash()})


def write_release(folder: Path, release: AnyIndex, files: Mapping[str, bytes | Path]) -> AnyIndex:
    """Write the folder of a release (or of a pretrained encoder) whole or not at all; the index comes last.

    Args:
        folder: Must not exist.
        release: Without hashes.
        files: Name to content, or to a file that is copied.

    Raises:
        DiascopeError: When the folder exists or the disk is full.
    """
    if folder.exists():
        raise DiascopeError(f"the release {folder.name} exists already", todo="A release is never overwritten")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for name, content in files.items():
            write_durably(partial / name, content if isinstance(content, bytes) else content.read_bytes())
        hashes = {name: file_sha256(partial / name) for name in sorted(files)}
        whole = sealed(release.model_copy(update={"hashes": hashes}))
        whole.write(partial / (INDEX if isinstance(release, Release) else ENCODER))
        partial.rename(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise DiascopeError(f"cannot write the release: {error}", given=str(folder), todo="Free disk space") from error
    return whole


def replace_release(opened: OpenRelease, release: Release, files: Mapping[str, bytes]) -> Release:
    """Put another index, and a few other files, in the place of those of a release; the others stay what they are.

    The folder is made whole beside the old one, which then gives way: no crash leaves a release of two kinds.

    Args:
        opened: What was verified.
        release: The new index; its hashes and seal are made here.
        files: Name to new content.

    Raises:
        DiascopeError: When the disk is full.
    """
    folder = opened.folder
    partial, previous = (folder.with_name(f".{folder.name}.{word}") for word in ("partial", "previous"))
    for left in (partial, previous):
        shutil.rmtree(left, ignore_errors=True)
    try:
        partial.mkdir()
        for name in opened.release.hashes:
            if name not in files:
                _same_file(folder / name, partial / name)
        for name, content in files.items():
            write_durably(partial / name, content)
        hashes = opened.release.hashes | {name: file_sha256(partial / name) for name in sorted(files)}
        whole = sealed(release.model_copy(update={"hashes": hashes}))
        whole.write(partial / INDEX)
        folder.rename(previous)
        partial.rename(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if previous.exists() and not folder.exists():
            previous.rename(folder)
        raise DiascopeError(f"cannot write the release: {error}", given=str(folder), todo="Free disk space") from error
    shutil.rmtree(previous)
    return whole


def _same_file(here: Path, there: Path) -> None:
    """The same bytes at another name: a link where the file system has links, for weights are large."""
    try:
        there.hardlink_to(here)
    except OSError:
        shutil.copyfile(here, there)


def open_release(folder: Path) -> OpenRelease:
    """Verify and open a release.

    Raises:
        Tampered: When a file is missing, added, changed, or not what the index says.
    """
    folder = Path(folder)
    if (folder / ENCODER).is_file():
        raise Tampered(
            f"{folder.name} is a pretrained encoder, and no release: it answers nothing",
            todo=f"Fit a network that starts from it: diascope fit SOURCE --from {folder.name}",
        )
    if not (folder / INDEX).is_file():
        raise Tampered(f"{folder} is not a release: it has no {INDEX}", todo="Give the folder of a release")
    release = _verified(Release, folder, INDEX)
    if missing := sorted({*release.members, *NEEDED} - set(release.hashes)):
        raise Tampered(f"{release.label} lacks files that its index needs", given=", ".join(missing))
    return OpenRelease(
        folder, release, _read(Plan, folder / "plan.json"), _read(Evaluation, folder / "evaluation.json")
    )


def open_usable(folder: Path) -> OpenRelease:
    """Verify and open a release that may be used.

    Raises:
        Blocked: When its own evaluation speaks against it.
        Tampered: When a file is missing, added, changed, or not what the index says.
    """
    opened = open_release(folder)
    if opened.evaluation.blocks:
        raise Blocked(opened.release.label, opened.evaluation.blocks)
    return opened


def open_encoder(folder: Path) -> OpenEncoder:
    """Verify and open what `diascope pretrain` made.

    Raises:
        Tampered: When a file is missing, added, changed, or not what the index says.
    """
    folder = Path(folder)
    if not (folder / ENCODER).is_file():
        raise Tampered(f"{folder} is no pretrained encoder: it has no {ENCODER}")
    encoder = _verified(Encoder, folder, ENCODER)
    if missing := sorted({encoder.weights, "plan.json"} - set(encoder.hashes)):
        raise Tampered(f"{encoder.label} lacks files that its index needs", given=", ".join(missing))
    return OpenEncoder(folder, encoder, _read(Plan, folder / "plan.json"))


def _verified(kind: type[AnyIndex], folder: Path, name: str) -> AnyIndex:
    """The index of a folder, after every byte in it was compared with its hash."""
    release = _read(kind, folder / name)
    # Of what is written there, not of what this version makes of it: a field that came later changes no release.
    written = json.loads((folder / name).read_text(encoding="utf-8"))
    if release.seal != hash_of({**written, "seal": ""}):
        raise _changed(name, release.label)
    # Names in the index are compared with what lies there, never joined into paths before that.
    present = {path.name for path in folder.iterdir()} - {name}
    if strange := sorted(present ^ set(release.hashes)):
        raise Tampered(f"the files of {release.label} are not those of its index", given=", ".join(strange))
    for file, expected in release.hashes.items():
        path = folder / file
        if path.is_symlink() or not path.is_file() or file_sha256(path) != expected:
            raise _changed(file, release.label)
    return release


def _changed(name: str, label: str) -> Tampered:
    return Tampered(
        f"{name} of release {label} was changed after it was made",
        todo="Do not use it. Fetch the release again from where it was made",
    )


def _read(kind: type[AnyRecord], path: Path) -> AnyRecord:
    """A record of a file that may come from anywhere."""
    if path.stat().st_size > LARGEST_RECORD:
        raise Tampered(f"{path} is larger than any {kind.__name__}", given=f"{path.stat().st_size} bytes")
    try:
        return kind.read(path)
    except RecursionError as error:
        raise Tampered(f"{path} is not a valid {kind.__name__}: it is nested too deeply") from error
