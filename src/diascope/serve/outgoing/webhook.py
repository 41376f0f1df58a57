"""Webhooks: that there is a result, as JSON that names nobody, signed; whoever wants more asks for it with rights.

`Diascope-Signature: t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY` with the peer's token, which is never sent itself.
A receiver compares it, and refuses what is older than some minutes. What is sent again is the same event: its id is
made of the result and what a reader decided last.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

import httpx
from sqlalchemy import select

from diascope.core.errors import BadUsage, DiascopeError
from diascope.serve.database.tables import readings, results, series, studies
from diascope.serve.outgoing.answered import AGAIN
from diascope.serve.outgoing.destinations import client_for
from diascope.serve.outgoing.parcel import Parcel, Peer
from diascope.serve.outgoing.telling import Declined, NotDelivered
from diascope.serve.outgoing.told import verdict_told
from diascope.serve.peers import token_of
from diascope.serve.service import Service

SECONDS = 15.0
"""For each step of a delivery."""
SIGNATURE, EVENT = "Diascope-Signature", "Diascope-Event"
TOLD = ("concept", "code", "status")
"""Of each finding."""
AMENDED = ("status", "value", "unit", "drawing", "boxes")
"""Of what a reader says is right instead."""


def deliver(service: Service, peer: Peer, parcel: Parcel) -> None:
    """Tell a peer that there is a result.

    Raises:
        BadUsage: When the peer has no secret to sign with, or nothing may be sent there.
        NotDelivered: When it did not take it; sending again may help.
        Declined: When it does not want it.
    """
    post(service, peer, event_of(service, parcel))


def post(service: Service, peer: Peer, content: Mapping[str, Any]) -> None:
    """Send an event to a peer.

    Args:
        service: Whose settings and clock.
        peer: Who gets it.
        content: The event, with its `id`.

    Raises:
        BadUsage: When the peer has no secret to sign with, or nothing may be sent there.
        NotDelivered: When it did not take it; sending again may help.
        Declined: When it does not want it.
    """
    secret, url = token_of(service, peer.id, peer.settings), str(peer.settings["url"])
    if not secret:
        raise BadUsage("a webhook needs a token to sign with", given=peer.name, todo="Set one with the peer's settings")
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    headers = {
        "Content-Type": "application/json",
        SIGNATURE: signature(secret, int(service.clock()), body),
        EVENT: str(content["id"]),
    }
    with client_for(url, service.settings.send_to, SECONDS) as client:
        try:
            with client.stream("POST", url, content=body, headers=headers) as answer:  # its body is not read
                status = answer.status_code
        except httpx.HTTPError as error:
            raise NotDelivered(f"{peer.name} did not take the event", given=type(error).__name__) from None
    if status >= 500 or status in AGAIN:
        raise NotDelivered(f"{peer.name} could not take the event", given=status, todo="It is sent again later")
    if not 200 <= status < 300:
        raise Declined(peer.name, str(status))


def _decided(review: Any) -> dict[str, Any]:
    """What a reader decided, beside what was found; no words of the reader's own, who may name somebody in them."""
    if review is None:
        return {"verdict": None, "reason": "", "amended": {}, "added": []}
    amended = review.amended if isinstance(review.amended, dict) else {}
    typed = {name: one for name, one in amended.items() if isinstance(one, dict)}
    return {
        "verdict": verdict_told(review.verdict, review.added),
        "reason": review.reason,
        "amended": {name: {key: one[key] for key in AMENDED if key in one} for name, one in typed.items()},
        "added": [{key: one.get(key) for key in ("concept", "place", "drawing")} for one in review.added or ()],
    }


def signature(secret: str, at: int, body: bytes) -> str:
    """What the header says.

    Args:
        secret: That both sides know.
        at: Seconds since 1970.
        body: As it is sent.
    """
    return f"t={at},v1={hmac.digest(secret.encode(), f'{at}.'.encode() + body, 'sha256').hex()}"


def event_of(service: Service, parcel: Parcel) -> dict[str, Any]:
    """What is told: ids, the pseudonym's study, what was found, and where to read more; no identity.

    Raises:
        DiascopeError: When the result is gone.
    """
    columns = (
        results.c.id, results.c.release, results.c.state, results.c.revision, results.c.findings, results.c.answered,
        studies.c.uid.label("study"), series.c.uid.label("series"),
    )  # fmt: skip
    joined = select(*columns).join(studies, studies.c.id == results.c.study_id)
    joined = joined.join(series, series.c.id == results.c.series_id)
    decided = select(readings).where(readings.c.result_id == parcel.result)
    with service.database.reading() as connection:
        row = connection.execute(joined.where(results.c.id == parcel.result)).mappings().first()
        review = connection.execute(decided.order_by(readings.c.at.desc(), readings.c.id.desc()).limit(1)).first()
    if row is None:
        raise DiascopeError("the result was deleted", given=parcel.result)
    said = [one for one in row["findings"].get("findings", ()) if isinstance(one, dict)]
    return {
        "id": f"{row['id']}{f'-{review.id}' if review else ''}",
        "type": "result.reviewed" if review else "result.made",
        "result": row["id"],
        "study": row["study"],
        "series": row["series"],
        "revision": row["revision"],
        "release": row["release"],
        "state": row["state"],
        **_decided(review),
        "answered": row["answered"],
        "findings": [{name: one.get(name) for name in TOLD} for one in said],
        "read": f"/api/v1/findings/{row['id']}",
    }
