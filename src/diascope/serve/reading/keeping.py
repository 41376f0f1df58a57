"""The rows of a result: written in the transaction that ends its job, once, however often the job ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, insert, select, update

from diascope.core.errors import DiascopeError
from diascope.core.evaluation import Release
from diascope.core.finding import Finding, Findings
from diascope.serve.audit import Event
from diascope.serve.database.tables import deliveries, peers, result_objects, results, series, studies
from diascope.serve.explaining.vectors import keep_features
from diascope.serve.incoming.storing import Arrival, store_in
from diascope.serve.reading.checking import CrossWired
from diascope.serve.reading.question import Question
from diascope.serve.reading.served import must_be_served
from diascope.serve.reading.suggestion import suggestion
from diascope.serve.service import Service

OBJECTS = ("seg", "sr", "sc", "pdf")
MESSAGES = ("oru", "fhir", "webhook")
"""Kinds that carry findings and no object: also that they are not available."""
REPORT, UNSIGNED = "report", "unsigned"
"""The report of the study, and the state of its delivery until a reader signs: see `reporting/sending.py`."""

SEND_PRIORITY = 5
LONGEST = 2000
"""Characters of a reason."""


@dataclass(frozen=True)
class Result:
    """What is to be kept.

    Args:
        id: Of the result.
        seal: Of the release; "" where it could not be opened.
        state: Whether it was answered.
        reason: Why not.
        findings: Each abstains where it was not.
        objects: Kind to what is to be indexed.
        features: What the encoder made of the series; None where nothing was asked.
        distance: Of the input from the training cases; None where the release measures none.
    """

    id: str
    seal: str
    state: Literal["answered", "unavailable"]
    findings: Findings
    reason: str = ""
    objects: Mapping[str, Arrival] = field(default_factory=dict)
    features: npt.NDArray[np.float32] | None = None
    distance: float | None = None


def unavailable(question: Question, reason: str, created: str, release: Release | None) -> Findings:
    """What is said where nothing could be asked; `release` is None where it could not be opened."""
    target = release.target if release is not None else None
    names = [label.name for label in target.labels] or [target.name] if target is not None else [question.release]
    said = f"not available, because {reason}"
    return Findings(
        release=f"{release.label} {release.seal[:16]}" if release is not None else question.release,
        signed_by=release.signed_by if release is not None else None,
        signature="signed" if release is not None and release.signed_by else "unsigned",
        task=release.task if release is not None else "unknown",
        case=f"series {question.series}",
        inputs={"image": tuple(source.uid for source in question.sources)},
        backend="none",
        created=created,
        findings=tuple(Finding(concept=name, status="abstained", reason=said) for name in names),
    )


def keep(service: Service, connection: Connection, question: Question, result: Result) -> dict[str, Any]:
    """Write a result, its objects, and what is to be sent where.

    Returns:
        For the job: id and state of the result, and what can't be sent.

    Raises:
        NotServed: When the release was withdrawn meanwhile.
        CrossWired: When an object does not belong where its source does.
    """
    there = select(results.c.id).where(
        results.c.series_id == question.series,
        results.c.revision == question.revision,
        results.c.release == question.release,
    )
    if (known := connection.execute(there).scalar()) is not None:
        return {"result": known, "again": True}
    current = select(series.c.revision).where(series.c.id == question.series).with_for_update()
    revision = connection.execute(current).scalar()
    if revision is None:
        return {"skipped": "it was deleted"}
    if result.state == "answered":
        must_be_served(connection, question.release)
    now, stale = service.clock(), revision != question.revision
    connection.execute(insert(results).values(**_row(question, result, now, stale)))
    if result.features is not None:
        keep_features(connection, result.id, (question.release, result.seal), result.features, now)
    index(service, connection, result.id, result.objects)
    unsent = [] if stale else _sent(service, connection, question, result)
    service.audit.append(connection, _event(question, result, now))
    return {"result": result.id, "state": result.state, "unsent": unsent}


def _row(question: Question, result: Result, now: float, stale: bool) -> dict[str, Any]:
    return {
        "id": result.id,
        "study_id": question.study,
        "series_id": question.series,
        "revision": question.revision,
        "release": question.release,
        "seal": result.seal,
        "rule": question.rule,
        "state": result.state,
        "reason": result.reason[:LONGEST],
        "findings": (said := result.findings.to_json()),
        **suggestion(result.state, said),
        "distance": result.distance,
        "completed": question.completed,
        "answered": now,
        "superseded": now if stale else None,
        "job_id": question.job.id,
    }


def index(service: Service, connection: Connection, result: str, arrivals: Mapping[str, Arrival]) -> None:
    """Write the rows of the objects of a result; an earlier object of a kind stays in the archive, and is its no more.

    Raises:
        CrossWired: When one does not belong where its source does.
    """
    outcomes = store_in(service, connection, list(arrivals.values()))
    for (kind, arrival), outcome in zip(arrivals.items(), outcomes, strict=True):
        if outcome.status not in ("stored", "same"):
            raise CrossWired(f"the {kind} can't lie where its source does: {outcome.wrong}")
        earlier = (result_objects.c.result_id == result) & (result_objects.c.kind == kind)
        connection.execute(delete(result_objects).where(earlier))
        uid = arrival.facts["sop_uid"]
        connection.execute(insert(result_objects).values(result_id=result, kind=kind, instance_uid=uid))


def forget(service: Service, connection: Connection, result: str, kind: str, why: str) -> None:
    """Say that a result has no object of a kind any more: the object stays in the archive, its deliveries say why.

    Args:
        service: Whose clock.
        connection: The caller's transaction.
        result: Id.
        kind: Of `OBJECTS`.
        why: For whoever looks at the deliveries.
    """
    mine = (result_objects.c.result_id == result) & (result_objects.c.kind == kind)
    connection.execute(delete(result_objects).where(mine))
    sent = (deliveries.c.result_id == result) & (deliveries.c.kind == kind)
    values = {"state": "failed", "reason": why, "at": service.clock()}
    connection.execute(update(deliveries).where(sent).values(**values))


def send_again(service: Service, connection: Connection, result: str, kinds: Sequence[str], by: str) -> None:
    """Send what was sent of a result once more, to peers that are in service.

    Args:
        service: Whose queue.
        connection: The caller's transaction.
        result: Id.
        kinds: Which of it.
        by: Who asked for it.
    """
    query = select(deliveries, studies.c.project_id).join(peers, peers.c.id == deliveries.c.peer_id)
    query = query.join(results, results.c.id == deliveries.c.result_id).join(
        studies, studies.c.id == results.c.study_id
    )
    told = (deliveries.c.result_id == result) & deliveries.c.kind.in_(kinds) & peers.c.enabled
    for row in connection.execute(query.where(told)).all():
        values = {"state": "waiting", "reason": "", "at": service.clock()}
        connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(**values))
        payload = {"result": result, "kind": row.kind, "peer": row.peer_id}
        service.queue.put(connection, "send", payload, project=row.project_id, by=by, priority=SEND_PRIORITY)


def _sent(service: Service, connection: Connection, question: Question, result: Result) -> list[str]:
    """Put what goes to peers into the queue; returns what can't be sent, and why."""
    unsent: list[str] = []
    for name, kinds in question.sends.items():
        peer = connection.execute(select(peers.c.id).where(peers.c.name == name, peers.c.enabled)).scalar()
        if peer is None:
            unsent.append(f"{', '.join(kinds)}: there is no peer {name!r} in service")
            continue
        for kind in kinds:
            if kind == REPORT:
                row = {"result_id": result.id, "kind": kind, "peer_id": peer, "state": UNSIGNED}
                connection.execute(insert(deliveries).values(**row, at=service.clock()))
                continue
            if kind not in result.objects and kind not in MESSAGES:
                unsent.append(f"{kind} to {name}: there is none of this result")
                continue
            row = {"result_id": result.id, "kind": kind, "peer_id": peer}
            connection.execute(insert(deliveries).values(**row, state="waiting", at=service.clock()))
            key = f"send:{result.id}:{kind}:{peer}"
            payload = {"result": result.id, "kind": kind, "peer": peer}
            service.queue.put(connection, "send", payload, key=key, project=question.project, priority=SEND_PRIORITY)
    return unsent


def _event(question: Question, result: Result, now: float) -> Event:
    return Event(
        action="prediction.made",
        actor="service",
        object=result.id,
        outcome="success" if result.state == "answered" else "failure",
        project=question.project,
        detail={
            "study": question.study_uid,
            "series": question.series_uid,
            "revision": question.revision,
            "release": question.release,
            "seal": result.seal,
            "state": result.state,
            "objects": sorted(result.objects),
            "milliseconds": round(1000 * (now - question.completed)),
        },
    )


def discard(service: Service, arrivals: Mapping[str, Arrival]) -> None:
    """Remove objects that no row names; where this fails too, the sweep of the archive does it."""
    for arrival in arrivals.values():
        try:
            service.archive.delete(arrival.stored.key)
        except DiascopeError:
            return
