"""route: which releases read a series that became complete."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from diascope.serve.database.tables import series, studies
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.labelling.describing import ask_of_completed
from diascope.serve.rules.asking import facts_of
from diascope.serve.rules.keeping import in_force, read_rules
from diascope.serve.rules.matching import Explained, explain
from diascope.serve.rules.rule import Rule
from diascope.serve.service import Service

TRIES = 200
"""A file of rules that is being mended is read again for hours."""

LANE = "reading"
PRIORITY = 10
"""Of the jobs that read."""


def run(service: Service, job: Job, context: Context) -> None:
    """Ask every rule about a series, and put one job `read` for each release that is to read it into the queue.

    Raises:
        BadUsage: When the file of rules is broken.
    """
    rules = read_rules(service.settings.rules) if service.settings.rules else []

    def work(connection: Connection) -> Mapping[str, Any]:
        return _routed(service, connection, job.payload, rules)

    context.done(job, {}, work)


def _routed(
    service: Service, connection: Connection, payload: Mapping[str, Any], of_file: Sequence[Rule]
) -> dict[str, Any]:
    query = select(series.c.revision, series.c.made, studies.c.project_id).join(
        studies, studies.c.id == series.c.study_id
    )
    row = connection.execute(query.where(series.c.id == payload["series"])).first()
    if row is None or row.made or row.revision != payload["revision"]:
        return {"skipped": "it was deleted, or a later revision is complete"}
    ask_of_completed(connection, service.queue, row.project_id, payload["series"], row.revision)
    rules = [*of_file, *in_force(connection, None)]
    said = explain(facts_of(connection, payload["series"]), rules)
    for label, matching in _by_release(said).items():
        wanted = {
            "release": label,
            "rule": ", ".join(one.rule.name for one in matching)[:128],
            "send": [{"peer": peer, "kinds": kinds} for peer, kinds in _sends(matching).items()],
        }
        digest = hashlib.sha256(label.encode()).hexdigest()[:16]
        key = f"read:{payload['series']}:{payload['revision']}:{digest}"
        whole = {**payload, **wanted}
        service.queue.put(connection, "read", whole, key=key, project=row.project_id, priority=PRIORITY)
    return {"rules": [one.to_json() for one in said]}


def _by_release(said: Sequence[Explained]) -> dict[str, list[Explained]]:
    """A release reads a series once, however many rules name it."""
    found: dict[str, list[Explained]] = {}
    for one in said:
        if one.matches:
            found.setdefault(one.rule.release, []).append(one)
    return found


def _sends(matching: Sequence[Explained]) -> dict[str, list[str]]:
    """Peer to kinds, each once."""
    sends: dict[str, list[str]] = {}
    for one in matching:
        for send in one.rule.send:
            kinds = sends.setdefault(send.peer, [])
            kinds += [kind for kind in send.kinds if kind not in kinds]
    return sends
