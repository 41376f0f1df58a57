"""Projects and their members."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from diascope.serve.access import projects
from diascope.serve.access.refusals import Missing
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.fields import Answer, Body, InPath, Name, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, walked

router = APIRouter(prefix="/projects", tags=["projects"])


class Project(Answer):
    """A project: studies, data sets and jobs belong to one each."""

    id: str
    """For ever."""
    name: str
    """Can be changed."""
    created: Time
    """When it was made."""
    members: Annotated[list[str], Field(json_schema_extra={"uniqueItems": True})]
    """Ids of users."""


class Named(Body):
    """The name of a project."""

    name: Name
    """No other project has it."""


@router.get("", openapi_extra=operation("projects.list"))
def list_projects(asked: Who, paging: Paged) -> Page[Project]:
    """Projects by name."""
    found, following = walked(
        asked,
        paging,
        lambda after, limit: projects.listed(asked.service, asked.reach, after, limit),
        lambda one: one.name,
    )
    return Page(items=[_shown(one) for one in found], next=following)


@router.post("", status_code=201, openapi_extra=operation("projects.write"))
def make_project(asked: Who, once: Once, body: Named) -> Project:
    """Make a project without members."""
    return once.through(Project, lambda: _shown(projects.create(asked.service, body.name, asked.caller)))


@router.get("/{project}", openapi_extra=operation("projects.read"))
def read_project(asked: Who, project: InPath) -> Project:
    """A project."""
    return _shown(_found(asked, project))


@router.patch("/{project}", openapi_extra=operation("projects.write"))
def rename_project(asked: Who, project: InPath, body: Named) -> Project:
    """Give a project another name."""
    return _shown(projects.rename(asked.service, project, body.name, asked.caller))


@router.put("/{project}/members/{user}", openapi_extra=operation("projects.members"))
def add_member(asked: Who, once: Once, project: InPath, user: InPath) -> Project:
    """Make a user a member; it counts from the next request on."""
    _found(asked, project)
    return once.through(Project, lambda: _shown(projects.join(asked.service, project, user, asked.caller)))


@router.delete("/{project}/members/{user}", openapi_extra=operation("projects.members"))
def remove_member(asked: Who, project: InPath, user: InPath) -> Project:
    """Make a user no member any more; it counts from the next request on."""
    _found(asked, project)
    return _shown(projects.leave(asked.service, project, user, asked.caller))


def _found(asked: Asked, project: str) -> projects.Project:
    """The project, for those who may know of it."""
    try:
        found = projects.read(asked.service, project)
    except Missing:
        raise asked.missing("project", project) from None
    asked.on(project, f"project:{project}")
    return found


def _shown(project: projects.Project) -> Project:
    return Project.model_validate({**vars(project), "members": sorted(project.members)})
