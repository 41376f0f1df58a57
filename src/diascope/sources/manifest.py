"""A CSV manifest: one row a case, with the columns `image`, further inputs, masks, targets, `patient`, `split`, `site`.

The columns are described in `docs/how-to/layouts.md`. A folder with a `manifest.csv` is read in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diascope.core.case import Case, FileRef
from diascope.core.errors import DataRefused
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import file_ref, reason, stem_of, suffix_of
from diascope.sources.folders.masks import mask_target
from diascope.sources.tables.columns import CASE, first_of
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.sheet import Cells, Sheet, read_columns, read_sheet

NAME = "manifest.csv"
IMAGE, MASK = "image", "mask"
"""A column `image` or `mask`; further ones are `image:NAME` and `mask:NAME`."""


class Manifest:
    """A table that names every file."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the rows of the table.

        Raises:
            DataRefused: When a row names no image, or two rows are one case.
            UnknownName: When a column that the user named does not exist.
        """
        path = _table(Path(location))
        sheet, root = read_sheet(path), path.parent
        images, masks = _named(sheet.columns, IMAGE), _named(sheet.columns, MASK)
        if not images:
            raise DataRefused(
                f"{path} has no column 'image'", given=", ".join(sheet.columns), todo="See docs/how-to/layouts.md"
            )
        if not sheet.rows:
            raise DataRefused(f"{path} has no rows", todo="Write one row a case")
        rows = _rows_by_case(sheet, images)
        cases = [_case(root, case, row, images, masks) for case, row in rows.items()]
        found = [mask_target(name, [case.targets[name] for case in cases], root) for name in masks]
        case_column = first_of(sheet.columns, CASE)
        used = frozenset({*images.values(), *masks.values(), *([case_column] if case_column else [])})
        described = describe(
            cases, options, Rows(sheet.columns, rows, used), [target for target, _ in found if target is not None]
        )
        notes = (note for _, note in found)
        return Listing(root=root, cases=described.cases, targets=described.targets, notes=(*notes, *described.notes))


def _table(path: Path) -> Path:
    return path / NAME if path.is_dir() else path


def _why(path: Path) -> str | None:
    table = _table(path)
    if not table.name.lower().endswith(".csv") or not table.is_file():
        return None
    images = _named(read_columns(table), IMAGE)
    return f"{table.name} has the column {', '.join(map(repr, images.values()))}" if images else None


def _named(columns: tuple[str, ...], kind: str) -> dict[str, str]:
    """Name of an input or mask to its column: `image` is "image", `image:flair` is "flair"."""
    found = {}
    for column in columns:
        prefix, colon, name = column.partition(":")
        if prefix.strip().lower() == kind:
            found[name.strip() if colon else kind] = column
    return found


def _rows_by_case(sheet: Sheet, images: Mapping[str, str]) -> dict[str, Cells]:
    """Rows by case id: the cell of a column `case`, else the path of the first image without its ending."""
    column = first_of(sheet.columns, CASE)
    rows: dict[str, Cells] = {}
    for number, row in enumerate(sheet.rows, start=1):
        first = next((cell for name in images.values() if (cell := row[name])), None)
        if first is None:
            raise DataRefused(f"row {number} of {sheet.path.name} names no image", todo="Fill it in or remove the row")
        case = (row[column] if column else None) or stem_of(_posix(first))
        if case in rows:
            raise DataRefused(
                f"two rows of {sheet.path.name} are one case",
                given=case,
                todo="Keep one row a case; a column 'case' tells apart cases that share an image",
            )
        rows[case] = row
    return rows


def _case(root: Path, case: str, row: Cells, images: Mapping[str, str], masks: Mapping[str, str]) -> Case:
    return Case(
        id=case,
        patient=case,
        patient_known=False,
        inputs={name: _ref(root, cell) for name, column in images.items() if (cell := row[column]) is not None},
        targets={name: _ref(root, cell) if (cell := row[column]) else None for name, column in masks.items()},
    )


def _ref(root: Path, cell: str) -> FileRef:
    """The file that a cell names, or the DICOM series when it names a folder."""
    path = _posix(cell)
    if not suffix_of(path):
        if (root / path).is_dir():
            files = sorted(entry.name for entry in (root / path).iterdir() if entry.is_file())
            return FileRef(format="dicom", paths=tuple(f"{path.rstrip('/')}/{name}" for name in files))
        if path.lower().endswith((".dcm", ".dicom")):
            return FileRef(format="dicom", paths=(path,))
    return file_ref(path)


def _posix(cell: str) -> str:
    return cell.replace("\\", "/").removeprefix("./")


SOURCE = Manifest()
