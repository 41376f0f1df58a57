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
from diascope.sources import SourceOptions
from diascope.sources.folders.files import image_ref, posix
from diascope.sources.tables.columns import CASE, EVENT, IDENTITY, TARGET, TIME, first_of, plain, roles_of
from diascope.sources.tables.files import read_table
from diascope.sources.tables.named import inputs_named, named
from diascope.sources.tables.sheet import Cells, Sheet
from diascope.sources.tables.targets import kind_of
from diascope.sources.tables.visits import DATE, earlier_of, followed, since, visits_of

SINCE = "time before [d]"
"""Column with the days since the earlier visit."""


@dataclass(frozen=True)
class Asked:
    """What the user said.

    Args:
        target: Column (or `TIME,EVENT`) that is learnt later: what it was before may be known, how it changed is the
            answer, so nothing is made of it.
        patient: Column of the patient; None by its name.
        date: Column of the time; None by its name.
        follow_ups: Whether first visits are left out.
        register: Whether earlier volumes are turned and shifted onto the later ones.
    """

    target: str
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
    """

    out: Path
    rows: int
    with_earlier: int
    added: tuple[str, ...]
    problems: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What `diascope longitudinal --json` prints."""
        return {**vars(self), "out": str(self.out), "added": list(self.added), "problems": dict(self.problems)}


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
    patients = _patients(sheet, asked)
    targets = _targets(sheet, asked)
    visits = visits_of(sheet.rows, sheet.columns, asked.date)
    earlier = earlier_of(patients, visits)
    if not any(place is not None for place in earlier):
        raise DataRefused("no patient has two rows", given=f"{len(sheet.rows)} rows", todo="Give one row a visit")
    values, images = _columns(sheet, asked, (*targets, visits.column))
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
    return _write(out, sheet, written, sum(place is not None for place in earlier), problems)


def _patients(sheet: Sheet, asked: Asked) -> list[str | None]:
    column = roles_of(sheet.columns, SourceOptions(patient=asked.patient)).patient
    if column is None:
        raise DataRefused("no column names the patient", given=", ".join(sheet.columns), todo="Name it with --patient")
    return [row[column] for row in sheet.rows]


def _targets(sheet: Sheet, asked: Asked) -> list[str]:
    found = [name.strip() for name in asked.target.split(",")]
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
        if kind_of([row[column] for row in sheet.rows]) not in ("empty", "files", "text"):
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


def _write(
    out: Path, sheet: Sheet, rows: Sequence[Mapping[str, str]], pairs: int, problems: Mapping[str, str]
) -> Followed:
    added = [name for name in dict.fromkeys(key for row in rows for key in row) if name not in sheet.columns]
    kept = [name for name in added if any(row.get(name) for row in rows)]
    text = io.StringIO()
    table = csv.DictWriter(text, [*sheet.columns, *kept], lineterminator="\n", extrasaction="ignore", restval="")
    table.writeheader()
    table.writerows(rows)
    write_durably(out, text.getvalue().encode())
    return Followed(out, len(rows), pairs, tuple(kept), problems)
