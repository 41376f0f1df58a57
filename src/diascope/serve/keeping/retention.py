"""Retention: a study that nothing was done to for so many days is deleted, a few at a time, each with an audit record.

Something was done to a study when an object of it arrived, a release answered, or a reader decided. One that is being
worked on stays: while a series is open, a job of it waits or runs, or a result of it was not sent yet.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, select

from diascope.serve.database.tables import deliveries, jobs, readings, results, series, studies
from diascope.serve.incoming.deleting import NoStudy, delete_study
from diascope.serve.service import Service

AT_ONCE = 50
"""Studies that one sweep deletes: the rest of the service has the database in between."""

LOOKED_AT = 20
"""Candidates for each study that is deleted: the oldest may be spared."""

ACTOR = "service"
REASON = "retention"
DAY = 86_400.0


class Retention:
    """Deletes what is old enough, from the oldest on.

    Args:
        service: With `retention_days` in its settings.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def sweep(self, most: int = AT_ONCE) -> int:
        """Delete studies.

        Args:
            most: How many at most.

        Returns:
            How many were deleted.

        Raises:
            DiascopeError: When a database or the archive does not answer; the rest stays for the next time.
        """
        days = self.service.settings.retention_days
        if days is None:
            return 0
        before, count = self.service.clock() - days * DAY, 0

        def spared(connection: Connection, study: Any) -> bool:
            return touched(connection, study, before)

        for uid in self._candidates(before, most):
            try:
                delete_study(self.service, uid, ACTOR, reason=REASON, unless=spared)
            except NoStudy:  # somebody deleted it, or did something to it, meanwhile
                continue
            count += 1
        return count

    def _candidates(self, before: float, most: int) -> list[str]:
        query = select(studies.c.uid, studies.c.id).where(studies.c.changed < before).where(_is_quiet(before))
        with self.service.database.reading() as connection:
            busy = _Busy(connection)
            rows = connection.execute(query.order_by(studies.c.changed, studies.c.id).limit(LOOKED_AT * most)).all()
            free = (row.uid for row in rows if not busy.names(connection, row.id, row.uid))
            return [uid for uid, _ in zip(free, range(most), strict=False)]


def touched(connection: Connection, study: Any, before: float) -> bool:
    """Whether something was done to a study since, or is to be done; asked in the transaction that would delete it.

    Args:
        connection: Of the transaction.
        study: Its row.
        before: Seconds since 1970.
    """
    query = select(studies.c.id).where(studies.c.id == study.id, studies.c.changed < before).where(_is_quiet(before))
    if connection.execute(query).first() is None:
        return True
    return _Busy(connection).names(connection, study.id, study.uid)


def _is_quiet(before: float) -> ColumnElement[bool]:
    """No series is open, no answer and no reading is younger, nothing waits to be sent."""
    of_study = results.c.study_id == studies.c.id
    open_series = exists().where(series.c.study_id == studies.c.id, series.c.due.is_not(None))
    answered = exists().where(of_study, results.c.answered >= before)
    read = exists().where(of_study, readings.c.result_id == results.c.id, readings.c.at >= before)
    unsent = exists().where(of_study, deliveries.c.result_id == results.c.id, deliveries.c.state == "waiting")
    return ~open_series & ~answered & ~read & ~unsent


class _Busy:
    """What unfinished jobs name: studies by UID, series and results by id."""

    FIELDS = ("study", "series", "result")

    def __init__(self, connection: Connection) -> None:
        query = select(jobs.c.payload).where(jobs.c.state.in_(("queued", "running")))
        self._named: dict[str, set[str]] = {name: set() for name in self.FIELDS}
        for payload in connection.execute(query).scalars():
            for name in self.FIELDS:
                if name in payload:
                    self._named[name].add(str(payload[name]))

    def names(self, connection: Connection, study_id: int, study_uid: str) -> bool:
        """Whether a job is about a study."""
        if study_uid in self._named["study"]:
            return True
        for table, name in ((series, "series"), (results, "result")):
            if self._named[name] and any(
                str(one) in self._named[name]
                for one in connection.execute(select(table.c.id).where(table.c.study_id == study_id)).scalars()
            ):
                return True
        return False
