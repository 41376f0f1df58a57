"""A table whose rows are keyed by PatientID, StudyInstanceUID or SeriesInstanceUID."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from diascope.core.errors import DataRefused, UnknownName
from diascope.formats.dicomio.headers import Instance
from diascope.privacy.pseudonym import pseudonym
from diascope.sources import SourceOptions
from diascope.sources.tables.columns import PATIENT, first_of
from diascope.sources.tables.sheet import Cells, Sheet

Level = Literal["series", "study", "patient"]

KEYS: Mapping[Level, tuple[str, ...]] = {
    "series": ("seriesinstanceuid", "series_instance_uid", "series_uid", "series"),
    "study": ("studyinstanceuid", "study_instance_uid", "study_uid", "study"),
    "patient": ("patientid", "patient_id", *PATIENT),
}
"""Columns that may be the key; the finest that holds a value of the tree is taken."""


@dataclass(frozen=True)
class Keyed:
    """A table by key.

    Args:
        level: What a row describes.
        column: The column that is the key.
        columns: The columns that are left for patient, site, targets and covariates.
        rows: Key to row; of identity only the pseudonym of a patient column is kept.
    """

    level: Level
    column: str
    columns: tuple[str, ...]
    rows: Mapping[str, Cells]


def keyed(sheet: Sheet, instances: Iterable[Instance], options: SourceOptions) -> Keyed:
    """Find the key of a table, and replace what it says about identity.

    Raises:
        DataRefused: When no column holds a key of the tree, or two rows have one key.
        UnknownName: When the user named a patient column that is not there.
    """
    instances = list(instances)
    known: dict[Level, set[str]] = {
        "series": {one.series_uid for one in instances},
        "study": {one.study_uid for one in instances},
        "patient": {one.patient_id for one in instances} - {""},
    }
    for level, names in KEYS.items():
        column = first_of(sheet.columns, names)
        if column is not None and any(row[column] in known[level] for row in sheet.rows):
            return Keyed(level, column, *_without_identity(sheet, column, options))
    raise DataRefused(
        f"no column of {sheet.path.name} holds a PatientID, StudyInstanceUID or SeriesInstanceUID of the files",
        given=", ".join(sheet.columns),
        todo="Key the table by one of them",
    )


def _without_identity(sheet: Sheet, key: str, options: SourceOptions) -> tuple[tuple[str, ...], dict[str, Cells]]:
    if options.patient is not None and options.patient not in sheet.columns:
        raise UnknownName("column", options.patient, sheet.columns)
    patient = options.patient or first_of(sheet.columns, PATIENT)
    keys = {name for names in KEYS.values() for name in names}
    columns = tuple(name for name in sheet.columns if name == patient or first_of([name], tuple(keys)) is None)
    rows: dict[str, Cells] = {}
    for row in sheet.rows:
        value = row[key]
        if value is None:
            continue
        kept = {name: _hidden(row[name]) if name == patient else row[name] for name in columns}
        if value in rows and rows[value] != kept:
            raise DataRefused(
                f"two rows of {sheet.path.name} have one {key} and differ", todo="Keep one row for each key"
            )
        rows[value] = kept
    return columns, rows


def _hidden(patient: str | None) -> str | None:
    return None if patient is None else pseudonym(patient, "patient")
