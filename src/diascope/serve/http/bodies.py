"""Bodies are bounded before anything reads them, whatever their length was said to be (B3)."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from diascope.core.errors import DiascopeError
from diascope.serve.http.errors import TooLarge, WrongType, told

LARGE = ("/dicom-web/", "/api/v1/uploads")
"""Addresses that take objects; their routes read the body as a stream and bound each object by themselves."""

DRAWINGS, LARGEST_DRAWING = re.compile(r"/api/v1/studies/[^/]+/series/[^/]+/drawings"), 32 << 20
"""Where masks are sent, and bytes that one may have."""


class BoundedBodies:
    """ASGI middleware that counts what a client sends.

    Args:
        app: The application.
        small: Bytes that a body may have.
    """

    def __init__(self, app: ASGIApp, small: int) -> None:
        self.app, self.small = app, small

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        if headers.get(b"content-encoding", b"identity").lower() not in (b"", b"identity"):
            await _refuse(WrongType("compressed bodies are not taken", todo="Send it as it is"), scope, receive, send)
            return
        if scope["path"].startswith(LARGE):
            await self.app(scope, receive, send)
            return
        most = LARGEST_DRAWING if DRAWINGS.fullmatch(scope["path"]) else self.small
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            error = TooLarge("the body is too large", todo=f"At most {most >> 10} KiB are taken here")
            await _refuse(error, scope, receive, send)
            return
        await self.app(scope, self._counted(receive, most), send)

    def _counted(self, receive: Receive, most: int) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise TooLarge("the body is too large", todo=f"At most {most >> 10} KiB are taken here")
            return message

        return counted


async def _refuse(error: DiascopeError, scope: Scope, receive: Receive, send: Send) -> None:
    response = told(error)
    response.headers["Connection"] = "close"
    await response(scope, receive, send)
