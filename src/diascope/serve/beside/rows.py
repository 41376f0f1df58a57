"""A study's laboratory results as the one row that a release reads: the newest of each analyte, nothing converted.

What is doubtful is missing, and a note says why: a value in another unit, or without one where the release states its
own, and a name that stands for several analytes (glucose of blood and of urine).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from diascope.core.case import Scalar
from diascope.core.record import hash_of
from diascope.serve.database.beside_tables import observations

Result = Mapping[Any, Any]
SPELT = str.maketrans("μ×", "ux", "[]")


@dataclass(frozen=True)
class LabRow:
    """What a release reads.

    Args:
        values: Each of its columns; None is missing.
        units: Of those that are there and have one.
        notes: Why others are missing.
    """

    values: Mapping[str, Scalar] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def basis(self) -> str:
        """SHA-256 of values and units."""
        return hash_of({"values": dict(self.values), "units": dict(self.units)})

    @property
    def there(self) -> int:
        """How many columns have a value."""
        return sum(one is not None for one in self.values.values())


def results_of(connection: Connection, study: int) -> Sequence[RowMapping]:
    """The laboratory results of a study alone, the newest first."""
    newest = (observations.c.taken.is_(None), observations.c.taken.desc(), observations.c.at.desc(), observations.c.id)
    query = select(observations).where(observations.c.study_id == study)
    return connection.execute(query.order_by(*newest)).mappings().all()


def lab_row(results: Sequence[Result], settings: Mapping[str, Any]) -> LabRow:
    """The row that a release reads.

    Args:
        results: As `results_of` gives them.
        settings: Of the plan's reading of a table.
    """
    stated: Mapping[str, str] = settings.get("units", {})
    values: dict[str, Scalar] = {}
    units: dict[str, str] = {}
    notes, lacking = list[str](), list[str]()
    for column in settings["columns"]:
        unit = stated.get(column, "")
        same = [one for one in results if _names(one, column, unit)]
        values[column] = None
        if not same:
            lacking.append(column)
        elif why := _doubtful(same, unit):
            notes.append(f"{column} counts as missing: {why}")
        else:
            newest = same[0]
            values[column] = newest["value"] if newest["value"] is not None else newest["said"]
            units |= {column: unit or newest["unit"]} if unit or newest["unit"] else {}
    if lacking:
        notes.append(f"not among the results of this study: {', '.join(lacking)}")
    return LabRow(values, units, notes)


def _names(one: Result, column: str, unit: str) -> bool:
    """Whether a result is of a column: by its LOINC code or its name, but for capitals and the unit in brackets."""
    return one["code"] == column or _bare(one["name"], one["unit"]) == _bare(column, unit)


def _doubtful(same: Sequence[Result], unit: str) -> str:
    """Why the newest of the results of a column is not read; "" where it is."""
    if len({one["code"] for one in same if one["code"]}) > 1:
        return "several analytes have this name"
    given = same[0]["unit"]
    if unit and not given:
        return f"it has no unit, and the release reads {unit}"
    if unit and _alike(unit) != _alike(given):
        return f"it is in {given}, and the release reads {unit}"
    if not unit and len({_alike(one["unit"]) for one in same}) > 1:
        return "it came in several units, and the release does not say which it reads"
    return ""


def _alike(unit: str) -> str:
    """A unit without what is only spelling, as `kinds/tables/rows.py` compares units of files."""
    plain = "".join(unicodedata.normalize("NFKC", unit).split()).casefold()
    return plain.translate(SPELT)


def _bare(name: str, unit: str) -> str:
    """A name in small letters, without its unit in brackets."""
    name, unit = name.casefold(), unit.casefold()
    for opening, closing in ("[]", "()", "［］", "（）"):
        name = name.replace(f"{opening}{unit}{closing}", "") if unit else name
    return name.strip()
