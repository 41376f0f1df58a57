"""The files of a data set of annotated texts: one, or those of a folder, each in a part where its name says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from diascope.core.case import Split
from diascope.core.errors import DiascopeError
from diascope.formats.tables.encoding import decoded
from diascope.sources.folders.files import contents, is_declared
from diascope.sources.folders.splits import split_of

HEAD = 1 << 17
"""Bytes at the start of a file by which it is told."""

File = tuple[str, Split | None]
"""Path relative to the root, and the part that its name or its folder stands for."""


def files_of(location: Path, suffixes: tuple[str, ...], is_one: Callable[[Path], bool]) -> tuple[Path, list[File]]:
    """Root and files at a location, in the order of their names; no file where another layout declares itself.

    Args:
        location: One file, a folder of files, or a folder whose folders are called as parts (`train/`, `test/`).
        suffixes: Endings of the names in lower case; other files are no data.
        is_one: Whether a file is of the wanted kind.
    """
    if location.is_file():
        fitting = location.name.lower().endswith(suffixes) and is_one(location)
        return location.parent, [(location.name, None)] if fitting else []
    if is_declared(location):
        return location, []
    folders, names = contents(location)
    found: list[File] = [(name, part_of(name)) for name in names]
    for folder in folders:
        if (split := split_of(folder)) is not None:
            found += [(f"{folder}/{name}", split) for name in contents(location / folder)[1]]
    chosen = [one for one in found if one[0].lower().endswith(suffixes) and is_one(location / one[0])]
    return location, chosen


def part_of(name: str) -> Split | None:
    """The part that a file's name holds as a word: `subtask1_training_part1.txt`, `dev.conll`.

    Example:
        >>> part_of("subtask1_test_set_with_answer.json"), part_of("train2.jsonl"), part_of("notes.jsonl")
        ('test', 'train', None)
    """
    words = re.findall(r"[a-z]+", name.rpartition(".")[0].lower())
    found = {split for word in words if (split := split_of(word)) is not None}
    return found.pop() if len(found) == 1 else None


def head(path: Path) -> str:
    """The start of a file as text; empty where it is none."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(HEAD)
        # A character may be cut at the end of the head: up to three bytes of it stand there.
        return decoded(path, raw if len(raw) < HEAD else raw[: raw.rfind(b"\n") + 1] or raw[:-3])[0]
    except (OSError, DiascopeError):
        return ""
