"""Annotations: what readers answer where no release has said anything. They are only ever added.

A reader never sees what another one answered about a series before having answered it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import Connection, RowMapping, Select, insert, select

from diascope.core.errors import BadUsage, Conflict
from diascope.serve.database.labelling_tables import annotations as answers
from diascope.serve.database.room_tables import drawings
from diascope.serve.database.tables import series as series_table
from diascope.serve.database.tables import studies, users
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, Id, InPath, Text, Time, Uid
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, page
from diascope.serve.http.routes.labellings import Label, found, is_blind, tell
from diascope.serve.labelling.cases import fitting, labelling_row, read_by
from diascope.serve.labelling.choosing import Choice, Reason
from diascope.serve.labelling.handing import hand_out, held_by_others, order, take_back, waiting
from diascope.serve.reporting.corrections import Box

router = APIRouter(prefix="/labellings/{labelling}", tags=["labellings"])

MOST_SKIPPED = 200
UidSkipped = Annotated[str, Query(max_length=64, pattern=r"^[0-9]+(\.[0-9]+)*$")]
Skipped = Annotated[
    list[UidSkipped] | None,
    Query(alias="skip", max_length=MOST_SKIPPED, description="Series Instance UIDs that are not wanted now"),
]
OneUid = Annotated[
    str | None, Query(max_length=64, pattern=r"^[0-9]+(\.[0-9]+)*$", description="Of one that is chosen")
]


class LabelledBox(Box):
    """A box, and what is in it."""

    label: Label
    """One of the labelling's."""


class Said(Body):
    """What a reader says; the field that the labelling asks for, or none where the reader can't tell."""

    classes: Annotated[list[Label], Field(max_length=100)] | None = None
    """Of `classes`: those that hold; an empty list says that none does."""
    drawing: Id | None = None
    """Of `masks`: id of the mask that this reader drew (`POST …/drawings`); an empty one says that nothing is there."""
    boxes: Annotated[list[LabelledBox], Field(max_length=1000)] | None = None
    """Of `boxes`: all that there are; an empty list says that nothing is there."""


class NewAnnotation(Body):
    """What a reader answers."""

    study: Uid
    """Study Instance UID."""
    series: Uid
    """Series Instance UID."""
    revision: Annotated[int, Field(ge=0, le=2**31 - 1)]
    """Of the series, as the reader saw it; refused (409) when it has another one by now."""
    answer: Said
    """Empty with `unsure`."""
    unsure: bool = False
    """The reader can't tell."""
    comment: Text = ""
    """In words, no names of patients."""


class Annotation(Answer):
    """What a reader answered."""

    id: str
    """For ever."""
    labelling: str
    """Id."""
    study: str
    """Study Instance UID."""
    series: str
    """Series Instance UID."""
    revision: int
    """Of the series."""
    reader: str
    """Name."""
    answer: dict[str, Any] | None
    """`classes`, `drawing` or `boxes`; empty with `unsure`; null while the caller is yet to answer about the series."""
    unsure: bool | None
    """Whether the reader could not tell; null with `answer`."""
    comment: str
    """In words; empty while the caller is yet to answer."""
    seconds: float | None
    """Since the series was handed out; null where it was not, or is not told."""
    at: Time
    """When."""


class Why(Answer):
    """Why a series is asked about."""

    kind: Literal["second", "unsure", "unlike", "first", "unknown", "chosen"]
    """`second`: a second reading. `unsure`: what is known of it does not tell. `unlike`: unlike what was labelled.
    `first`: the most typical. `unknown`: nothing is known of it yet. `chosen`: the caller named it."""
    uncertainty: float | None
    """0 to 1: entropy of what is expected, over its largest value."""
    diversity: float | None
    """0 to 1: half the distance to the nearest series that was labelled or lies before a reader."""


class Next(Answer):
    """What a reader is asked about."""

    study: str | None
    """Study Instance UID; null where nothing waits for this reader."""
    series: str | None
    """Series Instance UID."""
    revision: int | None
    """Of the series."""
    patient: str | None
    """Pseudonym."""
    why: Why | None
    """Why this one."""
    since: Time | None
    """When it was handed out: for 15 minutes nobody else is given it."""
    mine: dict[str, Any] | None
    """What the caller answered about it before; null where that is the first time."""
    waiting: int
    """How many series wait for this reader, this one included."""


@router.get("/next", openapi_extra=operation("annotations.write"))
def next_series(
    asked: Who, labelling: InPath, skip: Skipped = None, study: OneUid = None, series: OneUid = None
) -> Next:
    """The series that this reader is asked about next, and why. It is kept for the reader: asking again gives the same.

    With `study` and `series` a series of the reader's own choice.
    """
    row = found(asked, labelling)
    _refuse_closed(row)
    reader, now = asked.caller.id, asked.service.clock()
    with asked.service.database.reading() as connection:
        mine = waiting(connection, row, reader, set(skip or ()))
        if study is not None and series is not None:
            choices = [Choice(_fits(connection, row, study, series)["id"], Reason("chosen"), 0.0)]
        else:
            choices = order(connection, row, mine, held_by_others(connection, labelling, reader, now))
    many = len(mine.second) + len(mine.fresh)

    def work(connection: Connection) -> Next:
        given = hand_out(connection, labelling, reader, choices, now)
        if given is None:
            asked.record(connection, "annotation.asked", f"labelling:{labelling}", row["project_id"], waiting=many)
            return Next.model_validate({**dict.fromkeys(Next.model_fields), "waiting": many})
        choice, since = given
        one = connection.execute(fitting(row).where(series_table.c.id == choice.series)).mappings().one()
        detail = {"labelling": labelling, "series": one["uid"], "why": choice.reason.kind}
        asked.record(connection, "annotation.asked", one["study"], row["project_id"], **detail)
        before = _mine(connection, row, one, reader)
        told = {"series": one["uid"], "why": vars(choice.reason), "since": since, "mine": before, "waiting": many}
        return Next.model_validate({**one, **told})

    return asked.service.database.change(work)


@router.post("/annotations", status_code=201, openapi_extra=operation("annotations.write"))
def write_annotation(asked: Who, once: Once, labelling: InPath, body: NewAnnotation) -> Annotation:
    """Answer about a series; what the same reader said of it before is kept, and counts no more."""
    row, made = found(asked, labelling), secrets.token_hex(16)
    said = _checked(row, body)

    def work(connection: Connection) -> Annotation:
        still = labelling_row(connection, labelling)
        _refuse_closed(still if still is not None else row)
        of = _fits(connection, row, body.study, body.series)
        if of["revision"] != body.revision:
            raise Conflict("the series has another revision by now", given=of["revision"], todo="Look at that one")
        _refuse_other_drawing(connection, row, of, body.answer.drawing, asked.caller.id)
        now = asked.service.clock()
        seconds = take_back(connection, labelling, asked.caller.id, of["id"], now)
        values = {"id": made, "labelling_id": labelling, "series_id": of["id"], "revision": body.revision}
        values |= {"reader": asked.caller.id, "answer": said, "unsure": body.unsure, "comment": body.comment}
        connection.execute(insert(answers).values(**values, seconds=seconds, at=now))
        detail = {"labelling": labelling, "series": body.series, "annotation": made, "unsure": body.unsure}
        asked.record(connection, "annotation.written", body.study, row["project_id"], **detail)
        told = connection.execute(_annotations(labelling).where(answers.c.id == made)).mappings().one()
        return _shown(told, is_hidden=False)

    return once.change(Annotation, work)


@router.get("/annotations", openapi_extra=operation("labellings.read"))
def list_annotations(asked: Who, paging: Paged, labelling: InPath) -> Page[Annotation]:
    """Answers, the newest first. Of series that the caller may still answer about, those of others are not told."""
    row = found(asked, labelling)
    with asked.service.database.reading() as connection:
        rows, following = page(
            asked, connection, _annotations(labelling), (answers.c.at, answers.c.id), paging, newest_first=True
        )
        seen = read_by(connection, row, asked.caller.id)
    blind = is_blind(asked, row)
    items = [_shown(one, blind and one["reader"] != asked.caller.id and one["series_id"] not in seen) for one in rows]
    tell(asked, row, "annotations")
    return Page(items=items, next=following)


def _annotations(labelling: str) -> Select[Any]:
    named = (studies.c.uid.label("study"), series_table.c.uid.label("series"), users.c.name.label("by"))
    query = select(answers, *named).join(series_table, series_table.c.id == answers.c.series_id)
    query = query.join(studies, studies.c.id == series_table.c.study_id)
    query = query.join(users, users.c.id == answers.c.reader, isouter=True)
    return query.where(answers.c.labelling_id == labelling)


def _shown(row: RowMapping, is_hidden: bool) -> Annotation:
    told = {**row, "labelling": row["labelling_id"], "reader": row["by"] or row["reader"]}
    if is_hidden:
        told |= {"answer": None, "unsure": None, "comment": "", "seconds": None}
    return Annotation.model_validate(told)


def _fits(connection: Connection, row: RowMapping, study: str, uid: str) -> RowMapping:
    """The row of a series that the labelling asks about.

    Raises:
        NotFound: When it does not.
    """
    mine = (studies.c.uid == study) & (series_table.c.uid == uid)
    found_one = connection.execute(fitting(row).where(mine)).mappings().first()
    if found_one is None:
        raise NotFound("this labelling does not ask about this series", given=uid, todo="Take one from its list")
    return found_one


def _mine(connection: Connection, row: RowMapping, one: RowMapping, reader: str) -> dict[str, Any] | None:
    """What a reader answered last about a series as it is now."""
    mine = (answers.c.series_id == one["id"]) & (answers.c.reader == reader) & (answers.c.revision == one["revision"])
    query = select(answers.c.answer, answers.c.unsure, answers.c.comment)
    query = query.where(answers.c.labelling_id == row["id"], mine).order_by(answers.c.at.desc(), answers.c.id.desc())
    last = connection.execute(query.limit(1)).mappings().first()
    return None if last is None else {**last["answer"], "unsure": last["unsure"], "comment": last["comment"]}


def _refuse_closed(row: RowMapping) -> None:
    if row["closed"] is not None:
        raise Conflict("this labelling is closed", given=row["name"], todo="Ask whoever made it for another one")


def _checked(row: RowMapping, body: NewAnnotation) -> Mapping[str, Any]:
    """The answer as it is kept.

    Raises:
        BadUsage: When it is not what the labelling asks for.
    """
    said: dict[str, Any] = body.answer.model_dump(exclude_none=True)
    field = {"classes": "classes", "masks": "drawing", "boxes": "boxes"}[row["asks"]]
    if body.unsure:
        if said:
            raise BadUsage("whoever can't tell gives no answer", given=", ".join(said), todo="Leave `answer` empty")
        return {}
    if said.keys() != {field}:
        raise BadUsage("this labelling asks for something else", given=", ".join(said), todo=f"Give `{field}` alone")
    classes = said.get("classes", [])
    for label in [*classes, *(one["label"] for one in said.get("boxes", ()))]:
        if label not in row["labels"]:
            raise BadUsage("the labelling has no such label", given=label, todo=f"It has: {', '.join(row['labels'])}")
    if len(set(classes)) != len(classes):
        raise BadUsage("a class stands twice", given=", ".join(classes)[:200])
    if field == "classes" and row["exclusive"] and len(classes) != 1:
        raise BadUsage("exactly one class holds here", given=f"{len(classes)} classes", todo="Give one, or `unsure`")
    return said


def _refuse_other_drawing(
    connection: Connection, row: RowMapping, of: RowMapping, drawing: str | None, reader: str
) -> None:
    """Refuse a drawing that is not this reader's, not of this series as it is now, or has labels of its own.

    Raises:
        BadUsage: When it is.
    """
    if drawing is None:
        return
    mine = (drawings.c.id == drawing) & (drawings.c.series_id == of["id"]) & (drawings.c.reader == reader)
    labels = connection.execute(select(drawings.c.labels).where(mine, drawings.c.revision == of["revision"])).scalar()
    if labels is None:
        raise BadUsage("there is no such drawing of yours on this series", given=drawing, todo="Draw it, then answer")
    if strange := sorted(set(labels.values()) - set(row["labels"])):
        todo = f"It has: {', '.join(row['labels'])}"
        raise BadUsage("the drawing has labels that the labelling does not have", given=strange[0], todo=todo)
