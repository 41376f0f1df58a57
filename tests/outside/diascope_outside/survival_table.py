"""A CSV with the columns `time` and `event`: one row a case, its numbers are the model's input."""

from __future__ import annotations

from pathlib import Path

from diascope.core.case import Case, Scalar, Split, TableRef, Target
from diascope.core.errors import DataRefused, UnknownName
from diascope.sources import Listing, Source, SourceOptions
from diascope.sources.folders.files import reason
from diascope.sources.folders.splits import split_of_cell
from diascope.sources.tables.columns import CASE, IDENTITY, Roles, first_of, plain, roles_of
from diascope.sources.tables.sheet import Cells, Sheet, read_columns, read_sheet
from diascope.sources.tables.targets import number_of, scalar_of

TIME, EVENT = "time", "event"
"""Time to the event or to the end of follow-up, in any one unit; 1 where the event was seen, 0 where it was not."""
SURVIVAL = Target(name="survival", kind="time_to_event", columns=(TIME, EVENT))


class SurvivalTable:
    """Columns of numbers are read by the model, columns of text make subgroups."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the rows; a table without `time` and `event` can be read by a release, and nothing learnt from it.

        Raises:
            DataRefused: When there are no rows, no numbers, or two rows are one case.
            UnknownName: When a column that the user named does not exist.
        """
        path = Path(location)
        sheet = read_sheet(path)
        if options.target not in (None, SURVIVAL.name):
            raise UnknownName("target", str(options.target), (SURVIVAL.name,))
        if not sheet.rows:
            raise DataRefused(f"{path} has no rows", todo="Write one row a case")
        roles, case = roles_of(sheet.columns, options), first_of(sheet.columns, CASE)
        free = [name for name in sheet.columns if name not in {*SURVIVAL.columns, *roles.columns, case}]
        free = [name for name in free if plain(name) not in IDENTITY]
        numbers = [name for name in free if _is_number(sheet, name)]
        if not numbers:
            raise DataRefused(f"{path} has no column of numbers to learn from", given=", ".join(sheet.columns))
        texts = [name for name in free if name not in numbers]
        cases = tuple(_case(row, number, (numbers, texts), roles, case) for number, row in enumerate(sheet.rows, 1))
        if len({one.id for one in cases}) < len(cases):
            raise DataRefused(f"two rows of {path} are one case", todo="Give every row its own cell in 'case'")
        learnable = set(SURVIVAL.columns) <= set(sheet.columns)
        notes = (roles.why_patient, *roles.notes, f"the model reads: {', '.join(numbers)}")
        return Listing(root=path.parent, cases=cases, targets=(SURVIVAL,) if learnable else (), notes=notes)


def _why(path: Path) -> str | None:
    if path.suffix.lower() != ".csv" or not path.is_file():
        return None
    columns = set(read_columns(path))
    pictures = any(name.partition(":")[0] == "image" for name in columns)
    return f"{path.name} has the columns 'time' and 'event'" if {TIME, EVENT} <= columns and not pictures else None


def _is_number(sheet: Sheet, name: str) -> bool:
    return all(row[name] is None or number_of(str(row[name])) is not None for row in sheet.rows)


def _case(row: Cells, number: int, columns: tuple[list[str], list[str]], roles: Roles, case: str | None) -> Case:
    numbers, texts = columns
    values: dict[str, Scalar] = {name: scalar_of(row[name]) for name in numbers}
    name = (row[case] if case else None) or f"row-{number}"
    patient = row[roles.patient] if roles.patient else None
    return Case(
        id=name,
        patient=patient or name,
        patient_known=patient is not None,
        inputs={"table": TableRef(values=values)},
        targets={column: scalar_of(row.get(column)) for column in SURVIVAL.columns},
        split=_split(row, roles.split),
        site=row[roles.site] if roles.site else None,
        covariates={column: row[column] for column in texts},
    )


def _split(row: Cells, column: str | None) -> Split | None:
    cell = row[column] if column else None
    return None if column is None or cell is None else split_of_cell(cell, column)


SOURCE: Source = SurvivalTable()
