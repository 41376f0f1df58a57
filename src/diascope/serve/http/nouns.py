"""What the routes of the workspace's nouns share: lists, records, pages of evidence, deletion."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path as File
from typing import Annotated, Any

from fastapi import Path
from fastapi.responses import FileResponse, Response

from diascope.core.errors import Tampered
from diascope.serve import nouns
from diascope.serve.access.refusals import Missing
from diascope.serve.http.asking import Asked
from diascope.serve.http.fields import Answer, Time
from diascope.serve.http.paging import Page, Paging, walked
from diascope.serve.nouns import Noun
from diascope.store.releases import LARGEST_RECORD

InAddress = Annotated[
    str, Path(max_length=256, pattern=r"^[^/\\.\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*$", description="Name")
]
"""The name of a noun in an address."""

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'"
"""Of a report: a page that is whole in itself and runs nothing."""


class Owned(Answer):
    """Something of the workspace."""

    name: str
    """Of its file or folder; given to `diascope` as it is."""
    project: str
    """Id of the project that it belongs to."""
    by: str
    """Who made it."""
    created: Time
    """When."""


class WithRecord(Owned):
    """The same, with what is written in it."""

    record: dict[str, Any]
    """The record, as `diascope` writes it."""


def listed(asked: Asked, kind: str, paging: Paging) -> Page[Owned]:
    """Nouns that the caller may see, by name."""
    reach = asked.reach
    mine = [one for one in nouns.listed(asked.service, kind) if reach.everywhere or one.project in reach.projects]

    def fetch(after: str, limit: int) -> list[Noun]:
        return [one for one in mine if one.name > after][:limit]

    found, following = walked(asked, paging, fetch, lambda one: one.name)
    return Page(items=[Owned.model_validate(one) for one in found], next=following)


def found(asked: Asked, kind: str, name: str) -> tuple[Noun, File]:
    """A noun and where it lies, for those who may do with it what they ask.

    Raises:
        NotFound: When there is none, or the caller may not know of it.
        Forbidden: When the caller may not do this to it.
        Missing: When there is none, and the caller would see it.
    """
    try:
        noun = nouns.read(asked.service, kind, name)
    except Missing:
        asked.on("", f"{kind}:{name}"[:256])
        raise
    asked.on(noun.project, f"{kind}:{name}"[:256])
    return noun, nouns.path_of(asked.service.workspace, kind, name)


def with_record(noun: Noun, path: File) -> WithRecord:
    """A noun with the record of a file.

    Raises:
        Tampered: When the file is not there, or is no record.
    """
    return WithRecord(**vars(noun) | {"record": record_of(path)})


def record_of(path: File, without: Sequence[str] = ()) -> dict[str, Any]:
    """The record of a file of the workspace.

    Args:
        path: Of the file.
        without: Keys that are left out.

    Raises:
        Tampered: When the file is not there, or is no record.
    """
    try:
        if path.stat().st_size > LARGEST_RECORD:
            raise Tampered("the record is too large", given=path.name)
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Tampered("there is no such record in it", given=path.name) from error
    if not isinstance(content, dict):
        raise Tampered("this is no record", given=path.name)
    return {key: value for key, value in content.items() if key not in without}


def deleted(asked: Asked, kind: str, name: str) -> None:
    """Delete a noun; it is audited.

    Raises:
        NotFound: See `found`.
        WorkspaceBusy: When a training is using the workspace.
    """
    noun, _ = found(asked, kind, name)
    nouns.remove(asked.service, noun)
    asked.service.audit.tell(asked.event("noun.deleted", f"{kind}:{name}"[:256], project=noun.project))


def page_of(path: File, name: str) -> Response:
    """An HTML report, to be saved; where it is opened all the same, it runs nothing and fetches nothing."""
    if not path.is_file() or path.is_symlink():
        raise Missing("report", name)
    headers = {"Content-Security-Policy": f"{PAGE_POLICY}; sandbox"}
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=headers, filename=f"{name}.html")


def text_of(path: File, name: str) -> Response:
    """A text file, to be saved."""
    if not path.is_file() or path.is_symlink():
        raise Missing("file", name)
    return FileResponse(path, media_type="text/plain; charset=utf-8", filename=name)
