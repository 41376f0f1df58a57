"""A body as it arrives, for threads: what stores it waits for the disk, and must not hold up the loop."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
from anyio import from_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from diascope.serve.dicomweb.multipart import Malformed

FIRST_SECONDS = 4.0
"""For the first bytes: nobody who says that megabytes follow may keep us waiting for them (RELIABILITY B3)."""

IDLE_SECONDS = 20.0
"""Between two pieces of what follows."""


class Arriving:
    """The chunks of a body, to be taken in a thread that the loop has started.

    Args:
        request: Whose body nobody has read.
    """

    def __init__(self, request: Request) -> None:
        self._stream = request.stream()
        self._seen = 0
        self.ended = False
        """Whether all of it was taken."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The next chunk.

        Raises:
            Malformed: When nothing arrives for too long, or the client is gone.
        """
        chunk = from_thread.run(self._next)
        if not chunk:
            self.ended = True
            raise StopIteration
        self._seen += len(chunk)
        return chunk

    async def _next(self) -> bytes:
        seconds = IDLE_SECONDS if self._seen > 1024 else FIRST_SECONDS
        try:
            with anyio.fail_after(seconds):
                async for chunk in self._stream:
                    if chunk:
                        return chunk
        except TimeoutError as error:
            raise Malformed(f"nothing of the body has arrived for {seconds:.0f} s", todo="Send it again") from error
        except ClientDisconnect as error:
            raise Malformed("the connection ended before the body did", todo="Send it again") from error
        return b""
