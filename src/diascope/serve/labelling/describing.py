"""Descriptors of series: kept where a labelling asks about them, made in jobs that let everything else go first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Select, delete, insert, or_, select

from diascope.core.errors import DataRefused, Stopped
from diascope.serve.database.labelling_tables import descriptors, labellings
from diascope.serve.database.tables import series, studies
from diascope.serve.jobs.queue import Job, Queue
from diascope.serve.labelling.picturing import MADE_BY, described, places
from diascope.serve.service import Service
from diascope.serve.viewing.series import Opened, opened, series_by_id
from diascope.serve.viewing.windows import windows

if TYPE_CHECKING:
    from diascope.serve.jobs.worker import Context

KIND = "sketch"
PRIORITY = -30
"""Of the queue: after explanations and vectors of releases, for which somebody may wait."""
AT_ONCE = 20
"""Series that are described before others get their turn."""
KEPT = np.dtype("<f2")


def ask(connection: Connection, queue: Queue, project: str, key: str) -> None:
    """Have the series of a project described, in the caller's transaction.

    Args:
        connection: Of the transaction.
        queue: Of the service.
        project: Id.
        key: What for; the same is asked for once.
    """
    queue.put(connection, KIND, {"project": project}, key=f"{KIND}:{key}", project=project, priority=PRIORITY)


def ask_of_completed(connection: Connection, queue: Queue, project: str, number: int, revision: int) -> None:
    """The same for a series that became complete, where an open labelling may ask about it."""
    is_open = select(labellings.c.id).where(labellings.c.project_id == project, labellings.c.closed.is_(None))
    if connection.execute(is_open.limit(1)).first() is not None:
        ask(connection, queue, project, f"{number}:{revision}")


def describe(service: Service, context: Context, job: Job) -> None:
    """Describe what is not described yet, a few at a time; the job is given back until none is left.

    Raises:
        Stopped: When others are to have their turn.
    """
    with service.database.reading() as connection:
        wanted = connection.execute(_lacking(job.payload["project"]).limit(AT_ONCE)).all()
    for number, revision in wanted:
        context.check()
        vector = vector_of(service, number)
        service.database.change(
            lambda connection, one=(number, revision), vector=vector: _keep(connection, one, vector, service.clock())  # type: ignore[misc]
        )
    if len(wanted) == AT_ONCE:
        raise Stopped("others have their turn")
    context.done(job, {"described": len(wanted)})


def vector_of(service: Service, number: int) -> npt.NDArray[np.float64]:
    """What a series looks like (D,); empty where it can't be read.

    Args:
        service: That has it.
        number: Id of its row.
    """
    row = series_by_id(service, number)
    if row is None:
        return np.zeros(0)
    try:
        with opened(service, row) as shown:
            return _described(shown)
    except DataRefused:
        return np.zeros(0)


def _described(shown: Opened) -> npt.NDArray[np.float64]:
    """Of the part with the most frames, in the window that a viewer begins with."""
    part = max(range(1, len(shown.parts) + 1), key=lambda one: len(shown.part(one).slices))
    frames = shown.part(part)
    some = [shown.read(part, range(one, one + 1))[0] for one in places(len(frames.slices))]
    sent = shown.attributes.get(frames.slices[len(frames.slices) // 2].instance.sop_uid, {})
    return described(some, windows(frames, sent, some[len(some) // 2])[0])


def _lacking(project: str) -> Select[Any]:
    """Complete series of a project that are not described as they are now."""
    query = select(series.c.id, series.c.revision).join(studies, studies.c.id == series.c.study_id)
    query = query.join(descriptors, descriptors.c.series_id == series.c.id, isouter=True)
    old = or_(
        descriptors.c.series_id.is_(None),
        descriptors.c.revision != series.c.revision,
        descriptors.c.made_by != MADE_BY,
    )
    mine = (studies.c.project_id == project) & series.c.completed.is_not(None) & series.c.made.is_(False)
    return query.where(mine, old).order_by(series.c.id)


def _keep(connection: Connection, one: tuple[int, int], vector: npt.NDArray[np.float64], now: float) -> None:
    """In the place of an older one; nothing where the series was deleted meanwhile."""
    number, revision = one
    there = select(series.c.id).where(series.c.id == number).with_for_update()
    if connection.execute(there).first() is None:
        return
    connection.execute(delete(descriptors).where(descriptors.c.series_id == number))
    row = {"series_id": number, "revision": revision, "made_by": MADE_BY, "at": now}
    connection.execute(insert(descriptors).values(**row, vector=vector.astype(KEPT).tobytes()))
