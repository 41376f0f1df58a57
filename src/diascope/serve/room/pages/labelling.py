"""Labelling: what readers are asked, one case after the other, and whether two of them agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from sqlalchemy import RowMapping

from diascope.reports.markup import Child, Markup, tag
from diascope.reports.tables import table
from diascope.serve.http.fields import InPath
from diascope.serve.http.paging import Paging
from diascope.serve.http.routes.annotations import OneUid
from diascope.serve.http.routes.labellings import Fitting, fitting_page, found, is_blind, tell
from diascope.serve.room import numbers
from diascope.serve.room.labelling import PER_PAGE, listing, offer, view
from diascope.serve.room.labelling_shown import (
    agreement_part,
    asks,
    case,
    closed,
    differences_part,
    labelling_table,
    making,
    progress_part,
)
from diascope.serve.room.page import Page, shown
from diascope.serve.room.pages.study import stage
from diascope.serve.room.visiting import Visit, Visitor, page_of
from diascope.serve.room.words import Words

router = APIRouter()
After = Annotated[str | None, Query(max_length=1024, pattern="^[A-Za-z0-9_-]+$")]


@router.get("/labelling", **page_of("labellings.list"))
def overview(visit: Visitor) -> HTMLResponse:
    """Every labelling, and the form for another."""
    asked, words = visit.asked, visit.words
    asked.service.audit.tell(asked.event("study.queried", of="labellings"))
    with asked.service.database.reading() as connection:
        known, can = listing(connection, asked.caller), offer(connection, asked.caller)
    may = asked.may("annotations.write")
    none = tag("p", words("labelling.none"), class_="empty")
    body = [
        tag("h1", words("labelling.title")),
        tag("p", words("labelling.lead"), class_="lead"),
        labelling_table(known, may, words) if known else none,
        making(can, words),
    ]
    return shown(
        visit, Page(words("labelling.title"), tag("div", body, class_="evidence labelling"), "labelling", kind="wide")
    )


@router.get("/labelling/{labelling}", **page_of("labellings.read"))
def one(visit: Visitor, labelling: InPath, after: After = None) -> HTMLResponse:
    """A labelling: how far it is, whether two readers agree, and every series that fits."""
    asked, words = visit.asked, visit.words
    row = found(asked, labelling)
    seen = view(asked.service, labelling, asked.caller.id, is_blind(asked, row))
    with asked.service.database.reading() as connection:
        items, following = fitting_page(asked, connection, row, Paging(PER_PAGE, after))
    tell(asked, row, "page")
    may = row["closed"] is None and asked.may("annotations.write", row["project_id"])
    body = [
        head(visit, seen.row, may),
        progress_part(seen.progress, words),
        agreement_part(seen, words),
        differences_part(seen, may, words),
        series_part(labelling, items, following, may, words),
    ]
    facts = {"labelling": labelling}
    page = Page(row["name"], tag("div", body, class_="evidence labelling"), "labelling", facts, kind="wide")
    return shown(visit, page)


@router.get("/labelling/{labelling}/label", **page_of("annotations.write"))
def label(visit: Visitor, labelling: InPath, study: OneUid = None, series: OneUid = None) -> HTMLResponse:
    """One case after the other, in the viewer."""
    asked, words = visit.asked, visit.words
    row = found(asked, labelling)
    asked.service.audit.tell(asked.event("annotation.opened", labelling, project=row["project_id"]))
    body = tag(
        "div",
        tag(
            "header",
            tag("h1", tag("a", row["name"], href=f"/labelling/{labelling}")),
            tag("code", id="patient"),
            tag("span", id="why", class_="why", role="status"),
            tag("span", id="waiting", class_="number quiet"),
            class_="study",
        ),
        tag("div", stage(words), panel(row, words), class_="room", id="labelling-room"),
        id="room",
    )
    return shown(visit, Page(row["name"], body, "labelling", facts(row, words, study, series), kind="wide reading"))


def facts(row: RowMapping, words: Words, study: str | None, series: str | None) -> dict[str, Any]:
    """What the script of the viewer must know; the study changes with every case."""
    chosen = {"study": study, "series": series} if study and series else None
    of_viewer = {"study": "", "series": [], "results": [], "earlier": [], "signed": [], "lookFirst": False}
    return {
        **of_viewer,
        "labelling": row["id"],
        "asks": row["asks"],
        "labels": row["labels"],
        "exclusive": row["exclusive"],
        "chosen": chosen,
        "viewerWords": words.of_script("viewer"),
        "signalWords": {},
    }


def head(visit: Visit, row: RowMapping, may_label: bool) -> Markup:
    """What is asked, by whom, and what the visitor may do."""
    words = visit.words
    made = words("labelling.by", by=row["author"] or row["by"], at=numbers.moment(row["created"]))
    guide = words("labelling.guided", release=row["release"]) if row["release"] else words("labelling.unguided")
    start = tag("a", words("labelling.start"), href=f"/labelling/{row['id']}/label", class_="button main", id="start")
    may_close = row["closed"] is None and visit.asked.may("labellings.write", row["project_id"])
    close = tag("button", words("labelling.close"), type="button", id="close")
    return tag(
        "header",
        tag("p", tag("a", words("labelling.back"), href="/labelling")),
        tag("h1", row["name"]),
        tag("p", asks(row, words), ": ", tag("b", ", ".join(row["labels"]))),
        tag("p", row["project"], " · ", row["modality"] or words("labelling.any"), " · ", guide, class_="quiet"),
        tag("p", made, class_="quiet"),
        tag("p", closed(row, words), class_="warning") if row["closed"] is not None else None,
        tag("p", start if may_label else None, " ", close if may_close else None, class_="deeds"),
    )


def series_part(
    labelling: str, items: Sequence[Fitting], following: str | None, may_label: bool, words: Words
) -> Markup:
    """Every series that fits, labelled or not: the next one is suggested, and none is hidden."""
    columns = [words(f"labelling.series.{name}") for name in ("case", "readers", "mine")]
    rows: list[list[Child]] = []
    for item in items:
        told = {**item.model_dump(), "uid": item.series}
        marks = [words("labelling.series.two")] if item.two else []
        marks += [words("labelling.series.unsure")] if item.unsure else []
        many = [f"{item.readers}", " ", tag("small", " · ".join(marks)) if marks else None]
        mine = words("labelling.series.yes") if item.mine else "–"
        rows.append([case(labelling, told, may_label, words), many, mine])
    more = tag("a", words("page.after"), href=f"/labelling/{labelling}?after={following}#series", rel="next")
    return tag(
        "section",
        tag("h2", words("labelling.series")),
        tag("p", words("labelling.series.lead"), class_="lead"),
        table(columns, rows) if rows else tag("p", words("labelling.series.none"), class_="empty"),
        tag("nav", more, class_="pager", aria_label=words("page.pages")) if following else None,
        id="series",
    )


def panel(row: RowMapping, words: Words) -> Markup:
    """What a reader answers with."""
    kind = "radio" if row["exclusive"] or row["asks"] != "classes" else "checkbox"
    choices = [_label(kind, number, name) for number, name in enumerate(row["labels"], 1)]
    nothing = tag(
        "label",
        tag("input", type="checkbox", id="nothing"),
        tag("span", words(f"labelling.nothing.{row['asks']}")),
        tag("kbd", "0"),
        class_="choice nothing",
    )
    return tag(
        "aside",
        tag(
            "form",
            tag("fieldset", tag("legend", words(f"labelling.ask.{row['asks']}")), choices, id="choices"),
            None if row["exclusive"] else nothing,
            tag("p", words("labelling.how.masks"), class_="quiet") if row["asks"] == "masks" else None,
            tag("p", words("labelling.how.boxes"), class_="quiet") if row["asks"] == "boxes" else None,
            tag("label", words("answer.comment"), for_="comment"),
            tag("textarea", id="comment", maxlength=4096, rows=2),
            tag("button", words("labelling.save"), tag("kbd", "Enter"), type="submit", class_="main", id="save"),
            tag(
                "div",
                tag("button", words("labelling.unsure_do"), tag("kbd", "U"), type="button", id="unsure"),
                tag("button", words("labelling.skip"), tag("kbd", "N"), type="button", id="skip"),
                class_="pair",
            ),
            id="answer",
        ),
        tag("p", id="finished", class_="empty", hidden=True),
        tag("p", tag("a", words("labelling.choose"), href=f"/labelling/{row['id']}#series")),
        class_="said-side answering",
        aria_label=words("labelling.answer"),
    )


def _label(kind: str, number: int, name: str) -> Markup:
    return tag(
        "label",
        tag("input", type=kind, name="label", value=name, data_number=number),
        tag("span", name),
        tag("kbd", str(number)) if number <= 9 else None,
        class_="choice",
    )
