"""Class folders of DICOM files: the series of a tree, with the name of the folder that they lie in as their label."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from diascope.core.case import Case, FileRef, Split
from diascope.core.errors import DataRefused
from diascope.formats.dicomio.headers import is_dicom, is_waveform
from diascope.sources.folders.files import contents, suffix_of
from diascope.sources.folders.splits import parts_of
from diascope.sources.tables.targets import MOST_CLASSES, is_absence

MOST_LOOKED_AT = 50
"""Files of a folder that are opened to see whether it holds DICOM."""


def holds_dicom(folder: Path) -> bool:
    """Whether a DICOM file lies in a folder, at any depth; told by the first files."""
    looked = 0
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(files):
            if name.startswith(".") or suffix_of(name):
                continue
            if is_dicom(Path(path, name)) and not is_waveform(Path(path, name)):
                return True
            looked += 1
            if looked >= MOST_LOOKED_AT:
                return False
    return False


def names_of_dicom_classes(root: Path) -> list[str]:
    """Names of folders of DICOM files that are classes for sure: one of them says that nothing was found. Cheap.

    Folders of sites or patients look alike otherwise, and a table in the root says what is learnt.
    """
    if any(name.lower().endswith(".csv") for name in contents(root)[1]):
        return []
    places = [
        (label, root / prefix / label)
        for _, prefix in parts_of(root, holds_dicom)
        for label in contents(root / prefix)[0]
    ]
    names = {label for label, _ in places}
    if len(names) > MOST_CLASSES or not any(map(is_absence, names)):
        return []
    classes = sorted({label for label, folder in places if holds_dicom(folder)})
    return classes if len(classes) > 1 and any(map(is_absence, classes)) else []


def labelled_by_folder(cases: Iterable[Case], root: Path, target: str) -> tuple[list[Case], list[str]]:
    """Cases of a DICOM tree with the folder as their label, and notes.

    Args:
        cases: With paths relative to the root.
        root: The folder above the class folders, or above folders of splits.
        target: Name of the target.

    Raises:
        DataRefused: When the files of one case lie in several class folders.
    """
    parts = parts_of(root, holds_dicom)
    found, outside = [], 0
    for case in cases:
        places = {_place(path, parts) for ref in case.inputs.values() if isinstance(ref, FileRef) for path in ref.paths}
        if len(places) > 1:
            raise DataRefused(
                f"the images of {case.id} lie in several class folders",
                given=", ".join(sorted({label or "the root" for _, label in places})),
                todo="Keep a study in one folder, or write a table keyed by SeriesInstanceUID",
            )
        split, label = next(iter(places), (None, None))
        if label is None:
            outside += 1
            continue
        updated = {"targets": {**case.targets, target: label}, "split": case.split or split}
        found.append(case.model_copy(update=updated))
    return found, [f"{outside} cases lie in no class folder: left out"] if outside else []


def _place(path: str, parts: list[tuple[Split | None, str]]) -> tuple[Split | None, str | None]:
    for split, prefix in parts:
        label, slash, _ = path.removeprefix(prefix).partition("/")
        if path.startswith(prefix) and slash:
            return split, label
    return None, None
