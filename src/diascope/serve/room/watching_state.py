"""How the service is doing: what waits, what failed, free space, and whether results reach their peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from diascope.serve.database.tables import deliveries, jobs, peers, results, studies


@dataclass(frozen=True)
class Queued:
    """Jobs.

    Args:
        states: State to how many.
        oldest: Seconds that the job that has been ready longest has waited; None where none waits.
        failed: Kind of the jobs that failed to how many.
    """

    states: Mapping[str, int]
    oldest: float | None
    failed: Mapping[str, int]


@dataclass(frozen=True)
class Peer:
    """A peer and what was sent to it.

    Args:
        name: Of the peer.
        kind: dimse, dicomweb, mllp, fhir, webhook.
        enabled: Whether it is in service.
        states: State of its deliveries to how many: waiting, sent, failed.
        last: Seconds since 1970 of the newest that was sent; None without any.
        failure: Why the newest one that failed did; "" without any.
    """

    name: str
    kind: str
    enabled: bool
    states: Mapping[str, int]
    last: float | None
    failure: str


def queue(connection: Connection, mine: ColumnElement[bool], now: float) -> Queued:
    """The jobs that somebody may see.

    Args:
        connection: Of the index.
        mine: Condition on `jobs`.
        now: Seconds since 1970.
    """
    states = connection.execute(select(jobs.c.state, func.count()).where(mine).group_by(jobs.c.state))
    waiting = select(func.min(jobs.c.ready)).where(mine, jobs.c.state == "queued")
    ready = connection.execute(waiting).scalar()
    broken = select(jobs.c.kind, func.count()).where(mine, jobs.c.state == "failed").group_by(jobs.c.kind)
    failed = connection.execute(broken.order_by(jobs.c.kind))
    counts, kinds = ({name: many for name, many in found} for found in (states, failed))
    return Queued(counts, None if ready is None else max(0.0, now - ready), kinds)


def delivered(connection: Connection, mine: ColumnElement[bool]) -> list[Peer]:
    """Every peer by name, with the deliveries of results that somebody may see.

    Args:
        connection: Of the index.
        mine: Condition on `studies`.
    """
    joined = (
        select(deliveries.c.peer_id, deliveries.c.state, func.count(), func.max(deliveries.c.at))
        .join(results, results.c.id == deliveries.c.result_id)
        .join(studies, studies.c.id == results.c.study_id)
        .where(mine)
        .group_by(deliveries.c.peer_id, deliveries.c.state)
    )
    counts: dict[str, dict[str, tuple[int, float]]] = {}
    for peer, state, many, at in connection.execute(joined):
        counts.setdefault(peer, {})[state] = (many, at)
    rows = connection.execute(select(peers.c.id, peers.c.name, peers.c.kind, peers.c.enabled).order_by(peers.c.name))
    found = []
    for row in rows.all():
        states = counts.get(row.id, {})
        failure = _failure(connection, mine, row.id) if "failed" in states else ""
        last = states["sent"][1] if "sent" in states else None
        plain = {state: many for state, (many, _) in states.items()}
        found.append(Peer(row.name, row.kind, row.enabled, plain, last, failure))
    return found


def _failure(connection: Connection, mine: ColumnElement[bool], peer: str) -> str:
    query = (
        select(deliveries.c.reason)
        .join(results, results.c.id == deliveries.c.result_id)
        .join(studies, studies.c.id == results.c.study_id)
        .where(mine, deliveries.c.peer_id == peer, deliveries.c.state == "failed")
        .order_by(deliveries.c.at.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or ""
