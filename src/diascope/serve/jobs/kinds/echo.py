"""echo: whether a peer answers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from diascope.core.errors import DataRefused
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.outgoing.parcel import Peer
from diascope.serve.peers import peer_of
from diascope.serve.service import Service

TRIES = 1
LANE = "sending"

ASKERS = {"dimse": "diascope.serve.dimse.asking"}
"""Kind of peer to the module with `echo(service, peer)` and `query(service, peer, keys, most, by)`."""

Echo = Callable[[Service, Peer], Mapping[str, Any]]


def run(service: Service, job: Job, context: Context) -> None:
    """Ask the peer of the payload.

    Raises:
        DataRefused: When there is no such peer, or nothing here can ask one of its kind.
        DiascopeError: When it does not answer; says why.
    """
    peer = asked(service, job.payload["peer"])
    echo: Echo = asker(peer.kind, "echo")
    context.done(job, echo(service, peer))


def asked(service: Service, peer: str) -> Peer:
    """A peer that is in service.

    Raises:
        DataRefused: When it is not.
    """
    with service.database.reading() as connection:
        found = peer_of(connection, peer)
    if not found.enabled:
        raise DataRefused("the peer is not in service", given=found.name)
    return Peer(found.id, found.name, found.kind, found.settings, found.project)


def asker(kind: str, verb: str) -> Callable[..., Any]:
    """What asks a kind of peer.

    Raises:
        DataRefused: When nothing here can.
    """
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(ASKERS.get(kind, "")), verb)
    except (ImportError, ValueError, AttributeError) as error:
        raise DataRefused(f"nothing here can {verb} such a peer", given=kind) from error
    return found
