"""A signed report to the peers that the rules of its results named: never a draft, never one that was amended since.

A rule names the kind `report`; the delivery of each of its results then waits as `unsigned`. Signing puts one job for
each peer into the queue. What the peer gets depends on its kind: a DICOM node and a DICOMweb server the SR and the PDF
as objects, which are kept in the archive; an HL7 engine an ORU; a FHIR server a DiagnosticReport; a webhook that there
is a report.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from diascope.core.errors import DataRefused
from diascope.formats.dicomio.decoder import decoder
from diascope.serve.database.room_tables import signatures
from diascope.serve.database.tables import deliveries, instances, peers, results
from diascope.serve.incoming.storing import Arrival, Origin, store_in
from diascope.serve.outgoing import fhir, hl7, webhook
from diascope.serve.outgoing.parcel import Parcel, Peer
from diascope.serve.reading.keeping import REPORT, SEND_PRIORITY, discard
from diascope.serve.reporting import exporting, signing
from diascope.serve.reporting.exporting import Leaving
from diascope.serve.service import Service

Deliver = Callable[[Service, Peer, Parcel], None]
OBJECTS: Mapping[str, Callable[[Leaving], bytes]] = {
    "report-sr": exporting.as_sr,
    "report-pdf": exporting.as_document,
}
"""Kind of object to what writes it."""
AMENDED = "an addendum was signed since: that one is sent"


def put(service: Service, connection: Connection, signature: str, by: str) -> None:
    """Put a signed report on its way to every peer that a rule of a result that counts named.

    Args:
        service: Whose queue.
        connection: The transaction that signs.
        signature: Id.
        by: Who signed.
    """
    row = connection.execute(signing.signed().where(signatures.c.id == signature)).mappings().one()
    counting = select(results.c.id).where(results.c.study_id == row["study_id"], results.c.superseded.is_(None))
    mine = (deliveries.c.kind == REPORT) & deliveries.c.result_id.in_(counting)
    named = select(deliveries.c.peer_id, deliveries.c.result_id).join(peers, peers.c.id == deliveries.c.peer_id)
    wanted: dict[str, list[str]] = {}
    for one in connection.execute(named.where(mine, peers.c.enabled).order_by(deliveries.c.id)):
        wanted.setdefault(one.peer_id, []).append(one.result_id)
    for peer, of in wanted.items():
        payload = {"signature": signature, "study": row["study"], "peer": peer, "results": of}
        note(connection, payload, "waiting", "", service.clock())
        key = f"report:{signature}:{peer}"
        service.queue.put(connection, "report", payload, key=key, project=row["project"], by=by, priority=SEND_PRIORITY)


def note(connection: Connection, payload: Mapping[str, Any], state: str, reason: str, at: float) -> None:
    """Write where the delivery of a job `report` is."""
    mine = (deliveries.c.kind == REPORT) & (deliveries.c.peer_id == payload["peer"])
    mine &= deliveries.c.result_id.in_(payload["results"])
    connection.execute(update(deliveries).where(mine).values(state=state, reason=reason[:2000], at=at))


def looked_up(connection: Connection, payload: Mapping[str, Any]) -> tuple[Peer, RowMapping] | str:
    """The peer and the signature of a job `report`, or why nothing is to be sent any more."""
    row = connection.execute(select(peers).where(peers.c.id == payload["peer"])).first()
    if row is None or not row.enabled:
        return "the peer is not in service any more"
    query = signing.signed().where(signatures.c.id == payload["signature"])
    signature = connection.execute(query).mappings().first()
    if signature is None:
        return "the study was deleted"
    if not signature["counts"]:
        return AMENDED
    return Peer(row.id, row.name, row.kind, row.settings, row.project_id), signature


def deliver(service: Service, peer: Peer, signature: RowMapping, as_object: Deliver) -> None:
    """Give a peer a signed report; returns when it has it.

    Args:
        service: Whose.
        peer: Who gets it.
        signature: The row, with `study`.
        as_object: Sends one object to such a peer.

    Raises:
        DiascopeError: When the peer did not take it, or nobody knows whose the study is.
    """
    if peer.kind == "webhook":
        webhook.post(service, peer, event_of(signature))
        return
    one = exporting.leaving(service, signature)
    if peer.kind == "mllp":
        from diascope.serve.reporting.oru import message_of  # highdicom takes seconds to import

        hl7.post(service, peer, message_of(one))
    elif peer.kind == "fhir":
        fhir.post(service, peer, json.loads(exporting.as_fhir(one)))
    else:
        for parcel in _kept(service, one):
            as_object(service, peer, parcel)


def event_of(signature: RowMapping) -> dict[str, Any]:
    """What a webhook is told: ids, and where to read more; no identity, and nothing that the reader wrote."""
    return {
        "id": signature["id"],
        "type": "report.signed",
        "signature": signature["id"],
        "study": signature["study"],
        "language": signature["language"],
        "addendum": signature["report"]["addendum"] or None,
        "results": [one["id"] for one in signature["report"]["results"]],
        "at": signature["at"],
        "read": f"/api/v1/signatures/{signature['id']}",
    }


def _kept(service: Service, one: Leaving) -> list[Parcel]:
    """The objects of a report in the archive: written once, and the same ones each time."""
    arrivals = {kind: _arrival(service, one, write(one)) for kind, write in OBJECTS.items()}
    stored: list[str] = []

    def work(connection: Connection) -> None:
        stored.clear()  # it may run twice
        for kind, outcome in zip(arrivals, store_in(service, connection, list(arrivals.values())), strict=True):
            if outcome.status not in ("stored", "same"):
                raise DataRefused(f"the {kind} can't be kept with its study", given=outcome.wrong)
            stored.extend([kind] if outcome.status == "stored" else [])

    try:
        service.database.change(work)
    finally:
        discard(service, {kind: arrival for kind, arrival in arrivals.items() if kind not in stored})
    uids = {arrival.facts["sop_uid"]: kind for kind, arrival in arrivals.items()}
    columns = (instances.c.uid, instances.c.sop_class, instances.c.syntax, instances.c.key, instances.c.sha256)
    with service.database.reading() as connection:
        rows = connection.execute(select(*columns).where(instances.c.uid.in_(uids)).order_by(instances.c.id)).all()
    return [Parcel("", uids[row.uid], one.signature["study"], *row) for row in rows]


def _arrival(service: Service, one: Leaving, content: bytes) -> Arrival:
    with tempfile.TemporaryDirectory(prefix="diascope-report-") as folder:
        path = Path(folder) / "report.dcm"
        path.write_bytes(content)
        facts: dict[str, Any] = decoder().index(path)
    origin = Origin(actor="service", address="", project=one.signature["project"], made=True)
    return Arrival(facts, service.archive.put(content), origin, {"signature": one.signature["id"]})
