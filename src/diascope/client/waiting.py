"""Jobs that are waited for: by server-sent events, and by asking where these do not come through."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from diascope.client.connection import API, Connection
from diascope.client.errors import JobFailed, ServiceError
from diascope.core.errors import Unavailable

if TYPE_CHECKING:
    from diascope.client.answers.jobs import Job

ENDED = ("done", "failed", "cancelled")
EVERY = 1.0
"""Seconds between two questions."""

Tell = Callable[["Job"], None]


def wait(connection: Connection, job: Job | str, tell: Tell | None = None, seconds: float | None = None) -> Job:
    """Wait until a job has ended.

    Args:
        connection: To the service.
        job: Or its id.
        tell: Told about every change.
        seconds: How long at most; None waits for ever.

    Returns:
        The job, done.

    Raises:
        JobFailed: When it failed or was cancelled.
        Unavailable: When the time is over; the job goes on.
        ServiceError: What the service told.
    """
    name = job if isinstance(job, str) else job["id"]
    until = None if seconds is None else time.monotonic() + seconds
    for now in _followed(connection, name, until):
        if tell is not None:
            tell(now)
        if now["state"] == "done":
            return now
        if now["state"] in ENDED:
            error = now["error"]
            raise JobFailed(name, now["state"], error["wrong"] if error else "", error["todo"] if error else "")
    raise Unavailable(f"the job {name} has not ended in time", todo="It goes on; wait for it again")


def _followed(connection: Connection, name: str, until: float | None) -> Iterator[Job]:
    """The job at each change, until it has ended or the time is over."""
    said = ""
    while until is None or time.monotonic() < until:
        found: Job | None = None
        for found in _heard(connection, name):
            said = json.dumps(found)
            yield found
            if found["state"] in ENDED:
                return
            if until is not None and time.monotonic() >= until:
                return
        now: Job = connection.json("GET", f"/jobs/{name}")
        if json.dumps(now) != said:
            said = json.dumps(now)
            yield now
            if now["state"] in ENDED:
                return
        time.sleep(EVERY if until is None else max(0.0, min(EVERY, until - time.monotonic())))


def _heard(connection: Connection, name: str) -> Iterator[Job]:
    """The job with each event; ends when the stream ends or is cut, or when there is no place to listen."""
    try:
        with connection.stream("GET", f"{API}/jobs/{name}/events", timeout=20.0) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])
    except connection.errors_of_transport:
        return
    except ServiceError as error:
        if error.status != 429:
            raise
