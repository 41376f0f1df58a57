"""Releases: made as candidates, signed by a person, put into service and withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy import Connection, select

from diascope.core import registry
from diascope.core.errors import BadUsage, Conflict, DiascopeError
from diascope.core.evaluation import Release as Record
from diascope.serve import nouns as kept
from diascope.serve.database.tables import served, users
from diascope.serve.http import nouns, zipping
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.fields import Answer, Body, Id, Line, Name, Text, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.nouns import InAddress
from diascope.serve.http.paging import Page, Paged, walked
from diascope.serve.http.routes.evaluations import HTML, ZIP
from diascope.serve.http.routes.jobs import Job
from diascope.serve.http.running import Data, Language, Learning, run
from diascope.serve.reading.served import WITHDRAWN, put_into_service, withdraw
from diascope.sources.publicsets.catalogue import catalogue
from diascope.store.releases import INDEX

router = APIRouter(tags=["releases"])

CARD = "model-card.md"
"""As `stages/release.py` writes it."""

TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Markdown", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


class Fitting(Learning):
    """Data that is learnt from, and what may be spent on it; see `diascope fit --help`."""

    lang: Language = "en"
    """Of the report."""


class Adoption(Data):
    """A network that others made, and local data that it is measured on; see `diascope adopt --help`."""

    manifest_source: Name
    """Name of the folder of data where the network's manifest is."""
    manifest: Text
    """Path of the manifest in that folder."""
    task: Line = "auto"
    """What it does."""
    folds: int | None = Field(default=None, ge=1, le=100)
    """Cross-validate with so many folds."""
    settings: dict[Line, Any] = Field(default_factory=dict)
    """Fields of the plan that are set by hand."""
    lang: Language = "en"
    """Of the report."""


class Release(Answer):
    """A release."""

    name: str
    """`name@version`."""
    task: str
    """What it does."""
    created: str
    """When it was made."""
    signed_by: str | None
    """Who signed it; null is a candidate."""
    signed_at: str | None
    """When."""
    seal: str
    """Hash of its index."""
    licence: str
    """Of the weights."""
    state: Literal["candidate", "in service", "withdrawn", "unreadable"]
    """Signed releases are in service unless somebody withdrew them."""
    reason: str
    """Why it was withdrawn, or can't be read."""
    by: str
    """Who put it into service or withdrew it; empty where nobody did."""
    at: Time | None
    """When."""


class WholeRelease(Release):
    """A release with its evidence."""

    record: dict[str, Any]
    """Its index: target, gate, decision, hashes of its files."""
    evaluation: dict[str, Any]
    """Metrics with intervals, without pictures and single cases."""


class Signature(Body):
    """Signing."""

    licence: Text | None = None
    """Of the weights; null is what the source of the data states."""
    name: Line | None = None
    """The signer's own name, typed; null is not asked. Another name is refused."""
    reason: Text | None = None
    """Why it may be used, for the audit trail."""


class Withdrawal(Body):
    """Taking out of service."""

    reason: Text = Field(min_length=1)
    """Shown with every result that it would have given."""


class Target(Body):
    """What a network is written for."""

    to: Literal["onnx", "openvino"]
    """Format."""
    project: Id = "default"
    """Id of the project that the job belongs to."""


class Plugins(Answer):
    """What the program knows."""

    families: dict[str, list[str]]
    """Family to names: tasks, models, formats, sources, checks, …"""
    sets: list[str]
    """Public data sets."""


@router.get("/plugins", openapi_extra=operation("releases.list"))
def list_plugins(asked: Who) -> Plugins:
    """Plug-ins by family, and public data sets."""
    families = {name: list(registry.names(name)) for name in registry.FAMILIES}
    return Plugins(families=families, sets=sorted(catalogue()))


@router.get("/releases", openapi_extra=operation("releases.list"))
def list_releases(asked: Who, paging: Paged) -> Page[Release]:
    """Releases by name; they are of the whole service."""
    there = kept.names(asked.service.workspace, "releases")

    def fetch(after: str, limit: int) -> list[str]:
        return [one for one in there if one > after][:limit]

    found, following = walked(asked, paging, fetch, str)
    with asked.service.database.reading() as connection:
        return Page(items=[_shown(asked, connection, name) for name in found], next=following)


@router.post("/releases", status_code=202, openapi_extra=operation("releases.build"))
def fit(asked: Who, once: Once, body: Fitting) -> Job:
    """From data to a candidate release: check, plan, train, evaluate."""
    return run(asked, once, body.project, "fit", [body.place], {**body.options, "lang": body.lang})


@router.post("/releases/adopt", status_code=202, openapi_extra=operation("releases.build"))
def adopt(asked: Who, once: Once, body: Adoption) -> Job:
    """Take a network that others made: measure it on local cases, and pack a candidate release."""
    said = body.model_dump(include={"task", "folds", "lang"})
    options = {**body.options, **said, "set": body.settings}
    if options.pop("read"):
        raise Conflict("an adopted network reads no columns", todo="Leave `read` out")
    manifest = {"source": body.manifest_source, "path": body.manifest}
    return run(asked, once, body.project, "adopt", [manifest, body.place], options)


@router.get("/releases/{release}", openapi_extra=operation("releases.read"))
def read_release(asked: Who, release: InAddress) -> WholeRelease:
    """A release with its evidence."""
    folder = kept.path_of(asked.service.workspace, "releases", release)
    with asked.service.database.reading() as connection:
        head = _shown(asked, connection, release)
    evaluation = nouns.record_of(folder / "evaluation.json", without=("figures", "cases_ranked", "case_values"))
    return WholeRelease(**vars(head), record=nouns.record_of(folder / INDEX), evaluation=evaluation)


@router.get(
    "/releases/{release}/card", openapi_extra=operation("releases.read"), response_class=Response, responses=TEXT
)
def read_card(asked: Who, release: InAddress) -> Response:
    """The model card."""
    return nouns.text_of(kept.path_of(asked.service.workspace, "releases", release) / CARD, f"{release}.md")


@router.get(
    "/releases/{release}/report", openapi_extra=operation("releases.read"), response_class=Response, responses=HTML
)
def read_report(asked: Who, release: InAddress) -> Response:
    """The report of a release, to be saved: one page that is whole in itself."""
    kept.path_of(asked.service.workspace, "releases", release)
    return nouns.page_of(asked.service.workspace.reports / f"{release}.html", release)


@router.get(
    "/releases/{release}/files", openapi_extra=operation("releases.export"), response_class=Response, responses=ZIP
)
def read_files(asked: Who, release: InAddress) -> Response:
    """A release whole, with the networks that were exported of it, as a zip."""
    folder = kept.path_of(asked.service.workspace, "releases", release)
    asked.service.audit.tell(asked.event("release.exported", f"releases:{release}"[:256], to="zip"))
    return zipping.as_zip(_files(asked, folder), release)


@router.post("/releases/{release}/export", status_code=202, openapi_extra=operation("releases.export"))
def export(asked: Who, once: Once, release: InAddress, body: Target) -> Job:
    """Write a release's network for other programs, after it gave the same answers; it is among its files then."""
    return run(asked, once, body.project, "export", [{"release": release}], {"to": body.to})


@router.post("/releases/{release}/sign", openapi_extra=operation("releases.sign"))
def sign_release(asked: Who, once: Once, release: InAddress, body: Signature) -> Release:
    """Sign a candidate with one's own name, so that it may be served."""
    # Not above: it brings torch, which takes seconds, and the service listens before (RELIABILITY A15).
    from diascope.stages.release import sign

    service = asked.service
    folder = kept.path_of(service.workspace, "releases", release)
    with service.database.reading() as connection:
        query = select(users.c.display, users.c.name).where(users.c.id == asked.caller.id)
        person = connection.execute(query).one()
    name = person.display or person.name
    if body.name is not None and body.name.strip() != name:
        raise BadUsage("one signs with one's own name", given=body.name, todo=f"Type {name}")

    def work() -> Release:
        with service.workspace.locked():
            signed = sign(service.workspace, str(folder), name, body.licence)
        why: dict[str, Any] = {"reason": body.reason.strip()} if body.reason and body.reason.strip() else {}
        service.audit.tell(asked.event("release.signed", f"releases:{release}"[:256], seal=signed.seal, **why))
        return _read(asked, release)

    return once.through(Release, work)


@router.post("/releases/{release}/serve", openapi_extra=operation("releases.serve"))
def serve_release(asked: Who, once: Once, release: InAddress) -> Release:
    """Put a signed release into service again; a candidate is signed first."""
    kept.path_of(asked.service.workspace, "releases", release)

    def work(connection: Connection) -> Release:
        if _shown(asked, connection, release).signed_by is None:
            raise Conflict("this is a candidate: nobody has signed it", given=release, todo="Sign it first")
        put_into_service(connection, release, asked.caller.actor, asked.service.clock())
        asked.record(connection, "release.served", f"releases:{release}"[:256])
        return _shown(asked, connection, release)

    return once.change(Release, work)


@router.post("/releases/{release}/withdraw", openapi_extra=operation("releases.withdraw"))
def withdraw_release(asked: Who, once: Once, release: InAddress, body: Withdrawal) -> Release:
    """Take a release out of service: nothing is read with it from now on."""
    kept.path_of(asked.service.workspace, "releases", release)

    def work(connection: Connection) -> Release:
        withdraw(connection, release, body.reason, asked.caller.actor, asked.service.clock())
        asked.record(connection, "release.withdrawn", f"releases:{release}"[:256])
        return _shown(asked, connection, release)

    return once.change(Release, work)


def _read(asked: Asked, release: str) -> Release:
    with asked.service.database.reading() as connection:
        return _shown(asked, connection, release)


def _shown(asked: Asked, connection: Connection, name: str) -> Release:
    row = connection.execute(select(served).where(served.c.release == name)).first()
    told: dict[str, Any] = {"name": name, "by": row.by if row else "", "at": row.at if row else None}
    plain: dict[str, Any] = {"task": "", "created": "", "signed_by": None, "signed_at": None, "seal": "", "licence": ""}
    try:
        found = Record.read(asked.service.workspace.releases / name / INDEX)
    except DiascopeError as error:
        reason = error.wrong.replace(f"{asked.service.workspace.root}/", "")
        return Release(**plain, **told, state="unreadable", reason=reason)
    told |= {key: getattr(found, key) for key in plain}
    if row is not None and row.state == WITHDRAWN:
        return Release(**told, state="withdrawn", reason=row.reason)
    return Release(**told, state="in service" if found.signed_by else "candidate", reason="")


def _files(asked: Asked, folder: Path) -> Iterator[tuple[str, Path]]:
    yield from zipping.files_in(folder)
    others = asked.service.workspace.root / "exports" / folder.name
    if others.is_dir():
        yield from ((f"exported/{name}", path) for name, path in zipping.files_in(others))
