"""delete: a study with everything that was made of it."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from diascope.core.errors import DiascopeError
from diascope.serve.audit import Event
from diascope.serve.database.tables import changes, studies
from diascope.serve.incoming.named import keys_of_study
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.service import Service
from diascope.serve.viewing.series import forget

TRIES = 5
LANE = "sending"


def run(service: Service, job: Job, context: Context) -> None:
    """Delete the rows of a study in one transaction, then its objects and its identity.

    A crash in between leaves objects that no row names: they are swept when the service starts.

    Raises:
        DiascopeError: When the database does not answer.
    """
    uid, keys = job.payload["study"], list[str]()

    def work(connection: Connection) -> dict[str, int]:
        keys.clear()  # it may run twice
        keys.extend(_deleted(service, connection, job))
        return {"instances": len(keys)}

    context.done(job, {}, work)
    if not keys:
        return
    service.identities.forget(uid)
    forget(service, uid)
    for key in keys:
        try:
            service.archive.delete(key)
        except DiascopeError:  # the disk: what is left is swept
            return


def _deleted(service: Service, connection: Connection, job: Job) -> list[str]:
    uid = job.payload["study"]
    row = connection.execute(select(studies.c.id, studies.c.project_id).where(studies.c.uid == uid)).first()
    if row is None:
        return []
    keys = keys_of_study(connection, row.id)
    connection.execute(delete(studies).where(studies.c.id == row.id))
    now = service.clock()
    connection.execute(
        insert(changes).values(kind="study_deleted", study_uid=uid, series_uid="", instance_uid="", at=now)
    )
    detail = {"instances": len(keys), "reason": str(job.payload.get("reason", ""))[:200]}
    service.audit.append(connection, Event("study.deleted", job.by, uid, "success", row.project_id, detail=detail))
    return keys
