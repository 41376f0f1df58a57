"""Predictions: let a release read something now. The result is found under findings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import Connection, select

from diascope.core.errors import Conflict
from diascope.serve import nouns
from diascope.serve.database.tables import jobs, results, series
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, Line, Name, Uid
from diascope.serve.http.idempotency import Once
from diascope.serve.http.routes.jobs import Job
from diascope.serve.http.routes.jobs import shown as job_shown
from diascope.serve.http.routes.studies import found, still
from diascope.serve.http.running import Place, run
from diascope.serve.jobs.kinds.route import PRIORITY
from diascope.serve.reading.served import must_be_served

router = APIRouter(prefix="/predictions", tags=["predictions"])

FIRST = PRIORITY + 10
"""Somebody waits."""


class Prediction(Body):
    """What is read with what."""

    release: Name
    """`name@version`."""
    study: Uid
    """Study Instance UID."""
    series: Uid | None = None
    """Series Instance UID; null is every series of the study that is complete."""


class Predictions(Answer):
    """What was put on its way."""

    jobs: list[Job]
    """One for each series."""
    results: list[str]
    """Ids of what the release has said before about series as they are now: it is not asked again."""


class Files(Place):
    """Files of a source that are read, in the place of a study."""

    release: Name
    """`name@version`."""
    backend: Line | None = None
    """`torch`, `openvino`, `onnxruntime`."""
    memory: Annotated[float, Field(ge=0.5, le=4096)] | None = None
    """GB."""


class Maps(Place):
    """Files of a source whose answers are explained."""

    release: Name
    """`name@version`."""
    explainer: Line | None = None
    """`grad_cam`, `occlusion`, …"""
    label: Line | None = None
    """This one and not the likeliest."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    """Of all randomness."""


@router.post("", status_code=202, openapi_extra=operation("predictions.request"))
def request_prediction(asked: Who, once: Once, body: Prediction) -> Predictions:
    """Let a release read a study or a series now; a release that is not in service says so in the result."""
    project = found(asked, body.study)["project_id"]

    def work(connection: Connection) -> Predictions:
        study = still(connection, body.study, project)
        nouns.path_of(asked.service.workspace, "releases", body.release)
        must_be_served(connection, body.release)
        query = select(series).where((series.c.study_id == study["id"]) & ~series.c.made)
        rows = connection.execute(query.order_by(series.c.id)).mappings().all()
        chosen = [row for row in rows if body.series in (None, row["uid"])]
        if body.series is not None and not chosen:
            raise NotFound("there is no such series in the study that a release can read", given=body.series)
        complete = [row for row in chosen if row["completed"] is not None and row["due"] is None]
        if not complete:
            raise Conflict(
                "the series is not complete yet", todo="Ask again when nothing of it has arrived for a while"
            )
        made, known = list[str](), list[str]()
        for row in complete:
            here = (results.c.series_id == row["id"]) & (results.c.revision == row["revision"])
            old = connection.execute(select(results.c.id).where(here, results.c.release == body.release)).scalar()
            if old is not None:
                known.append(str(old))
                continue
            payload = {"series": row["id"], "revision": row["revision"], "completed": row["completed"]}
            payload |= {"release": body.release, "rule": "", "send": []}
            by = asked.caller.actor
            made.append(asked.service.queue.put(connection, "read", payload, project=project, by=by, priority=FIRST))
        detail = {"release": body.release, "series": len(made)}
        asked.record(connection, "prediction.requested", body.study, study["project_id"], **detail)
        put = connection.execute(select(jobs).where(jobs.c.id.in_(made)).order_by(jobs.c.id)).mappings()
        return Predictions(jobs=[job_shown(one) for one in put], results=known)

    answer = once.change(Predictions, work)
    asked.service.stirred.set()
    return answer


@router.post("/files", status_code=202, openapi_extra=operation("predictions.request"))
def read_files(asked: Who, once: Once, body: Files) -> Job:
    """Let a release read files of a source; the answers are an export (`GET /exports`)."""
    options = {"backend": body.backend, "memory": body.memory}
    return run(asked, once, body.project, "predict", [{"release": body.release}, body.place], options)


@router.post("/explanations", status_code=202, openapi_extra=operation("predictions.request"))
def explain_files(asked: Who, once: Once, body: Maps) -> Job:
    """Show what in files of a source leads to the answers of a release; the maps are an export."""
    options = {"explainer": body.explainer, "label": body.label, "seed": body.seed}
    return run(asked, once, body.project, "explain", [{"release": body.release}, body.place], options)
