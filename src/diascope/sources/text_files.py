"""Text files: a folder of `.txt` beside a table that names them, one folder a class, or one report to be read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from diascope.core.case import Case, FileRef
from diascope.core.errors import DataRefused
from diascope.formats.tables.encoding import decoded
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import case_ids, holds_images, is_declared, reason
from diascope.sources.folders.splits import split_of
from diascope.sources.folders.told import list_told, table_in
from diascope.sources.tables.describe import describe
from diascope.sources.tables.targets import category
from diascope.sources.tables.written import FEW_WORDS, words

INPUT, LABEL = "text", "label"
"""Names of the input, and of the target that the folders are."""
ENDING = ".txt"
LOOKED = 5
"""Files that tell whether `.txt` means reports here."""


class TextFiles:
    """One case a file; a file that is no report (numbers, a licence beside the data) is for the user to move away."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the files.

        Raises:
            DataRefused: When there are none, several tables, or nothing says what the texts are.
            UnknownName: When a column that the user named does not exist.
        """
        path = Path(location)
        root = path.parent if path.is_file() else path
        files = [path.name] if path.is_file() else _texts(path) if path.is_dir() else []
        if not files:
            raise DataRefused(f"there are no text files in {location}", todo="See docs/how-to/texts.md")
        paths = case_ids(files)
        cases = [_case(name, file) for name, file in paths.items()]
        if path.is_file():
            described = describe(cases, options)
            return Listing(root=root, cases=described.cases, targets=described.targets, notes=described.notes)
        if table_in(root) is None and len(_classes(files)) > 1:
            return _by_folder(root, cases, list(paths.values()), options)
        return list_told(root, cases, paths, "text files", options)


def _why(path: Path) -> str | None:
    if path.is_file():
        return f"{path.name} is a text" if path.name.lower().endswith(ENDING) and _is_report(path) else None
    if is_declared(path):
        return None
    files = _texts(path)
    if not files or holds_images(path) or not all(_is_report(path / name) for name in files[:LOOKED]):
        return None
    table, classes = table_in(path), _classes(files)
    if table is not None:
        return f"{len(files)} text files and the table {table.name}"
    return f"{len(files)} text files in {len(classes)} folders" if len(classes) > 1 else f"{len(files)} text files"


def _texts(root: Path) -> list[str]:
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        found += [
            Path(folder, name).relative_to(root).as_posix()
            for name in sorted(files)
            if name.lower().endswith(ENDING) and not name.startswith(".")
        ]
    return found


def _is_report(path: Path) -> bool:
    """Whether a file holds words, and not a table of numbers."""
    text, _ = decoded(path, path.read_bytes())
    letters = sum(one.isalpha() for one in text)
    return words(text) >= FEW_WORDS and 2 * letters >= sum(not one.isspace() for one in text)


def _case(name: str, path: str) -> Case:
    ref = FileRef(format="text", paths=(path,), kind="text")
    return Case(id=name, patient=name, patient_known=False, inputs={INPUT: ref})


def _class_of(path: str) -> str:
    """The outermost folder that is no part called train or test; empty where there is none."""
    return next((name for name in path.split("/")[:-1] if split_of(name) is None), "")


def _classes(files: Sequence[str]) -> list[str]:
    return sorted({_class_of(path) for path in files} - {""})


def _by_folder(root: Path, cases: Sequence[Case], files: Sequence[str], options: SourceOptions) -> Listing:
    if stray := [path for path in files if not _class_of(path)]:
        raise DataRefused(
            f"{len(stray)} text files lie beside the folders that are classes",
            given=stray[0],
            todo="Move them into one of the folders, or name all files in a CSV",
        )
    found = []
    for case, path in zip(cases, files, strict=True):
        split = next((part for name in path.split("/")[:-1] if (part := split_of(name)) is not None), None)
        found.append(case.model_copy(update={"targets": {LABEL: _class_of(path)}, "split": split}))
    described = describe(found, options, None, [category(LABEL, map(_class_of, files))])
    return Listing(root=root, cases=described.cases, targets=described.targets, notes=described.notes)


SOURCE = TextFiles()
