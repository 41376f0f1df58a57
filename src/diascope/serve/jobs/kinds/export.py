"""export: pseudonymised copies of studies, as a zip in the service's folder that is kept for a week."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sqlalchemy import Connection, select

from diascope.serve.audit import Event
from diascope.serve.database.tables import studies
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.outgoing.copies import write_copies
from diascope.serve.service import Service

TRIES = 3
LANE = "sending"
KEPT_DAYS = 7


def run(service: Service, job: Job, context: Context) -> None:
    """Write the copies of the studies of the payload that still belong to the job's project.

    Raises:
        DiascopeError: When the archive can't be read.
        Stopped: When it was cancelled.
    """
    folder = folder_of(service)
    _forget_old(folder)
    wanted = job.payload["studies"]
    with service.database.reading() as connection:
        query = select(studies.c.uid).where(studies.c.uid.in_(wanted), studies.c.project_id == job.project)
        there = set(connection.execute(query).scalars())
    path = folder / f"{job.id}.zip"
    partial = path.with_suffix(".partial")

    def tell(done: int, total: int) -> None:
        context.check()
        if done % 100 == 0:
            context.progress(done, total, "copying")

    try:
        taken = write_copies(service, [uid for uid in wanted if uid in there], partial, tell)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)

    def told(connection: Connection) -> dict[str, object]:
        for uid in sorted(there):
            detail = {"job": job.id, "pseudonymised": True}
            event = Event("study.exported", job.by, uid, project=job.project, detail=detail)
            service.audit.append(connection, event)
        return {"studies": taken.studies, "instances": taken.instances, "left": dict(taken.left)}

    context.done(job, {}, told)


def folder_of(service: Service) -> Path:
    """Where the archives are, readable by the service alone."""
    folder = service.root / "exports"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _forget_old(folder: Path) -> None:
    before = time.time() - KEPT_DAYS * 86_400
    for one in folder.iterdir():
        if one.stat().st_mtime < before:
            one.unlink(missing_ok=True)
