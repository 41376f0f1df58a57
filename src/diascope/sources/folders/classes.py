"""Class folders: `normal/1.png`, or `normal/PATIENT/1.png`, perhaps below folders of splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diascope.core.case import Split
from diascope.core.errors import DataRefused
from diascope.sources.folders.files import PICTURES, contents, images_in, suffix_of, without_masks
from diascope.sources.folders.pairs import IMAGE_FOLDERS, MASK_FOLDERS, plain
from diascope.sources.folders.splits import parts_of

ALIKE = 0.75
"""Share of class folders that hold a folder of one name, on average, from which these are no patients."""


@dataclass(frozen=True)
class ClassFile:
    """One image in a class folder.

    Args:
        path: Relative to the root.
        label: Name of the class folder.
        split: That of the folder above it.
        patient: Name of the folder inside the class folder, None where the image lies in the class folder itself.
    """

    path: str
    label: str
    split: Split | None
    patient: str | None


@dataclass(frozen=True)
class _Class:
    split: Split | None
    label: str
    prefix: str


def names_of_classes(root: Path) -> list[str]:
    """Names of the folders that look like classes; empty where the folder has another layout. Cheap."""
    classes = set()
    for one in _classes(root):
        inner = contents(root / one.prefix)[0]
        if plain(one.label) in (*IMAGE_FOLDERS, *MASK_FOLDERS):
            return []
        images = images_in(root / one.prefix)
        if not images and any(plain(name) in (*IMAGE_FOLDERS, *MASK_FOLDERS) for name in inner):
            return []
        if images or any(images_in(root / one.prefix / name) for name in inner):
            classes.add(one.label)
    return [] if len(classes) < 2 or _is_flat(root) else sorted(classes)


def _is_flat(root: Path) -> bool:
    """Whether the data may lie in the root: volumes or an archive, or more pictures than in the folders."""
    stray = images_in(root)
    if not stray:
        return False
    if any(suffix_of(name) not in PICTURES for name in stray):
        return True
    places = [f"{one.prefix}{name}" for one in _classes(root) for name in ("", *contents(root / one.prefix)[0])]
    return len(stray) >= sum(len(images_in(root / place)) for place in places)


def files_of_classes(root: Path) -> tuple[list[ClassFile], list[str]]:
    """Every image in a class folder, and notes on what was left out.

    Raises:
        DataRefused: When the images of some classes lie in folders of patients and those of others do not, or when
            these folders may be the classes.
    """
    classes = _classes(root)
    direct = [one for one in classes if images_in(root / one.prefix)]
    nested = {one: _holding(root, one) for one in classes if one not in direct}
    nested = {one: names for one, names in nested.items() if names}
    if direct and nested:
        raise DataRefused(
            f"images lie in the class folder {direct[0].prefix}, and in folders inside {next(iter(nested)).prefix}",
            todo="Lay out all classes as CLASS/1.png or as CLASS/PATIENT/1.png, or write a CSV manifest",
        )
    notes = _left_out(root, classes, direct or list(nested))
    if nested:
        _refuse_alike(nested)
        one, names = next(iter(nested.items()))
        notes.append(
            f"patient: the folder inside the class folder, such as {one.prefix}{names[0]}; a name is a patient"
        )
    masks = 0
    files: list[ClassFile] = []
    places = [(one, None) for one in direct] + [(one, name) for one, names in nested.items() for name in names]
    for one, patient in places:
        prefix = one.prefix if patient is None else f"{one.prefix}{patient}/"
        images, of_images = without_masks(images_in(root / prefix))
        masks += len(of_images)
        files += [ClassFile(f"{prefix}{name}", one.label, one.split, patient) for name in images]
        if contents(root / prefix)[0]:
            notes.append(f"folders inside {prefix.rstrip('/')} were not read")
    if masks:
        notes.append(f"{masks} mask files beside the images (such as x_mask.png beside x.png) are not images: left out")
    return files, notes


def _classes(root: Path) -> list[_Class]:
    return [
        _Class(split, label, f"{prefix}{label}/")
        for split, prefix in parts_of(root)
        for label in contents(root / prefix)[0]
    ]


def _holding(root: Path, one: _Class) -> list[str]:
    """Names of the folders inside a class folder that hold images."""
    return [name for name in contents(root / one.prefix)[0] if images_in(root / one.prefix / name)]


def _left_out(root: Path, classes: Sequence[_Class], read: Sequence[_Class]) -> list[str]:
    notes = [f"no image lies in {one.prefix.rstrip('/')}" for one in classes if one not in read]
    parts = {prefix for _, prefix in parts_of(root)} - {""}
    if parts:
        notes += [f"no image lies in {name}" for name in contents(root)[0] if f"{name}/" not in parts]
    for prefix in sorted({"", *parts}):
        stray = images_in(root / prefix)
        if stray:
            where = prefix.rstrip("/") or "the root"
            notes.append(f"{len(stray)} images in {where} lie in no class folder, such as {stray[0]}: left out")
    return notes


def _refuse_alike(nested: Mapping[_Class, Sequence[str]]) -> None:
    """Refuse `SITE/normal/1.png` and `PATIENT/normal/1.png`: the inner folders come again in every outer one.

    Raises:
        DataRefused: Names both.
    """
    names: dict[str, set[str]] = {}
    for one, inner in nested.items():
        names.setdefault(one.label, set()).update(inner)
    different = set().union(*names.values())
    share = sum(map(len, names.values())) / (len(names) * len(different))
    if len(names) > 1 and share > ALIKE:
        outer = sorted(names)
        raise DataRefused(
            f"the classes may be the folders {', '.join(outer[:3])}, or those inside them, "
            f"{', '.join(sorted(different)[:3])}",
            given="the inner ones are called alike in every outer one",
            todo="Lay out the images as CLASS/PATIENT/1.png, or write a CSV manifest",
        )
