"""feedback: what readers answered becomes label changes, and a folder that can be learnt from."""

from __future__ import annotations

from diascope.serve.feedback.collecting import Wanted
from diascope.serve.feedback.gathering import Gathering, gather
from diascope.serve.feedback.telling import facts_of
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.service import Service

TRIES = 1
LANE = "training"


def run(service: Service, job: Job, context: Context) -> None:
    """Gather what the payload asks for.

    Raises:
        DataRefused: When nobody has answered anything.
        Stopped: When it was cancelled.
    """
    said = job.payload
    wanted = Wanted(job.project, said.get("release", ""), said.get("labelling", ""), said.get("since"))

    def tell(done: int, total: int) -> None:
        context.check()
        context.progress(done, total, "cases")

    record, folder = gather(service, Gathering(wanted, job.by, bool(said.get("newest"))), tell)
    facts = facts_of(record, folder)
    told = {name: facts[name] for name in ("name", "cases", "changes", "columns", "left", "notes")}
    context.done(job, {**told, "disagreements": len(record.disagreements)})
