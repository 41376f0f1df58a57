"""sketch: what the series of a project look like, for labellings that have no release to ask."""

from __future__ import annotations

from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.labelling.describing import describe
from diascope.serve.service import Service

TRIES = 3
LANE = "explaining"


def run(service: Service, job: Job, context: Context) -> None:
    """Describe the series of the payload's `project` that are not described yet.

    Raises:
        Stopped: When there are more, and others have their turn first.
    """
    describe(service, context, job)
