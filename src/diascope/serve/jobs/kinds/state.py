"""state: a release says something of a text about a study, or of its laboratory results."""

from __future__ import annotations

from diascope.core.errors import DiascopeError
from diascope.serve.beside.stating import give_up, state
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.service import Service

TRIES = 3
LANE = "reading"


def run(service: Service, job: Job, context: Context) -> None:
    """Let the payload's `release` read its `document`, or the results of its `study`.

    Raises:
        DiascopeError: When another try may help.
    """
    state(service, context, job)


def gave_up(service: Service, job: Job, context: Context, error: DiascopeError) -> None:
    """Say that it is not available (G2)."""
    give_up(service, context, job, error)
