"""Files of recordings (WFDB, DICOM waveforms, tables of samples over time) beside a table, or one folder a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from diascope.core.case import Case, FileRef, Target
from diascope.core.errors import DataRefused
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import contents, is_declared, reason, stem_of
from diascope.sources.folders.splits import split_of
from diascope.sources.signals.recordings import recordings, signal_ref
from diascope.sources.signals.running import samples_in
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.files import SUFFIXES, columns_of, read_table
from diascope.sources.tables.sheet import BESIDE, from_first_line, match_rows
from diascope.sources.tables.targets import category

INPUT = "signal"
"""Name of the input."""
MOST_LOOKED_AT = 200
"""Files that are opened to recognise the layout."""
LABEL = "label"
"""Name of the target that the folders are."""


class SignalFiles:
    """A table in the folder that names the recordings; without one, the folders are classes."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the recordings.

        Raises:
            DataRefused: When there are none, several tables, or the table names none of them.
            UnknownName: When a column that the user named does not exist.
        """
        root = Path(location)
        if not root.is_dir():
            raise DataRefused("this is no folder of recordings", given=root, todo="See docs/how-to/signals.md")
        found = recordings(root)
        tables = _tables(root, found)
        files = [path for path in found if path not in tables]
        if not files:
            raise DataRefused(f"there are no recordings in {root}", todo="See docs/how-to/signals.md")
        cases = _cases(root, files)
        if not tables:
            cases, targets = _by_folder(cases, files)
            described = describe(cases, options, None, targets)
            return Listing(root=root, cases=described.cases, targets=described.targets, notes=described.notes)
        if len(tables) > 1:
            raise DataRefused(
                f"several tables lie in {root}: {', '.join(tables)}",
                todo=f"Name the one that says what each recording is {BESIDE[1]}",
            )
        paths = {case.id: path for case, path in zip(cases, files, strict=True)}
        sheet = from_first_line(read_table(root / tables[0]), paths)
        matched = match_rows(sheet, paths, "recordings")
        notes = [*sheet.notes, f"{tables[0]}: the column {matched.column!r} names the recordings"]
        alone = len(cases) - len(matched.rows)
        if alone:
            notes.append(f"{alone} of {len(cases)} recordings have no row in {tables[0]}")
        if matched.unused:
            notes.append(f"{matched.unused} rows of {tables[0]} name no recording")
        described = describe(cases, options, Rows(sheet.columns, matched.rows, frozenset({matched.column})))
        return Listing(root=root, cases=described.cases, targets=described.targets, notes=(*notes, *described.notes))


def _why(root: Path) -> str | None:
    if not root.is_dir() or is_declared(root):
        return None
    found = recordings(root, MOST_LOOKED_AT)
    tables = _tables(root, found) if found else []
    files = [path for path in found if path not in tables]
    if not files or any(samples_in(root / name) for name in tables):
        return None
    if tables:
        return f"recordings, such as {files[0]}, and the table {tables[0]}"
    classes = _folders(files)
    return f"recordings in folders, such as {files[0]}" if len(classes) > 1 else None


def _tables(root: Path, found: Sequence[str]) -> list[str]:
    """Names of the tables in the folder: those named like one (`BESIDE`), else all that are no recordings."""
    names = [name for name in contents(root)[1] if name.lower().endswith(SUFFIXES)]
    tables = [name for name in names if name not in found and len(columns_of(root / name)) > 1]
    named = [name for name in tables if name in BESIDE]
    return named or tables


def _cases(root: Path, files: Sequence[str]) -> list[Case]:
    stems = Counter(stem_of(path) for path in files)
    found = []
    for path in files:
        name = stem_of(path) if stems[stem_of(path)] == 1 else path
        ref: FileRef = signal_ref(root, path)
        found.append(Case(id=name, patient=name, patient_known=False, inputs={INPUT: ref}))
    return found


def _folders(files: Sequence[str]) -> list[str]:
    """Folders that may be classes: the innermost of each file, below parts called train and test."""
    return sorted({_class_of(path) for path in files} - {""})


def _class_of(path: str) -> str:
    folders = [name for name in path.split("/")[:-1] if split_of(name) is None]
    return folders[0] if folders else ""


def _by_folder(cases: Sequence[Case], files: Sequence[str]) -> tuple[list[Case], list[Target]]:
    classes = _folders(files)
    if len(classes) < 2 or any(not _class_of(path) for path in files):
        raise DataRefused(
            "nothing says what the recordings are",
            given=f"{len(files)} recordings in {len(classes) or 'no'} folder(s), no table",
            todo="Put a CSV beside them that names each and says its class, or one folder a class",
        )
    found = []
    for case, path in zip(cases, files, strict=True):
        split = next((part for name in path.split("/")[:-1] if (part := split_of(name)) is not None), None)
        found.append(case.model_copy(update={"targets": {LABEL: _class_of(path)}, "split": split}))
    return found, [category(LABEL, [_class_of(path) for path in files])]


SOURCE = SignalFiles()
