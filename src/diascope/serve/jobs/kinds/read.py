"""read: a release reads one revision of a series."""

from __future__ import annotations

from diascope.core.errors import DiascopeError
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.reading.answering import Reading
from diascope.serve.service import Service

TRIES = 4
LANE = "reading"


def run(service: Service, job: Job, context: Context) -> None:
    """Make a result: answered, or not available with the reason.

    Raises:
        DiascopeError: When another try may help.
    """
    Reading(service, context).answer(job)


def gave_up(service: Service, job: Job, context: Context, error: DiascopeError) -> None:
    """Say that it is not available: nothing was said is not that nothing was found (G2)."""
    Reading(service, context).give_up(job, error)
