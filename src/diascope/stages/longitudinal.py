"""longitudinal: a table of visits gets what each case was before, as further columns that `fit` reads."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused, DiascopeError, UnknownName
from diascope.core.record import write_durably
from diascope.engine.progress import Tell, silent
from diascope.formats import read
from diascope.formats.files.registering import rigid
from diascope.formats.tables.words import number_of
from diascope.sources import SourceOptions
from diascope.sources.folders.files import image_ref, posix
from diascope.sources.tables.columns import CASE, EVENT, IDENTITY, TARGET, TIME, first_of, plain, roles_of
from diascope.sources.tables.files import read_table
from diascope.sources.tables.named import inputs_named, named
from diascope.sources.tables.sheet import Cells, Sheet
from diascope.sources.tables.targets import kind_of
from diascope.sources.tables.visits import (
    DATE,
    Visits,
    before_of,
    change_of,
    earlier_of,
    followed,
    since,
    visits_of,
)

SINCE = "time before [d]"
"""Column with the days since the earlier visit."""
SHOWN = 3
"""Rows that a note names."""


@dataclass(frozen=True)
class Asked:
    """What the user said.

    Args:
        target: Column (or `TIME,EVENT`) that is learnt later: what it was before may be known, how it changed is the
            answer, so nothing is made of it. None: there is none, as in a table that is read with `predict`; then
            every column that a release may want is written, also where nobody came twice.
        patient: Column of the patient; None by its name.
        date: Column of the time; None by its name.
        follow_ups: Whether first visits are left out.
        register: Whether earlier volumes are turned and shifted onto the later ones.
    """

    target: str | None
    patient: str | None = None
    date: str | None = None
    follow_ups: bool = False
    register: bool = False


@dataclass(frozen=True)
class Followed:
    """What was written.

    Args:
        out: The table.
        rows: In it.
        with_earlier: Of them, with an earlier visit.
        added: New columns.
        problems: Case to why an image could not be registered; its cell is empty.
        notes: What the user should know.
    """

    out: Path
    rows: int
    with_earlier: int
    added: tuple[str, ...]
    problems: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `diascope longitudinal --json` prints."""
        lists = {"added": list(self.added), "problems": dict(self.problems), "notes": list(self.notes)}
        return {**vars(self), **lists, "out": str(self.out)}


def longitudinal(path: Path, out: Path, asked: Asked, tell: Tell = silent) -> Followed:
    """Write a table of visits anew, with what each was before.

    Args:
        path: Manifest or table; one row a visit, with columns of the patient and of the time.
        out: CSV to write.
        asked: Columns, and what is done with images.
        tell: Told about progress.

    Raises:
        BadUsage: When `out` exists, or is no CSV.
        UnknownName: When a column that was named is not there.
        DataRefused: When nothing says who or when, or nobody came twice.
    """
    if out.suffix.lower() != ".csv" or out.exists():
        raise BadUsage("a new CSV file is needed", given=out, todo="Give another name: nothing is written over")
    sheet = read_table(path / "manifest.csv" if path.is_dir() else path)
    who = _patient(sheet, asked)
    targets = _targets(sheet, asked)
    visits = visits_of(sheet.rows, sheet.columns, asked.date)
    earlier = earlier_of([row[who] for row in sheet.rows], visits)
    if asked.target is not None and not any(place is not None for place in earlier):
        raise DataRefused("no patient has two rows", given=f"{len(sheet.rows)} rows", todo="Give one row a visit")
    values, images = _columns(sheet, asked, (*targets, visits.column))
    wanted = [] if asked.target is not None else _wanted(sheet, values, images)
    problems: dict[str, str] = {}
    written: list[dict[str, str]] = []
    for number, row in enumerate(sheet.rows):
        tell({"event": "progress", "what": "looking back", "done": number + 1, "total": len(sheet.rows)})
        place = earlier[number]
        before = None if place is None else sheet.rows[place]
        if before is None and asked.follow_ups:
            continue
        days = since(number, place, visits)
        added = {SINCE: "" if days is None else f"{days:.9g}"} | followed(row, before, days, values)
        for column in images:
            added[before_of_input(column)] = _image(sheet, (number, place), column, (out, asked.register), problems)
        written.append({**_moved(sheet, row, out), **added})
    names = [name for name in sheet.columns if name == who or plain(name) not in IDENTITY]
    new = _filled(sheet, written, wanted)
    _write(out, [*names, *new], written)
    pairs = sum(place is not None for place in earlier)
    return Followed(out, len(written), pairs, new, problems, _notes(sheet, who, visits))


def _patient(sheet: Sheet, asked: Asked) -> str:
    column = roles_of(sheet.columns, SourceOptions(patient=asked.patient)).patient
    if column is None:
        raise DataRefused("no column names the patient", given=", ".join(sheet.columns), todo="Name it with --patient")
    return column


def _notes(sheet: Sheet, who: str, visits: Visits) -> tuple[str, ...]:
    """Rows of which nobody can say what was before."""
    undated = [number for number, when in enumerate(visits.when, start=1) if when is None]
    nobodys = [number for number, row in enumerate(sheet.rows, start=1) if row[who] is None]
    return tuple(
        f"{len(rows)} rows without {what} are no visits: nothing was before them, and they before nothing "
        f"(row {', '.join(map(str, rows[:SHOWN]))}{', ...' if len(rows) > SHOWN else ''})"
        for rows, what in ((undated, f"a cell in {visits.column!r}"), (nobodys, "a patient"))
        if rows
    )


def _wanted(sheet: Sheet, values: Sequence[str], images: Sequence[str]) -> list[str]:
    """Every column that a release may want: those of numbers say how fast they changed."""
    found = [SINCE]
    for column in values:
        cells = [cell for row in sheet.rows if (cell := row[column]) is not None]
        numbers = not any(number_of(cell) is None for cell in cells)
        found += [before_of(column), *([change_of(column)] if numbers else [])]
    return [*found, *map(before_of_input, images)]


def _filled(sheet: Sheet, rows: Sequence[Mapping[str, str]], wanted: Sequence[str]) -> tuple[str, ...]:
    """New columns: those that are wanted, and those with a cell."""
    made = dict.fromkeys([*wanted, *(key for row in rows for key in row if key not in sheet.columns)])
    return tuple(name for name in made if name in wanted or any(row.get(name) for row in rows))


def _targets(sheet: Sheet, asked: Asked) -> list[str]:
    found = [] if asked.target is None else [name.strip() for name in asked.target.split(",")]
    for name in found:
        if name not in sheet.columns:
            raise UnknownName("target column", name, sheet.columns)
    return found


def _columns(sheet: Sheet, asked: Asked, out: Sequence[str]) -> tuple[list[str], list[str]]:
    """Columns of values, and of input files, that are looked back on; not those that say who, when, or the answer."""
    roles = roles_of(sheet.columns, SourceOptions(patient=asked.patient)).columns
    inputs = {column for _, column in inputs_named(sheet.columns).values()}
    masks = set(named(sheet.columns, "mask").values())
    never = {*roles, *out, *masks, first_of(sheet.columns, CASE)}
    names = {*IDENTITY, *TARGET, *TIME, *EVENT, *DATE}
    values = []
    for column in sheet.columns:
        if column in never or column in inputs or plain(column) in names:
            continue
        kind = kind_of([row[column] for row in sheet.rows])
        if kind not in ("files", "text") and (kind != "empty" or asked.target is None):
            values.append(column)
    return values, [column for column in sheet.columns if column in inputs]


def before_of_input(column: str) -> str:
    """`image` is `image:before`, `image:flair` is `image:flair before`."""
    kind, colon, name = column.partition(":")
    return f"{kind}:{name} before" if colon else f"{kind}:before"


def _moved(sheet: Sheet, row: Cells, out: Path) -> dict[str, str]:
    """A row whose names of files hold from the folder of the new table."""
    return {name: _path(sheet, cell, out) if cell else "" for name, cell in row.items()}


def _path(sheet: Sheet, cell: str, out: Path) -> str:
    full = sheet.path.parent / posix(cell)
    try:
        there = full.exists() and ("/" in cell or "." in cell)
    except OSError:  # a text that is longer than a name may be
        return cell
    return os.path.relpath(full, out.parent).replace(os.sep, "/") if there else cell


def _image(
    sheet: Sheet, rows: tuple[int, int | None], column: str, how: tuple[Path, bool], problems: dict[str, str]
) -> str:
    """The earlier file of a row, registered where that was asked for."""
    (number, place), (out, register), root = rows, how, sheet.path.parent
    then = None if place is None else sheet.rows[place][column]
    now = sheet.rows[number][column]
    if then is None or now is None:
        return ""
    if not register or column.partition(":")[0] != "image":
        return _path(sheet, then, out)
    name = f"{out.stem}-before/{number + 1}{''.join(c if c.isalnum() else '-' for c in column)}.nii.gz"
    try:
        moved, _ = rigid(*(read(image_ref(root, cell), root) for cell in (then, now)))
        registry.get("formats", "nifti").write(moved, out.parent / name)
    except DiascopeError as error:
        problems[f"row {number + 1}"] = str(error)
        return ""
    return name


def _write(out: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore", restval="")
    table.writeheader()
    table.writerows(rows)
    write_durably(out, text.getvalue().encode())
