"""Files of recordings: which there are in a folder, and a reference to each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from diascope import formats
from diascope.core.case import FileRef
from diascope.core.errors import DataRefused, DiascopeError
from diascope.formats.waveforms.beside import NAME as DECLARED
from diascope.formats.waveforms.numbers import LINES
from diascope.formats.waveforms.wfdb_header import read_header
from diascope.formats.wfdb import GAP, files_of

KIND = "signal"
WFDB = ".hea"
ENDINGS = (WFDB, ".dcm", ".dicom", *LINES)
"""Of files that are opened to see whether they are recordings; DICOM may have none."""
A_FOLDER = 20
"""Files of one folder that are opened where only the layout is asked for."""


def signal_ref(root: Path, path: str) -> FileRef:
    """The reference to one recording.

    Args:
        root: Folder of the data set.
        path: Relative to it, or absolute. Of a WFDB record the ending may be left out. A `signal.json` beside a table
            of samples belongs to it.

    Raises:
        DataRefused: When there is no such file, or no format of signals recognises it.
    """
    plain = record_of(root, path)
    if not (root / plain).is_file():
        raise DataRefused("no such file", given=path, todo="Mend the path, or remove the row")
    name = formats.format_of(root / plain, KIND)
    if name is None:
        raise DataRefused(
            "no format of signals reads this file",
            given=path,
            todo="Give WFDB (.hea), DICOM waveforms, or a CSV with a column `time` and a column a channel",
        )
    return FileRef(format=name, paths=files_read(root, plain), kind="signal")


def recordings(root: Path, most: int | None = None) -> list[str]:
    """Relative paths of the recordings below a folder, sorted; segments of a WFDB record are no records.

    Args:
        root: The folder.
        most: Files that are looked at, where only the layout is asked for; None is all.
    """
    found: list[str] = []
    parts: set[str] = set()
    for path in islice(_candidates(root, None if most is None else A_FOLDER), most):
        if formats.format_of(path, KIND) is None:
            continue
        found.append(path.relative_to(root).as_posix())
        if path.name.lower().endswith(WFDB):
            parts |= {segment.relative_to(root).as_posix() for segment in _segments(path)}
    return [path for path in found if path not in parts]


def _candidates(root: Path, most: int | None) -> Iterator[Path]:
    """Files that may be recordings by their name (pictures and volumes are not opened), at most so many a folder."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        named = (name for name in sorted(files) if not name.startswith(".") and name != DECLARED)
        able = (name for name in named if Path(name).suffix.lower() in (*ENDINGS, ""))
        yield from (Path(folder, name) for name in islice(able, most))


def _segments(header: Path) -> list[Path]:
    """Headers that a record in several segments is made of; none where it cannot be read: reading will say why."""
    try:
        return [header.with_name(f"{name}{WFDB}") for name, _ in read_header(header).segments if name != GAP]
    except DiascopeError:
        return []


def record_of(root: Path, path: str) -> str:
    """The path of a recording; of a WFDB record the ending may be left out."""
    return path if (root / path).is_file() or not (root / f"{path}{WFDB}").is_file() else f"{path}{WFDB}"


def files_read(root: Path, path: str) -> tuple[str, ...]:
    """All files that a recording is read from, so that a change of any is noticed."""
    folder = Path(path).parent
    if path.lower().endswith(WFDB):
        try:
            return tuple((folder / one.name).as_posix() for one in files_of(root / path))
        except DiascopeError:
            return (path,)  # the survey says what is wrong with it
    declared = folder / DECLARED
    is_table = not path.lower().endswith((".dcm", ".dicom")) and (root / declared).is_file()
    return (path, declared.as_posix()) if is_table else (path,)
