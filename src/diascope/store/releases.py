"""Releases on disk: a folder whose every byte is hashed. Loading verifies, and runs no pickle."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load

from diascope.core.errors import DiascopeError, Tampered
from diascope.core.evaluation import Evaluation, Release
from diascope.core.plan import Plan
from diascope.core.record import write_durably
from diascope.store.files import file_sha256

INDEX = "release.json"
LARGEST_HEADER = 32 * 1024 * 1024
"""Bytes: a safetensors header beyond this is refused before it is read (B15)."""


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


def read_arrays(path: Path) -> dict[str, Any]:
    """Arrays of a safetensors file, after its header's size was checked.

    Raises:
        Tampered: When it is not a sound safetensors file.
    """
    try:
        with path.open("rb") as stream:
            header = int.from_bytes(stream.read(8), "little")
        if header > min(LARGEST_HEADER, path.stat().st_size):
            raise Tampered(f"{path} is not a safetensors file: its header claims {header} bytes")
        return dict(load(path.read_bytes()))
    except (OSError, ValueError, SafetensorError) as error:
        raise Tampered(f"cannot read the arrays of {path}: {error}") from error


def write_release(folder: Path, release: Release, files: Mapping[str, bytes | Path]) -> Release:
    """Write a release folder whole or not at all; the index, with every hash, comes last.

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
        whole = release.model_copy(update={"hashes": hashes})
        whole.write(partial / INDEX)
        partial.rename(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise DiascopeError(f"cannot write the release: {error}", given=str(folder), todo="Free disk space") from error
    return whole


def open_release(folder: Path) -> OpenRelease:
    """Verify and open a release.

    Raises:
        Tampered: When a file is missing, added, changed, or not what the index says.
    """
    folder = Path(folder)
    if not (folder / INDEX).is_file():
        raise Tampered(f"{folder} is not a release: it has no {INDEX}", todo="Give the folder of a release")
    release = Release.read(folder / INDEX)
    present = {path.name for path in folder.iterdir() if path.is_file()} - {INDEX}
    if strange := sorted(present ^ set(release.hashes)):
        raise Tampered(f"the files of {release.label} are not those of its index", given=", ".join(strange))
    for name, expected in release.hashes.items():
        if Path(name).name != name or file_sha256(folder / name) != expected:
            raise Tampered(
                f"{name} of release {release.label} was changed after it was made",
                todo="Do not use it. Fetch the release again from where it was made",
            )
    return OpenRelease(folder, release, Plan.read(folder / "plan.json"), Evaluation.read(folder / "evaluation.json"))
