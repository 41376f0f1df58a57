"""Searches as conditions of SQL, made for the indexes of `tables.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, func, literal, or_, select, true
from sqlalchemy.types import JSON

from diascope.core.errors import BadUsage
from diascope.formats.dicomio import indexing
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.dicomweb import query as reading

TEXTS: dict[str, Any] = {
    "StudyDescription": studies.c.description,
    "Modality": series.c.modality,
    "BodyPartExamined": series.c.body_part,
    "SeriesDescription": series.c.description,
    "SOPClassUID": instances.c.sop_class,
}
UIDS: dict[str, Any] = {
    "StudyInstanceUID": studies.c.uid,
    "SeriesInstanceUID": series.c.uid,
    "SOPInstanceUID": instances.c.uid,
}
NUMBERS: dict[str, Any] = {
    "SeriesNumber": series.c.number,
    "InstanceNumber": instances.c.number,
    "Rows": instances.c.rows,
    "Columns": instances.c.columns,
    "NumberOfFrames": instances.c.frames,
}
IDENTITY = {
    "PatientName": "name",
    "PatientID": "number",
    "PatientBirthDate": "birth_date",
    "AccessionNumber": "accession",
}
"""Searched apart, by those who may: keyword to the kind of `Identities.find`."""

OF_STUDY = frozenset(("StudyInstanceUID", "StudyDescription", "StudyDate", "StudyTime", "ModalitiesInStudy", *IDENTITY))
OF_SERIES = frozenset(("SeriesInstanceUID", "Modality", "BodyPartExamined", "SeriesDescription", "SeriesNumber"))
OF_INSTANCE = frozenset(("SOPInstanceUID", "SOPClassUID", "InstanceNumber", "Rows", "Columns", "NumberOfFrames"))
KNOWN: dict[reading.Level, frozenset[str]] = {
    "study": OF_STUDY | {*indexing.STUDY},
    "series": OF_STUDY | OF_SERIES | {*indexing.STUDY, *indexing.SERIES},
    "instance": OF_STUDY | OF_SERIES | OF_INSTANCE | {*indexing.STUDY, *indexing.SERIES, *indexing.INSTANCE},
}
"""Keywords that can be searched for, by what is looked for."""

ATTRIBUTES: dict[str, tuple[Table, tuple[str, ...]]] = {
    "study": (studies, indexing.STUDY),
    "series": (series, indexing.SERIES),
    "instance": (instances, indexing.INSTANCE),
}


@dataclass(frozen=True)
class Finder:
    """Who is looked for by identity.

    Args:
        find: `Identities.find`.
        everywhere: Whether in every project.
        projects: Ids of those where the caller may search by identity.
    """

    find: Callable[[Any, str], set[str]]
    everywhere: bool
    projects: Collection[str]

    @property
    def where(self) -> ColumnElement[bool]:
        """Studies that may be found so."""
        return true() if self.everywhere else studies.c.project_id.in_(sorted(self.projects))


def conditions(query: reading.Query, finder: Finder | None, is_sqlite: bool) -> list[ColumnElement[bool]]:
    """What rows must fulfil; those of series and instances stand on the tables of that name.

    Args:
        query: What is searched for.
        finder: None for those who may not search by identity.
        is_sqlite: Whether the database is.

    Raises:
        BadUsage: When a value makes no sense.
    """
    return [_condition(query.level, keyword, value, finder, is_sqlite) for keyword, value in query.matches]


def _condition(
    level: reading.Level, keyword: str, value: str, finder: Finder | None, is_sqlite: bool
) -> ColumnElement[bool]:
    if keyword in UIDS:
        return _one_of(UIDS[keyword], reading.uid_list(keyword, value), is_sqlite)
    if keyword in IDENTITY:
        return _identity(keyword, value, finder, is_sqlite)
    if keyword == "StudyDate":
        return _between(studies.c.date, *reading.date_range(keyword, value))
    if keyword == "StudyTime":
        return _between(studies.c.time, *reading.time_range(keyword, value))
    if keyword == "ModalitiesInStudy":
        return _modalities(value)
    if keyword in NUMBERS:
        return _plain(NUMBERS[keyword] == reading.whole_number(keyword, value))
    if keyword in TEXTS:
        return _text(TEXTS[keyword], value)
    return _attribute(level, keyword, value)


def _identity(keyword: str, value: str, finder: Finder | None, is_sqlite: bool) -> ColumnElement[bool]:
    pseudonym = _text(studies.c.patient, value) if keyword == "PatientID" else None
    if finder is None:
        if pseudonym is None:
            raise BadUsage("only those who may see identities can search by them", given=keyword)
        return pseudonym
    owners = sorted(finder.find(IDENTITY[keyword], value))
    column = studies.c.uid if keyword == "AccessionNumber" else studies.c.patient
    found = and_(_one_of(column, owners, is_sqlite), finder.where)
    return found if pseudonym is None or not value.startswith("patient-") else or_(found, pseudonym)


def _one_of(column: Any, values: list[str], is_sqlite: bool) -> ColumnElement[bool]:
    """In a list that may be longer than a statement has parameters."""
    if len(values) <= 200:
        return _plain(column.in_(values))
    rows = literal(json.dumps(values)) if is_sqlite else literal(values, JSON)
    each = func.json_each(rows) if is_sqlite else func.json_array_elements_text(rows)
    return _plain(column.in_(select(each.table_valued("value").c.value)))


def _between(column: Any, first: str, last: str) -> ColumnElement[bool]:
    parts = [column != ""]
    parts += [column == first] if first and first == last else []
    parts += [column >= first] if first and first != last else []
    parts += [column <= last] if last and first != last else []
    return and_(*parts)


def _modalities(value: str) -> ColumnElement[bool]:
    wanted = [one.strip() for one in value.replace("\\", ",").split(",")]
    kinds = or_(*(_text(series.c.modality, one) for one in wanted))
    return select(series.c.id).where(series.c.study_id == studies.c.id, kinds).correlate(studies).exists()


def _text(column: Any, value: str) -> ColumnElement[bool]:
    """Exact, or with wildcards; in patterns case does not matter, on every database alike."""
    if not reading.has_wildcards(value):
        return _plain(column == value)
    return _plain(func.lower(column).like(reading.like(value).lower(), escape="\\"))


def _attribute(level: reading.Level, keyword: str, value: str) -> ColumnElement[bool]:
    """One of those that are kept as JSON: of the lowest level that has it."""
    order = {"study": ("study",), "series": ("series", "study"), "instance": ("instance", "series", "study")}[level]
    table = next(ATTRIBUTES[one][0] for one in order if keyword in ATTRIBUTES[one][1])
    return _text(table.c.attributes[keyword].as_string(), value)


def _plain(condition: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool] = condition
    return found
