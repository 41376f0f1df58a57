"""Objects as they arrive: what stores them waits for the disk, in a thread that holds up nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import anyio
from anyio import from_thread, to_thread
from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import select
from starlette.requests import ClientDisconnect

from diascope.core.errors import BadUsage, DiascopeError
from diascope.serve.access.matrix import reach
from diascope.serve.database.tables import projects, studies
from diascope.serve.dicomweb import negotiation
from diascope.serve.dicomweb.elements import JSON
from diascope.serve.dicomweb.multipart import Malformed, boundary_of, media_type
from diascope.serve.dicomweb.stow import Report, Storing
from diascope.serve.http.asking import Asked
from diascope.serve.http.errors import WrongType, told
from diascope.serve.incoming.receiving import Receiving
from diascope.serve.incoming.storing import Origin
from diascope.serve.service import FIRST_PROJECT

AT_ONCE = 16
"""Bodies that are stored at a time; others wait, and nobody else waits for them."""

FIRST_SECONDS = 4.0
"""For the first bytes: nobody who says that megabytes follow may keep us waiting for them (RELIABILITY B3)."""

IDLE_SECONDS = 20.0
"""Between two pieces of what follows."""


class Arriving:
    """The chunks of a body, to be taken in a thread that the loop has started.

    Args:
        request: Whose body nobody has read.
    """

    def __init__(self, request: Request) -> None:
        self._stream = request.stream()
        self._seen = 0
        self.ended = False
        """Whether all of it was taken."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The next chunk.

        Raises:
            Malformed: When nothing arrives for too long, or the client is gone.
        """
        chunk = from_thread.run(self._next)
        if not chunk:
            self.ended = True
            raise StopIteration
        self._seen += len(chunk)
        return chunk

    async def _next(self) -> bytes:
        seconds = IDLE_SECONDS if self._seen > 1024 else FIRST_SECONDS
        try:
            with anyio.fail_after(seconds):
                async for chunk in self._stream:
                    if chunk:
                        return chunk
        except TimeoutError as error:
            raise Malformed(f"nothing of the body has arrived for {seconds:.0f} s", todo="Send it again") from error
        except ClientDisconnect as error:
            raise Malformed("the connection ended before the body did", todo="Send it again") from error
        return b""


async def store(request: Request, who: Asked, study: str, project: str, base: str) -> Response:
    """Store the instances of a body.

    Args:
        request: Whose body nobody has read.
        who: Asks.
        study: UID of the study that the address names; "" where it names none.
        project: Id of the project that was named, or "".
        base: Address of the service's DICOMweb.
    """
    try:
        report = await _stored(request, who, study, project)
    except DiascopeError as error:
        response = told(error)
        response.headers["Connection"] = "close"  # what follows of the body is not read
        return response
    content = json.dumps(report.to_model(base, study), separators=(",", ":"))
    headers = {"Connection": "close"} if report.broken else {}
    if report.status in (503, 507):
        headers["Retry-After"] = "10"
    return Response(content, report.status, headers, JSON)


async def _stored(request: Request, who: Asked, study: str, project: str) -> Report:
    kind = media_type(request.headers.get("content-type", ""))
    if kind.name != "multipart/related" or kind.parameters.get("type", negotiation.DICOM).lower() != negotiation.DICOM:
        raise WrongType("instances are taken as multipart/related only", todo='Send type="application/dicom"')
    boundary = boundary_of(kind)
    place = await to_thread.run_sync(_project, who, study, project)
    origin = Origin(who.caller.actor, who.caller.address, place)
    storing = Storing(_receiving(request), origin, study)
    return await to_thread.run_sync(storing.store, Arriving(request), boundary, limiter=_limiter(request))


def _project(who: Asked, study: str, named: str) -> str:
    """Where objects go: the project of a study that is there, the one that was named, or the only one.

    Raises:
        BadUsage: When nobody can tell.
    """
    if study:
        with who.service.database.reading() as connection:
            there = connection.execute(select(studies.c.project_id).where(studies.c.uid == study)).scalar()
        if there is not None:
            who.on(there, study)
            return str(there)
    if named:
        with who.service.database.reading() as connection:
            if connection.execute(select(projects.c.id).where(projects.c.id == named)).first() is None:
                raise who.missing("project", named)
        who.on(named, f"project:{named}")
        return named
    found = reach("instances.store", who.caller)
    if FIRST_PROJECT in found.projects or found.everywhere:
        return FIRST_PROJECT
    if len(found.projects) != 1:
        raise BadUsage("it is not clear to which project new studies belong", todo="Add ?project= and its id")
    return next(iter(found.projects))


def _receiving(request: Request) -> Receiving:
    """One for the application: those who store at the same time share transactions."""
    state = request.app.state
    if not hasattr(state, "receiving"):
        state.receiving = Receiving(state.service)
    found: Receiving = state.receiving
    return found


def _limiter(request: Request) -> anyio.CapacityLimiter:
    state = request.app.state
    if not hasattr(state, "storing"):
        state.storing = anyio.CapacityLimiter(AT_ONCE)
    found: anyio.CapacityLimiter = state.storing
    return found
