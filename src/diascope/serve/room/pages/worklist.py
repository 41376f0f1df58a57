"""The worklist: every study that waits, what a release suggests, and why it stands where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from pydantic import StringConstraints

from diascope.reports.markup import Child, Markup, tag
from diascope.serve.database.tables import studies
from diascope.serve.reading.suggestion import PRESENT
from diascope.serve.room import numbers
from diascope.serve.room.page import Page, shown
from diascope.serve.room.visiting import Visitor, page_of
from diascope.serve.room.words import Words
from diascope.serve.room.worklist import SIZE, TABS, Listing, Row, Suggestion, Tab, Wanted, listing

router = APIRouter()
Plain = Annotated[str, Query(max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
MOST_PATIENTS = 50
"""Pseudonyms that an address holds."""
Date = Annotated[str, Query(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]


def _wanted(
    tab: Tab = "open",
    modality: Annotated[str, Query(pattern="^[A-Z0-9_]{0,16}$")] = "",
    text: Plain = "",
    since: Date = "",
    until: Date = "",
    release: Annotated[str, Query(max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Wanted:
    return Wanted(tab, modality, text.strip(), since.replace("-", ""), until.replace("-", ""), release, page)


@router.get("/", **page_of("studies.list"))
def worklist(
    visit: Visitor,
    wanted: Annotated[Wanted, Depends(_wanted)],
    patient: Annotated[list[Pseudonym] | None, Query(max_length=MOST_PATIENTS)] = None,
) -> HTMLResponse:
    """The worklist."""
    asked, wanted = visit.asked, replace(wanted, patient=tuple(patient or ()))
    asked.service.audit.tell(asked.event("study.queried", of="studies"))
    mine = asked.within(studies.c.project_id)
    with asked.service.database.reading() as connection:
        found = listing(connection, mine, wanted, asked.service.clock())
    words = visit.words
    body = [
        tag("h1", words("worklist.title")),
        tabs(found, words),
        filters(found, words),
        people(words) if asked.may("identities.search") else None,
        sought(found, words),
        hidden(found, words),
        table(found.rows, words, asked.may("identities.read"))
        if found.rows
        else tag("p", words("worklist.none"), class_="empty"),
        pager(found, words),
    ]
    facts = {"most": MOST_PATIENTS}
    return shown(visit, Page(words("worklist.title"), body, "worklist", facts, kind="wide"))


def tabs(found: Listing, words: Words) -> Markup:
    """Where they stand, with how many there are."""
    items = []
    for name, states in TABS.items():
        many = sum(found.counts.get(state, 0) for state in states)
        current = "page" if name == found.wanted.tab else None
        label = [words(f"worklist.tab.{name}"), " ", tag("span", f"{many:,}", class_="many")]
        items.append(tag("li", tag("a", label, href=address(found.wanted, tab=name, page=1), aria_current=current)))
    return tag("nav", tag("ul", items), class_="tabs", aria_label=words("worklist.tabs"))


def filters(found: Listing, words: Words) -> Markup:
    """What the list is narrowed down by; the reader chooses, nobody else."""
    wanted = found.wanted
    return tag(
        "form",
        tag("input", type="hidden", name="tab", value=wanted.tab),
        [tag("input", type="hidden", name="patient", value=one) for one in wanted.patient],
        _entry("text", words("worklist.text"), "search", wanted.text),
        _choice("modality", words("worklist.modality"), found.modalities, wanted.modality, words),
        _choice("release", words("worklist.release"), found.releases, wanted.release, words),
        _entry("since", words("worklist.since"), "date", numbers.iso_date(wanted.since)),
        _entry("until", words("worklist.until"), "date", numbers.iso_date(wanted.until)),
        tag("button", words("worklist.filter"), type="submit"),
        tag("a", words("worklist.clear"), href=f"/?tab={wanted.tab}"),
        class_="filters",
        role="search",
    )


def people(words: Words) -> Markup:
    """Where one searches by whose studies they are. Its fields have no names: no browser writes them into an address.

    The script asks the API, and shows the list again for the pseudonyms that it answers.
    """
    kinds = {"name": "text", "number": "text", "birth_date": "date"}
    fields = [_sought(name, words, kind) for name, kind in kinds.items()]
    return tag(
        "details",
        tag("summary", words("worklist.people")),
        tag(
            "form",
            fields,
            tag("button", words("worklist.people.do"), type="submit"),
            tag("p", words("worklist.people.how"), class_="quiet"),
            tag("p", id="people-said", role="status", class_="quiet"),
            id="people",
            method="post",
            class_="filters",
        ),
        class_="people",
    )


def sought(found: Listing, words: Words) -> Markup | None:
    """That the list is of people who were searched for, and the way back."""
    patients = found.wanted.patient
    if not patients:
        return None
    back = tag("a", words("worklist.people.all"), href=address(found.wanted, patient=(), page=1))
    return tag("p", words.count("worklist.people.found", len(patients)), " ", back, class_="hidden", role="status")


def hidden(found: Listing, words: Words) -> Markup | None:
    """How many studies what was chosen leaves out."""
    left_out = found.everything - sum(found.counts.values())
    return tag("p", words.count("worklist.hidden", left_out), class_="hidden", role="status") if left_out else None


def table(rows: Sequence[Row], words: Words, may_ask_who: bool) -> Markup:
    """The studies of a page."""
    names = ("suggestion", "patient", "study", "date", "images", "state")
    head = tag("thead", tag("tr", [tag("th", words(f"worklist.{name}"), scope="col") for name in names]))
    body = tag("tbody", [line(row, words, may_ask_who) for row in rows])
    return tag("table", head, body, class_="worklist", id="worklist")


def line(row: Row, words: Words, may_ask_who: bool) -> Markup:
    """One study."""
    study = row.study
    title = study["description"] or words("worklist.untitled")
    opens = tag("a", title, href=f"/studies/{study['uid']}")
    kinds = " ".join(row.modalities)
    return tag(
        "tr",
        tag("td", [said(one, words) for one in row.suggestions] or tag("span", words("said.nobody"), class_="quiet")),
        tag("td", tag("code", study["patient"]), " ", _whose(row, words) if may_ask_who else None),
        tag("td", tag("span", kinds, class_="kind") if kinds else None, " ", opens),
        tag("td", numbers.date(study["date"], study["time"])),
        tag("td", f"{row.images:,}", class_="number"),
        tag("td", state(row, words)),
        class_=f"priority-{study['priority']}",
        data_study=study["uid"],
    )


def said(one: Suggestion, words: Words) -> Markup:
    """What a release says, in a line; not available is never negative."""
    if one.state == "unavailable":
        text: Child = [words("said.unavailable"), " ", words.phrase(one.reason)]
        kind = "unavailable"
    elif one.says:
        text = [tag("strong", words.phrase(one.says)), " ", tag("span", _amount(one), class_="number")]
        kind = "present" if one.priority == PRESENT else "chosen"
    else:
        text, kind = words("said.abstained" if one.priority else "said.nothing"), "measured"
    return tag("p", tag("span", text), tag("small", one.release), class_=f"said {kind}")


def _amount(one: Suggestion) -> str:
    """How sure it is, where that is calibrated; of a structure how large it is."""
    if one.probability is not None:
        return numbers.percent(one.probability)
    found: Mapping[str, Any] = next((each for each in one.findings["findings"] if each["concept"] == one.says), {})
    volume = found.get("measures", {}).get("volume") or {}
    return numbers.quantity(volume["value"], volume["unit"]) if volume.get("value") is not None else ""


def state(row: Row, words: Words) -> Markup:
    """Where a study stands, and with whom."""
    name = row.study["state"]
    label = tag("span", words(f"state.{name}"), class_=f"state {name}")
    return tag("span", label, tag("small", row.who) if row.who else None)


def pager(found: Listing, words: Words) -> Markup | None:
    """To the pages before and after."""
    wanted, last = found.wanted, max(1, -(-found.found // SIZE))
    if last == 1:
        return None
    parts: list[Markup] = []
    if wanted.page > 1:
        parts.append(tag("a", words("page.before"), href=address(wanted, page=wanted.page - 1), rel="prev"))
    parts.append(tag("span", words("page.of", n=f"{wanted.page:,}", all=f"{last:,}")))
    if wanted.page < last:
        parts.append(tag("a", words("page.after"), href=address(wanted, page=wanted.page + 1), rel="next"))
    return tag("nav", parts, class_="pager", aria_label=words("page.pages"))


def address(wanted: Wanted, **other: object) -> str:
    """Of the list with another choice."""
    dates = {name: numbers.iso_date(getattr(wanted, name)) for name in ("since", "until")}
    chosen = {**vars(wanted), **dates, **other}
    kept = {name: value for name, value in chosen.items() if value != getattr(Wanted(), name) or name == "tab"}
    return f"/?{urlencode(kept, doseq=True)}"


def _entry(name: str, label: str, kind: str, value: str) -> Markup:
    entry = tag("input", id=f"filter-{name}", name=name, type=kind, value=value or None)
    return tag("span", tag("label", label, for_=f"filter-{name}"), entry)


def _sought(name: str, words: Words, kind: str) -> Markup:
    entry = tag("input", id=f"people-{name}", type=kind, maxlength=128, autocomplete="off")
    return tag("span", tag("label", words(f"worklist.people.{name}"), for_=f"people-{name}"), entry)


def _whose(row: Row, words: Words) -> Markup:
    """Asks whose a study is; each answer is audited."""
    label = words("worklist.whose.of", patient=row.study["patient"])
    return tag("button", words("worklist.whose"), type="button", aria_label=label, data_whose=row.study["uid"])


def _choice(name: str, label: str, values: Sequence[str], chosen: str, words: Words) -> Markup:
    options = [tag("option", words("worklist.any"), value="")]
    options += [tag("option", one, value=one, selected=one == chosen) for one in values]
    select = tag("select", options, id=f"filter-{name}", name=name)
    return tag("span", tag("label", label, for_=f"filter-{name}"), select)
