"""Files of a folder: which of them are images, what they are called without the ending, which kinds are mixed."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from diascope.core import registry
from diascope.core.case import FileRef
from diascope.core.errors import DataRefused, DiascopeError, UnreadableFile
from diascope.formats import kind_of

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")
"""Endings that may stand beside each other in one data set: all of them are plain pictures."""

MASK_NAME = re.compile(r"^(?P<image>.+?)[ _-]?(?:mask|seg|segmentation|label|gt)[ _-]?\d*$", re.IGNORECASE)
"""A stem such as `benign (1)_mask` or `case7-seg_2`: the mask of the image `benign (1)` or `case7`."""

DECLARED = ("dataset.json", "manifest.csv")
"""Files that declare their layout: where one lies in the folder, the layouts that are told from names stand back."""


def reason(location: str, look: Callable[[Path], str | None]) -> str | None:
    """`look` at a location, None where it cannot be looked at: `Source.recognises` never raises.

    An empty location is none: as a path it would be the current folder, whatever lies there.
    """
    if not location:
        return None
    try:
        path = Path(location)
        return look(path) if path.exists() else None
    except (OSError, ValueError, DiascopeError):
        return None


@cache
def image_formats() -> Mapping[str, str]:
    """Ending (lower case) to format plug-in; without DICOM, whose files are told by content and not by name."""
    known: dict[str, str] = {}
    for name, plugin in registry.each("formats"):
        if kind_of(plugin) != "image" or ".dcm" in plugin.suffixes or not plugin.is_available():
            continue
        for suffix in plugin.suffixes:
            known.setdefault(suffix, name)
    return known


@cache
def _endings() -> tuple[str, ...]:
    return tuple(sorted(image_formats(), key=len, reverse=True))


def suffix_of(name: str) -> str:
    """The image ending of a file name in lower case (`.nii.gz` before `.gz`), empty where it is no image."""
    lower = name.lower()
    return next((ending for ending in _endings() if lower.endswith(ending)), "")


def stem_of(path: str) -> str:
    """A path or name without its ending."""
    suffix = suffix_of(path) or Path(path).suffix
    return path[: len(path) - len(suffix)] if suffix else path


def contents(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files in a folder, each sorted; hidden ones and `__MACOSX` left out.

    Raises:
        UnreadableFile: When the folder cannot be listed.
    """
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith((".", "__MACOSX")):
                    continue
                (folders if entry.is_dir() else files).append(entry.name)
    except OSError as error:
        raise UnreadableFile(
            folder, f"the folder cannot be listed ({error.strerror})", "Check its permissions"
        ) from error
    return sorted(folders), sorted(files)


def images_in(folder: Path) -> list[str]:
    """Sorted names of the image files that lie directly in a folder."""
    return [name for name in contents(folder)[1] if suffix_of(name)]


def holds_images(folder: Path) -> bool:
    """Whether an image file lies in a folder, at any depth. Stops at the first."""
    for _, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        if any(suffix_of(name) and not name.startswith(".") for name in files):
            return True
    return False


def is_declared(folder: Path) -> bool:
    """Whether a file in the folder declares its layout (see `DECLARED`)."""
    return any((folder / name).is_file() for name in DECLARED)


def without_masks(names: list[str]) -> tuple[list[str], list[str]]:
    """Part the file names of one folder into images and masks of these images (`x.png`, `x_mask.png`)."""
    stems = {stem_of(name) for name in names}
    masks = []
    for name in names:
        match = MASK_NAME.match(stem_of(name))
        if match is not None and match["image"] in stems:
            masks.append(name)
    left_out = set(masks)
    return [name for name in names if name not in left_out], masks


def refuse_mixed(names: Iterable[str], where: Path) -> None:
    """Refuse pictures and volumes, or volumes of several formats, in one data set.

    Raises:
        DataRefused: With the number of files of each kind.
    """
    counts = Counter(suffix_of(name) for name in names)
    kinds: Counter[str] = Counter()
    for suffix, count in counts.items():
        kinds["pictures" if suffix in PICTURES else image_formats()[suffix]] += count
    if len(kinds) > 1:
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        raise DataRefused(
            f"files of several kinds are mixed in {where}: {listed}",
            todo="Keep one kind in a data set, or list the files in a CSV manifest",
        )


def file_ref(path: str, item: str | None = None, modality: str | None = None) -> FileRef:
    """The reference to one image file, its format told by the ending.

    Raises:
        DataRefused: When no format reads such files.
    """
    name = image_formats().get(suffix_of(path))
    if name is None:
        raise DataRefused(
            "no format reads this kind of file", given=path, todo=f"Readable endings: {', '.join(sorted(_endings()))}"
        )
    return FileRef(format=name, paths=(path,), item=item, modality=modality)


def image_ref(root: Path, cell: str) -> FileRef:
    """The image that a cell of a table names: a file, or the DICOM series when it names a folder."""
    path = posix(cell)
    if not suffix_of(path):
        if (root / path).is_dir():
            files = sorted(entry.name for entry in (root / path).iterdir() if entry.is_file())
            return FileRef(format="dicom", paths=tuple(f"{path.rstrip('/')}/{name}" for name in files))
        if path.lower().endswith((".dcm", ".dicom")):
            return FileRef(format="dicom", paths=(path,))
    return file_ref(path)


def posix(cell: str) -> str:
    """A path as a table may write it, with `/`."""
    return cell.replace("\\", "/").removeprefix("./")


def case_ids(paths: Iterable[str]) -> dict[str, str]:
    """Case id to path: the path without its ending, with it where two files differ in nothing else."""
    paths = list(paths)
    stems = Counter(stem_of(path) for path in paths)
    return {stem_of(path) if stems[stem_of(path)] == 1 else path: path for path in paths}
