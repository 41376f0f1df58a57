"""Evaluations: what was measured on which cases; reports, and files that jobs made."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from diascope.serve.http import nouns, zipping
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Name
from diascope.serve.http.idempotency import Once
from diascope.serve.http.nouns import InAddress, Owned, WithRecord
from diascope.serve.http.paging import Page, Paged
from diascope.serve.http.routes.jobs import Job
from diascope.serve.http.running import Data, Language, run

router = APIRouter(tags=["evaluations"])

HTML: dict[int | str, dict[str, Any]] = {
    200: {"description": "A page", "content": {"text/html": {"schema": {"type": "string"}}}}
}
ZIP: dict[int | str, dict[str, Any]] = {
    200: {"description": "The files", "content": {"application/zip": {"schema": {"type": "string"}}}}
}


class External(Data):
    """A release, and other labelled data that it is measured on."""

    release: Name
    """`name@version`."""
    lang: Language = "en"
    """Of the report."""


class Comparison(Data):
    """Two releases, and data that neither was trained on."""

    one: Name
    """`name@version`."""
    other: Name
    """`name@version`, of the same task."""


@router.get("/evaluations", openapi_extra=operation("evaluations.list"))
def list_evaluations(asked: Who, paging: Paged) -> Page[Owned]:
    """Evaluations by name; those with `.json` are of data from elsewhere, or comparisons."""
    return nouns.listed(asked, "evaluations", paging)


@router.post("/evaluations", status_code=202, openapi_extra=operation("evaluations.start"))
def evaluate(asked: Who, once: Once, body: External) -> Job:
    """Measure a release on other labelled data."""
    options = {**body.options, "lang": body.lang}
    return run(asked, once, body.project, "evaluate", [{"release": body.release}, body.place], options)


@router.post("/evaluations/compare", status_code=202, openapi_extra=operation("evaluations.start"))
def compare(asked: Who, once: Once, body: Comparison) -> Job:
    """Compare two releases on the same cases, with paired intervals."""
    places = [{"release": body.one}, {"release": body.other}, body.place]
    return run(asked, once, body.project, "compare", places, body.options)


@router.get("/evaluations/{evaluation}", openapi_extra=operation("evaluations.read"))
def read_evaluation(asked: Who, evaluation: InAddress) -> WithRecord:
    """An evaluation, without its pictures: metrics with intervals, subgroups, cases."""
    noun, path = nouns.found(asked, "evaluations", evaluation)
    whole = nouns.record_of(path / "evaluation.json" if path.is_dir() else path, without=("figures",))
    return WithRecord(**vars(noun), record=whole)


@router.delete("/evaluations/{evaluation}", status_code=204, openapi_extra=operation("evaluations.delete"))
def remove_evaluation(asked: Who, evaluation: InAddress) -> None:
    """Delete an evaluation; the one in a release stays."""
    nouns.deleted(asked, "evaluations", evaluation)


@router.get("/reports", openapi_extra=operation("evaluations.list"))
def list_reports(asked: Who, paging: Paged) -> Page[Owned]:
    """Reports by name: of checks, evaluations, releases."""
    return nouns.listed(asked, "reports", paging)


@router.get("/reports/{report}", openapi_extra=operation("evaluations.read"), response_class=Response, responses=HTML)
def read_report(asked: Who, report: InAddress) -> Response:
    """A report, to be saved: one page that is whole in itself."""
    _, path = nouns.found(asked, "reports", report)
    return nouns.page_of(path, report.removesuffix(".html"))


@router.delete("/reports/{report}", status_code=204, openapi_extra=operation("evaluations.delete"))
def remove_report(asked: Who, report: InAddress) -> None:
    """Delete a report; what it tells of stays."""
    nouns.deleted(asked, "reports", report)


@router.get("/exports", openapi_extra=operation("findings.list"))
def list_exports(asked: Who, paging: Paged) -> Page[Owned]:
    """Files that jobs made: answers, maps, tables, images."""
    return nouns.listed(asked, "exports", paging)


@router.get("/exports/{export}", openapi_extra=operation("findings.read"), response_class=Response, responses=ZIP)
def read_export(asked: Who, export: InAddress) -> Response:
    """Files that a job made, as a zip."""
    _of_a_job(asked, export)
    noun, path = nouns.found(asked, "exports", export)
    asked.service.audit.tell(asked.event("export.read", f"exports:{export}"[:256], project=noun.project))
    return zipping.as_zip(zipping.files_in(path), export)


@router.delete("/exports/{export}", status_code=204, openapi_extra=operation("datasets.delete"))
def remove_export(asked: Who, export: InAddress) -> None:
    """Delete files that a job made."""
    _of_a_job(asked, export)
    nouns.deleted(asked, "exports", export)


def _of_a_job(asked: Asked, export: str) -> None:
    """Networks of releases lie there too; they are taken out as releases are."""
    if "@" in export:
        asked.on("", f"exports:{export}"[:256])
        raise NotFound("there is no such export", given=export)
