"""Laboratory results and vital signs of a study, beside its pictures."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Connection, select

from diascope.serve.beside import fhir, speakers
from diascope.serve.beside import observations as kept
from diascope.serve.database.beside_tables import observations
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.fields import PLAIN, Answer, Body, Line, Moment, Name, Time, refuse_odd, seconds
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, listed
from diascope.serve.http.routes import studies

router = APIRouter(tags=["observations"])

Code = Annotated[str, StringConstraints(max_length=32, pattern=r"^([0-9]{1,8}-[0-9])?$")]
Unit = Annotated[str, StringConstraints(max_length=32, pattern=PLAIN)]


class NewObservation(Body):
    """A result: a number with its unit, or words."""

    name: Name
    """As the laboratory calls it."""
    code: Code = ""
    """LOINC: `2160-0`; empty where nobody said."""
    value: float | None = None
    """A finite number; null where the result is no number."""
    said: Line = ""
    """The result in words, where it is no number: `positive`, `< 0.01`."""
    unit: Unit = ""
    """UCUM: `mg/dL`. It is kept as it comes; nothing is converted."""
    low: float | None = None
    """Lower end of the laboratory's reference range, in the same unit; null without one."""
    high: float | None = None
    """Its upper end."""
    taken: Moment | None = None
    """When the sample was taken; null where nobody said."""

    @model_validator(mode="after")
    def _one_result(self) -> NewObservation:
        if (self.value is None) == (not self.said.strip()):
            raise ValueError("give either a value or what was said")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("the low end of the reference range is above its high end")
        return self


class NewObservations(Body):
    """Results that are brought in together."""

    observations: list[NewObservation] = Field(min_length=1, max_length=kept.MOST)
    """Those of one study."""


class Observation(Answer):
    """A result as it is kept."""

    id: str
    """For ever."""
    name: str
    """As the laboratory calls it."""
    code: str
    """LOINC, or empty."""
    value: float | None
    """In `unit`; null where it is no number."""
    said: str
    """In words, where it is no number."""
    unit: str
    """As it came."""
    low: float | None
    """Of the reference range; null without one."""
    high: float | None
    """Of the reference range; null without one."""
    taken: Time | None
    """When the sample was taken; null where nobody said."""
    by: str
    """Who brought it."""
    at: Time
    """When it arrived."""


class Left(Answer):
    """Something of a FHIR resource that was not kept."""

    entry: str
    """Where it stood: `entry[3].component[0]`."""
    what: str
    """Which part of it."""
    why: str
    """For people."""


class Brought(Answer):
    """What came of it."""

    added: list[Observation]
    """New ones."""
    again: int
    """How many were there already, with every word the same; they are not kept twice."""
    left: list[Left]
    """Of a FHIR resource: what was not kept, and why."""


@router.post("/studies/{study}/observations", status_code=201, openapi_extra=operation("observations.write"))
def keep_observations(asked: Who, once: Once, study: studies.UidInPath, body: NewObservations) -> Brought:
    """Bring laboratory results or vital signs of a study in; a release in service that reads such rows answers."""
    given = [kept.Observation(**{**vars(one), "taken": one.taken and seconds(one.taken)}) for one in body.observations]
    return _kept(asked, once, study, fhir.Found(given))


@router.post("/studies/{study}/observations/fhir", status_code=201, openapi_extra=operation("observations.write"))
def keep_fhir(asked: Who, once: Once, study: studies.UidInPath, body: dict[str, Any]) -> Brought:
    """Bring in the Observations of a FHIR R4 Bundle, or one; whose they are is not kept. What can't be kept is told."""
    refuse_odd(body, "the resource")
    return _kept(asked, once, study, fhir.read(body))


@router.get("/studies/{study}/observations", openapi_extra=operation("observations.list"))
def list_observations(asked: Who, study: studies.UidInPath, paging: Paged) -> Page[Observation]:
    """Results of a study, those that arrived last first."""
    row = studies.found(asked, study)
    query = select(observations).where(observations.c.study_id == row["id"])
    order = (observations.c.at, observations.c.id)
    page = listed(asked, query, order, paging, Observation.model_validate, newest_first=True)
    asked.service.audit.tell(asked.event("study.viewed", study, project=row["project_id"], part="observations"))
    return page


def _kept(asked: Asked, once: Once, study: str, found: fhir.Found) -> Brought:
    project = studies.found(asked, study)["project_id"]
    with asked.service.database.reading() as connection:
        known = speakers.speakers(asked.service, connection, speakers.TABLE)

    def work(connection: Connection) -> Brought:
        row = studies.still(connection, study, project)
        made = kept.keep(connection, row["id"], found.kept, asked.caller.name, asked.service.clock())
        by = asked.caller.actor
        read = speakers.ask_fitting(asked.service, connection, row, known, by) if made.added else []
        detail = {"added": len(made.added), "again": made.again, "left": len(found.left), "read_by": read}
        asked.record(connection, "observations.kept", study, project, **detail)
        added = [Observation.model_validate(one) for one in made.added]
        return Brought(added=added, again=made.again, left=[Left.model_validate(one) for one in found.left])

    answer = once.change(Brought, work)
    asked.service.stirred.set()
    return answer
