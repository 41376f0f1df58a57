"""A job's progress as server-sent events: a bounded number of listeners, heart-beats, and an end with the job.

https://html.spec.whatwg.org/multipage/server-sent-events.html. A stream also ends after ten minutes; browsers then ask
again by themselves, and rights are looked at anew.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from diascope.core.errors import DiascopeError
from diascope.serve.http.errors import TooMany

MEDIA = "text/event-stream"


@dataclass
class Listening:
    """Who listens, of one application.

    Args:
        most: Streams at a time.
        most_of_one: Of one user.
        every: Seconds between looks at the job.
        heartbeat: Seconds without news after which a comment is sent, so that proxies keep the connection.
        longest: Seconds after which a stream ends in any case.
    """

    most: int = 100
    most_of_one: int = 8
    every: float = 0.5
    heartbeat: float = 15.0
    longest: float = 600.0
    _now: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, user: str) -> None:
        """Take a place.

        Raises:
            TooMany: When there is none.
        """
        with self._lock:
            if self._now.total() >= self.most or self._now[user] >= self.most_of_one:
                raise TooMany("too many listen to jobs", 10, todo="Close another stream, or ask for the job itself")
            self._now[user] += 1

    def leave(self, user: str) -> None:
        """Give a place back."""
        with self._lock:
            self._now[user] -= 1
            if not self._now[user]:
                del self._now[user]

    @property
    def count(self) -> int:
        """Streams that are open."""
        return self._now.total()

    async def stream(self, read: Callable[[], tuple[str, bool]]) -> AsyncIterator[str]:
        """Events until the job has ended.

        Args:
            read: The job as JSON in one line, and whether it has ended; blocks.
        """
        said, quiet, number = "", 0.0, 0
        try:
            with anyio.move_on_after(self.longest):
                yield "retry: 3000\n\n"
                while True:
                    content, ended = await anyio.to_thread.run_sync(read)
                    if content != said:
                        said, quiet, number = content, 0.0, number + 1
                        yield f"id: {number}\nevent: {'end' if ended else 'progress'}\ndata: {content}\n\n"
                    elif quiet >= self.heartbeat:
                        quiet = 0.0
                        yield ": still there\n\n"
                    if ended:
                        return
                    await anyio.sleep(self.every)
                    quiet += self.every
        except DiascopeError:  # the database is away, or the job is gone: the stream ends, and the client asks again
            return


class Events(StreamingResponse):
    """A stream that gives its place back however it ends.

    Args:
        listening: Where the place was taken.
        user: Id of whoever listens.
        read: See `Listening.stream`.
    """

    media_type = MEDIA

    def __init__(self, listening: Listening, user: str, read: Callable[[], tuple[str, bool]]) -> None:
        self._listening, self._user = listening, user
        super().__init__(listening.stream(read), headers={"X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._listening.leave(self._user)
