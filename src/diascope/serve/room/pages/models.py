"""Models: every release, what was measured of it, what became of it, and what a steward may do with it."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from diascope.core.evaluation import Evaluation, Release
from diascope.core.finding import Measure
from diascope.reports.markup import Child, Markup, tag
from diascope.reports.numbers import measure_text
from diascope.reports.results import first_metrics
from diascope.reports.tables import table
from diascope.serve.http.nouns import InAddress
from diascope.serve.room import numbers
from diascope.serve.room.models import Model, address_of, found_of, models, signs_as
from diascope.serve.room.models_history import events, versions
from diascope.serve.room.models_shown import sections
from diascope.serve.room.page import Page, shown
from diascope.serve.room.visiting import Visit, Visitor, page_of
from diascope.serve.room.words import Words

router = APIRouter()
GROUPS = ("in service", "candidate", "withdrawn", "unreadable")
HEADLINES = 4
"""Metrics of a release in the list."""


@router.get("/models", **page_of("releases.list"))
def overview(visit: Visitor) -> HTMLResponse:
    """Every release; candidates stand apart."""
    words, found = visit.words, models(visit.asked.service, visit.asked.caller)
    body = [
        tag("h1", words("models.title")),
        tag("p", words("models.lead"), class_="lead"),
        *(group(state, [one for one in found if one.state == state], words) for state in GROUPS),
        None if found else tag("p", words("models.none"), class_="empty"),
    ]
    return shown(visit, Page(words("models.title"), tag("div", body, class_="evidence models"), kind="wide"))


@router.get("/models/{release}", **page_of("releases.read"))
def model(visit: Visitor, release: InAddress) -> HTMLResponse:
    """One release: what was measured of it, what it has read, how it came to be where it is."""
    service, words = visit.asked.service, visit.words
    one = found_of(service, visit.asked.caller, [release])[0]
    with service.database.reading() as connection:
        happened, name = events(connection, release), signs_as(connection, visit.asked.caller.id)
    history = versions(service, release)
    body = [head(one, words), buttons(one, visit, name), *sections(service, one, history, happened, words)]
    page = Page(release, tag("div", body, class_="evidence model"), "models", {"release": release}, kind="wide")
    return shown(visit, page)


def group(state: str, found: Sequence[Model], words: Words) -> Markup | None:
    """The releases of one state."""
    if not found:
        return None
    key = state.replace(" ", "_")
    names = ("name", "task", "measured", "signed", "read", "accepted")
    kinds = ("", "", "", "", "number", "")
    rows = [line(one, words) for one in found]
    shown_ = table([words(f"models.{name}") for name in names], rows, kinds, class_="models-list")
    many = tag("span", f"{len(found):,}", class_="many")
    return tag("section", tag("h2", words(f"models.group.{key}"), " ", many), shown_, class_=key)


def line(one: Model, words: Words) -> list[Child]:
    """A release in the list."""
    release, evaluation = one.evidence.release, one.evidence.evaluation
    said = tag("small", words.phrase(one.reason), class_="why") if one.reason else None
    name = tag("span", tag("a", one.label, href=address_of(one.label)), standing(one, words), said)
    task = tag("span", words.phrase(release.task), tag("small", reads(release, words))) if release else ""
    return [name, task, headlines(evaluation, words), signed(release, words), f"{one.read:,}", accepted(one, words)]


def headlines(evaluation: Evaluation | None, words: Words) -> Child:
    """The headline metrics, each with its interval or why there is none, and on how many that was measured."""
    if evaluation is None:
        return tag("span", words("models.unmeasured"), class_="quiet")
    names = first_metrics(evaluation)[:HEADLINES]
    rows = [metric_line(name, evaluation.metrics[name], words) for name in names]
    size = tag("small", measured_on(evaluation, words))
    return [tag("ul", rows, class_="headlines"), size] if rows else tag("span", words("models.unmeasured"))


def metric_line(name: str, measure: Measure, words: Words) -> Markup:
    """A metric with its interval; without one, why."""
    value = tag("span", measure_text(measure, words.reports), class_="number")
    why = tag("small", words.phrase(measure.note)) if measure.note and measure.low is None else None
    return tag("li", words.reports.metric(name), " ", value, why)


def measured_on(evaluation: Evaluation, words: Words) -> str:
    """On which part, and on how many."""
    part = evaluation.part if evaluation.part in ("test", "cross-validated", "external") else "other"
    return words(f"models.part.{part}", n=f"{evaluation.patients:,}", cases=f"{evaluation.cases:,}")


def reads(release: Release, words: Words) -> str:
    """What it reads: the inputs of its gate."""
    images = [
        words("models.reads.image", modality=rule.modality.upper(), n=str(rule.dimensions))
        for rule in release.gate.rules
    ]
    columns = len(release.gate.columns)
    found = [*dict.fromkeys(images), *([words.count("models.reads.columns", columns)] if columns else [])]
    return words("models.and").join(found) or words("models.reads.other")


def signed(release: Release | None, words: Words) -> Child:
    """Who signed it, and when."""
    if release is None:
        return ""
    if not release.signed_by:
        return tag("span", words("models.unsigned"), class_="quiet")
    return [tag("span", release.signed_by), tag("small", (release.signed_at or "").replace("T", " ")[:16])]


def accepted(one: Model, words: Words) -> Child:
    """How often readers accept what it says, with its interval and n."""
    if one.accepted is None:
        return tag("span", words("models.no_readings"), class_="quiet")
    text = measure_text(one.accepted, words.reports)
    total = sum(one.verdicts.values())
    return [tag("span", text, class_="number"), tag("small", words.count("models.decisions", total))]


def standing(one: Model, words: Words) -> Markup:
    """Where a release stands."""
    key = one.state.replace(" ", "_")
    return tag("span", words(f"models.state.{key}"), class_=f"standing {key}")


def head(one: Model, words: Words) -> Markup:
    """What it is, and where it stands."""
    release = one.evidence.release
    facts: list[tuple[str, Child]] = []
    if release is not None:
        facts = [
            (words("models.task"), words.phrase(release.task)),
            (words("models.reads"), reads(release, words)),
            (words("models.signed"), signed(release, words)),
            (words("models.created"), release.created.replace("T", " ")[:16]),
            (words("models.licence"), release.licence or words("models.licence.none")),
            (words("models.read"), f"{one.read:,}"),
            (words("models.accepted"), accepted(one, words)),
        ]
    since = words("models.since", by=one.by, at=numbers.moment(one.at)) if one.at else None
    said = words(f"models.reason.{one.state}", why=words.phrase(one.reason)) if one.reason else ""
    why = tag("p", said, class_="warning") if said else None
    blocks = one.evidence.evaluation.blocks if one.evidence.evaluation else ()
    return tag(
        "header",
        tag("p", tag("a", words("models.back"), href="/models")),
        tag("h1", one.label, " ", standing(one, words)),
        tag("p", since, class_="quiet") if since else None,
        why,
        [tag("p", words("models.blocked", why=words.phrase(each)), class_="warning") for each in blocks],
        tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts], class_="facts"),
    )


def buttons(one: Model, visit: Visit, name: str) -> Markup | None:
    """What the visitor may do with it, signing as `name`; each is a form that the page's script sends."""
    asked, words = visit.asked, visit.words
    forms: list[Markup] = []
    blocked = bool(one.evidence.evaluation and one.evidence.evaluation.blocks)
    if one.state == "candidate" and asked.may("releases.sign") and not blocked:
        own = tag("p", words("models.sign.as", name=name), class_="quiet")
        licence = _field("licence", words("models.sign.licence"), required=False)
        forms.append(_form("sign", words, own, licence))
    release = one.evidence.release
    if one.state == "withdrawn" and release and release.signed_by and asked.may("releases.serve"):
        forms.append(_form("serve", words))
    if one.state in ("in service", "candidate") and asked.may("releases.withdraw"):
        forms.append(_form("withdraw", words, _field("reason", words("models.withdraw.reason"), required=True)))
    return tag("div", forms, class_="deeds") if forms else None


def _form(name: str, words: Words, *content: Child) -> Markup:
    do = tag("button", words(f"models.{name}.do"), type="submit")
    summary = tag("summary", words(f"models.{name}"))
    lead = tag("p", words(f"models.{name}.lead"))
    return tag("details", summary, tag("form", lead, *content, do, data_deed=name))


def _field(name: str, label: str, required: bool) -> Markup:
    entry = tag("input", id=f"deed-{name}", name=name, type="text", maxlength=4096, required=required)
    return tag("p", tag("label", label, for_=f"deed-{name}"), entry, class_="field")
