"""Every case read once: facts for the checks and the fingerprint."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diascope.core.case import Case, FileRef, Target
from diascope.engine.devices import capabilities
from diascope.planning.surveying.facts import CaseFacts, InputFactsOfCase, MaskFacts, PairFacts
from diascope.planning.surveying.parallel import facts_in_children
from diascope.planning.surveying.reading import facts_of
from diascope.planning.surveying.room import kept_bytes, readers
from diascope.store.files import file_digest

SMALL_BYTES = 8_000_000
"""So few bytes are read in this process: starting children would take longer."""

Progress = Callable[[int, int], None]
"""Told how many cases are done, and of how many."""


@dataclass(frozen=True)
class Survey:
    """Every case, read once.

    Args:
        root: Folder that relative paths start at.
        cases: All cases, readable or not.
        target: What is to be learnt; None where only the data is looked at.
        facts: Case id to facts, for the cases that could be read.
        unreadable: Case id to reason.
    """

    root: Path
    cases: tuple[Case, ...]
    target: Target | None
    facts: Mapping[str, CaseFacts]
    unreadable: Mapping[str, str]


def take_survey(
    cases: Sequence[Case],
    root: Path,
    target: Target | None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Read every image input and mask of every case once.

    Args:
        cases: What a source listed.
        root: Folder that relative paths start at.
        target: What is to be learnt; its ignored voxels do not count as foreground.
        workers: Processes that read; None is one for each processor this process may use. They are fewer where each
            keeps an unpacked archive and memory is short. Small sets are read here.
        progress: Told after each case.

    Returns:
        Facts of each case in the order of `cases`, or the reason why it could not be read.

    Raises:
        DiascopeError: When reading cannot work at all (a missing package, children killed again and again).
        DoesNotFit: When an archive that is held whole needs more memory than is free.
    """
    cases, root = tuple(cases), Path(root)
    workers = readers(workers or _processors(), kept_bytes(cases, root), capabilities().memory_available)
    found: dict[int, CaseFacts | str] = {}
    for index, result in _results(cases, root, target, min(workers, len(cases))):
        found[index] = result
        if progress is not None:
            progress(len(found), len(cases))
    ordered = [(case.id, found[index]) for index, case in enumerate(cases)]
    facts = {key: result for key, result in ordered if isinstance(result, CaseFacts)}
    unreadable = {key: result for key, result in ordered if isinstance(result, str)}
    return Survey(root, cases, target, facts, unreadable)


def _results(
    cases: tuple[Case, ...], root: Path, target: Target | None, workers: int
) -> Iterable[tuple[int, CaseFacts | str]]:
    if workers < 2 or len(cases) < 2 or _bytes_to_read(cases, root) < SMALL_BYTES:
        return _results_here(cases, root, target)
    return facts_in_children(cases, root, target, workers)


def _results_here(cases: tuple[Case, ...], root: Path, target: Target | None) -> Iterator[tuple[int, CaseFacts | str]]:
    for index, case in enumerate(cases):
        yield index, facts_of(case, root, target)


def _bytes_to_read(cases: tuple[Case, ...], root: Path) -> int:
    """Size of all files together; one that holds many items counts once."""
    paths = {
        root / path
        for case in cases
        for ref in (*case.inputs.values(), *case.targets.values())
        if isinstance(ref, FileRef)
        for path in ref.paths
    }
    return sum(path.stat().st_size for path in paths if path.is_file())


def _processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


__all__ = [
    "CaseFacts",
    "InputFactsOfCase",
    "MaskFacts",
    "PairFacts",
    "Progress",
    "Survey",
    "file_digest",
    "take_survey",
]
