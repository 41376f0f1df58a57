"""Verbs of the command line, asked for through the API: a job is put into the queue, and nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, select

from diascope.serve import nouns, verbs
from diascope.serve.access.matrix import decide
from diascope.serve.access.refusals import Missing
from diascope.serve.database.tables import jobs
from diascope.serve.http.asking import Asked
from diascope.serve.http.fields import Body, Id, Line, Name, Text, refuse_odd
from diascope.serve.http.idempotency import Repeatable
from diascope.serve.http.routes.jobs import Job, shown

Names = Annotated[list[Line], Field(max_length=1000)]
Seed = Annotated[int, Field(ge=0, le=2**31)]
Language = Annotated[str, Field(pattern="^(en|zh-CN)$")]


class Place(Body):
    """A place in a folder of data, and the project that what is made belongs to."""

    project: Id = "default"
    """Id of the project that what is made belongs to."""
    source: Name
    """Name of a folder of data: `GET /sources`."""
    path: Text = ""
    """In that folder, with slashes; empty is all of it."""

    @property
    def place(self) -> dict[str, str]:
        """As `serve/verbs.py` has it."""
        return {"source": self.source, "path": self.path}


class Data(Place):
    """Data, and what is said about it; see `diascope check --help`."""

    layout: Line | None = None
    """Where several fit: a name of `GET /plugins`, family `sources`."""
    target: Line | None = None
    """Column or mask to learn."""
    patient: Line | None = None
    """Column that holds the patient."""
    site: Line | None = None
    """Column that holds the site."""
    without: Names = Field(default_factory=list)
    """Columns that are not looked at."""
    read: Names = Field(default_factory=list)
    """Columns that the model reads beside the images."""
    inputs: Names = Field(default_factory=list)
    """Inputs that are used, of several."""
    accept: Names = Field(default_factory=list)
    """Findings of the data check that are accepted; it is recorded."""
    seed: Seed = 0
    """Of all randomness."""

    @property
    def options(self) -> dict[str, Any]:
        """As the command line has them."""
        said = self.model_dump(include={"target", "patient", "site", "without", "read", "inputs", "accept", "seed"})
        return {**said, "source": self.layout}


class Learning(Data):
    """Data that is learnt from, and what may be spent on it; see `diascope plan --help`."""

    task: Line = "auto"
    """What to learn: a name of `GET /plugins`, family `tasks`."""
    minutes: Annotated[float, Field(ge=0.5, le=100_000)] = 15.0
    """Wall-clock minutes for everything."""
    memory: Annotated[float, Field(ge=0.5, le=4096)] | None = None
    """Peak memory, GB."""
    folds: Annotated[int, Field(ge=1, le=100)] | None = None
    """Cross-validate with so many folds; 1 is one split."""
    settings: dict[Line, Any] = Field(default_factory=dict)
    """Fields of the plan that are set by hand."""
    start: Name | None = None
    """Release, or pretrained encoder, whose weights are started from."""

    @property
    def options(self) -> dict[str, Any]:
        """As the command line has them."""
        spent = self.model_dump(include={"task", "minutes", "memory", "folds"})
        return {**super().options, **spent, "set": self.settings, "from": self.start}


def run(
    asked: Asked, once: Repeatable, project: str, verb: str, places: Sequence[Mapping[str, str]], options: Any
) -> Job:
    """Put a verb into the queue.

    Args:
        asked: Whose operation it is.
        once: Of the request.
        project: That what is made belongs to.
        verb: Of `serve/verbs.py`.
        places: What stands at its places.
        options: Of the command line.

    Raises:
        NotFound: When the caller may not know of the project.
        Missing: When a plan, release or encoder that is named is not there.
        UnknownName: When there is no such source.
        BadUsage: When a path leaves its source, or a setting names a file.
    """
    asked.on(project, f"project:{project}")
    service = asked.service
    refuse_odd(options, "options")
    payload = verbs.checked(verb, places, options)
    for one in places:
        if "source" in one:
            verbs.place_in(service, project, one["source"], one.get("path", ""))
        elif "release" in one:
            nouns.path_of(service.workspace, "releases", one["release"])
    if start := payload["options"].get("from"):
        _started_from(asked, project, start)

    def work(connection: Connection) -> Job:
        made = service.queue.put(connection, nouns.JOB, payload, project=project, by=asked.caller.actor)
        asked.record(connection, "command.asked", f"job:{made}", project, verb=verb)
        return shown(connection.execute(select(jobs).where(jobs.c.id == made)).mappings().one())

    answer = once.change(Job, work)
    service.stirred.set()
    return answer


def _started_from(asked: Asked, project: str, name: str) -> None:
    """A release is everybody's; an encoder is its project's."""
    if name in nouns.names(asked.service.workspace, "releases"):
        return
    encoder = nouns.read(asked.service, "encoders", name)
    if encoder.project != project and not decide("runs.read", asked.caller, encoder.project).allowed:
        raise Missing("release or pretrained encoder", name[:100])
