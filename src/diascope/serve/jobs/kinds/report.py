"""report: a signed report to one peer. A peer that is away is tried again for a day."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection

from diascope.core.errors import BadUsage, Conflict, DataRefused, DiascopeError
from diascope.serve.audit import Event
from diascope.serve.jobs.kinds import send
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.outgoing.telling import Declined
from diascope.serve.reporting import sending
from diascope.serve.service import Service

TRIES = send.TRIES
LANE = "sending"
NEVER = (Declined, BadUsage, DataRefused, Conflict)
"""What would be so again."""


def run(service: Service, job: Job, context: Context) -> None:
    """Send the report of a job.

    Raises:
        DiascopeError: When the peer did not take it; another try may help.
    """
    with service.database.reading() as connection:
        found = sending.looked_up(connection, job.payload)
    if isinstance(found, str):
        context.done(job, {"skipped": found}, lambda connection: _skipped(service, connection, job, found))
        return
    peer, signature = found
    try:
        sending.deliver(service, peer, signature, send.sender(peer.kind))
    except DiascopeError as error:
        if isinstance(error, NEVER):
            gave_up(service, job, context, error)
            return
        reason = f"try {job.attempt}: {error.wrong}"
        service.database.change(
            lambda connection: sending.note(connection, job.payload, "waiting", reason, service.clock())
        )
        raise
    context.done(job, {}, lambda connection: _settled(service, connection, job, "sent", ""))


def gave_up(service: Service, job: Job, context: Context, error: DiascopeError) -> None:
    """Say that the peer never got it."""
    service.database.change(lambda connection: _settled(service, connection, job, "failed", error.wrong))
    context.failed(job, error, 1)


def _skipped(service: Service, connection: Connection, job: Job, why: str) -> None:
    """Say that it is not sent; of one that was amended the addendum's own job says where the report is."""
    if why != sending.AMENDED:
        _settled(service, connection, job, "failed", why)


def _settled(service: Service, connection: Connection, job: Job, state: str, reason: str) -> None:
    sending.note(connection, job.payload, state, reason, service.clock())
    detail = {
        "signature": job.payload["signature"],
        "peer": job.payload["peer"],
        "try": job.attempt,
        "reason": reason[:200],
    }
    outcome: Literal["success", "failure"] = "success" if state == "sent" else "failure"
    event = Event("report.sent", "service", job.payload["study"], outcome, job.project, detail=detail)
    service.audit.append(connection, event)
