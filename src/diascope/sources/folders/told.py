"""Cases that a table tells about: which row belongs to which, by a column that names them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from diascope.core.case import Case
from diascope.core.errors import DataRefused
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import contents
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.files import read_table
from diascope.sources.tables.joined import ENDINGS
from diascope.sources.tables.sheet import BESIDE, from_first_line, match_rows


def table_in(root: Path) -> Path | None:
    """The one table of a folder; of several the one that is named like one (`BESIDE`). None without.

    Raises:
        DataRefused: When there are several.
    """
    names = [name for name in contents(root)[1] if name.lower().endswith(ENDINGS)]
    names = [name for name in names if name in BESIDE] or names
    if len(names) > 1:
        raise DataRefused(
            f"several tables lie in {root}: {', '.join(names)}",
            todo=f"Name the one that says what each case is {BESIDE[1]}",
        )
    return root / names[0] if names else None


def list_told(
    root: Path, cases: Sequence[Case], called: Mapping[str, str], what: str, options: SourceOptions
) -> Listing:
    """Cases with what the table of their folder says; alone where there is none.

    Args:
        root: The folder.
        cases: With their inputs.
        called: Case id to what the table may call it: a path, or the name of a record.
        what: What the cases are, for notes.
        options: What the user said.

    Raises:
        DataRefused: When the table names none of them, or there are several tables.
        UnknownName: When a column that the user named does not exist.
    """
    table = table_in(root)
    if table is None:
        described = describe(cases, options)
        return Listing(root=root, cases=described.cases, targets=described.targets, notes=described.notes)
    sheet = from_first_line(read_table(table), called)
    matched = match_rows(sheet, called, what)
    notes = [*sheet.notes, f"{table.name}: the column {matched.column!r} names the {what}"]
    if alone := len(cases) - len(matched.rows):
        notes.append(f"{alone} of {len(cases)} {what} have no row in {table.name}")
    if matched.unused:
        notes.append(f"{matched.unused} rows of {table.name} name none of the {what}")
    described = describe(cases, options, Rows(sheet.columns, matched.rows, frozenset({matched.column})))
    return Listing(root=root, cases=described.cases, targets=described.targets, notes=(*notes, *described.notes))
