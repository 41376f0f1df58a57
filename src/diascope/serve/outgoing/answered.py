"""What a server answered to something that was sent: bounded, and never quoted, for it may name the patient."""

from __future__ import annotations

import httpx

from diascope.serve.outgoing.telling import NotDelivered

AGAIN = frozenset({408, 409, 412, 425, 429})
"""Statuses after which sending again may help, besides those of a server in trouble."""


def limited(answer: httpx.Response, name: str, most: int) -> bytes:
    """The body of an answer.

    Args:
        answer: As it arrives.
        name: Of the server, for the error.
        most: Bytes.

    Raises:
        NotDelivered: When it is longer.
    """
    content = b""
    for part in answer.iter_bytes():
        content += part
        if len(content) > most:
            raise NotDelivered(f"{name} gave an endless answer", todo="It is sent again later")
    return content
