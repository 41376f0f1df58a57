"""Labellings: what readers are asked about series that no release has learnt from, how far they are, if they agree."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import Connection, RowMapping, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from diascope.core.errors import BadUsage, Conflict
from diascope.serve.access.projects import read as read_project
from diascope.serve.access.refusals import Taken
from diascope.serve.database.labelling_tables import labellings
from diascope.serve.database.tables import series, users
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, Id, InPath, Name, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, Paging, listed, page
from diascope.serve.labelling.agreeing import agreement
from diascope.serve.labelling.cases import Given, answered, fitting, is_twice, labelling_row
from diascope.serve.labelling.describing import ask
from diascope.serve.labelling.progress import progress

router = APIRouter(prefix="/labellings", tags=["labellings"])

Asks = Literal["classes", "masks", "boxes"]
Label = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$")]
MOST_LABELS = 100


class NewLabelling(Body):
    """What readers are to be asked."""

    project: Id
    """Id of the project whose series they are asked about."""
    name: Name
    """No other labelling of the project has it."""
    asks: Asks
    """`classes` of a series, `masks` drawn on it, or `boxes`."""
    labels: Annotated[list[Label], Field(min_length=1, max_length=MOST_LABELS)]
    """In the order in which they are shown; each once."""
    exclusive: bool = False
    """Whether exactly one class holds; with `classes` only."""
    modality: Annotated[str, Field(pattern="^[A-Z0-9_]{0,16}$")] = ""
    """Of the series: `CT`; empty is any."""
    twice: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the series that two readers are asked about; which ones is nobody's choice."""
    release: Annotated[str, Field(max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""
    """The guide: a release whose features and probabilities say what comes next; empty is none."""


class Labelling(Answer):
    """What readers are asked."""

    id: str
    """For ever."""
    project: str
    """Id of the project."""
    name: str
    """Of the labelling."""
    asks: Asks
    """What for."""
    labels: list[str]
    """In their order."""
    exclusive: bool
    """Whether exactly one class holds."""
    modality: str
    """Of the series; empty is any."""
    twice: float
    """Share of the series that two readers are asked about."""
    release: str
    """The guide; empty is none."""
    by: str
    """Name of whoever made it."""
    created: Time
    """When."""
    closed: Time | None
    """Since when nobody is asked any more."""


class OfReader(Answer):
    """What one reader did."""

    reader: str
    """Name."""
    labelled: int
    """Series."""
    unsure: int
    """Of those, how many the reader could not tell."""


class LabellingWithProgress(Labelling):
    """A labelling, and how far it is."""

    fit: int
    """Series that fit."""
    labelled: int
    """That at least one reader labelled."""
    done_twice: int
    """That two or more did."""
    wanted_twice: int
    """That two readers are asked about."""
    wanted_done: int
    """Of those, how many two or more labelled."""
    unsure: int
    """That somebody could not tell."""
    readers: list[OfReader]
    """The busiest first."""


class Statistic(Answer):
    """A measure of agreement."""

    name: str
    """`kappa`, `agreement`, `kappa/<label>`, `positive/<label>`, `negative/<label>`, `dice/<label>`, `f1/<label>`."""
    value: float | None
    """Null where it is undefined."""
    low: float | None
    """Of the 95 % interval, by patients."""
    high: float | None
    """The same."""
    note: str
    """Why there is no interval: `too few: 12 patients`."""


class Agreement(Answer):
    """How well two readers agree."""

    pairs: int
    """Series that two readers labelled."""
    unsure: int
    """Of those, how many at least one could not tell: they are in no statistic."""
    differ: int
    """Of those, how many they answered otherwise."""
    left_out: int
    """Pairs of masks that were not compared: older than the newest 40, or voxels that can't be read."""
    measures: list[Statistic]
    """None where there are no pairs."""


class Fitting(Answer):
    """A series that a labelling asks about."""

    study: str
    """Study Instance UID."""
    series: str
    """Series Instance UID."""
    revision: int
    """Of the series."""
    patient: str
    """Pseudonym."""
    date: str
    """Of the study, `YYYYMMDD`, or empty."""
    modality: str
    """`CT`."""
    description: str
    """As it arrived."""
    readers: int
    """That labelled it."""
    mine: bool
    """Whether the caller did."""
    unsure: bool | None
    """Whether somebody could not tell; null while the caller is yet to answer about it."""
    two: bool
    """Whether two readers are asked about it."""


@router.get("", openapi_extra=operation("labellings.list"))
def list_labellings(
    asked: Who,
    paging: Paged,
    project: Annotated[str | None, Query(pattern="^[A-Za-z0-9_-]{1,32}$", description="Only of this one")] = None,
) -> Page[Labelling]:
    """Labellings, the newest first."""
    query = _labellings().where(asked.within(labellings.c.project_id))
    query = query if project is None else query.where(labellings.c.project_id == project)
    asked.service.audit.tell(asked.event("study.queried", of="labellings"))
    return listed(asked, query, (labellings.c.created, labellings.c.id), paging, shown, newest_first=True)


@router.post("", status_code=201, openapi_extra=operation("labellings.write"))
def make_labelling(asked: Who, once: Once, body: NewLabelling) -> Labelling:
    """Ask readers for labels; what the series look like is found out in a job of low priority."""
    asked.on(body.project, f"project:{body.project}")
    read_project(asked.service, body.project)
    _refuse_contradictions(body)
    made, queue = secrets.token_hex(16), asked.service.queue

    def work(connection: Connection) -> Labelling:
        row = {**body.model_dump(exclude={"project"}), "id": made, "project_id": body.project}
        connection.execute(insert(labellings).values(**row, by=asked.caller.id, created=asked.service.clock()))
        ask(connection, queue, body.project, made)
        asked.record(connection, "labelling.made", made, body.project, asks=body.asks, labels=len(body.labels))
        return shown(connection.execute(_labellings().where(labellings.c.id == made)).mappings().one())

    try:
        answer = once.change(Labelling, work)
    except IntegrityError as error:
        raise Taken("another labelling of this project has this name", given=body.name, todo="Take another") from error
    asked.service.stirred.set()
    return answer


@router.get("/{labelling}", openapi_extra=operation("labellings.read"))
def read_labelling(asked: Who, labelling: InPath) -> LabellingWithProgress:
    """A labelling, and how far it is."""
    row = found(asked, labelling)
    with asked.service.database.reading() as connection:
        now = vars(progress(connection, row, answered(connection, row)))
    tell(asked, row, "progress")
    readers = [OfReader.model_validate(one) for one in now.pop("readers")]
    done = now.pop("twice")
    return LabellingWithProgress(**shown(row).model_dump(), **now, done_twice=done, readers=readers)


@router.get("/{labelling}/agreement", openapi_extra=operation("labellings.read"))
def read_agreement(asked: Who, labelling: InPath) -> Agreement:
    """How well two readers agree where two labelled a series; intervals are by patients."""
    row = found(asked, labelling)
    with asked.service.database.reading() as connection:
        given = answered(connection, row)
    told = agreement(asked.service, row, given)
    tell(asked, row, "agreement")
    measures = [
        Statistic(name=name, value=one.value, low=one.low, high=one.high, note=one.note)
        for name, one in told.measures.items()
    ]
    counts = {"pairs": told.pairs, "unsure": told.unsure, "left_out": told.left_out}
    return Agreement(**counts, differ=len(told.differ), measures=measures)


@router.get("/{labelling}/series", openapi_extra=operation("labellings.read"))
def list_series(asked: Who, paging: Paged, labelling: InPath) -> Page[Fitting]:
    """Every series that fits, whether it was labelled or not: none is hidden from those who want to choose."""
    row = found(asked, labelling)
    with asked.service.database.reading() as connection:
        items, following = fitting_page(asked, connection, row, paging)
    tell(asked, row, "series")
    return Page(items=items, next=following)


@router.post("/{labelling}/close", openapi_extra=operation("labellings.write"))
def close_labelling(asked: Who, once: Once, labelling: InPath) -> Labelling:
    """Ask nobody any more; what was answered stays."""
    project = found(asked, labelling)["project_id"]

    def work(connection: Connection) -> Labelling:
        row = connection.execute(_labellings().where(labellings.c.id == labelling)).mappings().one()
        if row["closed"] is not None:
            raise Conflict("this labelling is closed already", given=row["name"])
        done = update(labellings).where(labellings.c.id == labelling)
        connection.execute(done.values(closed=asked.service.clock()))
        asked.record(connection, "labelling.closed", labelling, project)
        return shown(connection.execute(_labellings().where(labellings.c.id == labelling)).mappings().one())

    return once.change(Labelling, work)


def found(asked: Asked, labelling: str) -> RowMapping:
    """The row of a labelling, for those who may do with it what they ask. Never in a transaction: a refusal is audited.

    Raises:
        NotFound: When there is none, or the caller may not know of it.
        Forbidden: When the caller may not do this to it.
    """
    with asked.service.database.reading() as connection:
        row = labelling_row(connection, labelling)
    asked.on("" if row is None else row["project_id"], f"labelling:{labelling}")
    if row is None:
        raise NotFound("there is no such labelling", given=labelling)
    return row


def fitting_page(
    asked: Asked, connection: Connection, row: RowMapping, paging: Paging
) -> tuple[list[Fitting], str | None]:
    """A page of the series that fit, with who labelled them."""
    rows, following = page(asked, connection, fitting(row), (series.c.id,), paging)
    by_series: dict[int, list[Given]] = {}
    for one in answered(connection, row):
        by_series.setdefault(one.series, []).append(one)
    return [_fits(asked, row, one, by_series.get(one["id"], ())) for one in rows], following


def is_blind(asked: Asked, row: RowMapping) -> bool:
    """Whether the caller may be asked about the series of a labelling, and so must not see what others say of them."""
    return row["closed"] is None and asked.may("annotations.write", row["project_id"])


def tell(asked: Asked, row: RowMapping, part: str) -> None:
    """Audit that something of a labelling was read."""
    project = str(row["project_id"])
    asked.service.audit.tell(asked.event("study.queried", row["id"], project=project, of="labellings", part=part))


def shown(row: RowMapping) -> Labelling:
    """A labelling as it is told."""
    return Labelling.model_validate({**row, "project": row["project_id"], "by": row["author"] or row["by"]})


def _fits(asked: Asked, row: RowMapping, one: RowMapping, given: Sequence[Given]) -> Fitting:
    mine = any(each.reader == asked.caller.id for each in given)
    is_hidden = given and not mine and is_blind(asked, row)
    unsure = None if is_hidden else any(each.unsure for each in given)
    told = {"readers": len(given), "mine": mine, "unsure": unsure}
    return Fitting.model_validate({**one, **told, "series": one["uid"], "two": is_twice(row, one["id"])})


def _labellings() -> Select[Any]:
    query = select(labellings, users.c.name.label("author"))
    return query.join(users, users.c.id == labellings.c.by, isouter=True)


def _refuse_contradictions(body: NewLabelling) -> None:
    """Refuse labels that stand twice, and one class of several where there are no classes to choose from.

    Raises:
        BadUsage: When they do not fit.
    """
    if len({one.casefold() for one in body.labels}) != len(body.labels):
        raise BadUsage("a label stands twice", given=", ".join(body.labels)[:200], todo="Name each once")
    if body.exclusive and (body.asks != "classes" or len(body.labels) < 2):
        raise BadUsage("`exclusive` goes with two classes or more", given=body.asks, todo="Leave it out")
