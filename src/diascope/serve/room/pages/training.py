"""Training: from data to a signed release, step by step. Each step is a job, and has a page of its own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from diascope.core import registry
from diascope.reports.markup import Child, Markup, tag
from diascope.reports.tables import table
from diascope.serve.access.matrix import decide
from diascope.serve.access.refusals import Missing
from diascope.serve.http.fields import InPath
from diascope.serve.http.routes.jobs import Job
from diascope.serve.room import numbers, training_forms, training_shown
from diascope.serve.room import training as known
from diascope.serve.room.models import Model, found_of, models, name_of, signs_as
from diascope.serve.room.models import address_of as model_address
from diascope.serve.room.page import Page, shown
from diascope.serve.room.training import Upload
from diascope.serve.room.training_forms import Form, bodies
from diascope.serve.room.visiting import Visit, Visitor, page_of
from diascope.serve.room.words import Words

router = APIRouter(prefix="/training")
Like = Annotated[str, Query(max_length=32, pattern=r"^[A-Za-z0-9_-]*$")]


@router.get("", **page_of("runs.list"))
def overview(visit: Visitor) -> HTMLResponse:
    """Trainings, candidates that wait for a name, uploads."""
    asked, words = visit.asked, visit.words
    with asked.service.database.reading() as connection:
        found = known.listing(connection, asked.caller)
        own = known.own_projects(connection, asked.caller)
    there, gathered = known.uploads(asked.service, asked.caller), known.gathered(asked.service, asked.caller)
    waiting = [one for one in models(asked.service, asked.caller) if one.state == "candidate"]
    forms = [training_forms.removing(at, one) for at, one in enumerate((*there, *gathered)) if one.mine]
    gather = training_forms.gathering(words, own) if own else None
    begin = tag("a", words("training.new"), href="/training/new", class_="button main")
    body: list[Markup | None] = [
        tag("h1", words("training.title")),
        tag("p", words("training.lead"), class_="lead"),
        tag("p", begin) if asked.may("datasets.write") else None,
        _section("candidates", words, _candidates(waiting, words)) if waiting else None,
        _section("work", words, _work(found, words) if found else tag("p", words("training.none"), class_="empty")),
        _section("uploads", words, _uploads(there, forms, words)) if there else None,
        _section("feedback", words, _feedback(visit, gathered, forms, gather)) if gathered or gather else None,
    ]
    facts = {"bodies": bodies([*forms, *([gather] if gather else [])]), "then": "/training"}
    return shown(
        visit,
        Page(words("training.title"), tag("div", body, class_="evidence training"), "training", facts, kind="wide"),
    )


@router.get("/new", **page_of("datasets.write"))
def new(visit: Visitor, like: Like = "") -> HTMLResponse:
    """The first step: which data."""
    asked, words = visit.asked, visit.words
    places = _places(visit)
    with asked.service.database.reading() as connection:
        own = known.own_projects(connection, asked.caller)
    before = known.one_of(asked, like) if like else None
    form = training_forms.checking(words, places, own, before)
    body: list[Markup | None] = [
        tag("p", tag("a", words("training.back"), href="/training")),
        tag("h1", words("training.new")),
        tag("p", words("training.new.lead"), class_="lead"),
        form.markup(words) if own else tag("p", words("training.no_project"), class_="warning"),
    ]
    facts = {"bodies": bodies([form])}
    return shown(
        visit, Page(words("training.new"), tag("div", body, class_="evidence training"), "training", facts, kind="wide")
    )


@router.get("/jobs/{job}", **page_of("runs.read"))
def step(visit: Visitor, job: InPath) -> HTMLResponse:
    """A step: what is being done, or what came of it and what can be done next."""
    words, one = visit.words, known.one_of(visit.asked, job)
    content, forms = _of(visit, one)
    body: list[Markup | None] = [training_shown.head(one, words), training_shown.failed(one, words), *content]
    started = one.started.timestamp() if one.started else None
    facts: dict[str, Any] = {"bodies": bodies(forms), "job": job, "verb": known.verb_of(one), "state": one.state}
    titles = {name: words.reports.metric(name) for name in registry.names("metrics")}
    facts |= {"started": started, "now": visit.asked.service.clock(), "metrics": titles}
    title = words(f"training.verb.{known.verb_of(one)}")
    page = Page(title, tag("div", body, class_="evidence training"), "training", facts, kind="wide")
    return shown(visit, page)


def _of(visit: Visit, job: Job) -> tuple[list[Markup | None], list[Form]]:
    """The content of a step and its forms."""
    words = visit.words
    if job.state in ("queued", "running"):
        forms = [training_forms.cancelling(job)] if _may(visit, "jobs.cancel", job) and not job.cancelling else []
        stopping = tag("p", words("training.stopping"), class_="quiet") if job.cancelling else None
        return [training_shown.live(job, words), stopping, *(one.markup(words) for one in forms)], forms
    if job.state != "done":
        forms = [training_forms.retrying(job)] if _may(visit, "jobs.retry", job) else []
        back = training_forms.change(words, job) if known.place_of(job)[0] else None
        return [*(one.markup(words) for one in forms), back], forms
    verb = known.verb_of(job)
    if verb == "check":
        return _checked(visit, job)
    if verb == "plan":
        return _planned(visit, job)
    if verb == "compare":
        return [training_shown.compared(job, words)], []
    return _trained(visit, job)


def _checked(visit: Visit, job: Job) -> tuple[list[Markup | None], list[Form]]:
    words, back = visit.words, training_forms.change(visit.words, job)
    shown_ = training_shown.found(job, words)
    if not _may(visit, "plans.write", job):
        return [shown_, _next(words, "plan", tag("p", words("training.by_researcher"), class_="quiet")), back], []
    form = training_forms.planning(words, job)
    return [shown_, _next(words, "plan", form.markup(words)), back], [form]


def _planned(visit: Visit, job: Job) -> tuple[list[Markup | None], list[Form]]:
    words, found = visit.words, known.plan_of(visit.asked.service, job)
    back = training_forms.change(words, job)
    if found is None:
        return [tag("p", words("training.gone"), class_="warning"), back], []
    name, plan = found
    shown_ = training_shown.planned(plan, known.pictured(visit.asked.service, plan.dataset), words)
    if not _may(visit, "runs.start", job):
        return [shown_, tag("p", words("training.by_researcher"), class_="quiet"), back], []
    start, again = training_forms.starting(words, name), training_forms.replanning(words, job)
    both = [start.markup(words), tag("details", tag("summary", words("training.replan")), again.markup(words))]
    return [_next(words, "start", both), shown_, back], [start, again]


def _trained(visit: Visit, job: Job) -> tuple[list[Markup | None], list[Form]]:
    """What came of a training: measured, compared, signed."""
    asked, words = visit.asked, visit.words
    label = known.made_of(job, "releases")
    curves = training_shown.course(words) if known.verb_of(job) in known.TRAINING else None
    if not label or "@" not in label:
        return [tag("p", words("training.made.nothing"), class_="quiet"), curves], []
    try:
        one = found_of(asked.service, asked.caller, [label])[0]
    except Missing:
        return [tag("p", words("training.gone"), class_="warning"), curves], []
    forms = [*_signing(visit, one), *_comparing(visit, job, one)]
    sections = [_next(words, form.name, form.markup(words)) for form in forms]
    if not forms or forms[0].name != "sign":
        key = "training.signed" if one.state == "in service" else "training.by_steward"
        sections.insert(0, tag("p", words(key), class_="quiet", id="standing"))
    return [training_shown.came_of_it(one, words), *sections, curves], forms


def _signing(visit: Visit, one: Model) -> list[Form]:
    blocked = bool(one.evidence.evaluation and one.evidence.evaluation.blocks)
    if one.state != "candidate" or blocked or not visit.asked.may("releases.sign"):
        return []
    with visit.asked.service.database.reading() as connection:
        name = signs_as(connection, visit.asked.caller.id)
    return [training_forms.signing(visit.words, one.label, name)]


def _comparing(visit: Visit, job: Job, one: Model) -> list[Form]:
    """Against releases in service of the same task, versions of the same name first."""
    asked, release = visit.asked, one.evidence.release
    if release is None or not _may(visit, "evaluations.start", job):
        return []
    served = [each for each in models(asked.service, asked.caller) if each.state == "in service"]
    others = [each.label for each in served if each.evidence.release and each.evidence.release.task == release.task]
    others = sorted(
        (each for each in others if each != one.label), key=lambda each: name_of(each) != name_of(one.label)
    )
    if not others:
        return []
    places = _places(visit)
    return [training_forms.comparing(visit.words, job, one.label, others, places)]


def _places(visit: Visit) -> tuple[list[str], list[Upload]]:
    """Where data may lie: folders of the settings, uploads, and what readers answered."""
    service, caller = visit.asked.service, visit.asked.caller
    return known.sources(service, caller), [*known.uploads(service, caller), *known.gathered(service, caller)]


def _may(visit: Visit, operation: str, job: Job) -> bool:
    return decide(operation, visit.asked.caller, job.project).allowed


def _next(words: Words, name: str, content: Child) -> Markup:
    """What can be done now."""
    return tag("section", tag("h2", words(f"training.next.{name}")), content, class_="next")


def _section(name: str, words: Words, content: Child) -> Markup:
    return tag("section", tag("h2", words(f"training.section.{name}")), content, id=name)


def _work(found: list[Job], words: Words) -> Markup:
    rows: list[list[Child]] = [
        [
            tag("a", words(f"training.verb.{known.verb_of(one)}"), href=known.address_of(one.id)),
            known.works_on(one),
            training_shown.state(one, words),
            one.by.removeprefix("user:"),
            numbers.moment(one.created.timestamp()),
        ]
        for one in found
    ]
    names = ("what", "data", "state", "by", "at")
    return table([words(f"training.{name}") for name in names], rows, class_="work-list")


def _candidates(found: list[Model], words: Words) -> Markup:
    rows: list[list[Child]] = []
    for one in found:
        release = one.evidence.release
        made = release.created.replace("T", " ")[:16] if release else ""
        rows.append(
            [tag("a", one.label, href=model_address(one.label)), words.phrase(release.task) if release else "", made]
        )
    return table([words(f"training.{name}") for name in ("candidate", "task", "at")], rows)


def _uploads(found: list[Upload], forms: list[Form], words: Words) -> Markup:
    by_path = {form.path: form for form in forms}
    rows: list[list[Child]] = []
    for one in found:
        form = by_path.get(f"/uploads/{one.noun.name}")
        who, at = one.noun.by.removeprefix("user:"), numbers.moment(one.noun.created)
        rows.append([tag("code", one.path), who, at, form.markup(words) if form else ""])
    names = ("upload", "by", "at", "delete")
    return table([words(f"training.{name}") for name in names], rows)


def _feedback(visit: Visit, found: list[Upload], forms: list[Form], gather: Form | None) -> Child:
    """What readers answered, gathered as labels, and the way to gather it anew."""
    words, by_path = visit.words, {form.path: form for form in forms}
    rows: list[list[Child]] = []
    for one in found:
        record = known.recorded(visit.asked.service, one.noun.name)
        form = by_path.get(f"/gathered/{one.noun.name}")
        many = (record.cases, len(record.changes), len(record.disagreements)) if record else ("–", "–", "–")
        who, at = one.noun.by.removeprefix("user:"), numbers.moment(one.noun.created)
        rows.append([tag("code", one.path), *map(str, many), who, at, form.markup(words) if form else ""])
    names = ("gathered", "cases", "changes", "open", "by", "at", "delete")
    return [
        tag("p", words("training.feedback.means"), class_="quiet"),
        table([words(f"training.{name}") for name in names], rows) if rows else None,
        gather.markup(words) if gather else None,
    ]
