"""Searches as conditions of SQL, made for the indexes of `tables.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, cast, func, literal, or_, select, true
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

ATTRIBUTES: dict[reading.Level, tuple[Table, tuple[str, ...]]] = {
    "study": (studies, indexing.STUDY),
    "series": (series, indexing.SERIES),
    "instance": (instances, indexing.INSTANCE),
}


RARE = 2000
"""Series of a modality up to which their studies are looked up, and beyond which studies are walked through."""


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
        """Studies that may be found so; in words that no index has, for those are found by their patients."""
        return true() if self.everywhere else func.coalesce(studies.c.project_id, "").in_(sorted(self.projects))


@dataclass
class Conditions:
    """What rows must fulfil, by table.

    Args:
        study: On studies, or on what they hold.
        series: On series.
        instance: On instances.
        selective: Whether the studies are few, so that they are found first and sorted then.
    """

    study: list[ColumnElement[bool]] = field(default_factory=list)
    series: list[ColumnElement[bool]] = field(default_factory=list)
    instance: list[ColumnElement[bool]] = field(default_factory=list)
    selective: bool = False


class Matching:
    """Makes conditions of a query.

    Args:
        connection: That will be asked: how rare a modality is decides how studies with it are found.
        finder: None for those who may not search by identity.
    """

    def __init__(self, connection: Connection, finder: Finder | None) -> None:
        self.connection, self.finder = connection, finder
        self.is_sqlite = connection.dialect.name == "sqlite"

    def conditions(self, query: reading.Query) -> Conditions:
        """Of a query.

        Raises:
            BadUsage: When a value makes no sense.
        """
        found = Conditions()
        for keyword, value in query.matches:
            if keyword in UIDS:
                self._uids(found, keyword, value)
            elif keyword in IDENTITY:
                found.study.append(self._identity(keyword, value))
                found.selective |= self.finder is not None or not reading.has_wildcards(value)
            elif keyword in ("ModalitiesInStudy", "Modality"):
                self._modalities(found, keyword, value)
            else:
                level = level_of(query.level, keyword)
                parts = {"study": found.study, "series": found.series, "instance": found.instance}[level]
                parts.append(self._plain(level, keyword, value))
        return found

    def _uids(self, found: Conditions, keyword: str, value: str) -> None:
        """Found by the index of UIDs; the studies that hold them are few."""
        condition = self._one_of(UIDS[keyword], reading.uid_list(keyword, value))
        found.selective = True
        if keyword == "StudyInstanceUID":
            found.study.append(condition)
            return
        parts = found.series if keyword == "SeriesInstanceUID" else found.instance
        parts.append(condition)
        holding = select(series.c.study_id).where(condition)
        if keyword == "SOPInstanceUID":
            holding = select(series.c.study_id).join(instances).where(condition)
        found.study.append(studies.c.id.in_(holding))

    def _identity(self, keyword: str, value: str) -> ColumnElement[bool]:
        pseudonym = self._text(studies.c.patient, value) if keyword == "PatientID" else None
        if self.finder is None:
            if pseudonym is None:
                raise BadUsage("only those who may see identities can search by them", given=keyword)
            return pseudonym
        if pseudonym is not None and value.startswith("patient-"):
            return and_(pseudonym, self.finder.where)
        column = studies.c.uid if keyword == "AccessionNumber" else studies.c.patient
        owners = sorted(self.finder.find(IDENTITY[keyword], value))
        return and_(self._one_of(column, owners), self.finder.where)

    def _modalities(self, found: Conditions, keyword: str, value: str) -> None:
        wanted = [one.strip() for one in value.replace("\\", ",").split(",")]
        kinds = or_(*(self._text(series.c.modality, one) for one in wanted))
        if keyword == "Modality":
            found.series.append(kinds)
        rare = self._rare(wanted) if not any(map(reading.has_wildcards, wanted)) else None
        if rare is not None:
            found.study.append(self._one_of(studies.c.id, rare))
            found.selective = True
        elif keyword == "ModalitiesInStudy":
            there = select(series.c.id).where(series.c.study_id == studies.c.id, kinds)
            found.study.append(there.correlate(studies).exists())

    def _rare(self, wanted: list[str]) -> list[int] | None:
        """Studies with one of these modalities, where they are few; where they are many, the newest are soon found."""
        query = select(series.c.study_id).where(series.c.modality.in_(wanted)).limit(RARE + 1)
        found = self.connection.execute(query).scalars().all()
        return sorted(set(found)) if len(found) <= RARE else None

    def _plain(self, level: reading.Level, keyword: str, value: str) -> ColumnElement[bool]:
        if keyword == "StudyDate":
            return _between(studies.c.date, *reading.date_range(keyword, value))
        if keyword == "StudyTime":
            return _between(studies.c.time, *reading.time_range(keyword, value))
        if keyword in NUMBERS:
            same: ColumnElement[bool] = NUMBERS[keyword] == reading.whole_number(keyword, value)
            return same
        if keyword in TEXTS:
            return self._text(TEXTS[keyword], value)
        # One of those that are kept as JSON.
        return self._text(ATTRIBUTES[level][0].c.attributes[keyword].as_string(), value)

    def _one_of(self, column: Any, values: list[Any]) -> ColumnElement[bool]:
        """In a list that may be longer than a statement has parameters."""
        short: ColumnElement[bool] = column.in_(values)
        if len(values) <= 200:
            return short
        rows = literal(json.dumps(values)) if self.is_sqlite else literal(values, JSON)
        each = func.json_each(rows) if self.is_sqlite else func.json_array_elements_text(rows)
        value = each.table_valued("value").c.value
        long: ColumnElement[bool] = column.in_(select(cast(value, column.type)))
        return long

    def _text(self, column: Any, value: str) -> ColumnElement[bool]:
        """Exact, or with wildcards; in patterns the case of a to z does not matter, on every database alike."""
        if not reading.has_wildcards(value):
            same: ColumnElement[bool] = column == value
            return same
        pattern = reading.like(value)
        # SQLite's LIKE does not tell cases apart by itself.
        found: ColumnElement[bool] = (
            column.like(pattern, escape="\\") if self.is_sqlite else column.ilike(pattern, escape="\\")
        )
        return found


def level_of(level: reading.Level, keyword: str) -> reading.Level:
    """Which table has an attribute: that of the lowest level of a query that knows it."""
    if keyword in OF_STUDY:
        return "study"
    if keyword in OF_SERIES:
        return "series"
    if keyword in OF_INSTANCE:
        return "instance"
    order: dict[reading.Level, tuple[reading.Level, ...]] = {
        "study": ("study",),
        "series": ("series", "study"),
        "instance": ("instance", "series", "study"),
    }
    return next(one for one in order[level] if keyword in ATTRIBUTES[one][1])


def _between(column: Any, first: str, last: str) -> ColumnElement[bool]:
    parts = [column != ""]
    parts += [column == first] if first and first == last else []
    parts += [column >= first] if first and first != last else []
    parts += [column <= last] if last and first != last else []
    return and_(*parts)
