"""Uploads: data sets from somebody's own machine; the source `uploads` of their project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import anyio
from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection, select

from diascope.serve import nouns as kept
from diascope.serve.database.tables import projects
from diascope.serve.http import nouns
from diascope.serve.http.arriving import Arriving
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import TooLarge
from diascope.serve.http.fields import PLAIN
from diascope.serve.http.idempotency import OnceUnread
from diascope.serve.http.nouns import InAddress, Owned
from diascope.serve.http.paging import Page, Paged
from diascope.serve.incoming import uploading

router = APIRouter(prefix="/uploads", tags=["datasets"])

AT_ONCE = 2
"""Uploads that are written at a time; others wait."""
OCTETS: dict[str, Any] = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
BODY = {"requestBody": {"required": True, "description": "The file, as it is", **OCTETS}}

FileName = Annotated[
    str, Query(min_length=5, max_length=256, pattern=PLAIN, description="Of the file: `films.zip`, `cases.csv`")
]
ProjectId = Annotated[
    str, Query(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="Id of the project that it belongs to from then on")
]


class Upload(Owned):
    """A data set that somebody uploaded."""

    path: str
    """In the source `uploads`: what `path` says to check it, or to learn from it."""


@router.get("", openapi_extra=operation("datasets.list"))
def list_uploads(asked: Who, paging: Paged) -> Page[Upload]:
    """Uploads by name."""
    page = nouns.listed(asked, uploading.KIND, paging)
    return Page(items=[_with_path(asked, one) for one in page.items], next=page.next)


@router.post("", status_code=201, openapi_extra=operation("datasets.upload") | BODY)
async def upload(
    request: Request, response: Response, asked: Who, once: OnceUnread, name: FileName, project: ProjectId = "default"
) -> Upload:
    """Upload a data set: a zip, which is unpacked, or a table. The body is the file, as it is."""
    response.headers["Connection"] = "close"  # where the answer is an old one, the body is not read
    stem = uploading.named(name)  # before anything is read

    def work() -> Upload:
        _may(asked, project)
        chunks = _bounded(request, asked.service.settings.largest_upload_mb)
        made = uploading.receive(asked.service, chunks, name, (project, asked.caller.actor), told)
        return _with_path(asked, Owned.model_validate(made))

    def told(connection: Connection, made: kept.Noun) -> None:
        asked.record(connection, "dataset.uploaded", f"uploads:{made.name}", project, kind=stem[1])

    return await to_thread.run_sync(lambda: once.through(Upload, work), limiter=_limiter(request))


@router.delete("/{upload}", status_code=204, openapi_extra=operation("datasets.delete"))
def remove_upload(asked: Who, upload: InAddress) -> None:
    """Delete an upload; data sets, plans and releases that were made of it stay, and can't be made anew."""
    nouns.deleted(asked, uploading.KIND, upload)


def _may(asked: Asked, project: str) -> None:
    with asked.service.database.reading() as connection:
        there = connection.execute(select(projects.c.id).where(projects.c.id == project)).first()
    if there is None:
        raise asked.missing("project", project)
    asked.on(project, f"project:{project}")


def _bounded(request: Request, most_mb: int) -> Iterator[bytes]:
    size = 0
    for chunk in Arriving(request):
        size += len(chunk)
        if size > most_mb * 1_000_000:
            raise TooLarge("the file is too large", todo=f"At most {most_mb:,} MB are taken (largest_upload_mb)")
        yield chunk


def _with_path(asked: Asked, one: Owned) -> Upload:
    return Upload(**one.model_dump(), path=uploading.place_of(asked.service, one.name))


def _limiter(request: Request) -> anyio.CapacityLimiter:
    state = request.app.state
    if not hasattr(state, "uploading"):
        state.uploading = anyio.CapacityLimiter(AT_ONCE)
    found: anyio.CapacityLimiter = state.uploading
    return found
