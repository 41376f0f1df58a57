"""FHIR transactions over HTTP. Nothing of what a server answers is quoted: it may name the patient."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from diascope.serve.outgoing.answered import AGAIN, limited
from diascope.serve.outgoing.telling import Declined, NotDelivered

TYPE = "application/fhir+json"
MOST = 4 << 20
"""Bytes of an answer."""
MADE = ("200", "201", "204")


def send(bundle: Mapping[str, Any], server: str, client: httpx.Client) -> list[str]:
    """Send a transaction; all of it is taken, or nothing.

    Args:
        bundle: Of `bundle_of`: sent again, it makes no second report.
        server: Base address of the FHIR server.
        client: With its time limits, certificates and token; redirections are not followed.

    Returns:
        Where each entry lies, as the server says, in the order of the bundle; "" where it does not say.

    Raises:
        NotDelivered: When the server cannot be reached, is in trouble, or answers nothing of use.
        Declined: When it does not take the bundle.
    """
    name = httpx.URL(server).host
    headers = {"Content-Type": TYPE, "Accept": TYPE}
    try:
        with client.stream(
            "POST", server, content=json.dumps(bundle, ensure_ascii=False).encode(), headers=headers,
            follow_redirects=False,
        ) as answer:  # fmt: skip
            status, content = answer.status_code, limited(answer, name, MOST)
    except httpx.HTTPError as error:
        raise NotDelivered(
            f"{name} did not take the bundle", given=type(error).__name__, todo="Sent again later"
        ) from None
    if status >= 500 or status in AGAIN:
        raise NotDelivered(f"{name} could not take the bundle", given=status, todo="It is sent again later")
    if status not in (200, 201):
        raise Declined(name, str(status))
    return _places(content, len(bundle["entry"]), name)


def _places(content: bytes, count: int, name: str) -> list[str]:
    """Locations of the entries, each of which the server says that it took."""
    try:
        entries = json.loads(content)["entry"]
        told = [one["response"] for one in entries]
        good = [str(one["status"])[:3] in MADE for one in told]
        places = [str(one.get("location", "")) for one in told]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotDelivered(f"{name} did not say what it took", todo="It is sent again later") from None
    if len(told) != count or not all(good):
        raise NotDelivered(f"{name} took {sum(good)} of {count} entries", todo="It is sent again later")
    return places
