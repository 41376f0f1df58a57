"""Studies that leave: pseudonymised copies as a zip, originals to a peer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from pydantic import Field
from sqlalchemy import Connection, select

from diascope.core.errors import BadUsage, Conflict
from diascope.serve.access.refusals import Missing
from diascope.serve.database.tables import jobs, peers
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Body, Id, InPath, Uid
from diascope.serve.http.idempotency import Once
from diascope.serve.http.routes.evaluations import ZIP
from diascope.serve.http.routes.jobs import Job, shown
from diascope.serve.http.routes.studies import UidInPath, found, still
from diascope.serve.jobs.kinds.export import folder_of

router = APIRouter(prefix="/studies", tags=["studies"])


class Copies(Body):
    """Studies of one project."""

    studies: Annotated[list[Uid], Field(min_length=1, max_length=1000)]
    """Study Instance UIDs."""


class SentTo(Body):
    """Who gets the originals."""

    peer: Id
    """Id of a DICOM node of the study's project."""


@router.post("/export", status_code=202, openapi_extra=operation("studies.export"))
def export_studies(asked: Who, once: Once, body: Copies) -> Job:
    """Make pseudonymised copies of studies: header by a positive list, other UIDs, pixels as they were."""
    projects = {found(asked, uid)["project_id"] for uid in body.studies}
    if len(projects) != 1:
        raise BadUsage("these studies belong to several projects", todo="Take them out project by project")
    project, by = projects.pop(), asked.caller.actor

    def work(connection: Connection) -> Job:
        wanted = {"studies": list(dict.fromkeys(body.studies))}
        made = asked.service.queue.put(connection, "export", wanted, project=project, by=by)
        asked.record(connection, "export.asked", f"job:{made}", project, studies=len(wanted["studies"]))
        return shown(connection.execute(select(jobs).where(jobs.c.id == made)).mappings().one())

    answer = once.change(Job, work)
    asked.service.stirred.set()
    return answer


@router.get("/exports/{job}", openapi_extra=operation("studies.export"), response_class=Response, responses=ZIP)
def read_copies(asked: Who, job: InPath) -> Response:
    """The copies that a job made, as a zip; they are kept for a week."""
    with asked.service.database.reading() as connection:
        row = connection.execute(select(jobs).where((jobs.c.id == job) & (jobs.c.kind == "export"))).first()
    asked.on("" if row is None else row.project_id, f"job:{job}")
    path = folder_of(asked.service) / f"{job}.zip"
    if row is None or row.state != "done" or not path.is_file():
        raise NotFound("there are no such copies, or not any more", given=job)
    asked.service.audit.tell(asked.event("export.read", f"job:{job}", project=row.project_id))
    return FileResponse(path, media_type="application/zip", filename=f"studies-{job[:12]}.zip")


@router.post("/{study}/send", status_code=202, openapi_extra=operation("instances.send"))
def send_study(asked: Who, once: Once, study: UidInPath, body: SentTo) -> Job:
    """Send the originals of a study to a DICOM node, with the identity that they have."""
    project = found(asked, study)["project_id"]

    def work(connection: Connection) -> Job:
        row = still(connection, study, project)
        peer = connection.execute(select(peers).where(peers.c.id == body.peer)).mappings().first()
        if peer is None or peer["project_id"] != row["project_id"]:
            raise Missing("peer", body.peer)
        if peer["kind"] != "dimse" or not peer["enabled"]:
            raise Conflict("this peer is no DICOM node in service", given=peer["name"])
        payload, by = {"study": study, "peer": body.peer}, asked.caller.actor
        made = asked.service.queue.put(connection, "forward", payload, project=row["project_id"], by=by)
        asked.record(connection, "study.sent", study, row["project_id"], peer=peer["name"], job=made)
        return shown(connection.execute(select(jobs).where(jobs.c.id == made)).mappings().one())

    answer = once.change(Job, work)
    asked.service.stirred.set()
    return answer
