"""Data sets: frozen by `plan` and `fit`; checks and measurements of data before that."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from diascope.core.errors import BadUsage
from diascope.serve import verbs
from diascope.serve.http import nouns
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Answer, Line, Name
from diascope.serve.http.idempotency import Once
from diascope.serve.http.nouns import InAddress, Owned
from diascope.serve.http.paging import Page, Paged
from diascope.serve.http.routes.jobs import Job
from diascope.serve.http.running import Data, Language, Names, Place, Seed, run

router = APIRouter(tags=["datasets"])

LONG = ("cases", "root", "excluded")
"""Of a data set's record: lists of cases, and a path of this machine."""


class Check(Data):
    """Data that is audited."""

    task: Line = "auto"
    """What would be learnt."""
    lang: Language = "en"
    """Of the report."""


class Measurement(Place):
    """Structures that are measured; see `diascope radiomics --help`."""

    layout: Line | None = None
    """Where several fit."""
    target: Line | None = None
    """The mask, where there are several."""
    patient: Line | None = None
    """Column that holds the patient."""
    width: Annotated[float, Field(gt=0, le=1e6)] | None = None
    """Of a grey level."""
    levels: Annotated[int, Field(ge=2, le=4096)] | None = None
    """Or their number."""
    spacing: Annotated[float, Field(ge=0.01, le=100)] | None = None
    """mm to resample to first."""


class History(Place):
    """A table of visits; see `diascope longitudinal --help`."""

    target: Line | None = None
    """Column to learn later; null is a table without labels."""
    patient: Line | None = None
    """Column that holds the patient."""
    date: Line | None = None
    """Column that says when a row was taken."""
    follow_ups: bool = False
    """Leave first visits out."""
    register_volumes: bool = False
    """Turn and shift earlier volumes onto later ones."""


class Sought(Place):
    """Words that are looked for in reports; see `diascope search --help`."""

    query: Annotated[
        str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f-\x9f-][^\x00-\x1f\x7f-\x9f]*$")
    ]
    """Words that all occur; "a phrase", a OR b, -without, begin*."""
    most: Annotated[int, Field(ge=1, le=1000)] = 10
    """Reports that are told."""
    without: Names = Field(default_factory=list)
    """Columns that are not looked at."""


class Synthesis(Place):
    """Images that are made; `source` and `path` are not used."""

    source: Name = "-"
    """Not used."""
    release: Name
    """Of a task that makes images."""
    count: Annotated[int, Field(ge=1, le=100_000)] = 16
    """Images of each class."""
    label: Line | None = None
    """The one class to make; null is every class."""
    seed: Seed = 0
    """Of all randomness."""


class Dataset(Owned):
    """A data set."""

    cases: int
    """How many."""
    patients: int
    """How many."""
    parts: dict[str, int]
    """Cases in each part of the split."""
    record: dict[str, Any]
    """What it says of itself, without the cases."""
    fingerprint: dict[str, Any]
    """What the data is: sizes, spacings, classes."""


class Sources(Answer):
    """Folders of data."""

    items: list[str]
    """Names, for `source`."""


@router.get("/sources", openapi_extra=operation("datasets.list"))
def list_sources(asked: Who) -> Sources:
    """Folders of data that may be checked and learnt from; an administrator adds them to the settings."""
    projects = None if asked.reach.everywhere else sorted(asked.reach.projects)
    return Sources(items=verbs.sources_of(asked.service.settings, projects))


@router.get("/datasets", openapi_extra=operation("datasets.list"))
def list_datasets(asked: Who, paging: Paged) -> Page[Owned]:
    """Data sets by name."""
    return nouns.listed(asked, "datasets", paging)


@router.post("/datasets/check", status_code=202, openapi_extra=operation("datasets.write"))
def check_data(asked: Who, once: Once, body: Check) -> Job:
    """Audit data before anything is trained; the job has the findings, and names the report."""
    options = {**body.options, "task": body.task, "lang": body.lang}
    return run(asked, once, body.project, "check", [body.place], options)


@router.post("/datasets/radiomics", status_code=202, openapi_extra=operation("datasets.measure"))
def measure_data(asked: Who, once: Once, body: Measurement) -> Job:
    """Measure marked structures; the table is an export."""
    if body.width is not None and body.levels is not None:
        raise BadUsage("width and levels exclude each other", todo="Give one")
    said = body.model_dump(include={"target", "patient", "width", "levels", "spacing"})
    return run(asked, once, body.project, "radiomics", [body.place], {**said, "source": body.layout})


@router.post("/datasets/longitudinal", status_code=202, openapi_extra=operation("datasets.measure"))
def follow_patients(asked: Who, once: Once, body: History) -> Job:
    """Add to each visit what was before; the table is an export."""
    said = body.model_dump(include={"target", "patient", "date"})
    said |= {"no-target": body.target is None, "follow-ups": body.follow_ups, "register": body.register_volumes}
    return run(asked, once, body.project, "longitudinal", [body.place], said)


@router.post("/datasets/search", status_code=202, openapi_extra=operation("datasets.read"))
def search_reports(asked: Who, once: Once, body: Sought) -> Job:
    """Find reports by their words, English or Chinese; the job has the hits."""
    said = {"most": body.most, "without": body.without}
    return run(asked, once, body.project, "search", [body.place, {"text": body.query}], said)


@router.post("/datasets/synthesize", status_code=202, openapi_extra=operation("datasets.write"))
def synthesize(asked: Who, once: Once, body: Synthesis) -> Job:
    """Make images of nobody, marked as synthetic; they are an export."""
    said = {"count": body.count, "class": body.label, "seed": body.seed}
    return run(asked, once, body.project, "synthesize", [{"release": body.release}], said)


@router.get("/datasets/{dataset}", openapi_extra=operation("datasets.read"))
def read_dataset(asked: Who, dataset: InAddress) -> Dataset:
    """A data set: what it is, and how it is split."""
    noun, path = nouns.found(asked, "datasets", dataset)
    whole = nouns.record_of(path / "dataset.json")
    cases = [one for one in whole.get("cases", []) if isinstance(one, dict)]
    parts: dict[str, int] = {}
    for one in cases:
        name = str(one.get("split") or "none")
        parts[name] = parts.get(name, 0) + 1
    return Dataset(
        **vars(noun),
        cases=len(cases),
        patients=len({one.get("patient") for one in cases}),
        parts=parts,
        record={key: value for key, value in whole.items() if key not in LONG},
        fingerprint=nouns.record_of(path / "fingerprint.json"),
    )


@router.delete("/datasets/{dataset}", status_code=204, openapi_extra=operation("datasets.delete"))
def remove_dataset(asked: Who, dataset: InAddress) -> None:
    """Delete a data set; the files that it was made of stay, and so does what learnt from it."""
    nouns.deleted(asked, "datasets", dataset)
