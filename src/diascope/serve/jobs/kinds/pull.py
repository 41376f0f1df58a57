"""pull: studies or series from a peer that has them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select

from diascope.core.errors import DataRefused
from diascope.serve.database.tables import peers
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.outgoing.parcel import Peer
from diascope.serve.service import Service

TRIES = 10
LANE = "sending"

PULLERS = {"dimse": "diascope.serve.dimse.fetching"}
"""Kind of peer to the module whose `pull(service, peer, wanted, by)` returns what arrived, as JSON."""

Pull = Callable[[Service, Peer, Mapping[str, Any], str], Mapping[str, Any]]


def run(service: Service, job: Job, context: Context) -> None:
    """Fetch what the payload names: `peer`, and the fields of the peer's kind (`study`, `series`).

    Raises:
        DataRefused: When there is no such peer.
        DiascopeError: When it did not give everything; another try may help.
    """
    with service.database.reading() as connection:
        row = connection.execute(select(peers).where(peers.c.id == job.payload["peer"])).first()
    if row is None or not row.enabled:
        raise DataRefused("the peer is not in service", given=job.payload["peer"])
    try:
        pull: Pull = importlib.import_module(PULLERS.get(row.kind, "")).pull
    except (ImportError, ValueError, AttributeError) as error:
        raise DataRefused("nothing here pulls from such a peer", given=row.kind) from error
    peer = Peer(row.id, row.name, row.kind, row.settings, row.project_id)
    context.done(job, pull(service, peer, job.payload, job.by))
