"""What a release says of itself: its index and its evaluation, read once and kept until the files change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from diascope.core.errors import DiascopeError, Tampered
from diascope.core.evaluation import Evaluation, Release
from diascope.serve.nouns import path_of
from diascope.store.files import file_sha256
from diascope.store.releases import INDEX, LARGEST_RECORD
from diascope.store.workspace import Workspace

EVALUATION = "evaluation.json"
KEPT = 32
"""Evaluations that are kept in memory; one with pictures has about a megabyte."""


@dataclass(frozen=True)
class Evidence:
    """A release and what was measured of it.

    Args:
        label: `name@version`, as its folder is called.
        release: None where its index can't be read.
        evaluation: None where it can't be read.
        wrong: Why one of them can't; "" where both can.
    """

    label: str
    release: Release | None
    evaluation: Evaluation | None
    wrong: str = ""


def evidence(workspace: Workspace, label: str) -> Evidence:
    """The evidence of a release.

    Args:
        workspace: Where it is.
        label: `name@version`; compared with what is there, never joined into a path before.

    Raises:
        Missing: When there is no such release.
    """
    folder = path_of(workspace, "releases", label)
    stamps = tuple(_stamp(folder / name) for name in (INDEX, EVALUATION))
    return _read(folder, str(workspace.root), stamps)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=KEPT)
def _read(folder: Path, root: str, stamps: tuple[tuple[int, int], ...]) -> Evidence:
    release = None
    try:
        release = Release.read(folder / INDEX)
        return Evidence(folder.name, release, _evaluation(folder / EVALUATION, release))
    except DiascopeError as error:
        return Evidence(folder.name, release, None, error.wrong.replace(f"{root}/", ""))


def _evaluation(path: Path, release: Release) -> Evaluation:
    """The evaluation, if it is the one that the release was made with."""
    try:
        if path.stat().st_size > LARGEST_RECORD:
            raise Tampered(f"{path.name} is larger than any evaluation")
        expected = release.hashes.get(path.name)
        if expected is not None and file_sha256(path) != expected:
            raise Tampered(f"{path.name} of release {release.label} was changed after it was made")
    except OSError as error:
        raise Tampered(f"cannot read {path}: {error}") from error
    return Evaluation.read(path)
