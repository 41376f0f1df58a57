"""send: one object or message of a result to one peer.

A peer that is away is tried again for a day. An object that was sent twice, because the answer was lost, is the same
object: its UID is made of the result's id (A14).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Literal

from sqlalchemy import Connection, select, update

from diascope.core.errors import BadUsage, DiascopeError
from diascope.serve.audit import Event
from diascope.serve.database.tables import deliveries, instances, peers, result_objects, results, studies
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.outgoing.parcel import Parcel, Peer
from diascope.serve.outgoing.telling import Declined
from diascope.serve.reading.keeping import OBJECTS
from diascope.serve.service import Service

TRIES = 300
"""With waits of at most five minutes: about a day."""

LANE = "sending"
SENDERS = {
    "dimse": "diascope.serve.dimse.delivering",
    "dicomweb": "diascope.serve.outgoing.stow",
    "mllp": "diascope.serve.outgoing.hl7",
    "fhir": "diascope.serve.outgoing.fhir",
    "webhook": "diascope.serve.outgoing.webhook",
}
"""Kind of peer to the module whose `deliver(service, peer, parcel)` returns when the peer has it."""

Deliver = Callable[[Service, Peer, Parcel], None]


def run(service: Service, job: Job, context: Context) -> None:
    """Send what a job says.

    Raises:
        DiascopeError: When the peer did not take it; another try may help.
    """
    with service.database.reading() as connection:
        found = _looked_up(connection, job)
    if isinstance(found, str):
        context.done(job, {"skipped": found}, lambda connection: _settled(service, connection, job, "failed", found))
        return
    peer, parcel = found
    try:
        sender(peer.kind)(service, peer, parcel)
    except DiascopeError as error:
        if isinstance(error, (Declined, BadUsage)):  # the same again would be declined again, or lacks a setting again
            gave_up(service, job, context, error)
            return
        reason = f"try {job.attempt}: {error.wrong}"
        service.database.change(lambda connection: _noted(service, connection, job, "waiting", reason))
        raise
    context.done(job, {}, lambda connection: _settled(service, connection, job, "sent", ""))


def gave_up(service: Service, job: Job, context: Context, error: DiascopeError) -> None:
    """Say that the peer never got it."""
    service.database.change(lambda connection: _settled(service, connection, job, "failed", error.wrong))
    context.failed(job, error, 1)


def sender(kind: str) -> Deliver:
    """What sends to a kind of peer.

    Raises:
        DiascopeError: When nothing here can.
    """
    name = SENDERS.get(kind, "")
    try:
        deliver: Deliver = importlib.import_module(name).deliver
    except (ImportError, ValueError, AttributeError) as error:
        raise DiascopeError("nothing here sends to such a peer", given=kind) from error
    return deliver


def _looked_up(connection: Connection, job: Job) -> tuple[Peer, Parcel] | str:
    """Peer and parcel, or why nothing is to be sent any more."""
    row = connection.execute(select(peers).where(peers.c.id == job.payload["peer"])).first()
    if row is None or not row.enabled:
        return "the peer is not in service any more"
    peer = Peer(row.id, row.name, row.kind, row.settings, row.project_id)
    query = select(results.c.superseded, studies.c.uid).join(studies, studies.c.id == results.c.study_id)
    result = connection.execute(query.where(results.c.id == job.payload["result"])).first()
    if result is None:
        return "the result was deleted"
    if result.superseded is not None:
        return "a later revision supersedes it"
    kind = job.payload["kind"]
    if kind not in OBJECTS:
        return peer, Parcel(job.payload["result"], kind, result.uid)
    wanted = (result_objects.c.result_id == job.payload["result"]) & (result_objects.c.kind == kind)
    columns = (instances.c.uid, instances.c.sop_class, instances.c.syntax, instances.c.key, instances.c.sha256)
    joined = select(*columns).join(result_objects, result_objects.c.instance_uid == instances.c.uid)
    one = connection.execute(joined.where(wanted)).first()
    if one is None:
        return "there is no such object"
    return peer, Parcel(job.payload["result"], kind, result.uid, *one)


def _noted(service: Service, connection: Connection, job: Job, state: str, reason: str) -> None:
    wanted: Any = (deliveries.c.result_id == job.payload["result"]) & (deliveries.c.kind == job.payload["kind"])
    wanted &= deliveries.c.peer_id == job.payload["peer"]
    values = {"state": state, "reason": reason[:2000], "at": service.clock()}
    connection.execute(update(deliveries).where(wanted).values(**values))


def _settled(service: Service, connection: Connection, job: Job, state: str, reason: str) -> None:
    _noted(service, connection, job, state, reason)
    detail = {"kind": job.payload["kind"], "peer": job.payload["peer"], "try": job.attempt, "reason": reason[:200]}
    outcome: Literal["success", "failure"] = "success" if state == "sent" else "failure"
    event = Event("result.sent", "service", job.payload["result"], outcome, job.project, detail=detail)
    service.audit.append(connection, event)
