"""describe: what the encoder of a release made of series that it read before that was kept."""

from __future__ import annotations

from diascope.serve.explaining.describing import describe
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.service import Service

TRIES = 3
LANE = "explaining"


def run(service: Service, job: Job, context: Context) -> None:
    """Make the vectors that the results of the payload's `release` with its `seal` lack.

    Raises:
        Stopped: When there are more, and others have their turn first.
    """
    describe(service, context, job)
