"""Laboratory results as a table: a row for each analyte in one unit, a column for each time, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diascope.serve.beside.observations import Judgement, judged

MOST_COLUMNS = 12
"""Times that are shown; how many are older is said."""

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Cell:
    """One result.

    Args:
        value: A number, or None.
        said: In words, where it is no number.
        low: Lower end of its own reference range.
        high: Upper end.
    """

    value: float | None
    said: str
    low: float | None
    high: float | None

    @property
    def judgement(self) -> Judgement | None:
        """Where it lies in its own range; None where nobody can tell."""
        return judged(self.value, self.low, self.high)


@dataclass(frozen=True)
class Column:
    """A time.

    Args:
        taken: Seconds since 1970; None where nobody said.
        study: UID of the study that its results came with.
        date: Of that study, as DICOM writes it.
    """

    taken: float | None
    study: str
    date: str


@dataclass(frozen=True)
class Analyte:
    """A row of the table.

    Args:
        name: As its newest result calls it.
        code: LOINC, or "".
        unit: The same in the whole row: other units are other rows, for nothing is converted.
        cells: Number of a column to its results, the one that arrived last first.
    """

    name: str
    code: str
    unit: str
    cells: Mapping[int, Sequence[Cell]]

    @property
    def newest(self) -> Cell:
        """Of the newest time that has one."""
        return self.cells[min(self.cells)][0]


@dataclass(frozen=True)
class LabTable:
    """What is shown.

    Args:
        columns: The newest first.
        analytes: By name.
        older: How many results are older than the last column.
    """

    columns: Sequence[Column]
    analytes: Sequence[Analyte]
    older: int

    def beyond(self, where: Judgement) -> int:
        """How many analytes are so by their newest result."""
        return sum(one.newest.judgement == where for one in self.analytes)


def lab_table(rows: Sequence[Row]) -> LabTable:
    """A table of observations.

    Args:
        rows: As `observations.of_patient` gives them, the newest first.
    """
    columns = list(dict.fromkeys(Column(row["taken"], row["of"], row["of_date"]) for row in rows))
    place = {column: number for number, column in enumerate(columns[:MOST_COLUMNS])}
    groups: dict[tuple[str, str], dict[int, list[Cell]]] = {}
    heads: dict[tuple[str, str], Row] = {}
    older = 0
    for row in rows:
        number = place.get(Column(row["taken"], row["of"], row["of_date"]))
        if number is None:
            older += 1
            continue
        key = (row["code"] or row["name"].casefold(), row["unit"])
        heads.setdefault(key, row)
        cell = Cell(row["value"], row["said"], row["low"], row["high"])
        groups.setdefault(key, {}).setdefault(number, []).append(cell)
    found = [Analyte(heads[key]["name"], heads[key]["code"], key[1], cells) for key, cells in groups.items()]
    found.sort(key=lambda one: (one.name.casefold(), one.unit))
    return LabTable(columns[:MOST_COLUMNS], found, older)
