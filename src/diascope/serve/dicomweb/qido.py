"""QIDO-RS (PS3.18 10.6): pages of studies, series and instances. Newest first, so that a page stays where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, false, func, select, union_all

from diascope.serve.access import limits
from diascope.serve.access.matrix import Caller, Forbidden, Reach, decide, reach
from diascope.serve.audit import Event
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.dicomweb.elements import Model, model
from diascope.serve.dicomweb.matching import IDENTITY, Conditions, Finder, Matching
from diascope.serve.dicomweb.naming import KEYWORDS, SELDOM, named
from diascope.serve.dicomweb.query import Query
from diascope.serve.service import Service

COUNTED = 1000
"""Results up to which a search says exactly how many there are."""

MOST_BRANCHES = 32
"""Projects that are each walked through in the order of their own index; more are sorted."""

LAST = 2**31 - 1
NEWEST = (studies.c.date.desc(), studies.c.id.desc())
IN_SERIES = (func.coalesce(series.c.number, LAST), series.c.id)
IN_INSTANCES = (func.coalesce(instances.c.number, LAST), instances.c.id)

STUDY_COLUMNS = (
    studies.c.id.label("study_id"), studies.c.uid.label("study_uid"), studies.c.project_id, studies.c.patient,
    studies.c.date, studies.c.time, studies.c.description.label("study_description"),
    studies.c.attributes.label("study_attributes"),
)  # fmt: skip
SERIES_COLUMNS = (
    series.c.id.label("series_id"), series.c.uid.label("series_uid"), series.c.modality, series.c.body_part,
    series.c.description.label("series_description"), series.c.number.label("series_number"),
    series.c.attributes.label("series_attributes"),
)  # fmt: skip
INSTANCE_COLUMNS = (
    instances.c.uid.label("instance_uid"), instances.c.sop_class, instances.c.syntax, instances.c.number,
    instances.c.rows, instances.c.columns, instances.c.frames, instances.c.attributes,
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a search looks.

    Args:
        base: Address of the service's DICOMweb, for links.
        study_uid: Of the one study; "" is all that the caller may see.
        series_uid: Of the one series; "" is all.
    """

    base: str
    study_uid: str = ""
    series_uid: str = ""


@dataclass(frozen=True)
class Page:
    """Results.

    Args:
        results: Data sets.
        total: How many there are in all; None where they are more than `COUNTED`.
        more: Whether there are results after these.
        identities: Studies whose identity was shown.
        warnings: For the client.
    """

    results: list[Model]
    total: int | None
    more: bool
    identities: frozenset[str] = field(default_factory=frozenset)
    warnings: tuple[str, ...] = ()


def search(service: Service, caller: Caller, operation: str, query: Query, place: Place) -> Page:
    """One page of what a caller may see, with identities where the caller may see those. It is audited.

    Args:
        service: That is asked.
        caller: Who asks.
        operation: As which the caller asks.
        query: What for.
        place: Where.

    Raises:
        BadUsage: When a value makes no sense.
        Forbidden: When identities are searched by somebody who may not.
        Throttled: When somebody looks up too many patients.
    """
    finder = _finder(service, caller, query)
    within = reach(operation, caller)
    with service.database.reading() as connection:
        where = Matching(connection, finder).conditions(query)
        _place(where, place)
        rows = _rows(connection, query, where, within)
        more = len(rows) > query.limit
        total: int | None = query.offset + len(rows)
        if more or (not rows and query.offset):
            total = _total(connection, query, where, within)
        rows = rows[: query.limit]
        counts = _counts(connection, query, place, rows)
    known, shown = named(service, caller, rows) if _names(query, place) else ({}, {})
    _tell(service, caller, query, place, rows, shown)
    results = [_answer(query, place, row, counts, known.get(row["study_uid"], {})) for row in rows]
    return Page(results, total, more, frozenset(shown), query.warnings)


def _names(query: Query, place: Place) -> bool:
    """Whether the answer says whose the studies are."""
    asked_for = query.everything or bool(query.included & {*KEYWORDS.values(), *SELDOM.values()})
    return query.level == "study" or not place.study_uid or asked_for


def _finder(service: Service, caller: Caller, query: Query) -> Finder | None:
    searched = {keyword for keyword, _ in query.matches} & set(IDENTITY)
    if searched or decide("identities.read", caller).allowed:
        limits.look_up(service, caller)
    decision = decide("identities.search", caller)
    if not decision.allowed:
        if searched - {"PatientID"}:
            raise Forbidden(decision)
        return None
    found = reach("identities.search", caller)
    return Finder(service.identities.find, found.everywhere, found.projects)


def _place(where: Conditions, place: Place) -> None:
    if place.study_uid:
        where.study.append(studies.c.uid == place.study_uid)
        where.selective = True
    if place.series_uid:
        where.series.append(series.c.uid == place.series_uid)


def _rows(connection: Connection, query: Query, where: Conditions, within: Reach) -> Sequence[RowMapping]:
    """One more than the page has, so that it shows whether there are more."""
    limit = query.limit + 1
    if query.level == "study":
        picked = _study_ids(where, within, limit, query.offset).subquery()
        found: Select[Any] = select(*STUDY_COLUMNS).join(picked, picked.c.id == studies.c.id).order_by(*NEWEST)
        return connection.execute(found).mappings().all()
    # Each of these studies has a row at least: so many hold all rows up to the end of the page.
    picked = _study_ids(_holding(where), within, query.offset + limit, 0).subquery()
    if query.level == "series":
        both: Select[Any] = select(*STUDY_COLUMNS, *SERIES_COLUMNS)
        found = both.join_from(picked, studies, picked.c.id == studies.c.id).join(series)
        found = found.order_by(*NEWEST, *IN_SERIES)
    else:
        every: Select[Any] = select(*STUDY_COLUMNS, *SERIES_COLUMNS, *INSTANCE_COLUMNS)
        found = every.join_from(picked, studies, picked.c.id == studies.c.id).join(series).join(instances)
        found = found.order_by(*NEWEST, *IN_SERIES, *IN_INSTANCES)
    found = found.where(*where.series, *where.instance).limit(limit).offset(query.offset)
    return connection.execute(found).mappings().all()


def _holding(where: Conditions) -> Conditions:
    """Studies that hold what is looked for."""
    there = select(series.c.id).where(series.c.study_id == studies.c.id, *where.series)
    if where.instance:
        inside = select(instances.c.id).where(instances.c.series_id == series.c.id, *where.instance)
        there = there.where(inside.correlate(series).exists())
    return Conditions([*where.study, there.correlate(studies).exists()], selective=where.selective)


def _study_ids(where: Conditions, within: Reach, limit: int, offset: int) -> Select[Any]:
    """Ids of a page. Few are sorted; else they come from the index in order, a branch a project, till the page is full.

    Which of the two is not left to the planner: without statistics it takes the order for the better bargain, always.
    """
    plain = select(studies.c.id, studies.c.date).where(*where.study)
    projects = sorted(within.projects)
    if where.selective:
        project, date = func.coalesce(studies.c.project_id, ""), func.coalesce(studies.c.date, "")  # no index has these
        plain = plain if within.everywhere else plain.where(project.in_(projects))
        return plain.order_by(date.desc(), studies.c.id.desc()).limit(limit).offset(offset)
    if within.everywhere or not 1 < len(projects) <= MOST_BRANCHES:
        return plain.where(*_within(within)).order_by(*NEWEST).limit(limit).offset(offset)
    branches = [plain.where(studies.c.project_id == one).order_by(*NEWEST).limit(offset + limit) for one in projects]
    each = union_all(*(select(branch.subquery()) for branch in branches)).subquery()
    return select(each.c.id, each.c.date).order_by(each.c.date.desc(), each.c.id.desc()).limit(limit).offset(offset)


def _within(within: Reach) -> list[ColumnElement[bool]]:
    projects = sorted(within.projects)
    if within.everywhere:
        return []
    if not projects:
        return [false()]
    return [studies.c.project_id == projects[0] if len(projects) == 1 else studies.c.project_id.in_(projects)]


def _total(connection: Connection, query: Query, where: Conditions, within: Reach) -> int | None:
    if query.level == "study":
        some = _study_ids(where, within, COUNTED + 1, 0).subquery()
    else:
        picked = _study_ids(_holding(where), within, COUNTED + 1, 0).subquery()
        table = series if query.level == "series" else instances
        found = select(table.c.id).select_from(picked).join(series, series.c.study_id == picked.c.id)
        found = found.join(instances) if query.level == "instance" else found
        some = found.where(*where.series, *where.instance).limit(COUNTED + 1).subquery()
    count = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return int(count) if count <= COUNTED else None


@dataclass
class Counts:
    """How much studies and series hold."""

    modalities: dict[int, set[str]] = field(default_factory=dict)
    series: dict[int, int] = field(default_factory=dict)
    instances: dict[int, int] = field(default_factory=dict)
    in_series: dict[int, int] = field(default_factory=dict)


def _counts(connection: Connection, query: Query, place: Place, rows: Sequence[RowMapping]) -> Counts:
    found = Counts()
    if query.level == "instance" and (place.study_uid or not rows):
        return found
    there = select(func.count()).where(instances.c.series_id == series.c.id).scalar_subquery()
    counted = select(series.c.id, series.c.study_id, series.c.modality, there.label("held"))
    which = {row["study_id"] for row in rows}
    for row in connection.execute(counted.where(series.c.study_id.in_(which))):
        found.modalities.setdefault(row.study_id, set()).add(row.modality)
        found.series[row.study_id] = found.series.get(row.study_id, 0) + 1
        found.instances[row.study_id] = found.instances.get(row.study_id, 0) + row.held
        found.in_series[row.id] = row.held
    return found


def _answer(query: Query, place: Place, row: RowMapping, counts: Counts, identity: Mapping[str, str]) -> Model:
    """The attributes of PS3.18 Tables 10.6.3-3 to 10.6.3-5, and what was asked for beside them."""
    address = f"{place.base}/studies/{row['study_uid']}"
    values: dict[str, object] = {}
    if query.level == "study" or not place.study_uid:
        values |= _of_study(row, counts, identity)
        values |= _asked_for(query, row["study_attributes"])
    else:
        values["StudyInstanceUID"] = row["study_uid"]
        values |= {key: value for key, value in identity.items() if query.everything or key in query.included}
    if query.level != "study":
        address += f"/series/{row['series_uid']}"
        if query.level == "series" or not place.series_uid:
            values |= _of_series(row, counts)
            values |= _asked_for(query, row["series_attributes"])
        else:
            values["SeriesInstanceUID"] = row["series_uid"]
    if query.level == "instance":
        address += f"/instances/{row['instance_uid']}"
        values |= _of_instance(row)
        values |= _asked_for(query, row["attributes"])
    return model({**values, "RetrieveURL": address, "InstanceAvailability": "ONLINE"})


def _of_study(row: RowMapping, counts: Counts, identity: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {
        "StudyDate": row["date"],
        "StudyTime": row["time"],
        "StudyInstanceUID": row["study_uid"],
        "StudyDescription": row["study_description"],
        **identity,
    }
    if row["study_id"] in counts.series:
        found["ModalitiesInStudy"] = sorted(counts.modalities[row["study_id"]] - {""})
        found["NumberOfStudyRelatedSeries"] = counts.series[row["study_id"]]
        found["NumberOfStudyRelatedInstances"] = counts.instances[row["study_id"]]
    return found


def _of_series(row: RowMapping, counts: Counts) -> dict[str, object]:
    found: dict[str, object] = {
        "SeriesInstanceUID": row["series_uid"],
        "Modality": row["modality"],
        "BodyPartExamined": row["body_part"],
        "SeriesDescription": row["series_description"],
        "SeriesNumber": row["series_number"],
    }
    if row["series_id"] in counts.in_series:
        found["NumberOfSeriesRelatedInstances"] = counts.in_series[row["series_id"]]
    return found


def _of_instance(row: RowMapping) -> dict[str, object]:
    found: dict[str, object] = {
        "SOPInstanceUID": row["instance_uid"],
        "SOPClassUID": row["sop_class"],
        "AvailableTransferSyntaxUID": row["syntax"],
        "InstanceNumber": row["number"],
    }
    image = {"Rows": row["rows"], "Columns": row["columns"], "NumberOfFrames": row["frames"]}
    bits = row["attributes"].get("BitsAllocated")
    image["BitsAllocated"] = bits
    return found | {key: value for key, value in image.items() if value is not None}


def _asked_for(query: Query, attributes: Mapping[str, str]) -> dict[str, object]:
    return {key: value for key, value in attributes.items() if query.everything or key in query.included}


def _tell(
    service: Service,
    caller: Caller,
    query: Query,
    place: Place,
    rows: Sequence[RowMapping],
    shown: Mapping[str, str],
) -> None:
    """One record a search: by what was searched, never for what; and whose identities were shown."""
    detail: dict[str, Any] = {"level": query.level, "by": [key for key, _ in query.matches], "results": len(rows)}
    if shown:
        detail |= {"identities": sorted(shown)}
    projects = {row["project_id"] for row in rows}
    event = Event(
        action="study.queried",
        actor=caller.actor,
        object=place.series_uid or place.study_uid,
        project=projects.pop() if len(projects) == 1 else "",
        address=caller.address,
        detail=detail,
    )
    service.audit.tell(event)
