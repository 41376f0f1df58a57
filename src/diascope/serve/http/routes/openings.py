"""Openings: a reader opened a study to read it. They say who is reading, and since when."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import Connection, func, insert, select

from diascope.serve.database.room_tables import openings
from diascope.serve.database.tables import studies
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Answer, Body, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.routes.studies import UidInPath, found, still

router = APIRouter(prefix="/studies/{study}/openings", tags=["readings"])

LONGEST = 8 * 3600.0
"""Seconds after an opening that a reading may belong to it: somebody's working day."""


class NewOpening(Body):
    """That a study is open."""

    still: bool = False
    """It was open before; the time of reading does not begin anew."""


class Opening(Answer):
    """A reader opened a study."""

    id: int
    """In the order in which they were."""
    study: str
    """Study Instance UID."""
    reader: str
    """Name of whoever opened it."""
    still: bool
    """Whether it was open before."""
    at: Time
    """When."""


@router.post("", status_code=201, openapi_extra=operation("readings.open"))
def open_study(asked: Who, once: Once, study: UidInPath, body: NewOpening) -> Opening:
    """Say that a study is being read: for ten minutes it stands as such in the worklist."""
    project = found(asked, study)["project_id"]

    def work(connection: Connection) -> Opening:
        row = still(connection, study, project)
        said = {"reader": asked.caller.id, "still": body.still, "at": asked.service.clock()}
        made = insert(openings).values(study_id=row["id"], **said).returning(openings.c.id)
        number = connection.execute(made).scalar_one()
        asked.record(connection, "study.opened", study, project, still=body.still)
        return Opening.model_validate({**said, "id": number, "study": study, "reader": asked.caller.name})

    return once.change(Opening, work)


def seconds_since(connection: Connection, study: str, reader: str, now: float) -> float | None:
    """How long a reader has had a study open.

    Args:
        connection: To the index.
        study: Study Instance UID.
        reader: Id of the user.
        now: Seconds since 1970.

    Returns:
        Seconds; None where it was not opened, or longer ago than a reading takes.
    """
    query = select(func.max(openings.c.at)).join(studies, studies.c.id == openings.c.study_id)
    mine = (studies.c.uid == study) & (openings.c.reader == reader) & openings.c.still.is_(False)
    opened = connection.execute(query.where(mine)).scalar()
    if opened is None or now - opened > LONGEST:
        return None
    return max(0.0, float(now - opened))
