"""When a series is complete: after a quiet time, or at the number that its sender announced (decision 0016).

DICOM does not say. Each completion has a revision; a late slice sets the series due again, and makes the next one.
"""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from diascope.core.errors import DiascopeError
from diascope.serve.database.tables import changes, instances, results, series, studies
from diascope.serve.jobs.queue import Queue
from diascope.serve.service import Service

EVERY = 0.2
"""Seconds between two looks while something is due soon."""

AT_ONCE = 200
"""Series in one transaction: the longer it is, the longer those wait that receive."""

ROUTE_PRIORITY = 20
"""Routing takes milliseconds, and reading waits for it."""

AFTER_TROUBLE = 2.0
"""Seconds before the next look when the database did not answer."""


class Completing:
    """Looks for series that became complete.

    Args:
        service: Whose.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def sweep(self) -> int:
        """Mark what is complete, and put a job `route` for each into the queue; returns how many there were.

        Raises:
            Unavailable: When the database does not answer.
        """
        with self.service.database.reading() as connection:  # costs nothing where nothing is due
            if connection.execute(_complete(self.service.clock(), 1)).first() is None:
                return 0
        count = self.service.database.change(self._mark)
        if count:
            self.service.stirred.set()
        return count

    def _mark(self, connection: Connection) -> int:
        now = self.service.clock()
        # Locked on PostgreSQL, where a slice may arrive in the same moment: it waits, and sets the series due again.
        query = _complete(now, AT_ONCE).with_for_update(of=series, skip_locked=True)
        found = connection.execute(query).mappings().all()
        for row in found:
            completed(connection, self.service.queue, row, now)
        return len(found)

    def start(self) -> None:
        """Look again and again in a thread, until `stop`."""
        self._thread = threading.Thread(target=self._run, name="completing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            wait = EVERY
            try:
                if self.sweep() >= AT_ONCE:
                    continue
            except DiascopeError:  # the database is away: what is due stays due
                wait = AFTER_TROUBLE
            self._stop.wait(wait)


def read_again(connection: Connection, queue: Queue, series_id: int, now: float) -> bool:
    """Make the next revision of a series that is complete, so that it is routed and read anew.

    Returns:
        False where there is no such series, or more of it is expected, or it is our own.
    """
    row = connection.execute(_columns().where(series.c.id == series_id)).mappings().first()
    if row is None or row["made"] or row["completed"] is None or row["due"] is not None:
        return False
    completed(connection, queue, row, now)
    return True


def completed(connection: Connection, queue: Queue, row: Any, now: float) -> None:
    """Give a series its next revision in the caller's transaction, and put its route into the queue.

    What was said about the earlier ones is superseded now, and not when the next answer comes: it is stale.

    Args:
        connection: Of the transaction.
        queue: Of the service.
        row: `id, uid, study_uid, project_id, made, revision` of the series.
        now: Seconds since 1970.
    """
    revision = row["revision"] + 1
    values = {"completed": now, "revision": revision, "due": None}
    connection.execute(update(series).where(series.c.id == row["id"]).values(**values))
    stale = (results.c.series_id == row["id"]) & results.c.superseded.is_(None)
    connection.execute(update(results).where(stale).values(superseded=now))
    change = {"kind": "series_completed", "study_uid": row["study_uid"], "series_uid": row["uid"], "at": now}
    connection.execute(insert(changes).values(instance_uid="", **change))
    if not row["made"]:
        payload = {"series": row["id"], "revision": revision, "completed": now}
        key = f"route:{row['id']}:{revision}"
        queue.put(connection, "route", payload, key=key, project=row["project_id"], priority=ROUTE_PRIORITY)


def _columns() -> Any:
    chosen = (series.c.id, series.c.uid, series.c.made, series.c.revision, series.c.completed, series.c.due)
    return select(*chosen, studies.c.uid.label("study_uid"), studies.c.project_id).join(
        studies, studies.c.id == series.c.study_id
    )


def _complete(now: float, most: int) -> Any:
    there = select(func.count()).where(instances.c.series_id == series.c.id).scalar_subquery()
    whole = series.c.expected.is_not(None) & (there >= series.c.expected)
    query = _columns().where(series.c.due.is_not(None), (series.c.due <= now) | whole)
    return query.order_by(series.c.due).limit(most)
