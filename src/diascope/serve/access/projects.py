"""Projects and their members. Studies, data sets, jobs belong to one project each."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from diascope.core.errors import BadUsage
from diascope.serve.access.matrix import Reach
from diascope.serve.access.refusals import Missing, Taken
from diascope.serve.access.users import Acting, add_member
from diascope.serve.audit import Event
from diascope.serve.database.tables import memberships, projects, users

if TYPE_CHECKING:
    from diascope.serve.service import Service


@dataclass(frozen=True)
class Project:
    """A project.

    Args:
        id: For ever.
        name: Can be changed.
        created: Seconds since 1970.
        members: Ids of users.
    """

    id: str
    name: str
    created: float
    members: frozenset[str]


def listed(service: Service, within: Reach, after: str = "", limit: int = 100) -> list[Project]:
    """Projects by name, a page at a time.

    Args:
        service: That is asked.
        within: Those that the caller may see (`matrix.reach`).
        after: Name of the last one of the page before.
        limit: How many.
    """
    query = select(projects.c.id).where(projects.c.name > after).order_by(projects.c.name).limit(limit)
    if not within.everywhere:
        query = query.where(projects.c.id.in_(within.projects))
    with service.database.reading() as connection:
        return [_read(connection, one) for one in connection.execute(query).scalars().all()]


def read(service: Service, project: str) -> Project:
    """A project by id.

    Raises:
        Missing: When there is none.
    """
    with service.database.reading() as connection:
        return _read(connection, project)


def create(service: Service, name: str, by: Acting) -> Project:
    """Make a project without members.

    Raises:
        BadUsage: When the name makes no sense.
        Taken: When another one has the name.
    """
    name, project = _checked(name), secrets.token_hex(16)

    def work(connection: Connection) -> Project:
        connection.execute(insert(projects).values(id=project, name=name, created=service.clock()))
        _tell(service, connection, by, "project.created", project)
        return _read(connection, project)

    return _named(service, work, name)


def rename(service: Service, project: str, name: str, by: Acting) -> Project:
    """Give a project another name.

    Raises:
        Missing: When there is no such project.
        BadUsage: When the name makes no sense.
        Taken: When another one has the name.
    """
    name = _checked(name)

    def work(connection: Connection) -> Project:
        _read(connection, project)
        connection.execute(update(projects).where(projects.c.id == project).values(name=name))
        _tell(service, connection, by, "project.renamed", project)
        return _read(connection, project)

    return _named(service, work, name)


def join(service: Service, project: str, user: str, by: Acting) -> Project:
    """Make a user a member; it counts from the next request on.

    Raises:
        Missing: When there is no such project or user.
    """

    def work(connection: Connection) -> Project:
        name = _user_name(connection, user)
        if add_member(connection, user, project):
            _tell(service, connection, by, "member.added", project, member=name)
        return _read(connection, project)

    return service.database.change(work)


def leave(service: Service, project: str, user: str, by: Acting) -> Project:
    """Make a user no member any more; it counts from the next request on.

    Raises:
        Missing: When there is no such project or user.
    """

    def work(connection: Connection) -> Project:
        name = _user_name(connection, user)
        _read(connection, project)
        gone = delete(memberships).where(memberships.c.user_id == user, memberships.c.project_id == project)
        if connection.execute(gone).rowcount:
            _tell(service, connection, by, "member.removed", project, member=name)
        return _read(connection, project)

    return service.database.change(work)


def _named(service: Service, work: Any, name: str) -> Project:
    try:
        found: Project = service.database.change(work)
    except IntegrityError as error:
        raise Taken("another project has this name", given=name, todo="Take another one") from error
    return found


def _checked(name: str) -> str:
    found = " ".join(name.split())
    if not found or len(found) > 128 or not found.isprintable():
        raise BadUsage("this is no name for a project", given=name[:140], todo="Give 1 to 128 characters")
    return found


def _user_name(connection: Connection, user: str) -> str:
    found = connection.execute(select(users.c.name).where(users.c.id == user)).scalar()
    if found is None:
        raise Missing("user", user[:64])
    return str(found)


def _read(connection: Connection, project: str) -> Project:
    row = connection.execute(select(projects).where(projects.c.id == project)).mappings().first()
    if row is None:
        raise Missing("project", project[:64])
    query = select(memberships.c.user_id).where(memberships.c.project_id == project)
    members = connection.execute(query).scalars().all()
    return Project(row["id"], row["name"], row["created"], frozenset(members))


def _tell(service: Service, connection: Connection, by: Acting, action: str, project: str, **detail: Any) -> None:
    event = Event(action, by.actor, f"project:{project}", project=project, address=by.address, detail=detail)
    service.audit.append(connection, event)
