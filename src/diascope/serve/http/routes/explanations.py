"""Explanations: maps of what in a series led to a finding, shown only where their check passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, RowMapping, select

from diascope.core import registry
from diascope.core.errors import BadUsage, Conflict, DataRefused, UnknownName
from diascope.explainers import is_available, kind_taken
from diascope.serve.database.explaining_tables import explanations
from diascope.serve.database.tables import jobs, series
from diascope.serve.explaining.asking import FOR_SIGNALS, PRIORITY, key_of
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, Id, InPath, Line, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.routes.findings import found, still
from diascope.serve.http.routes.jobs import Job
from diascope.serve.http.routes.jobs import shown as job_shown
from diascope.serve.http.routes.masks import OCTETS, octets
from diascope.serve.room.words import in_every_language
from diascope.serve.viewing.masks import Mask
from diascope.serve.viewing.signals import is_signal

if TYPE_CHECKING:
    from diascope.explainers.sanity import SanityResult

router = APIRouter(tags=["explanations"])

SAYS_WHERE = "this release says where by itself: there is nothing to explain with a map"


class NewExplanation(Body):
    """What is to be explained, and how."""

    finding: Line
    """Name of the finding."""
    explainer: Id
    """`grad_cam_plus`, `occlusion`, …"""


class Sanity(Answer):
    """Whether the map depends on what was learnt (Adebayo 2018)."""

    passed: bool
    """Only then it is shown."""
    similarity: float | None
    """Rank correlation with the maps of the same network with random weights; null where the map is empty."""
    limit: float
    """Highest similarity at which it passes."""
    words: dict[str, str]
    """The same in one sentence, by language."""


class Explanation(Answer):
    """A map of what led to a finding."""

    id: str
    """For ever."""
    finding: str
    """Name of the finding."""
    explainer: str
    """Name of the plug-in."""
    title: str
    """Of it, for people: `Grad-CAM++`."""
    sanity: Sanity
    """Of this very map."""
    shape: tuple[int, int, int]
    """Frames, rows, columns; of a recording 1, leads, samples: those of its recorded groups, one group after the
    other, as far as the release reads."""
    revision: int
    """Of the series that it lies on."""
    at: Time
    """When it was made."""


class Explainer(Answer):
    """A way to explain."""

    name: str
    """For the request."""
    title: str
    """For people."""


class Explanations(Answer):
    """What there is of a result, and what can be asked for."""

    items: list[Explanation]
    """Also those that failed their check, which are not shown."""
    jobs: list[Job]
    """Those that were asked for and are not there: waiting, running, failed with why."""
    explainers: list[Explainer]
    """That can be asked for; empty where there is nothing to explain."""
    why: str
    """Why there is nothing to explain; empty where there is."""
    words: dict[str, str]
    """The same by language; none where there is something to explain."""
    refusals: dict[str, dict[str, str]]
    """Id of a job that failed to why it did, by language."""


@router.post("/findings/{result}/explanations", status_code=202, openapi_extra=operation("findings.explain"))
def explain_finding(asked: Who, once: Once, result: InPath, body: NewExplanation) -> Job:
    """Ask what led to a finding; the same again gives the same job, and one that failed is tried again."""
    row = found(asked, result)
    _refuse(row, body, _usable(asked, row))

    def work(connection: Connection) -> Job:
        project = still(connection, result, row["project"])["project"]
        key, by = key_of(result, body.finding, body.explainer), asked.caller.actor
        payload = {"result": result, "finding": body.finding, "explainer": body.explainer}
        queue = asked.service.queue
        job = queue.put(connection, "explain", payload, key=key, project=project, by=by, priority=PRIORITY)
        mine = select(jobs).where(jobs.c.id == job)
        if connection.execute(mine).mappings().one()["state"] in ("failed", "cancelled"):
            queue.retry(connection, job)
        asked.record(connection, "explanation.requested", result, project, explainer=body.explainer)
        return job_shown(connection.execute(mine).mappings().one())

    answer = once.change(Job, work)
    asked.service.stirred.set()
    return answer


@router.get("/findings/{result}/explanations", openapi_extra=operation("findings.read"))
def list_explanations(asked: Who, result: InPath) -> Explanations:
    """What led to the findings of a result: which maps there are, and whether they may be shown."""
    row = found(asked, result)
    key = key_of(result, "", "").rpartition(":")[0]
    # Keys between these two are those of this result; a range uses the index, which LIKE does not everywhere.
    waiting = select(jobs).where((jobs.c.key > f"{key}:") & (jobs.c.key < f"{key};") & (jobs.c.state != "done"))
    there = select(explanations).where(explanations.c.result_id == result).order_by(explanations.c.at)
    with asked.service.database.reading() as connection:
        made = [_shown(one, row) for one in connection.execute(there).mappings()]
        put = [job_shown(one) for one in connection.execute(waiting.order_by(jobs.c.created)).mappings()]
    detail: dict[str, Any] = {"part": "explanations", "result": result}
    asked.service.audit.tell(asked.event("study.viewed", row["study"], project=row["project"], **detail))
    why = _why_not(row)
    usable = [] if why else _usable(asked, row)
    failed = {one.id: in_every_language(one.error.wrong) for one in put if one.error is not None}
    told = in_every_language(why)
    return Explanations(items=made, jobs=put, explainers=usable, why=why, words=told, refusals=failed)


@router.get(
    "/explanations/{explanation}/voxels",
    openapi_extra=operation("findings.read"),
    response_class=Response,
    responses={200: {"description": "0 to 255, frame by frame", "content": {OCTETS: {}}}},
)
def read_explanation(asked: Who, request: Request, explanation: InPath) -> Response:
    """A map that passed its check: one byte a voxel, frame by frame, row by row; 255 where it counted most."""
    with asked.service.database.reading() as connection:
        one = connection.execute(select(explanations).where(explanations.c.id == explanation)).mappings().first()
    if one is None:
        raise asked.missing("explanation", explanation)
    row = found(asked, one["result_id"])
    if not one["passed"]:
        raise Conflict(_sanity(one).words["en"], todo="Ask for another explainer")
    _refuse_moved(asked, row)
    detail: dict[str, Any] = {"part": "explanation", "result": row["id"], "explainer": one["explainer"]}
    asked.service.audit.tell(asked.event("study.viewed", row["study"], project=row["project"], **detail))
    z, y, x = one["shape"]
    return octets(request, Mask((z, y, x), (), one["voxels"]))


def _refuse(row: RowMapping, body: NewExplanation, usable: Sequence[Explainer]) -> None:
    """Refuse what the job would refuse, as far as the result itself tells.

    Raises:
        Conflict: When the release said nothing about it.
        DataRefused: When it says where by itself.
        UnknownName: When there is no such finding or explainer.
        BadUsage: When the explainer is none for such a series.
    """
    names = [one.name for one in usable]
    if row["state"] != "answered":
        raise Conflict("the release said nothing about this series, so there is nothing to explain")
    if why := _why_not(row):
        raise DataRefused(why, todo="Look at its mask, or its boxes")
    said = {one["concept"]: one["status"] for one in row["findings"].get("findings", ())}
    if body.finding not in said:
        raise UnknownName("finding", body.finding, said)
    if said[body.finding] == "abstained":
        raise Conflict("the release said nothing about this finding", given=body.finding)
    if body.explainer not in registry.names("explainers"):
        raise UnknownName("explainer", body.explainer, names)
    if body.explainer not in names:
        raise BadUsage("this explainer explains no such series, or what it needs is not here", given=body.explainer)


def _why_not(row: RowMapping) -> str:
    """Why a result has nothing to explain; what its task does not tell, the job does."""
    if row["state"] != "answered":
        return "the release said nothing about this series"
    task = str(row["findings"].get("task", ""))
    if task in registry.names("tasks") and registry.get("tasks", task).needs != "vector":
        return SAYS_WHERE
    return ""


def _refuse_moved(asked: Asked, row: RowMapping) -> None:
    """Refuse a map whose frames are no longer those of the series.

    Raises:
        Conflict: When the series has another revision.
        NotFound: When it is gone.
    """
    with asked.service.database.reading() as connection:
        now = connection.execute(select(series.c.revision).where(series.c.id == row["series_id"])).scalar()
    if now is None:
        raise NotFound("there is no such result any more", given=row["id"])
    if now != row["revision"]:
        raise Conflict("it lies on another revision of the series", given=row["revision"])


def _usable(asked: Asked, row: RowMapping) -> list[Explainer]:
    """Explainers of pictures; of a recording those of them that need no more than one axis of places."""
    with asked.service.database.reading() as connection:
        recorded = is_signal(connection, row["series_id"])
    plugins = [(name, one) for name, one in registry.each("explainers") if kind_taken(one) == "image"]
    fit = [(name, one) for name, one in plugins if not recorded or name in FOR_SIGNALS]
    return [Explainer(name=name, title=one.title) for name, one in fit if is_available(one)]


def _shown(one: RowMapping, row: RowMapping) -> Explanation:
    known = one["explainer"] in registry.names("explainers")
    title = registry.get("explainers", one["explainer"]).title if known else one["explainer"]
    sanity = _sanity(one)
    return Explanation.model_validate(
        {
            **one,
            "title": title,
            "sanity": Sanity(**sanity.to_json() | {"words": sanity.words}),
            "revision": row["revision"],
        }
    )


def _sanity(one: RowMapping) -> SanityResult:
    from diascope.explainers.sanity import SanityResult  # it needs torch, and the service listens before

    outcome = {name: one[name] for name in ("similarity", "limit", "passed")}
    return SanityResult(**outcome, images=int(one["similarity"] is not None))
