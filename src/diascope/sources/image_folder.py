"""One folder a class: `normal/1.png`, `ill/2.png`, perhaps below `train/`, `val/`, `test/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diascope.core.case import Case, Split
from diascope.core.errors import DataRefused
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import (
    case_ids,
    contents,
    file_ref,
    images_in,
    is_declared,
    reason,
    refuse_mixed,
    without_masks,
)
from diascope.sources.folders.pairs import IMAGE_FOLDERS, plain
from diascope.sources.folders.splits import split_of
from diascope.sources.tables.beside import rows_beside
from diascope.sources.tables.describe import describe
from diascope.sources.tables.targets import category

TARGET_NAME = "label"
"""The target that the names of the folders are."""


class ImageFolder:
    """Class folders, with an optional level of splits above and an `index.csv` or `metadata.csv` beside."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the images of every class folder.

        Raises:
            DataRefused: When there are none, when kinds are mixed, or table and folders contradict each other.
            UnknownName: When a column that the user named does not exist.
        """
        root = Path(location)
        files, notes = _files(root)
        if not files:
            raise DataRefused("no image lies in a class folder", given=root, todo="Put each class into its own folder")
        refuse_mixed((file.path for file in files), root)
        of_path = {file.path: file for file in files}
        paths = case_ids(of_path)
        cases = [
            Case(
                id=case,
                patient=case,
                patient_known=False,
                inputs={"image": file_ref(path)},
                targets={TARGET_NAME: of_path[path].label},
                split=of_path[path].split,
            )
            for case, path in paths.items()
        ]
        rows, table_notes = rows_beside(root, cases)
        target = category(TARGET_NAME, (file.label for file in files))
        described = describe(cases, options, rows, (target,))
        return Listing(
            root=root,
            cases=described.cases,
            targets=described.targets,
            notes=(*notes, *table_notes, *described.notes),
        )


@dataclass(frozen=True)
class _File:
    path: str
    label: str
    split: Split | None


def _parts(root: Path) -> list[tuple[Split | None, str]]:
    """Split and prefix of each part; one part without a split where the class folders lie in the root."""
    folders = contents(root)[0]
    splits = [split_of(name) for name in folders]
    if folders and None not in splits:
        return [(split, f"{name}/") for split, name in zip(splits, folders, strict=True)]
    return [(None, "")]


def _why(root: Path) -> str | None:
    if not root.is_dir() or is_declared(root) or images_in(root):
        return None
    classes: set[str] = set()
    for _, prefix in _parts(root):
        folders = contents(root / prefix)[0]
        if any(plain(name) in IMAGE_FOLDERS for name in folders):
            return None
        classes |= {name for name in folders if images_in(root / prefix / name)}
    if len(classes) < 2:
        return None
    return f"one folder a class: {', '.join(sorted(classes)[:5])}{', ...' if len(classes) > 5 else ''}"


def _files(root: Path) -> tuple[list[_File], list[str]]:
    files: list[_File] = []
    notes: list[str] = []
    masks = 0
    for split, prefix in _parts(root):
        for label in contents(root / prefix)[0]:
            folder = root / prefix / label
            images, of_images = without_masks(images_in(folder))
            masks += len(of_images)
            files += [_File(f"{prefix}{label}/{name}", label, split) for name in images]
            if not images:
                notes.append(f"no image lies in {prefix}{label}")
            if contents(folder)[0]:
                notes.append(f"folders inside {prefix}{label} were not read")
    if masks:
        notes.append(f"{masks} mask files beside the images (such as x_mask.png beside x.png) are not images: left out")
    return files, notes


SOURCE = ImageFolder()
