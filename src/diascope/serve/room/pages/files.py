"""The static files of the pages. Their names carry hashes: a browser may keep them for ever."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse

from diascope.serve.http.asking import operation
from diascope.serve.http.errors import NotFound
from diascope.serve.room.static import FOLDER, built, media_type

PREFIX = "/static"
router = APIRouter()

Name = Annotated[str, Path(max_length=200, pattern=r"^[A-Za-z0-9_./-]+$")]
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.get("/{name:path}", include_in_schema=False, openapi_extra=operation("service.alive"))
def static_file(name: Name) -> FileResponse:
    """One of the files that were built, and nothing else of the disk."""
    found = built()
    if found is None or name not in found.files:
        raise NotFound("there is no such file")
    return FileResponse(FOLDER / name, media_type=media_type(name), headers=FOREVER)
