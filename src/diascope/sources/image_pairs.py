"""A folder of images and a folder of target images with the same names: `images/7.nii.gz`, `targets/7.nii.gz`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diascope.core.case import Case, FileRef, Split, Target, Truth
from diascope.core.errors import BadUsage, DataRefused
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import case_ids, contents, file_ref, images_in, is_declared, reason, refuse_mixed
from diascope.sources.folders.pairs import IMAGE_FOLDERS, TARGET_FOLDERS, pair, plain
from diascope.sources.folders.splits import parts_of, split_of
from diascope.sources.tables.beside import rows_beside
from diascope.sources.tables.describe import describe

TARGET_NAME = "target_image"
Pair = tuple[Split | None, str, str]
"""Split, prefix of the images, prefix of their targets."""


class ImagePairs:
    """Images matched by stem to the images that are to be made of them."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the images, with the target that belongs to each.

        Raises:
            BadUsage: When several targets belong to one image.
            DataRefused: When no target belongs to any image, or kinds are mixed.
            UnknownName: When a target or column that the user named does not exist.
        """
        root = Path(location)
        cases: list[Case] = []
        notes: list[str] = []
        for one in _pairs(root):
            some, said = _cases(root, one)
            cases, notes = [*cases, *some], [*notes, *said]
        if not any(case.targets[TARGET_NAME] for case in cases):
            raise DataRefused(
                "no target belongs to an image",
                given=root,
                todo="Give both the same stem, or write a CSV manifest with the columns image and target_image",
            )
        refuse_mixed((path for case in cases for path in _paths(case)), root)
        rows, table_notes = rows_beside(root, cases)
        target = Target(name=TARGET_NAME, kind="image", columns=(TARGET_NAME,))
        described = describe(cases, options, rows, [target])
        return Listing(
            root=root,
            cases=described.cases,
            targets=described.targets,
            notes=(*notes, *table_notes, *described.notes),
        )


def _why(root: Path) -> str | None:
    if not root.is_dir() or is_declared(root):
        return None
    return next((f"images in {images} and what is made of them in {made}" for _, images, made in _pairs(root)), None)


def _pairs(root: Path) -> list[Pair]:
    """Folders of images that have a folder of targets beside them, in the root or below folders of splits."""
    return [one for split, prefix in parts_of(root) for one in _below(root, prefix, split)]


def _below(root: Path, prefix: str, split: Split | None) -> list[Pair]:
    names = contents(root / prefix)[0]
    images = _parts(root, prefix, names, IMAGE_FOLDERS)
    made = _parts(root, prefix, names, TARGET_FOLDERS)
    return [(part or split, path, made[part]) for part, path in images.items() if part in made]


def _parts(root: Path, prefix: str, names: list[str], known: Mapping[str, Split | None]) -> dict[Split | None, str]:
    """Part to the folder that holds its files; a folder may hold folders of splits (`images/train/`)."""
    found: dict[Split | None, str] = {}
    for name in names:
        if plain(name) not in known:
            continue
        path = f"{prefix}{name}/"
        if images_in(root / path):
            found.setdefault(known[plain(name)], path)
        for inner in contents(root / path)[0]:
            if split_of(inner) is not None and images_in(root / path / inner):
                found.setdefault(split_of(inner), f"{path}{inner}/")
    return found


def _cases(root: Path, one: Pair) -> tuple[list[Case], list[str]]:
    split, images, made = one
    names = images_in(root / images)
    paired = pair(names, images_in(root / made))
    several = next((f"{name}: {', '.join(files)}" for name, files in paired.masks.items() if len(files) > 1), None)
    if several is not None:
        raise BadUsage(
            "several targets belong to one image",
            given=several,
            todo="Write a CSV manifest with the columns image and target_image",
        )
    cases = []
    for case, path in case_ids(f"{images}{name}" for name in names).items():
        files = paired.masks.get(path.removeprefix(images), ())
        target: Truth = file_ref(f"{made}{files[0]}") if files else None
        cases.append(
            Case(
                id=case,
                patient=case,
                patient_known=False,
                inputs={"image": file_ref(path)},
                targets={TARGET_NAME: target},
                split=split,
            )
        )
    notes = []
    if len(paired.masks) < len(names):
        notes.append(f"{len(names) - len(paired.masks)} of {len(names)} images in {images} have no {TARGET_NAME}")
    if paired.alone:
        notes.append(f"{len(paired.alone)} images in {made} belong to no input, such as {paired.alone[0]}: left out")
    return cases, notes


def _paths(case: Case) -> list[str]:
    return [path for ref in case.inputs.values() if isinstance(ref, FileRef) for path in ref.paths]


SOURCE = ImagePairs()
