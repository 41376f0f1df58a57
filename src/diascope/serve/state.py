"""The state of the service: what works, what does not and why, without asking anything that may hang."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from diascope.core.errors import DiascopeError
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import jobs, peers, served
from diascope.serve.service import Service

LATE = 300.0
"""Seconds that a job may wait before it is said that nobody works."""


@dataclass(frozen=True)
class Reason:
    """Something that does not work.

    Args:
        part: Of the service.
        why: In plain English; no identities, no passwords.
        stops: Whether nothing should be sent to the service meanwhile; else it goes on with less.
    """

    part: str
    why: str
    stops: bool


def reasons(service: Service) -> list[Reason]:
    """Everything that does not work now."""
    found = [Reason(part, why, stops=False) for part, why in sorted(service.troubles.items())]
    return [*_databases(service), *_archive(service), *_jobs(service), *found]


def counted(service: Service) -> dict[str, Any]:
    """Numbers of jobs by state, of peers and releases.

    Raises:
        Unavailable: When the index does not answer.
    """
    with service.database.reading() as connection:
        by_state = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
        workers = select(jobs.c.worker).where((jobs.c.state == "running") & (jobs.c.worker != "")).distinct()
        return {
            "jobs": {state: count for state, count in by_state},
            "workers": sorted(connection.execute(workers).scalars()),
            "peers": {row.name: row.enabled for row in connection.execute(select(peers.c.name, peers.c.enabled))},
            "releases": {row.release: row.state for row in connection.execute(select(served))},
        }


def _databases(service: Service) -> Iterator[Reason]:
    for name, database in (("index", service.database), ("identities", service.identities.database)):
        if why := _broken(database):
            yield Reason(name, why, stops=True)


def _broken(database: Database) -> str:
    try:
        with database.reading() as connection:
            connection.execute(select(1))
    except DiascopeError as error:
        return error.wrong
    return ""


def _archive(service: Service) -> Iterator[Reason]:
    if service.archive.degraded:
        yield Reason("archive", service.archive.degraded, stops=True)
    free = service.archive.free_bytes()
    if free is not None and free < service.settings.keep_free_gb * 1e9:
        yield Reason("archive", f"{free / 1e9:.2f} GB are free, less than keep_free_gb: nothing is stored", stops=True)


def _jobs(service: Service) -> Iterator[Reason]:
    late = service.clock() - LATE
    try:
        with service.database.reading() as connection:
            waiting = (jobs.c.state == "queued") & (jobs.c.ready < late)
            count = connection.execute(select(func.count()).select_from(jobs).where(waiting)).scalar() or 0
    except DiascopeError:  # told as the index's
        return
    if count:
        yield Reason("workers", f"{count} jobs have waited for more than {LATE / 60:.0f} min", stops=False)
