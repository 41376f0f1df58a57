"""Rows of a table whose inputs are cells: what a text table and a sequence table have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from diascope.core.case import Case, FileRef
from diascope.core.errors import DataRefused
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import holds_images, is_declared
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.ids import case_ids, counts_rows
from diascope.sources.tables.joined import ENDINGS, read_joined, tables_in
from diascope.sources.tables.named import is_manifest
from diascope.sources.tables.written import Written, written_in


@dataclass(frozen=True)
class Place:
    """The table whose rows are the cases, what it holds, and the table beside it that says more about them."""

    main: Path
    held: Written
    beside: Path | None = None


def place_of(path: Path, wanted: Callable[[Written], bool]) -> Place | None:
    """The table at a location: a file, or a folder with one or two tables and no images; None where there is none.

    Args:
        path: File or folder.
        wanted: Whether what a table holds makes its rows cases.
    """
    if is_manifest(path):
        return None
    if path.is_file():
        held = written_in(path) if path.name.lower().endswith(ENDINGS) else Written()
        return Place(path, held) if wanted(held) else None
    tables = tables_in(path)
    if not 1 <= len(tables) <= 2 or is_declared(path) or holds_images(path):
        return None
    found = {table: written_in(table) for table in tables}
    holding = [table for table in tables if wanted(found[table])]
    if len(holding) != 1:
        return None
    beside = next((table for table in tables if table != holding[0]), None)
    return Place(holding[0], found[holding[0]], beside)


@dataclass(frozen=True)
class Inputs:
    """Which cells make the input of a case.

    Args:
        name: Of the input, which is its kind as well.
        columns: That are read, and describe nothing else.
        item: Number of a row to the item of its cells.
        notes: Why these columns.
    """

    name: str
    columns: tuple[str, ...]
    item: Callable[[int], str]
    notes: tuple[str, ...]


def list_rows(place: Place, inputs: Inputs, options: SourceOptions) -> Listing:
    """One case a row.

    Raises:
        DataRefused: When there are no rows, two of them are one case, or two tables contradict each other.
        UnknownName: When a column that the user named does not exist.
    """
    sheet = read_joined(place.main, place.beside)
    if not sheet.rows:
        raise DataRefused(f"{place.main} has no rows", todo="Write one row a case")
    ids = case_ids(sheet)
    format_name = f"{inputs.name}_cell"
    cases = [
        Case(
            id=case,
            patient=case,
            patient_known=False,
            inputs={
                inputs.name: FileRef(
                    format=format_name,
                    paths=(place.main.name,),
                    item=inputs.item(number),
                    kind=inputs.name,  # type: ignore[arg-type]
                )
            },
        )
        for number, case in enumerate(ids, start=1)
    ]
    used = frozenset({*inputs.columns, *(name for name in sheet.columns if counts_rows(sheet, name))})
    described = describe(cases, options, Rows(sheet.columns, dict(zip(ids, sheet.rows, strict=True)), used))
    notes = (*sheet.notes, *inputs.notes, *described.notes)
    return Listing(root=place.main.parent, cases=described.cases, targets=described.targets, notes=notes)


def chosen(columns: Sequence[str], options: SourceOptions) -> tuple[str, ...]:
    """Columns without those that the user left out, or learns."""
    out = {*options.without, options.target, options.patient, options.site}
    return tuple(name for name in columns if name not in out)
