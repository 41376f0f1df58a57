"""C-FIND: which patients, studies, series or instances of a peer's project fit a query (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, or_, select

from diascope.core.errors import BadUsage
from diascope.formats.dicomio.uids import is_uid
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.dimse.identifiers import UTF8, Item, text, texts
from diascope.serve.dimse.peers import Peer
from diascope.serve.identities import Identity
from diascope.serve.service import Service

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")

MOST = 5000
"""Answers to one query."""

BATCH = 200
"""Answers that are made at once."""

Column = ColumnElement[Any]

PLAIN: dict[str, tuple[str, Column]] = {
    "StudyInstanceUID": ("STUDY", studies.c.uid),
    "StudyDate": ("STUDY", studies.c.date),
    "StudyTime": ("STUDY", studies.c.time),
    "StudyDescription": ("STUDY", studies.c.description),
    "SeriesInstanceUID": ("SERIES", series.c.uid),
    "Modality": ("SERIES", series.c.modality),
    "SeriesNumber": ("SERIES", series.c.number),
    "SeriesDescription": ("SERIES", series.c.description),
    "BodyPartExamined": ("SERIES", series.c.body_part),
    "SOPInstanceUID": ("IMAGE", instances.c.uid),
    "SOPClassUID": ("IMAGE", instances.c.sop_class),
    "InstanceNumber": ("IMAGE", instances.c.number),
    "Rows": ("IMAGE", instances.c.rows),
    "Columns": ("IMAGE", instances.c.columns),
    "NumberOfFrames": ("IMAGE", instances.c.frames),
}
"""Keys that are columns, and the level that they are of."""

SECRET = {
    "PatientName": "name",
    "PatientID": "number",
    "IssuerOfPatientID": "issuer",
    "PatientBirthDate": "birth_date",
    "PatientSex": "sex",
    "AccessionNumber": "accession",
    "StudyID": "study_number",
    "ReferringPhysicianName": "referring",
}
"""Keys that are of the identity, and their field."""

SOUGHT: Mapping[str, Any] = {
    "PatientName": "name",
    "PatientID": "number",
    "PatientBirthDate": "birth_date",
    "AccessionNumber": "accession",
}
"""Of those, what can be searched for."""

UIDS = frozenset(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"))
RANGES = frozenset(("StudyDate", "StudyTime"))
NUMBERS = frozenset(("SeriesNumber", "InstanceNumber", "Rows", "Columns", "NumberOfFrames"))


@dataclass(frozen=True)
class Query:
    """A C-FIND.

    Args:
        level: Of the answers.
        keys: What is asked for and what it has to match.
    """

    level: str
    keys: Item


def read_query(keys: Item, root: str) -> Query:
    """Understand an identifier.

    Args:
        keys: Of the identifier.
        root: Highest level of the model, PATIENT or STUDY.

    Raises:
        BadUsage: When its level is none of the model.
    """
    level = text(keys, "QueryRetrieveLevel")
    if level not in LEVELS[LEVELS.index(root) :]:
        raise BadUsage("the level is none of this model", given=level[:16] or "none")
    return Query(level, keys)


def answers(service: Service, peer: Peer, query: Query) -> Iterator[dict[str, Any]]:
    """Data sets that fit, at most `MOST`.

    Args:
        service: The service.
        peer: Who asks: only studies of its project, and identities only with the right to see them.
        query: What it asks for.

    Raises:
        BadUsage: When a key has a value that makes no sense.
        Unavailable: When a database does not answer.
    """
    statement = _statement(service, peer, query)
    with service.database.reading() as connection:
        rows = connection.execute(statement).mappings().all()
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        known = service.identities.of([row["study_uid"] for row in some]) if "identity" in peer.rights else {}
        for row in some:
            yield _answer(service, query, row, known.get(row["study_uid"]))


def _statement(service: Service, peer: Peer, query: Query) -> Select[Any]:
    level = LEVELS.index(query.level)
    columns: list[Any] = [studies.c.uid.label("study_uid"), studies.c.patient, studies.c.attributes.label("of_study")]
    source: Any = studies
    if level >= 2:
        source = source.join(series)
        columns.append(series.c.attributes.label("of_series"))
    if level >= 3:
        source = source.join(instances)
        columns.append(instances.c.attributes.label("of_instance"))
    columns += [c.label(key) for key, (of, c) in PLAIN.items() if key in query.keys and LEVELS.index(of) <= level]
    columns += [c.label(key) for key, c in _counted().items() if key in query.keys and level in _COUNTED_AT[key]]
    conditions = [studies.c.project_id == peer.project, *_conditions(service, peer, query, level)]
    statement = select(*columns).select_from(source).where(and_(*conditions)).limit(MOST + 1)
    if level == 0:
        newest = select(func.max(studies.c.id)).where(and_(*conditions)).group_by(studies.c.patient)
        statement = select(*columns).where(studies.c.id.in_(newest)).limit(MOST + 1)
    return statement.order_by(*(table.c.id for table in (studies, series, instances)[: max(level, 1)]))


def _counted() -> dict[str, Any]:
    of_study = select(func.count()).where(series.c.study_id == studies.c.id).correlate(studies).scalar_subquery()
    of_study_all = (
        select(func.count())
        .select_from(instances.join(series))
        .where(series.c.study_id == studies.c.id)
        .correlate(studies)
        .scalar_subquery()
    )
    of_series = select(func.count()).where(instances.c.series_id == series.c.id).correlate(series).scalar_subquery()
    modalities = (
        select(func.aggregate_strings(series.c.modality, ","))
        .where(series.c.study_id == studies.c.id)
        .correlate(studies)
        .scalar_subquery()
    )
    return {
        "NumberOfStudyRelatedSeries": of_study,
        "NumberOfStudyRelatedInstances": of_study_all,
        "NumberOfSeriesRelatedInstances": of_series,
        "ModalitiesInStudy": modalities,
    }


_COUNTED_AT = {
    "NumberOfStudyRelatedSeries": (1,),
    "NumberOfStudyRelatedInstances": (1,),
    "ModalitiesInStudy": (1,),
    "NumberOfSeriesRelatedInstances": (2,),
}


def _conditions(service: Service, peer: Peer, query: Query, level: int) -> Iterator[Any]:
    for key in query.keys:
        value = text(query.keys, key)
        if not value or value.strip("*") == "":
            continue  # universal matching
        if key in SECRET:
            yield _of_identity(service, peer, key, value)
        elif key == "ModalitiesInStudy":
            among = select(series.c.study_id).where(or_(*(_like(series.c.modality, v) for v in texts(query.keys, key))))
            yield studies.c.id.in_(among)
        elif key in PLAIN and LEVELS.index(PLAIN[key][0]) <= level:
            yield _matching(key, PLAIN[key][1], texts(query.keys, key))


def _of_identity(service: Service, peer: Peer, key: str, value: str) -> Any:
    pseudonym = _like(studies.c.patient, value) if key in ("PatientID", "PatientName") else None
    if "identity" not in peer.rights:
        # Who may not see identities must not be able to guess them by asking.
        if pseudonym is None:
            raise BadUsage(f"{key} is of the identity, which this peer may not ask for")
        return pseudonym
    if key not in SOUGHT:
        raise BadUsage(f"{key} can't be searched for")
    found = service.identities.find(SOUGHT[key], value)
    owned = (studies.c.uid if key == "AccessionNumber" else studies.c.patient).in_(found)
    return owned if pseudonym is None else or_(owned, pseudonym)


def _matching(key: str, column: Any, values: tuple[str, ...]) -> Any:
    if key in UIDS:
        if not all(is_uid(value) for value in values):
            raise BadUsage(f"{key} is no UID")
        return column.in_(values)
    value = "\\".join(values)
    if key in NUMBERS:
        if not re.fullmatch(r"\s*[+-]?\d{1,9}\s*", value):
            raise BadUsage(f"{key} is no number")
        return column == int(value)
    if key in RANGES:
        return _within(key, column, value)
    return _like(column, value)


def _within(key: str, column: Any, value: str) -> Any:
    """A single value or a range, open at one end or not (PS3.4 C.2.2.2.5)."""
    value = value.replace(":", "").replace(" ", "")
    if key == "StudyDate":
        value = value.replace(".", "")
    found = re.fullmatch(r"([\d.]*)(-?)([\d.]*)", value)
    if not found or not (found[1] or found[3]):
        raise BadUsage(f"{key} is no value and no range")
    first, last = (found[1], found[3]) if found[2] else (found[1], found[1])
    conditions = [column != ""]
    if first:
        conditions.append(column >= first)
    if last:
        conditions.append(column <= last + "\x7f")  # 1030 is the whole minute
    return and_(*conditions)


def _like(column: Any, value: str) -> Any:
    if "*" not in value and "?" not in value:
        return column == value
    escaped = re.sub(r"([\\%_])", r"\\\1", value).replace("*", "%").replace("?", "_")
    return column.like(escaped, escape="\\")


def _answer(service: Service, query: Query, row: RowMapping, identity: Identity | None) -> dict[str, Any]:
    known = {**row["of_study"], **row.get("of_series", {}), **row.get("of_instance", {})}
    known |= {key: _plain(key, value) for key, value in row.items() if key in query.keys}
    if identity is not None:
        known |= {key: getattr(identity, field) for key, field in SECRET.items()}
    else:
        known |= {"PatientID": row["patient"], "PatientName": row["patient"]}
    known |= {"StudyInstanceUID": row["study_uid"]} if query.level != "PATIENT" else {}
    answer = {key: known.get(key, "") for key in query.keys}
    return {
        **answer,
        "SpecificCharacterSet": UTF8,
        "QueryRetrieveLevel": query.level,
        "RetrieveAETitle": service.settings.ae_title,
        "InstanceAvailability": "ONLINE",
    }


def _plain(key: str, value: Any) -> Any:
    if key == "ModalitiesInStudy":
        return "\\".join(sorted(set(filter(None, str(value or "").split(",")))))
    return "" if value is None else value
