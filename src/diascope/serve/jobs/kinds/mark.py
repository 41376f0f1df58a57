"""mark: a release of entities marks a text about a study."""

from __future__ import annotations

from diascope.core.errors import DiascopeError
from diascope.serve.beside.marking import give_up, mark
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.service import Service

TRIES = 3
LANE = "reading"


def run(service: Service, job: Job, context: Context) -> None:
    """Mark the payload's `document` with its `release`.

    Raises:
        DiascopeError: When another try may help.
    """
    mark(service, context, job)


def gave_up(service: Service, job: Job, context: Context, error: DiascopeError) -> None:
    """Say that it is not available (G2)."""
    give_up(service, context, job, error)
