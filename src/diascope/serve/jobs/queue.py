"""The queue: jobs in the database, each with one worker at a time, retried with back-off, never lost and never doubled.

A worker has a job on a lease that it renews. When the worker dies the lease runs out and another takes the job. What a
job gives is written in the transaction that ends it, and only while the lease holds: a worker that was thought dead and
comes back writes nothing (A1, K1).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from diascope.core.errors import Conflict, DiascopeError, UnknownName
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import jobs

LEASE = 60.0
"""Seconds that a worker has a job without renewing it."""

TRIES = 5
"""How often a job is tried unless its kind says otherwise."""

FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0
"""Seconds before the second try, doubled for each further one."""

ENDED = ("done", "failed", "cancelled")


class LostLease(DiascopeError):
    """A worker that was too slow: the job is another's now."""


@dataclass(frozen=True)
class Job:
    """A job that a worker has.

    Args:
        id: Of the job.
        kind: Name of what is to be done.
        payload: Of the kind.
        project: Where it belongs.
        by: Who asked for it.
        attempt: From 1.
        worker: Who has it.
    """

    id: str
    kind: str
    payload: Mapping[str, Any]
    project: str
    by: str
    attempt: int
    worker: str


class Queue:
    """The jobs of one service.

    Args:
        database: The index.
        clock: Seconds since 1970.
        lease: Seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time, lease: float = LEASE) -> None:
        self.database, self.clock, self.lease = database, clock, lease

    def put(
        self,
        connection: Connection,
        kind: str,
        payload: Mapping[str, Any],
        *,
        key: str | None = None,
        project: str = "",
        by: str = "service",
        priority: int = 0,
    ) -> str:
        """Add a job in the caller's transaction.

        Args:
            connection: Of the transaction.
            kind: What is to be done.
            payload: JSON.
            key: The same key is the same job: it is added once.
            project: Where it belongs.
            by: Who asked.
            priority: Higher goes first.

        Returns:
            The job's id.
        """
        if key is not None:
            known = connection.execute(select(jobs.c.id).where(jobs.c.key == key)).scalar()
            if known is not None:
                return str(known)
        now, made = self.clock(), uuid.uuid4().hex
        row = {"id": made, "kind": kind, "key": key, "payload": dict(payload), "project_id": project, "by": by}
        connection.execute(
            insert(jobs).values(**row, state="queued", priority=priority, attempts=0, ready=now, created=now)
        )
        return made

    def claim(self, worker: str, kinds: Sequence[str] | None = None) -> Job | None:
        """Take the next job that is ready, or whose worker has died."""
        return self.database.change(lambda connection: self._claimed(connection, worker, kinds))

    def claim_like(self, job: Job, field: str, most: int) -> list[Job]:
        """Take further jobs of the same kind whose payload has the same value in a field.

        Args:
            job: Of this worker.
            field: Of the payload; its value is text.
            most: How many at most.
        """
        same = (jobs.c.kind == job.kind) & (jobs.c.payload[field].as_string() == str(job.payload[field]))

        def claimed(connection: Connection) -> list[Job]:
            found: list[Job] = []
            while len(found) < most and (one := self._claimed(connection, job.worker, None, same)) is not None:
                found.append(one)
            return found

        return self.database.change(claimed) if most > 0 else []

    def _claimed(
        self, connection: Connection, worker: str, kinds: Sequence[str] | None, only: Any = None
    ) -> Job | None:
        now = self.clock()
        waiting = (jobs.c.state == "queued") & (jobs.c.ready <= now)
        abandoned = (jobs.c.state == "running") & (jobs.c.lease < now)
        query = select(jobs).where(waiting | abandoned).order_by(jobs.c.priority.desc(), jobs.c.ready, jobs.c.created)
        if kinds is not None:
            query = query.where(jobs.c.kind.in_(kinds))
        if only is not None:
            query = query.where(only)
        row = connection.execute(query.limit(1).with_for_update(skip_locked=True)).mappings().first()
        if row is None:
            return None
        if row["cancelling"]:
            self._end(connection, row["id"], "cancelled")
            return self._claimed(connection, worker, kinds, only)
        attempt = row["attempts"] + 1
        connection.execute(
            update(jobs)
            .where(jobs.c.id == row["id"])
            .values(
                state="running", worker=worker, lease=now + self.lease, attempts=attempt, started=now, progress=None
            )
        )
        return Job(row["id"], row["kind"], row["payload"], row["project_id"], row["by"], attempt, worker)

    def waits(self, kinds: Sequence[str] | None = None) -> float | None:
        """Seconds until the next job is ready, 0 where one is; None where nothing waits."""
        query = select(jobs.c.ready).where(jobs.c.state == "queued").order_by(jobs.c.ready).limit(1)
        if kinds is not None:
            query = query.where(jobs.c.kind.in_(kinds))
        with self.database.reading() as connection:
            ready = connection.execute(query).scalar()
        return None if ready is None else max(0.0, ready - self.clock())

    def renew(self, job: Job) -> bool:
        """Keep a job; False where it was cancelled or another has it now, and the work should stop."""

        def renewed(connection: Connection) -> bool:
            values = {"lease": self.clock() + self.lease}
            kept = connection.execute(update(jobs).where(_held(job)).where(~jobs.c.cancelling).values(**values))
            return bool(kept.rowcount)

        return self.database.change(renewed)

    def stands(self, held: Sequence[Job]) -> set[str]:
        """Ids of those jobs that are still this worker's, and not to be stopped; nothing is written."""
        wanted = [job.id for job in held]
        with self.database.reading() as connection:
            query = select(jobs.c.id, jobs.c.worker, jobs.c.attempts)
            rows = connection.execute(
                query.where(jobs.c.id.in_(wanted) & (jobs.c.state == "running") & ~jobs.c.cancelling)
            ).all()
        mine = {(row.id, row.worker, row.attempts) for row in rows}
        return {job.id for job in held if (job.id, job.worker, job.attempt) in mine}

    def progress(self, job: Job, done: int, total: int, note: str = "") -> None:
        """Say how far it is."""
        values = {"progress": {"done": done, "total": total, "note": note}}
        self.database.change(lambda connection: connection.execute(update(jobs).where(_held(job)).values(**values)))

    def done(
        self, job: Job, result: Mapping[str, Any], work: Callable[[Connection], Mapping[str, Any] | None] | None = None
    ) -> None:
        """End a job; what follows from it is written in the same transaction.

        Args:
            job: Of this worker.
            result: JSON.
            work: Writes what the job gave; what it returns is added to the result.

        Raises:
            LostLease: When the job is another's now, or was cancelled; nothing was written.
        """

        def ended(connection: Connection) -> None:
            held = select(jobs.c.id).where(_held(job)).where(~jobs.c.cancelling).with_for_update()
            if connection.execute(held).first() is None:
                raise LostLease(f"job {job.id} is not this worker's any more", todo="Nothing was written")
            more = work(connection) if work is not None else None
            self._end(connection, job.id, "done", result={**result, **(more or {})}, error=None)

        self.database.change(ended)

    def failed(self, job: Job, error: DiascopeError, tries: int = TRIES) -> str:
        """Try again later, or give up.

        Args:
            job: Of this worker.
            error: Why it failed.
            tries: How often this kind is tried; 1 where trying again can't help.

        Returns:
            The state that it has now: `queued`, `failed`, `cancelled`, or `lost` where it is another's.
        """
        said = {"wrong": error.wrong, "given": None if error.given is None else str(error.given), "todo": error.todo}

        def ended(connection: Connection) -> str:
            row = connection.execute(select(jobs.c.cancelling).where(_held(job)).with_for_update()).first()
            if row is None:
                return "lost"
            if row.cancelling:
                self._end(connection, job.id, "cancelled", error=said)
                return "cancelled"
            if job.attempt >= tries:
                self._end(connection, job.id, "failed", error=said)
                return "failed"
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (job.attempt - 1))
            values = {"state": "queued", "ready": self.clock() + wait, "lease": None, "worker": "", "error": said}
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(**values))
            return "queued"

        return self.database.change(ended)

    def give_back(self, job: Job) -> str:
        """Let another worker do it, now and with as many tries as before; what was cancelled ends.

        Returns:
            The state that it has now: `queued`, `cancelled`, or `lost` where it is another's.
        """

        def given(connection: Connection) -> str:
            row = connection.execute(select(jobs.c.cancelling).where(_held(job)).with_for_update()).first()
            if row is None:
                return "lost"
            if row.cancelling:
                self._end(connection, job.id, "cancelled")
                return "cancelled"
            values = {"state": "queued", "lease": None, "worker": "", "attempts": job.attempt - 1}
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(**values))
            return "queued"

        return self.database.change(given)

    def cancel(self, connection: Connection, job_id: str) -> str:
        """Stop a job in the caller's transaction: at once where it waits, soon where it runs.

        Returns:
            `cancelled` or `cancelling`.

        Raises:
            UnknownName: When there is no such job.
            Conflict: When it has ended.
        """
        row = connection.execute(select(jobs.c.state).where(jobs.c.id == job_id).with_for_update()).first()
        if row is None:
            raise UnknownName("job", job_id, ())
        if row.state in ENDED:
            raise Conflict(f"the job has ended: {row.state}", given=job_id)
        if row.state == "queued":
            self._end(connection, job_id, "cancelled")
            return "cancelled"
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(cancelling=True))
        return "cancelling"

    def retry(self, connection: Connection, job_id: str) -> None:
        """Put a job back that has failed or was cancelled, in the caller's transaction; its tries begin anew.

        Raises:
            UnknownName: When there is no such job.
            Conflict: When it waits, runs or is done.
        """
        row = connection.execute(select(jobs.c.state).where(jobs.c.id == job_id).with_for_update()).first()
        if row is None:
            raise UnknownName("job", job_id, ())
        if row.state not in ("failed", "cancelled"):
            raise Conflict(f"the job has not failed: {row.state}", given=job_id)
        values = {"state": "queued", "attempts": 0, "cancelling": False, "ready": self.clock(), "ended": None}
        values |= {"error": None, "progress": None, "started": None}
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values))

    def recover(self) -> int:
        """Give back the jobs of workers that are known to be dead: on SQLite, all when the service starts."""

        def given_back(connection: Connection) -> int:
            values = {"state": "queued", "lease": None, "worker": ""}
            return connection.execute(update(jobs).where(jobs.c.state == "running").values(**values)).rowcount

        return self.database.change(given_back)

    def _end(self, connection: Connection, job_id: str, state: str, **values: Any) -> None:
        connection.execute(
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(state=state, ended=self.clock(), lease=None, worker="", **values)
        )


def _held(job: Job) -> Any:
    """Whether this very attempt still has it."""
    return (
        (jobs.c.id == job.id)
        & (jobs.c.state == "running")
        & (jobs.c.worker == job.worker)
        & (jobs.c.attempts == job.attempt)
    )
