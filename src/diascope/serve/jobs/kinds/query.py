"""query: studies that a peer has. What is searched for and what is found name patients: both are kept sealed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from diascope.privacy.sealing import Sealer
from diascope.serve.jobs.kinds.echo import asked, asker
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.outgoing.parcel import Peer
from diascope.serve.service import Service

TRIES = 1
LANE = "sending"
SEALED = "sealed"
"""Field of the payload and of the result."""

MOST = 1000
"""Studies of an answer."""

Query = Callable[[Service, Peer, Mapping[str, str], int, str], Sequence[Mapping[str, str]]]


def run(service: Service, job: Job, context: Context) -> None:
    """Ask the peer of the payload.

    Raises:
        DataRefused: When there is no such peer, or nothing here can ask one of its kind.
        DiascopeError: When it does not answer; says why.
    """
    peer = asked(service, job.payload["peer"])
    query: Query = asker(peer.kind, "query")
    found = list(query(service, peer, opened(service, job.payload), MOST + 1, job.by))
    kept = sealed(service, found[:MOST])
    context.done(job, {"count": len(found[:MOST]), "more": len(found) > MOST, **kept})


def sealed(service: Service, content: Any) -> dict[str, str]:
    """Something that names patients, as it stands in a job."""
    text = json.dumps(content, ensure_ascii=False).encode()
    return {SEALED: base64.b64encode(Sealer(service.keys, "queries").seal(text, "query")).decode()}


def opened(service: Service, content: Mapping[str, Any]) -> Any:
    """What `sealed` made.

    Raises:
        Tampered: When it was changed.
    """
    return json.loads(Sealer(service.keys, "queries").open(base64.b64decode(content[SEALED]), "query"))
