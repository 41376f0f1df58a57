"""A study: its pictures, what releases suggest, and the reader's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from diascope.reports.markup import Child, Markup, tag
from diascope.serve.access.refusals import Missing
from diascope.serve.database.tables import studies
from diascope.serve.http.routes.studies import UidInPath, found
from diascope.serve.room import numbers
from diascope.serve.room.beside import beside
from diascope.serve.room.cards import result_card
from diascope.serve.room.models_evidence import evidence
from diascope.serve.room.page import Page, shown
from diascope.serve.room.signals import signal_stage, trace_icon
from diascope.serve.room.study import ResultView, SeriesView, StudyView, study_view
from diascope.serve.room.visiting import Visit, Visitor, page_of
from diascope.serve.room.words import Words
from diascope.store.workspace import Workspace

router = APIRouter()

LOOKING = ("scroll", "window", "zoom", "pan")
MEASURING = ("length", "region", "probe")
DRAWING = ("brush", "eraser", "polygon", "box")


@router.get("/studies/{study}", **page_of("studies.read"))
def study_page(visit: Visitor, study: UidInPath) -> HTMLResponse:
    """A study in the viewer."""
    asked = visit.asked
    row = found(asked, study)
    with asked.service.database.reading() as connection:
        view = study_view(connection, row["id"], asked.within(studies.c.project_id), asked.service.clock())
    asked.service.audit.tell(asked.event("study.viewed", study, project=row["project_id"], part="reading room"))
    words = visit.words
    may_answer = asked.may("readings.write", row["project_id"])
    body = [
        tag(
            "div",
            heading(view, words),
            tag(
                "div",
                side(view, words),
                stage(words, recorded=any(one.signal for one in view.series)),
                beside(said(view, words, may_answer, asked.service.workspace), visit, row),
                class_="room",
            ),
            id="room",
        )
    ]
    title = view.study["description"] or words("worklist.untitled")
    first = view.series[0] if view.series else None
    ahead = f"/api/v1/studies/{study}/series/{first.uid}/{'signal' if first.signal else 'frames'}" if first else ""
    page = Page(title, body, "study", facts(view, visit, may_answer), kind="wide reading", ahead=ahead)
    return shown(visit, page)


def facts(view: StudyView, visit: Visit, may_answer: bool) -> dict[str, Any]:
    """What the page's script must know."""
    return {
        "study": view.study["uid"],
        "state": view.study["state"],
        "mayAnswer": may_answer,
        "lookFirst": visit.asked.service.settings.look_first,
        "series": [vars(one) for one in view.series],
        "results": [
            {
                "id": one.id,
                "series": one.series,
                "hasMask": one.has_mask,
                "outlines": one.has_mask or draws(visit.asked.service.workspace, one.release),
                "state": one.state,
                "reading": reading_of(one),
                "findings": one.findings["findings"],
            }
            for one in view.results
        ],
        "earlier": [{"uid": one["uid"], "date": numbers.date(one["date"])} for one in view.earlier],
        "signed": [one["id"] for one in view.signed],
        "viewerWords": visit.words.of_script("viewer"),
        "signalWords": visit.words.of_script("signals"),
    }


def draws(workspace: Workspace, release: str) -> bool:
    """Whether a release says where things are by their outline; it may have found none."""
    try:
        index = evidence(workspace, release).release
    except Missing:
        return False
    return index is not None and index.target.kind == "mask"


def reading_of(one: ResultView) -> dict[str, Any] | None:
    """What was decided about a result last, for whoever adds to it."""
    if one.reading is None:
        return None
    kept = {name: one.reading[name] for name in ("verdict", "reason", "amended", "comment")}
    return {**kept, "added": one.reading["added"] or []}


def heading(view: StudyView, words: Words) -> Markup:
    """Which study it is, and where it stands."""
    study = view.study
    state = tag("span", words(f"state.{study['state']}"), class_=f"state {study['state']}", id="state")
    return tag(
        "header",
        tag("h1", study["description"] or words("worklist.untitled")),
        tag("code", study["patient"]),
        tag("span", numbers.date(study["date"], study["time"]), class_="number"),
        state,
        tag("button", words("study.without"), type="button", id="without-ai", aria_pressed="false"),
        class_="study",
    )


def side(view: StudyView, words: Words) -> Markup:
    """The series, and earlier studies of the patient."""
    return tag(
        "aside",
        tag("h2", words("study.series")),
        tag("ul", [tag("li", series_button(one, view.study["uid"], words)) for one in view.series], class_="series"),
        earlier(view, words),
        class_="side",
        aria_label=words("study.series"),
    )


def series_button(one: SeriesView, study: str, words: Words) -> Markup:
    """Shows a series."""
    address = f"/dicom-web/studies/{study}/series/{one.uid}/thumbnail"
    picture = trace_icon() if one.signal else tag("img", src=address, alt="", loading="lazy")
    text = one.description or words("worklist.untitled")
    counted = words("signals.icon") if one.signal else words.count("study.images", one.images)
    many = tag("small", one.modality, " · ", counted)
    return tag("button", picture, tag("span", text), many, type="button", data_series=one.uid, aria_pressed="false")


def earlier(view: StudyView, words: Words) -> Child:
    """Studies of the same patient, to compare with."""
    if not view.earlier:
        return None
    items = [
        tag(
            "li",
            tag(
                "button",
                " ".join(filter(None, (numbers.date(one["date"]), one["description"]))) or words("worklist.untitled"),
                type="button",
                data_compare=one["uid"],
                aria_pressed="false",
            ),
        )
        for one in view.earlier
    ]
    return [tag("h2", words("study.earlier")), tag("ul", items, class_="earlier")]


def stage(words: Words, recorded: bool = False) -> Markup:
    """The tools, and where the viewer draws; `recorded`: where recordings are drawn too."""
    return tag(
        "section",
        tag(
            "div",
            _tools(LOOKING, words, "tools.looking"),
            _tools(MEASURING, words, "tools.measuring"),
            tag("select", id="preset", aria_label=words("tools.preset")),
            tag(
                "span",
                tag("button", words("tools.invert"), type="button", id="invert", aria_pressed="false"),
                tag("button", words("tools.planes"), type="button", id="planes", aria_pressed="false", hidden=True),
                tag("button", words("tools.reset"), type="button", id="reset"),
                role="group",
            ),
            tag(
                "span",
                tag("label", words("tools.opacity"), for_="opacity"),
                tag("input", id="opacity", type="range", min=0, max=100, value=45),
                class_="opacity",
            ),
            _tools(DRAWING, words, "tools.drawing", hidden=True),
            class_="tools",
            role="toolbar",
            aria_label=words("tools.title"),
        ),
        tag(
            "div",
            tag("div", id="viewer", class_="viewer"),
            tag("div", id="compared", class_="viewer", hidden=True),
            class_="stages",
        ),
        signal_stage(words) if recorded else None,
        tag("p", id="loading", role="status", class_="loading"),
        id="stage",
        class_="stage",
        aria_label=words("study.pictures"),
    )


def said(view: StudyView, words: Words, may_answer: bool, workspace: Workspace) -> Markup:
    """What releases say, what the reader adds, and the report."""
    cards: Child = [result_card(one, words, may_answer, workspace) for one in view.results]
    if not view.results:
        cards = tag("p", words("said.nobody"), class_="empty")
    return tag(
        "aside",
        tag("div", cards, id="cards"),
        _adding(words) if may_answer else None,
        _report(view, words, may_answer),
        class_="said-side",
        aria_label=words("study.findings"),
    )


def _adding(words: Words) -> Markup:
    return tag(
        "details",
        tag("summary", words("add.title")),
        tag(
            "form",
            tag("label", words("add.concept"), for_="add-concept"),
            tag("input", id="add-concept", name="concept", list="concepts", required=True, maxlength=64),
            tag("datalist", id="concepts"),
            tag("p", words("add.where"), class_="quiet"),
            tag("button", words("add.outline"), type="button", id="add-outline"),
            tag("label", words("answer.comment"), for_="add-comment"),
            tag("input", id="add-comment", name="comment", maxlength=500),
            tag("button", words("add.do"), type="submit", class_="main"),
            id="add",
        ),
        tag("ul", id="added", class_="added"),
        class_="adding",
    )


def _report(view: StudyView, words: Words, may_answer: bool) -> Markup:
    items = [
        tag(
            "li",
            words("report.signed", by=one["by"] or "", at=numbers.moment(one["at"])),
            " ",
            [
                tag("a", kind.upper(), " ", href=f"/api/v1/signatures/{one['id']}/{kind}", download=True)
                for kind in ("pdf", "sr", "fhir")
            ],
        )
        for one in view.signed
    ]
    languages = [
        tag("option", words(f"language.{one}"), value=one, selected=one == words.lang) for one in ("en", "zh-CN")
    ]
    writing = tag(
        "div",
        tag("label", words("report.language"), for_="report-language"),
        tag("select", languages, id="report-language"),
        tag("button", words("report.draft"), type="button", id="draft"),
        tag("form", id="report", class_="report", hidden=True),
    )
    return tag(
        "section",
        tag("h2", words("report.title")),
        tag("ul", items, id="signed", class_="signed"),
        writing if may_answer else None,
        class_="reporting",
    )


def _tools(names: Sequence[str], words: Words, label: str, hidden: bool = False) -> Markup:
    buttons = [
        tag("button", words(f"tool.{name}"), type="button", data_tool=name, aria_pressed="false") for name in names
    ]
    return tag("span", buttons, role="group", aria_label=words(label), data_group=label, hidden=hidden)
