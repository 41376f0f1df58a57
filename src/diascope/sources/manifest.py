"""A CSV manifest: one row a case, with columns of inputs, masks, targets, `patient`, `split`, `site`.

The columns are described in `docs/how-to/layouts.md`. A folder with a `manifest.csv` is read in the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from diascope.core import registry
from diascope.core.case import Case, FileRef, Target
from diascope.core.errors import DataRefused
from diascope.formats import format_of
from diascope.formats.tables.kept import item_of
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import image_ref, posix, reason, stem_of
from diascope.sources.folders.masks import mask_target
from diascope.sources.folders.pairs import MASK_FOLDERS
from diascope.sources.signals.recordings import KIND as SIGNAL
from diascope.sources.signals.recordings import files_read, record_of
from diascope.sources.signals.series import CURVES, FRAMES, REGIONS, curves_ref, frames_ref, regions_of
from diascope.sources.tables.columns import CASE, TARGET, first_of, plain
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.named import KINDS, LONGEST_NAME, MANIFEST, inputs_named, is_manifest, named
from diascope.sources.tables.sheet import Cells, Sheet, read_columns, read_sheet
from diascope.sources.tables.targets import kind_of

MASK = "mask"
TARGET_IMAGE = "target_image"
"""Columns of images that are to be made of the inputs."""
WHOLE = MappingProxyType({"text": "text", "sequence": "fasta"})
"""Kinds of which a file is read as a whole, and the format that does so."""
CELLS = MappingProxyType({"text": "text_cell", "sequence": "sequence_cell"})
"""Kinds whose cells may hold the input itself in place of a file's name, and the format that reads them."""


class Manifest:
    """A table that names every file."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the rows of the table.

        Raises:
            DataRefused: When a row names no image, two rows are one case, or a column of files may be mask or image.
            UnknownName: When a column that the user named does not exist.
        """
        path = _table(Path(location))
        sheet, root = read_sheet(path), path.parent
        inputs, masks = inputs_named(sheet.columns), named(sheet.columns, MASK)
        made = named(sheet.columns, TARGET_IMAGE)
        columns = {column for _, column in inputs.values()}
        if not inputs:
            raise DataRefused(
                f"{path} has no column {' or '.join(map(repr, KINDS))}",
                given=", ".join(sheet.columns),
                todo="See docs/how-to/layouts.md",
            )
        if not sheet.rows:
            raise DataRefused(f"{path} has no rows", todo="Write one row a case")
        regions = {column for column in sheet.columns if plain(column.partition(":")[0]) == REGIONS}
        masks |= _unsaid_masks(sheet, root, {*columns, *masks.values(), *made.values(), *regions}, options.target)
        rows = _rows_by_case(sheet, inputs)
        _refuse_absent(sheet, root, masks, "mask")
        _refuse_absent(sheet, root, made, "target image")
        places = {id(row): number for number, row in enumerate(sheet.rows, start=1)}
        cases = [_case(sheet, (case, row, places[id(row)]), inputs, masks | made) for case, row in rows.items()]
        images = [Target(name=name, kind="image", columns=(name,)) for name in made]
        found = [mask_target(name, [case.targets[name] for case in cases], root) for name in masks]
        case_column = first_of(sheet.columns, CASE)
        used = frozenset({*columns, *masks.values(), *made.values(), *regions, *([case_column] if case_column else [])})
        targets = [*(target for target, _ in found if target is not None), *images]
        described = describe(cases, options, Rows(sheet.columns, rows, used), targets)
        notes = (*sheet.notes, *(note for _, note in found), *described.notes)
        return Listing(root=root, cases=described.cases, targets=described.targets, notes=notes)


def _table(path: Path) -> Path:
    return path / MANIFEST if path.is_dir() else path


def _why(path: Path) -> str | None:
    table = _table(path)
    if not is_manifest(table):
        return None
    inputs = inputs_named(read_columns(table))
    return f"{table.name} has the column {', '.join(repr(column) for _, column in inputs.values())}"


def _unsaid_masks(sheet: Sheet, root: Path, used: Collection[str], asked: str | None) -> dict[str, str]:
    """Columns of image files that are not called `mask`, and are masks because they are named as targets or masks are.

    Raises:
        DataRefused: When such a column could as well be a further image.
    """
    found = {}
    for column in sheet.columns:
        cells = [cell for row in sheet.rows if (cell := row[column]) is not None]
        if column in used or kind_of(cells) != "files":
            continue
        if column == asked or plain(column) in TARGET or plain(column) in MASK_FOLDERS:
            found[column] = column
        elif any((root / posix(cell)).exists() for cell in cells) and not _names_again(sheet, column, used):
            raise DataRefused(
                f"the column {column!r} of {sheet.path.name} names image files, and may be masks or further images",
                given=cells[0],
                todo=f"Call it mask:{column} or image:{column}",
            )
    return found


def _names_again(sheet: Sheet, column: str, used: Collection[str]) -> bool:
    """Whether a column only names the files of a column that is used."""
    return any(all(row[column] in (None, row[other]) for row in sheet.rows) for other in used)


def _refuse_absent(sheet: Sheet, root: Path, masks: Mapping[str, str], what: str) -> None:
    for column in masks.values():
        cells = [cell for row in sheet.rows if (cell := row[column]) is not None]
        if cells and not any((root / posix(cell)).exists() for cell in cells):
            raise DataRefused(
                f"no {what} that the column {column!r} of {sheet.path.name} names is there",
                given=root / posix(cells[0]),
                todo="Write paths relative to the table",
            )


def _rows_by_case(sheet: Sheet, inputs: Mapping[str, tuple[str, str]]) -> dict[str, Cells]:
    """Rows by case id: the cell of a column `case`, else the first file without its ending, else the row's number."""
    column = first_of(sheet.columns, CASE)
    rows: dict[str, Cells] = {}
    for number, row in enumerate(sheet.rows, start=1):
        first = next(((kind, cell) for kind, name in inputs.values() if (cell := row[name])), None)
        if first is None:
            raise DataRefused(f"row {number} of {sheet.path.name} names no input", todo="Fill it in or remove the row")
        own = f"row-{number}" if first[0] in CELLS else stem_of(posix(first[1]))
        case = (row[column] if column else None) or own
        if case in rows:
            raise DataRefused(
                f"two rows of {sheet.path.name} are one case",
                given=case,
                todo="Keep one row a case; a column 'case' tells apart cases that share an image",
            )
        rows[case] = row
    return rows


def _case(
    sheet: Sheet, place: tuple[str, Cells, int], inputs: Mapping[str, tuple[str, str]], masks: Mapping[str, str]
) -> Case:
    root, (case, row, number) = sheet.path.parent, place
    return Case(
        id=case,
        patient=case,
        patient_known=False,
        inputs={
            name: _input(sheet, (name, kind, column), row, number)
            for name, (kind, column) in inputs.items()
            if row[column] is not None
        },
        targets={name: image_ref(root, cell) if (cell := row[column]) else None for name, column in masks.items()},
    )


def _input(sheet: Sheet, place: tuple[str, str, str], row: Cells, number: int) -> FileRef:
    """What a cell of a column of inputs says."""
    root, (name, kind, column) = sheet.path.parent, place
    cell = row[column] or ""
    if kind == "image":
        return image_ref(root, cell)
    if kind == FRAMES:
        return frames_ref(root, posix(cell))
    if kind == CURVES:
        return curves_ref(root, posix(cell), regions_of(name, column, row))
    return _other(sheet, kind, cell, item_of(number, [column]))


def _other(sheet: Sheet, kind: Any, cell: str, item: str) -> FileRef:
    """A file that a cell names, or the cell itself where it holds the text or the letters.

    Raises:
        DataRefused: When no format reads the file.
    """
    path = posix(cell)
    full = sheet.path.parent / path
    if kind in CELLS and (len(path) > LONGEST_NAME or not full.is_file()):
        return FileRef(kind=kind, format=CELLS[kind], paths=(sheet.path.name,), item=item)
    if kind == SIGNAL:
        path = record_of(sheet.path.parent, path)
        full = sheet.path.parent / path
    found = _format_of(full, kind) if full.is_file() else None
    if found is None:
        raise DataRefused(
            f"no format reads the {kind} that {sheet.path.name} names", given=path, todo="See diascope list formats"
        )
    return FileRef(kind=kind, format=found, paths=files_read(sheet.path.parent, path) if kind == SIGNAL else (path,))


def _format_of(path: Path, kind: str) -> str | None:
    plain = WHOLE.get(kind)
    return plain if plain and registry.get("formats", plain).recognises(path) else format_of(path, kind)


SOURCE = Manifest()
