"""Trainings as their pages show them: jobs of the verbs that lead from data to a release, and what they work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

from sqlalchemy import Connection, select

from diascope.core.errors import DiascopeError
from diascope.core.feedback import Feedback
from diascope.core.plan import Plan
from diascope.core.problem import Problem, Problems
from diascope.serve import nouns, verbs
from diascope.serve.access.matrix import Caller, decide, reach
from diascope.serve.access.refusals import Missing
from diascope.serve.database.tables import jobs, projects
from diascope.serve.feedback.gathering import FOLDER as FEEDBACK
from diascope.serve.feedback.gathering import RECORD
from diascope.serve.http.asking import Asked
from diascope.serve.http.routes.jobs import Job, found_job, shown
from diascope.serve.incoming import uploading
from diascope.serve.nouns import JOB, Noun
from diascope.serve.room.models import within
from diascope.serve.service import Service

Step = Literal["data", "check", "plan", "training", "result"]
STEPS: tuple[Step, ...] = ("data", "check", "plan", "training", "result")
SHOWN = frozenset({"check", "plan", "fit", "train", "pretrain", "adopt", "evaluate", "compare"})
"""Verbs that the pages tell of."""
TRAINING = frozenset({"fit", "train"})
NEWEST, LOOKED_AT = 40, 400
"""Jobs in the list, and jobs that are looked at to find them."""
COPIED = ("target", "patient", "site", "without", "read", "inputs", "seed", "task", "folds", "memory", "minutes")
"""What is said about data, the same for every verb."""


@dataclass(frozen=True)
class Upload:
    """Data of the workspace in a list: an upload, or feedback of readers.

    Args:
        noun: Name, project, by whom and when.
        path: In its source.
        mine: Whether the caller may delete it.
        source: `uploads` or `feedback`.
    """

    noun: Noun
    path: str
    mine: bool
    source: str = uploading.KIND


def listing(connection: Connection, caller: Caller) -> list[Job]:
    """Trainings of the caller's projects and what led to them, the newest first."""
    mine = (jobs.c.kind == JOB) & within("runs.list", caller, jobs.c.project_id)
    query = select(jobs).where(mine).order_by(jobs.c.created.desc(), jobs.c.id.desc()).limit(LOOKED_AT)
    found = [shown(row) for row in connection.execute(query).mappings()]
    return [one for one in found if verb_of(one) in SHOWN][:NEWEST]


def one_of(asked: Asked, job: str) -> Job:
    """One of them.

    Raises:
        NotFound: When the caller may not know of it.
        Missing: When it is another kind of job.
    """
    found = found_job(asked, job)
    if found.kind != JOB or verb_of(found) not in SHOWN:
        raise Missing("training", job)
    return found


def verb_of(job: Job) -> str:
    """What it does."""
    return str(job.payload.get("verb", ""))


def step_of(job: Job) -> Step:
    """Where on the way from data to a release it is."""
    verb = verb_of(job)
    if verb in ("check", "plan"):
        return "check" if verb == "check" else "plan"
    return "result" if job.state == "done" else "training"


def address_of(job: str) -> str:
    """Of the page of a training."""
    return f"/training/jobs/{job}"


def again(job: Job) -> str:
    """Address of the form, filled with what was said about the data of a job."""
    return f"/training/new?{urlencode({'like': job.id})}"


def place_of(job: Job) -> tuple[str, str]:
    """Source and path of the data that it works on; of a training by a plan none."""
    for one in job.payload.get("places", []):
        if "source" in one:
            return str(one["source"]), str(one.get("path", ""))
    return "", ""


def works_on(job: Job) -> str:
    """The same in a line, or the plan."""
    source, path = place_of(job)
    plan = next((str(one["plan"]) for one in job.payload.get("places", []) if "plan" in one), "")
    return " / ".join(part for part in (source, path) if part) or plan.removesuffix(".json")


def said_of(job: Job) -> dict[str, Any]:
    """What the API is told about the same data again: a body of `POST /plans` without what is chosen there."""
    source, path = place_of(job)
    options = job.payload.get("options", {})
    said = {name: options[name] for name in COPIED if name in options}
    if "source" in options:
        said["layout"] = options["source"]
    return {"project": job.project, "source": source, "path": path, **said}


def made_of(job: Job, kind: str) -> str:
    """Name of what it made, of a kind; "" where it made none."""
    made: Sequence[Mapping[str, str]] = (job.result or {}).get("made", [])
    return next((one["name"] for one in made if one["kind"] == kind), "")


def said(job: Job) -> Mapping[str, Any]:
    """What its verb printed."""
    found = (job.result or {}).get("said", {})
    return found if isinstance(found, dict) else {}


def problems_of(job: Job) -> list[Problem] | None:
    """What a check found; None where that was too long to be kept with the job, and stands in its report alone."""
    told = said(job).get("problems")
    return None if told is None else [Problem.model_validate(one) for one in told]


def refused_by(job: Job) -> list[str]:
    """Names of the checks that refuse the data."""
    return list(dict.fromkeys(str(one) for one in said(job).get("refused", [])))


def plan_of(service: Service, job: Job) -> tuple[str, Plan] | None:
    """The plan that a job made or is made by, and its name; None where it is gone."""
    name = next((str(one["plan"]) for one in job.payload.get("places", []) if "plan" in one), "")
    name = name or made_of(job, "plans") or str(said(job).get("plan", "")).rpartition("/")[2]
    if not name or name not in nouns.names(service.workspace, "plans"):
        return None
    try:
        return name, Plan.read(nouns.path_of(service.workspace, "plans", name))
    except DiascopeError:
        return None


def pictured(service: Service, dataset: str) -> list[Problem]:
    """What was found in a data set, with its pictures; nothing where it is gone."""
    if dataset not in nouns.names(service.workspace, "datasets"):
        return []
    try:
        return list(Problems.read(nouns.path_of(service.workspace, "datasets", dataset) / "problems.json").problems)
    except DiascopeError:
        return []


def uploads(service: Service, caller: Caller) -> list[Upload]:
    """Uploads of the caller's projects, the newest first."""
    found = _kept(service, caller, uploading.KIND)
    return [Upload(one, uploading.place_of(service, one.name), may) for one, may in found]


def gathered(service: Service, caller: Caller) -> list[Upload]:
    """Feedback of the caller's projects, the newest first."""
    return [Upload(one, one.name, may, FEEDBACK) for one, may in _kept(service, caller, FEEDBACK)]


def _kept(service: Service, caller: Caller, kind: str) -> list[tuple[Noun, bool]]:
    """Data of a kind in the caller's projects, the newest first, and whether the caller may delete it."""
    seen = reach("datasets.list", caller)
    mine = [one for one in nouns.listed(service, kind) if seen.everywhere or one.project in seen.projects]
    mine.sort(key=lambda one: -one.created)
    return [(one, decide("datasets.delete", caller, one.project).allowed) for one in mine]


def recorded(service: Service, name: str) -> Feedback | None:
    """What gathered feedback says; None where it can't be read any more."""
    try:
        return Feedback.read(nouns.path_of(service.workspace, FEEDBACK, name) / RECORD)
    except DiascopeError:
        return None


def sources(service: Service, caller: Caller) -> list[str]:
    """Folders of data of the settings that the caller may use."""
    seen = reach("datasets.list", caller)
    known = verbs.sources_of(service.settings, None if seen.everywhere else sorted(seen.projects))
    return [name for name in known if name in service.settings.sources]


def own_projects(connection: Connection, caller: Caller) -> list[tuple[str, str]]:
    """Id and name of the projects that the caller may make data sets in, by name."""
    query = select(projects.c.id, projects.c.name).where(within("datasets.write", caller, projects.c.id))
    return [(row.id, row.name) for row in connection.execute(query.order_by(projects.c.name))]


def report_address(name: str) -> str:
    """Where a report is saved from."""
    return f"/api/v1/reports/{quote(name)}"
