"""Studies: found by pseudonym, date, modality and description; whose they are is told to those who may see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from sqlalchemy import ColumnElement, Connection, RowMapping, func, or_, select, update

from diascope.core.errors import BadUsage
from diascope.serve.access.matrix import decide
from diascope.serve.access.refusals import Missing
from diascope.serve.database.tables import instances, projects, readings, results, series, studies
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, Id, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, page
from diascope.serve.identities import Identity as Kept
from diascope.serve.incoming.deleting import delete_study

router = APIRouter(prefix="/studies", tags=["studies"])

UidInPath = Annotated[str, Path(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64, description="DICOM UID")]
Date = Annotated[str | None, Query(pattern=r"^[0-9]{8}$", description="Date of a study, included: `20260501`")]
Sought = Annotated[str, Field(max_length=128, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Seen = Annotated[bool, Query(description="Whose it is, too, for those who may see it; it is audited")]
Part = Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", description="A part of it")]
MOST = 1000
"""Studies that a search for identities gives."""


class Identity(Answer):
    """Whose a study is, as it arrived."""

    name: str
    """DICOM PN: `Wang^Xiaoming=王^小明`."""
    number: str
    """Of the patient."""
    issuer: str
    """Of the number."""
    birth_date: str
    """`YYYYMMDD`."""
    sex: str
    """M, F, O."""
    accession: str
    """Number of the order."""


class Study(Answer):
    """A study by pseudonym."""

    uid: str
    """Study Instance UID."""
    project: str
    """Id of the project that it belongs to."""
    patient: str
    """Pseudonym."""
    date: str
    """`YYYYMMDD`, or empty."""
    time: str
    """`HHMMSS`, or empty."""
    description: str
    """As it arrived."""
    modalities: list[str]
    """Of its series."""
    series: int
    """How many."""
    instances: int
    """How many."""
    results: int
    """That count: not superseded."""
    readings: int
    """Of those results."""
    created: Time
    """When its first instance arrived."""
    changed: Time
    """When the last one did."""
    identity: Identity | None
    """Null unless it was asked for and the caller may see it."""


class Series(Answer):
    """A series."""

    uid: str
    """Series Instance UID."""
    modality: str
    """`CT`."""
    body_part: str
    """As it arrived."""
    description: str
    """As it arrived."""
    number: int | None
    """As it arrived."""
    made: bool
    """Whether this service wrote it: of a result, and never read by a release."""
    instances: int
    """How many."""
    arrived: Time
    """When the last one did."""
    completed: Time | None
    """When it was complete; null while more may arrive."""
    revision: int
    """How often it has become complete."""


class Verdict(Answer):
    """Where a result stands."""

    id: str
    """Of the result: `GET /findings/{id}`."""
    series: str
    """Series Instance UID."""
    revision: int
    """Of the series."""
    release: str
    """That said it."""
    state: str
    """`answered`, or `unavailable`: not available is never negative."""
    reason: str
    """Why it is not available."""
    answered: Time
    """When."""
    superseded: Time | None
    """Since when a later revision counts; null where this one does."""
    verdict: str | None
    """What a reader decided last: `accept`, `reject`, `amend`; null while nobody has."""


class StudyWithSeries(Study):
    """A study with its series and what was said about them."""

    all_series: list[Series]
    """In their order."""
    all_results: list[Verdict]
    """Also those that are superseded, the newest first."""


class People(Body):
    """Whose studies are searched for; `*` and `?` stand for anything. It is no part of an address: it names people."""

    name: Sought = ""
    """As DICOM writes it: `Wang*`."""
    number: Sought = ""
    """Of the patient."""
    birth_date: Sought = ""
    """`YYYYMMDD`."""
    accession: Sought = ""
    """Number of the order."""
    words: bool = False
    """Whether each word of `name` is to begin some word of it, in any order, as people write: `xiaoming wang`."""
    identities: bool = True
    """Whether whose they are is told, too; without it pseudonyms alone are answered."""


class Found(Answer):
    """Studies of people who were searched for."""

    items: list[Study]
    """The newest first, with their identity where it was asked for."""
    more: bool
    """Whether there are more than are told."""


class Moved(Body):
    """Where a study goes."""

    project: Id
    """Id."""


@dataclass(frozen=True)
class Which:
    """What is looked for.

    Args:
        conditions: On the table of studies.
        identities: Whether whose they are is told, too.
    """

    conditions: tuple[ColumnElement[bool], ...]
    identities: bool


def _which(
    project: Annotated[str | None, Query(pattern="^[A-Za-z0-9_-]{1,32}$", description="Only of this one")] = None,
    patient: Annotated[str | None, Query(pattern="^[a-z0-9-]{1,64}$", description="Pseudonym")] = None,
    since: Date = None,
    until: Date = None,
    modality: Annotated[str | None, Query(pattern="^[A-Z0-9_]{1,16}$", description="`CT`")] = None,
    description: Part = None,
    identities: Seen = False,
) -> Which:
    found = []
    for column, wanted in ((studies.c.project_id, project), (studies.c.patient, patient)):
        found += [] if wanted is None else [column == wanted]
    found += [] if since is None else [studies.c.date >= since]
    found += [] if until is None else [studies.c.date.between("0", until)]
    if modality is not None:
        of_it = select(series.c.id).where((series.c.study_id == studies.c.id) & (series.c.modality == modality))
        found.append(of_it.exists())
    if description:
        found.append(studies.c.description.icontains(description, autoescape=True))
    return Which(tuple(found), identities)


@router.get("", openapi_extra=operation("studies.list"))
def list_studies(asked: Who, paging: Paged, which: Annotated[Which, Depends(_which)]) -> Page[Study]:
    """Studies, the newest first; `since` and `until` are dates of the studies, both included."""
    asked.service.audit.tell(asked.event("study.queried", of="studies"))
    query = select(studies).where(asked.within(studies.c.project_id), *which.conditions)
    with asked.service.database.reading() as connection:
        rows, following = page(asked, connection, query, (studies.c.date, studies.c.id), paging, newest_first=True)
        items = _shown(asked, connection, rows, which.identities)
    return Page(items=items, next=following)


@router.post("/search", openapi_extra=operation("identities.search"))
def search_identities(asked: Who, body: People) -> Found:
    """Search studies by whose they are."""
    said = body.model_dump(include={"name", "number", "birth_date", "accession"})
    given = {kind: pattern for kind, pattern in said.items() if pattern}
    if not given:
        raise BadUsage("nothing was searched for", todo="Give a name, a number, a birth date or an accession number")
    conditions = [_named(asked, kind, pattern, body.words) for kind, pattern in given.items()]
    query = select(studies).where(asked.within(studies.c.project_id), *conditions)
    query = query.order_by(studies.c.date.desc(), studies.c.id.desc()).limit(MOST + 1)
    with asked.service.database.reading() as connection:
        rows = list(connection.execute(query).mappings())
        items = _shown(asked, connection, rows[:MOST], body.identities)
    asked.service.audit.tell(asked.event("study.queried", keys=",".join(given), found=len(items)))
    return Found(items=items, more=len(rows) > MOST)


@router.get("/{study}", openapi_extra=operation("studies.read"))
def read_study(asked: Who, study: UidInPath, identities: Seen = False) -> StudyWithSeries:
    """A study with its series and results."""
    row = found(asked, study)
    with asked.service.database.reading() as connection:
        (head,) = _shown(asked, connection, [row], identities)
        inside, said = _series(connection, row["id"]), _verdicts(connection, row["id"])
    asked.service.audit.tell(asked.event("study.viewed", study, project=row["project_id"], part="index"))
    return StudyWithSeries(**{**vars(head)}, all_series=inside, all_results=said)


@router.get("/{study}/identity", openapi_extra=operation("identities.read"))
def read_identity(asked: Who, study: UidInPath) -> Identity:
    """Whose a study is; it is audited."""
    row = found(asked, study)
    asked.service.audit.tell(asked.event("identity.read", study, project=row["project_id"], count=1))
    return Identity.model_validate(asked.service.identities.of([study]).get(study, Kept()))


@router.post("/{study}/move", openapi_extra=operation("studies.move"))
def move_study(asked: Who, once: Once, study: UidInPath, body: Moved) -> Study:
    """Give a study to another project; both must be the caller's. What was said about it goes with it."""
    project = found(asked, study)["project_id"]
    asked.on(body.project, f"project:{body.project}")

    def work(connection: Connection) -> Study:
        row = still(connection, study, project)
        if connection.execute(select(projects.c.id).where(projects.c.id == body.project)).first() is None:
            raise Missing("project", body.project)
        connection.execute(update(studies).where(studies.c.id == row["id"]).values(project_id=body.project))
        asked.record(connection, "study.moved", study, row["project_id"], to=body.project)
        asked.record(connection, "study.moved", study, body.project, of=row["project_id"])
        return _shown(asked, connection, [still(connection, study, body.project)], False)[0]

    return once.change(Study, work)


@router.delete("/{study}", status_code=204, openapi_extra=operation("studies.delete"))
def remove_study(asked: Who, study: UidInPath) -> None:
    """Delete a study with everything that hangs on it: instances, results, readings, its identity."""
    found(asked, study)
    delete_study(asked.service, study, asked.caller.actor, asked.caller.address, "request")


def found(asked: Asked, study: str) -> RowMapping:
    """The row of a study, for those who may do with it what they ask. Never in a transaction: a refusal is audited.

    Raises:
        NotFound: When there is none, or the caller may not know of it.
        Forbidden: When the caller may not do this to it.
    """
    with asked.service.database.reading() as connection:
        row = connection.execute(select(studies).where(studies.c.uid == study)).mappings().first()
    asked.on("" if row is None else row["project_id"], study)
    if row is None:
        raise NotFound("there is no such study", given=study)
    return row


def still(connection: Connection, study: str, project: str) -> RowMapping:
    """The same in a transaction, where the study is still in the project that was looked at.

    Raises:
        NotFound: When it was deleted or moved meanwhile.
    """
    mine = (studies.c.uid == study) & (studies.c.project_id == project)
    row = connection.execute(select(studies).where(mine).with_for_update()).mappings().first()
    if row is None:
        raise NotFound("there is no such study any more", given=study)
    return row


def _named(asked: Asked, kind: Any, pattern: str, fuzzy: bool) -> ColumnElement[bool]:
    """Studies, or patients, that a search in the identities names."""
    known = sorted(asked.service.identities.find(kind, pattern, fuzzy))[: 20 * MOST]
    return or_(studies.c.uid.in_(known), studies.c.patient.in_(known))


def _shown(asked: Asked, connection: Connection, rows: Sequence[RowMapping], identities: bool) -> list[Study]:
    ids = [row["id"] for row in rows]
    told = _counts(connection, ids)
    persons = _identities(asked, rows) if identities else {}
    return [
        Study.model_validate(
            {
                **row,
                "project": row["project_id"],
                **told[row["id"]],
                "identity": persons.get(row["uid"]) and Identity.model_validate(persons[row["uid"]]),
            }
        )
        for row in rows
    ]


def _counts(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What a list shows of each study, in three queries."""
    told: dict[int, dict[str, Any]] = {
        one: {"modalities": [], "series": 0, "instances": 0, "results": 0, "readings": 0} for one in ids
    }
    within = select(
        series.c.study_id, series.c.modality, func.count(series.c.id.distinct()), func.count(instances.c.id)
    )
    joined = within.join(instances, instances.c.series_id == series.c.id, isouter=True)
    grouped = joined.where(series.c.study_id.in_(ids)).group_by(series.c.study_id, series.c.modality)
    for study, modality, many, objects in connection.execute(grouped.order_by(series.c.modality)):
        told[study]["modalities"] += [modality] if modality else []
        told[study]["series"] += many
        told[study]["instances"] += objects
    said = select(results.c.study_id, func.count(results.c.id.distinct()), func.count(readings.c.id))
    said = said.join(readings, readings.c.result_id == results.c.id, isouter=True)
    counts = results.c.study_id.in_(ids) & results.c.superseded.is_(None)
    for study, many, decided in connection.execute(said.where(counts).group_by(results.c.study_id)):
        told[study] |= {"results": many, "readings": decided}
    return told


def _identities(asked: Asked, rows: Sequence[RowMapping]) -> dict[str, Kept]:
    """Whose they are, of those that the caller may know; it is audited by project."""
    seen: dict[str, list[str]] = {}
    for row in rows:
        if decide("identities.read", asked.caller, row["project_id"]).allowed:
            seen.setdefault(row["project_id"], []).append(row["uid"])
    for project, uids in seen.items():
        first = uids[0] if len(uids) == 1 else ""
        asked.service.audit.tell(asked.event("identity.read", first, project=project, count=len(uids)))
    return asked.service.identities.of([uid for uids in seen.values() for uid in uids])


def _series(connection: Connection, study: int) -> list[Series]:
    count = select(func.count()).where(instances.c.series_id == series.c.id).scalar_subquery().label("instances")
    query = select(series, count).where(series.c.study_id == study).order_by(series.c.number, series.c.id)
    return [Series.model_validate(dict(row)) for row in connection.execute(query).mappings()]


def _verdicts(connection: Connection, study: int) -> list[Verdict]:
    latest = select(readings.c.verdict).where(readings.c.result_id == results.c.id)
    latest = latest.order_by(readings.c.at.desc(), readings.c.id.desc()).limit(1)
    columns = (results, series.c.uid.label("of"), latest.scalar_subquery().label("verdict"))
    query = select(*columns).join(series, series.c.id == results.c.series_id).where(results.c.study_id == study)
    rows = connection.execute(query.order_by(results.c.answered.desc(), results.c.id)).mappings()
    return [Verdict.model_validate({**row, "series": row["of"]}) for row in rows]
