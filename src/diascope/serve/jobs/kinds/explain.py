"""explain: a map of what in a series led to a finding."""

from __future__ import annotations

from diascope.serve.explaining.making import make
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.service import Service

TRIES = 2
LANE = "explaining"


def run(service: Service, job: Job, context: Context) -> None:
    """Make the map that the payload asks for: `result`, `finding`, `explainer`.

    Raises:
        DataRefused: When there is none; says why.
    """
    make(service, context, job)
