"""A folder of images without labels: taken for it only when it is named, or by `diascope pretrain`."""

from __future__ import annotations

from pathlib import Path

from diascope.core.case import Case
from diascope.core.errors import BadUsage, DataRefused
from diascope.sources import Listing, Source, SourceOptions
from diascope.sources.folders.files import case_ids, contents, file_ref, images_in, refuse_mixed, without_masks
from diascope.sources.folders.pairs import MASK_FOLDERS, TARGET_FOLDERS, plain

DEPTH = 6
"""Folders inside folders in which images are looked for."""


class Images:
    """Every picture or volume of a folder, at any depth; masks by their names are left out."""

    def recognises(self, location: str) -> str | None:
        # Any folder of images would do: what holds labels is a layout of its own.
        return None

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the images; each counts as a patient of its own.

        Raises:
            DataRefused: When there are none, or kinds are mixed.
            BadUsage: When a column is named: there is no table.
        """
        if named := [name for name in (options.target, options.patient, options.site) if name]:
            raise BadUsage(
                "a folder of images alone has no columns",
                given=", ".join(named),
                todo="List the images in a CSV manifest",
            )
        root = Path(location)
        if not root.is_dir():
            raise DataRefused(f"no folder of images: {location}", todo="Give a folder, or a CSV manifest")
        paths, left_out = _paths(root)
        if not paths:
            raise DataRefused(f"no image in {location}", todo="See docs/how-to/layouts.md")
        refuse_mixed(paths, root)
        cases = tuple(
            Case(id=name, patient=name, patient_known=False, inputs={"image": file_ref(path)})
            for name, path in case_ids(paths).items()
        )
        notes = [f"{len(cases)} images without labels; nobody says which are of one patient"]
        notes += [f"{left_out} files are called as masks and were left out"] if left_out else []
        return Listing(root, cases, (), tuple(notes))


def _paths(root: Path, prefix: str = "", depth: int = DEPTH) -> tuple[list[str], int]:
    """Relative paths of the images in a folder and below it, and how many masks were left out."""
    images, masks = without_masks(images_in(root / prefix))
    found, left_out = [f"{prefix}{name}" for name in images], len(masks)
    for name in contents(root / prefix)[0] if depth else []:
        inner, masked = _paths(root, f"{prefix}{name}/", depth - 1)
        is_masks = plain(name) in (*MASK_FOLDERS, *TARGET_FOLDERS)
        found += [] if is_masks else inner
        left_out += masked + (len(inner) if is_masks else 0)
    return found, left_out


SOURCE: Source = Images()
