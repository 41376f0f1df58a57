"""Plans: what will be done and why, made from data or edited."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, JsonValue

from diascope.core.plan import Plan
from diascope.planning.settings import checked
from diascope.serve import nouns as kept
from diascope.serve import verbs
from diascope.serve.http import nouns
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Body, Line, refuse_odd
from diascope.serve.http.idempotency import Once
from diascope.serve.http.nouns import InAddress, Owned, WithRecord
from diascope.serve.http.paging import Page, Paged
from diascope.serve.http.routes.jobs import Job
from diascope.serve.http.running import Learning, run

router = APIRouter(prefix="/plans", tags=["plans"])


class Changes(Body):
    """Fields of a plan that are set by hand."""

    settings: Annotated[dict[Line, JsonValue], Field(min_length=1, max_length=200)]
    """Name of the field to its value, of the kind that it has."""


@router.get("", openapi_extra=operation("plans.list"))
def list_plans(asked: Who, paging: Paged) -> Page[Owned]:
    """Plans by name."""
    return nouns.listed(asked, "plans", paging)


@router.post("", status_code=202, openapi_extra=operation("plans.write"))
def make_plan(asked: Who, once: Once, body: Learning) -> Job:
    """Check data, freeze it as a data set, and make a plan."""
    return run(asked, once, body.project, "plan", [body.place], body.options)


@router.get("/{plan}", openapi_extra=operation("plans.read"))
def read_plan(asked: Who, plan: InAddress) -> WithRecord:
    """A plan: each choice with its kind and its reason."""
    return nouns.with_record(*nouns.found(asked, "plans", plan))


@router.patch("/{plan}", openapi_extra=operation("plans.write"))
def edit_plan(asked: Who, once: Once, plan: InAddress, body: Changes) -> WithRecord:
    """Set fields of a plan by hand; what was trained by it before keeps its own copy."""
    noun, _ = nouns.found(asked, "plans", plan)
    verbs.settings_name_no_files(body.settings)
    refuse_odd(body.settings, "settings")

    def work() -> WithRecord:
        with kept.free_of(asked.service, "plans", plan) as path:
            changed = Plan.read(path)
            for field, value in body.settings.items():
                checked(field, value, changed[field])
                changed = changed.with_choice(field, value, "by hand", f"set by {asked.caller.name}")
            changed.write(path)
            asked.service.audit.tell(
                asked.event("plan.edited", f"plans:{plan}"[:256], project=noun.project, fields=",".join(body.settings))
            )
            return nouns.with_record(noun, path)

    return once.through(WithRecord, work)


@router.delete("/{plan}", status_code=204, openapi_extra=operation("plans.delete"))
def remove_plan(asked: Who, plan: InAddress) -> None:
    """Delete a plan; what was trained by it stays."""
    nouns.deleted(asked, "plans", plan)
