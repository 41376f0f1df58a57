"""Cards of what releases say of texts and of laboratory results: the finding, how sure, and what led to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, RowMapping

from diascope.reports.markup import Child, Markup, tag
from diascope.serve.beside import statements as kept
from diascope.serve.beside.speakers import TABLE, TEXT, Speaker, speakers
from diascope.serve.room import numbers
from diascope.serve.room.cards import expected, measures
from diascope.serve.room.operating import operating_point
from diascope.serve.room.page import data
from diascope.serve.room.visiting import Visit
from diascope.serve.room.words import Words

WIDE, HIGH = 120, 12
"""Of the bar of a column, in its own units."""
MOST_COLUMNS = 12
"""Columns that are shown, the strongest."""

Statements = Mapping[str | None, Sequence[RowMapping]]


@dataclass(frozen=True)
class Beside:
    """What is said beside the pictures of a study.

    Args:
        study: UID.
        said: Id of a text, or None for laboratory results, to the newest of each release; what may be seen of it.
        known: Releases that can be asked about texts, and about laboratory results.
        may_ask: About texts, about laboratory results.
    """

    study: str
    said: Statements
    known: Mapping[str, Sequence[Speaker]]
    may_ask: Mapping[str, bool]


def beside_of(connection: Connection, visit: Visit, study: RowMapping, texts: bool) -> Beside:
    """What may be seen.

    Args:
        connection: Of the index.
        visit: Who looks.
        study: Row of `studies`.
        texts: Whether the visitor may read texts.
    """
    asked, project = visit.asked, study["project_id"]
    may = asked.may("findings.read", project)
    said = kept.newest(connection, study["id"], kept.about(texts and may, may)) if may else {}
    known = {kind: speakers(asked.service, connection, kind) if may else [] for kind in (TEXT, TABLE)}
    may_ask = asked.may("predictions.request", project)
    both = {TEXT: may_ask and asked.may("documents.write", project), TABLE: may_ask}
    return Beside(study["uid"], said, known, both)


def cards(beside: Beside, document: str | None, language: str, visit: Visit) -> Markup | None:
    """What releases say of a text, or of the laboratory results, and who can be asked; None where nobody can.

    Args:
        beside: What may be seen.
        document: Id of the text; None for laboratory results.
        language: Of the text.
        visit: Who looks.
    """
    kind, words = TEXT if document is not None else TABLE, visit.words
    said = beside.said.get(document, ())
    shown: list[Markup | None] = [_card(one, beside.study, visit) for one in said]
    answered = {one["release"] for one in said if one["state"] == "answered"}
    for one in beside.known[kind]:
        if one.label not in answered:
            shown.append(_waiting(one, beside, document, language, words))
    if not shown:
        return None
    hidden = tag("p", words("statements.hidden"), class_="quiet statements-hidden") if said else None
    return tag("div", hidden, tag("div", shown, class_="statements"))


def facts(beside: Beside, words: Words) -> Markup:
    """What the script must know: words in texts that led to findings, by statement and finding; no text."""
    led = {
        one["id"]: {each["finding"]: each["parts"] for each in one["attributions"] if each["passed"]}
        for document, said in beside.said.items()
        for one in said
        if document is not None
    }
    return data("statements", {"led": led, "study": beside.study, "words": words.of_script("statements.script")})


def _card(one: RowMapping, study: str, visit: Visit) -> Markup:
    words, name = visit.words, f"statement-{one['id']}"
    if one["state"] == "answered":
        findings = [_finding(each, one, study, visit) for each in one["findings"]["findings"]]
        notes = [tag("li", words.phrase(note)) for note in one["findings"].get("notes", ())]
        body: Child = [*findings, tag("ul", notes, class_="notes") if notes else None, _unexplained(one, words)]
    else:
        body = tag(
            "p", tag("strong", words("said.unavailable")), " ", words.phrase(one["reason"]), class_="unavailable"
        )
    link = tag("a", words("card.model"), href=f"/models/{quote(one['release'])}")
    by = one["findings"].get("signed_by")
    signed = [words("card.signed", name=by), " · "] if by else None
    head = tag("p", signed, numbers.moment(one["at"]), " ", link, class_="quiet")
    return tag(
        "article", tag("header", tag("h3", one["release"], id=name), head), body, class_="statement",
        aria_labelledby=name,
    )  # fmt: skip


def _finding(finding: Mapping[str, Any], one: RowMapping, study: str, visit: Visit) -> Markup:
    words, concept = visit.words, finding["concept"]
    point = operating_point(visit.asked.service.workspace, one["release"], concept)
    led = next((each for each in one["attributions"] if each["finding"] == concept), None)
    return tag(
        "section",
        tag(
            "div",
            tag("h4", words.phrase(concept)),
            tag("span", words(f"status.{finding['status']}"), class_=f"status {finding['status']}"),
            class_="what",
        ),
        tag("p", words("said.unavailable"), " ", words.phrase(finding["reason"])) if finding["reason"] else None,
        measures(finding, words),
        expected(finding["rule"], point or (), words),
        _led(led, one, study, words) if led is not None else None,
        class_=f"finding {finding['status']}",
    )


def _led(led: Mapping[str, Any], one: RowMapping, study: str, words: Words) -> Markup:
    """What led to a finding, where its check passed; in any case what came of the check."""
    if led["similarity"] is None:
        checked = words("statements.empty")
    else:
        key = "statements.passed" if led["passed"] else "statements.failed"
        checked = words(key, r=f"{led['similarity']:.2f}".replace("-", "−"), limit=f"{led['limit']:.2f}")
    shown = None
    if led["passed"]:
        shown = _words(led, one, study, words) if one["document_id"] is not None else _columns(led, words)
    return tag(
        "div", tag("h5", words("statements.led")), shown, tag("p", checked, class_="quiet checked"), class_="led"
    )


def _words(led: Mapping[str, Any], one: RowMapping, study: str, words: Words) -> Markup:
    """A button that shows the words in the text: who reads a text is told in the audit trail, so it is asked for."""
    button = tag(
        "button", words("statements.show"), type="button", aria_expanded="false", data_shade=one["id"],
        data_of=led["finding"], data_address=f"/studies/{study}/documents/{one['document_id']}",
    )  # fmt: skip
    return tag("div", button, tag("div", class_="shaded", hidden=True))


def _columns(led: Mapping[str, Any], words: Words) -> Markup:
    parts = led["parts"][:MOST_COLUMNS]
    head = tag("tr", [tag("th", words(f"statements.{one}"), scope="col") for one in ("column", "value", "counts")])
    rows = [_column(one, words) for one in parts]
    left = len(led["parts"]) - len(parts)
    return tag(
        "div",
        tag("table", tag("caption", words("statements.columns")), tag("thead", head), tag("tbody", rows)),
        tag("p", words("statements.more", n=left), class_="quiet") if left else None,
        class_="columns",
    )


def _column(one: Mapping[str, Any], words: Words) -> Markup:
    given = one["given"]
    shown = f"{given:.12g}" if isinstance(given, float | int) else given or "–"
    side = "for" if one["value"] > 0 else "against"
    number = f"{one['value']:+.2f}".replace("-", "−")
    return tag(
        "tr",
        tag("th", one["name"], scope="row"),
        tag("td", shown, tag("small", f" {one['unit']}") if one["unit"] else None, class_="number"),
        tag("td", _bar(one["value"]), tag("span", number, class_="number"), " ", words(f"statements.{side}")),
    )


def _bar(value: float) -> Markup:
    """From the middle to the right what speaks for it, to the left what speaks against it; the number stands beside."""
    middle, long = WIDE / 2, max(1.0, abs(value) * WIDE / 2)
    start, side = (middle, "for") if value > 0 else (middle - long, "against")
    return tag(
        "svg",
        tag("rect", x=f"{start:.1f}", y=1, width=f"{long:.1f}", height=HIGH - 2, class_=side),
        tag("line", x1=middle, x2=middle, y1=0, y2=HIGH, class_="scale"),
        viewBox=f"0 0 {WIDE} {HIGH}",
        width=WIDE,
        height=HIGH,
        class_="share",
        aria_hidden="true",
    )


def _unexplained(one: RowMapping, words: Words) -> Markup | None:
    if not one["unexplained"]:
        return None
    return tag("p", words("statements.unexplained", why=words.phrase(one["unexplained"])), class_="quiet")


def _waiting(one: Speaker, beside: Beside, document: str | None, language: str, words: Words) -> Markup | None:
    kind = TEXT if document is not None else TABLE
    if kind == TEXT and not one.knows(language):
        return tag("p", words("statements.other_language", release=one.label), class_="quiet")
    if not beside.may_ask[kind]:
        return tag("p", words("statements.waits", release=one.label), class_="quiet")
    button = tag(
        "button", words("statements.ask", release=one.label), type="button", data_ask=one.label,
        data_document=document or None,
    )  # fmt: skip
    return tag("p", button, class_="quiet")
