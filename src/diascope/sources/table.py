"""A table: one row a case, whose typed columns are what the model reads (CSV, Parquet, ARFF, HDF5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from diascope.core.case import Case, Scalar, TableRef
from diascope.core.errors import DataRefused
from diascope.formats.annotated.bio import is_tagged
from diascope.sources import Listing, SourceOptions
from diascope.sources.annotated.files import head
from diascope.sources.folders.files import reason
from diascope.sources.signals.long import holds_signals
from diascope.sources.tables.cells import Values, read_values, usable, values_of
from diascope.sources.tables.columns import CASE, IDENTITY, Roles, first_of, plain, roles_of
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.drawn import sides_of
from diascope.sources.tables.files import SUFFIXES, columns_of, read_table, unit_of
from diascope.sources.tables.ids import case_ids
from diascope.sources.tables.named import is_manifest
from diascope.sources.tables.sheet import Sheet
from diascope.sources.tables.survival import Outcome, is_endpoint, outcome_of
from diascope.sources.tables.written import is_report, written_in

INPUT = "table"
"""Name of the input."""
LEFT_OUT = {
    "text": "hold too many different texts",
    "files": "name files",
    "empty": "are empty",
    "running": "only say which row or whose it is",
}


class Table:
    """Numbers and classes are read by the model; a column that is named as a covariate makes subgroups as well."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the rows.

        Raises:
            DataRefused: When there are no rows, no column can be read, or two rows are one case.
            UnknownName: When a column that the user named does not exist.
        """
        path = Path(location)
        sheet = read_table(path)
        if not sheet.rows:
            raise DataRefused(f"{path} has no rows", todo="Write one row a case")
        roles, ids, outcome = roles_of(sheet.columns, options), case_ids(sheet), _outcome(sheet, options)
        values = _values(sheet, roles, options)
        second: list[str] = []
        if outcome is not None:
            values, second = _without_endpoints(values, outcome)
        columns = usable(values)
        if not columns:
            raise DataRefused(f"{path} has no column that can be learnt from", given=", ".join(sheet.columns))
        held = [name for name in columns if not options.columns or name in _meant(sheet.columns, options.columns)]
        units = {name: unit for name in held if (unit := unit_of(name)[1])}
        cases = [_case(case, {name: values[name].of[row] for name in held}, units) for row, case in enumerate(ids)]
        unread = _unread(sheet, values).union(second)
        rows = Rows(sheet.columns, dict(zip(ids, sheet.rows, strict=True)), unread, frozenset(columns))
        described = describe(cases, options, rows)
        notes = (*sheet.notes, *described.notes, *_notes(values))
        if second:
            notes = (*notes, f"not read by the model, because they are named like other outcomes: {', '.join(second)}")
        problems = outcome.problems if outcome is not None else ()
        return Listing(path.parent, described.cases, described.targets, notes, problems)


def _outcome(sheet: Sheet, options: SourceOptions) -> Outcome | None:
    return outcome_of(sheet.columns, sheet.rows, options.target, options.without)


def _without_endpoints(values: dict[str, Values], outcome: Outcome) -> tuple[dict[str, Values], list[str]]:
    """Columns that can be read when survival is learnt: another endpoint of the same follow-up would tell it."""
    second = [name for name in values if is_endpoint(name) and name not in (outcome.time, outcome.event)]
    out = {*second, outcome.time, outcome.event}
    return {name: one for name, one in values.items() if name not in out}, second


def _why(path: Path) -> str | None:
    if not path.is_file() or not path.name.lower().endswith(SUFFIXES):
        return None
    columns = columns_of(path)
    if not columns and not path.name.lower().endswith(".txt"):
        return f"{path.name} is called like a table"  # why it cannot be read, `list` says
    if len(columns) < 2 or sides_of(columns) is not None:
        return None
    if path.name.lower().endswith((".txt", ".tsv", ".csv")) and is_tagged(head(path)):
        return None
    if path.name.lower().endswith((".txt", ".tsv")) and is_report(path):
        return None
    held = written_in(path)
    if is_manifest(path) or holds_signals(path) or held.is_reports or held.is_sequences:
        return None  # another source's
    return f"{path.name} is a table with {len(columns)} columns"


def _values(sheet: Sheet, roles: Roles, options: SourceOptions) -> dict[str, Values]:
    out = {*roles.columns, *options.without, first_of(sheet.columns, CASE)}
    free = [name for name in sheet.columns if name not in out and plain(name) not in IDENTITY]
    found = {name: values_of(name, [row[name] for row in sheet.rows]) for name in free}
    read = {name: read_values([row[name] for row in sheet.rows]) for name in _meant(sheet.columns, options.columns)}
    return {**found, **read}


def _meant(columns: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The columns that a release asks for: by their names, else those called alike but for capitals and the unit."""
    alike = {_bare(name) for name in asked if name not in columns}
    return [name for name in columns if name in asked or _bare(name) in alike]


def _bare(column: str) -> str:
    return unit_of(column)[0].strip().lower()


def _case(case: str, values: dict[str, Scalar], units: dict[str, str]) -> Case:
    return Case(id=case, patient=case, patient_known=False, inputs={INPUT: TableRef(values=values, units=units)})


def _unread(sheet: Sheet, values: Mapping[str, Values]) -> frozenset[str]:
    """Columns that say which row it is."""
    running = {name for name, one in values.items() if one.kind == "running"}
    return frozenset(running | {name for name in sheet.columns if plain(name) in CASE})


def _notes(values: Mapping[str, Values]) -> list[str]:
    notes = [one.note for one in values.values() if one.note]
    for kind, why in LEFT_OUT.items():
        names = [name for name, one in values.items() if one.kind == kind]
        if names:
            notes.append(f"not read by the model, because they {why}: {', '.join(names)}")
    return notes


SOURCE = Table()
