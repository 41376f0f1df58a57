"""review: the objects of a result are written anew, and say who reviewed it."""

from __future__ import annotations

from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.reading.reviewing import write_anew
from diascope.serve.service import Service

TRIES = 4
LANE = "reading"


def run(service: Service, job: Job, context: Context) -> None:
    """Write and send what a reader's decision changes.

    Raises:
        DiascopeError: When it can't be written; another try may help.
    """
    write_anew(service, context, job)
