"""One folder of images and one CSV that names them: `images/a.jpg`, `metadata.csv`."""

from __future__ import annotations

from pathlib import Path

from diascope.core.case import Case
from diascope.core.errors import DataRefused
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.drawn import is_annotated
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
from diascope.sources.tables.beside import rows_of
from diascope.sources.tables.describe import describe
from diascope.sources.tables.drawn import sides_of
from diascope.sources.tables.sheet import BESIDE, read_columns, read_sheet


class ImageTable:
    """A flat folder of images beside a table with a row an image."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the images of the one folder.

        Raises:
            DataRefused: When there are several tables, or the table names none of the images.
            UnknownName: When a column that the user named does not exist.
        """
        root = Path(location)
        prefix = _image_folder(root)
        tables = _tables(root)
        if prefix is None or not tables:
            raise DataRefused(
                "this is not one folder of images beside a table", given=root, todo="See docs/how-to/layouts.md"
            )
        if len(tables) > 1:
            raise DataRefused(
                f"several tables lie in {root}: {', '.join(tables)}",
                todo=f"Name the one that says what each image is {BESIDE[1]}",
            )
        names, masks = without_masks(images_in(root / prefix))
        refuse_mixed(names, root / prefix)
        paths = case_ids(f"{prefix}{name}" for name in names)
        cases = [
            Case(id=case, patient=case, patient_known=False, inputs={"image": file_ref(path)})
            for case, path in paths.items()
        ]
        rows, notes = rows_of(read_sheet(root / tables[0]), cases)
        if masks:
            notes.append(f"{len(masks)} mask files beside the images are not images: left out")
        described = describe(cases, options, rows)
        return Listing(root=root, cases=described.cases, targets=described.targets, notes=(*notes, *described.notes))


def _why(root: Path) -> str | None:
    if not root.is_dir() or is_declared(root):
        return None
    tables, prefix = _tables(root), _image_folder(root)
    if prefix is None or not tables or is_annotated(root):
        return None
    return f"images in {prefix or 'one folder'} and the table {tables[0]}"


def _image_folder(root: Path) -> str | None:
    """Prefix of the one folder that holds images directly: the root (empty) or one below it; None for several."""
    folders, _ = contents(root)
    holding = [f"{name}/" for name in folders if images_in(root / name)]
    if images_in(root):
        holding.append("")
    return holding[0] if len(holding) == 1 else None


def _tables(root: Path) -> list[str]:
    """Names of the tables: the one that is named like one (`BESIDE`), else every CSV."""
    tables = [name for name in contents(root)[1] if name.lower().endswith(".csv")]
    tables = [name for name in tables if sides_of(read_columns(root / name)) is None]
    named = [name for name in tables if name in BESIDE]
    return named or tables


SOURCE = ImageTable()
