"""STOW-RS to a DICOMweb peer: one object of a result (PS3.18 10.5). A repeat is the same object."""

from __future__ import annotations

import json

import httpx

from diascope.serve.dicomweb.multipart import new_boundary, written
from diascope.serve.outgoing.answered import AGAIN, limited
from diascope.serve.outgoing.destinations import client_for
from diascope.serve.outgoing.parcel import Parcel, Peer
from diascope.serve.outgoing.telling import Declined, NotDelivered
from diascope.serve.peers import token_of
from diascope.serve.service import Service

SECONDS = 60.0
"""For each step of a delivery."""

MOST = 1 << 20
"""Bytes of an answer."""

DICOM, JSON = "application/dicom", "application/dicom+json"
FAILED, REASON = "00081198", "00081197"
"""FailedSOPSequence and FailureReason."""


def deliver(service: Service, peer: Peer, parcel: Parcel) -> None:
    """Store an object at a peer; returns when the peer has it.

    Raises:
        NotAllowed: When the settings do not allow its host.
        NotDelivered: When it did not take it; sending again may help.
        Declined: When it does not want it.
    """
    url, boundary = f"{str(peer.settings['url']).rstrip('/')}/studies", new_boundary()
    headers = {"Content-Type": f'multipart/related; type="{DICOM}"; boundary={boundary}', "Accept": JSON}
    with client_for(url, service.settings.send_to, SECONDS, token_of(service, peer.id, peer.settings)) as client:
        try:
            with client.stream("POST", url, content=_body(service, parcel, boundary), headers=headers) as answer:
                status, content = answer.status_code, limited(answer, peer.name, MOST)
        except httpx.HTTPError as error:
            raise NotDelivered(f"{peer.name} did not take the object", given=type(error).__name__) from None
    if status >= 500 or status in AGAIN - {409}:
        raise NotDelivered(f"{peer.name} could not take the object", given=status, todo="It is sent again later")
    if status not in (200, 202) or (reason := _failure(content)):
        raise Declined(peer.name, reason if status == 202 else str(status))


def _body(service: Service, parcel: Parcel, boundary: str) -> bytes:
    """Whole, so that its length is said: some servers take no chunks, and results are small."""
    return b"".join(written([(DICOM, service.archive.stream(parcel.key, parcel.sha256))], boundary))


def _failure(content: bytes) -> str:
    """The reason of the object's failure; "" where the peer names none. Nothing else of the answer is quoted."""
    try:
        failed = json.loads(content or b"{}").get(FAILED, {}).get("Value", [])
        return "" if not failed else f"0x{int(failed[0][REASON]['Value'][0]):04X}"
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return ""
