"""A folder of images and a folder of masks with the same names: `images/7.png`, `masks/7.png`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diascope.core.case import Case, FileRef, Split, Truth
from diascope.core.errors import BadUsage, DataRefused
from diascope.formats.files.union import UNION
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import (
    case_ids,
    contents,
    file_ref,
    images_in,
    is_declared,
    reason,
    refuse_mixed,
)
from diascope.sources.folders.masks import mask_target
from diascope.sources.folders.pairs import IMAGE_FOLDERS, MASK_FOLDERS, Paired, pair, plain
from diascope.sources.folders.splits import parts_of, split_of
from diascope.sources.tables.beside import rows_beside
from diascope.sources.tables.describe import describe

TARGET_NAME = "mask"
"""The target of the one folder of masks; of several, each is called as its folder."""


class ImageMasks:
    """Images and masks matched by stem."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the images, with the masks that belong to them.

        Raises:
            BadUsage: When several folders could be the masks and the user named none.
            DataRefused: When no mask belongs to any image, or kinds are mixed.
            UnknownName: When a target or column that the user named does not exist.
        """
        root = Path(location)
        sets = _sets(root)
        names = _target_names(sets)
        if len(names) > 1 and options.target is None:
            raise BadUsage(
                f"{len(names)} folders beside the images hold masks: {', '.join(names)}",
                todo="Choose one with --target, or write a CSV manifest with the columns image and mask",
            )
        cases, notes = _cases(root, sets, names)
        refuse_mixed((path for case in cases for path in _paths(case)), root)
        targets = []
        for name in names:
            target, note = mask_target(name, [case.targets[name] for case in cases], root)
            notes.append(note)
            if target is None:
                raise DataRefused(
                    f"no file of the folder {name!r} belongs to an image",
                    given=root,
                    todo="Give image and mask the same stem, or write a CSV manifest with the columns image and mask",
                )
            targets.append(target)
        rows, table_notes = rows_beside(root, cases)
        described = describe(cases, options, rows, targets)
        return Listing(
            root=root,
            cases=described.cases,
            targets=described.targets,
            notes=(*notes, *table_notes, *described.notes),
        )


@dataclass(frozen=True)
class _Set:
    """One folder of images, and the folders of masks that belong to it (top folder's name to prefix)."""

    split: Split | None
    images: str
    masks: tuple[tuple[str, str], ...]


def _why(root: Path) -> str | None:
    if not root.is_dir() or is_declared(root):
        return None
    for one in _sets(root):
        return f"images in {one.images} and masks in {', '.join(prefix for _, prefix in one.masks)}"
    return None


def _sets(root: Path) -> list[_Set]:
    """Folders of images that have folders of masks beside them, in the root or below folders of splits."""
    return [one for split, prefix in parts_of(root) for one in _sets_below(root, prefix, split)]


def _sets_below(root: Path, prefix: str, split: Split | None) -> list[_Set]:
    folders = contents(root / prefix)[0]
    masks = [
        (name, *part)
        for name in folders
        if plain(name) in MASK_FOLDERS
        for part in _parts(root, f"{prefix}{name}/", MASK_FOLDERS[plain(name)])
    ]
    found = []
    for name in folders:
        if plain(name) not in IMAGE_FOLDERS:
            continue
        for part, path in _parts(root, f"{prefix}{name}/", IMAGE_FOLDERS[plain(name)]):
            own = tuple((top, mask_path) for top, mask_part, mask_path in masks if mask_part == part)
            if own:
                found.append(_Set(part or split, path, own))
    return found


def _parts(root: Path, prefix: str, split: Split | None) -> list[tuple[Split | None, str]]:
    """The folder itself where it holds images, else its folders of splits (`images/train/`)."""
    if images_in(root / prefix):
        return [(split, prefix)]
    inner = [(split_of(name), f"{prefix}{name}/") for name in contents(root / prefix)[0]]
    return [(part, path) for part, path in inner if part is not None and images_in(root / path)]


def _target_names(sets: Sequence[_Set]) -> list[str]:
    if all(len(one.masks) == 1 for one in sets):
        return [TARGET_NAME]
    return sorted({name for one in sets for name, _ in one.masks})


def _cases(root: Path, sets: Sequence[_Set], names: list[str]) -> tuple[list[Case], list[str]]:
    cases: list[Case] = []
    notes: list[str] = []
    for one in sets:
        images = images_in(root / one.images)
        masks: dict[str, dict[str, FileRef]] = {}
        for top, prefix in one.masks:
            target = top if top in names else TARGET_NAME
            paired = pair(images, images_in(root / prefix))
            masks[target] = {image: _mask_ref(prefix, files) for image, files in paired.masks.items()}
            notes += _on_masks(one.images, len(images), prefix, target, paired)
        for case, path in case_ids(f"{one.images}{name}" for name in images).items():
            name = path.removeprefix(one.images)
            found: dict[str, Truth] = {target: masks.get(target, {}).get(name) for target in names}
            cases.append(
                Case(
                    id=case,
                    patient=case,
                    patient_known=False,
                    inputs={"image": file_ref(path)},
                    targets=found,
                    split=one.split,
                )
            )
    return cases, notes


def _mask_ref(prefix: str, files: Sequence[str]) -> FileRef:
    """The one mask of an image, or the union of several."""
    first = file_ref(f"{prefix}{files[0]}")
    if len(files) == 1:
        return first
    return first.model_copy(update={"paths": tuple(f"{prefix}{name}" for name in files), "item": UNION})


def _on_masks(images: str, count: int, prefix: str, target: str, paired: Paired) -> list[str]:
    notes = []
    if len(paired.masks) < count:
        notes.append(f"{count - len(paired.masks)} of {count} images in {images} have no {target}")
    several = [files for files in paired.masks.values() if len(files) > 1]
    if several:
        notes.append(
            f"{len(several)} images in {images} have several masks, such as {', '.join(several[0])}: they are united"
        )
    if paired.alone:
        notes.append(f"{len(paired.alone)} masks in {prefix} belong to no image, such as {paired.alone[0]}: left out")
    return notes


def _paths(case: Case) -> list[str]:
    return [path for ref in case.inputs.values() if isinstance(ref, FileRef) for path in ref.paths]


SOURCE = ImageMasks()
