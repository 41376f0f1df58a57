"""Cards of findings: what, where, how sure, by which operating point; and what a reader decided about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from diascope.core.result import SURE
from diascope.reports.markup import Child, Markup, tag
from diascope.serve.reporting.draft import reader
from diascope.serve.room import numbers
from diascope.serve.room.operating import Said, in_words, operating_point
from diascope.serve.room.study import ResultView
from diascope.serve.room.words import Words
from diascope.store.workspace import Workspace


def result_card(one: ResultView, words: Words, may_answer: bool, workspace: Workspace) -> Markup:
    """Everything that a release said about a series."""
    name = tag("h2", one.release, id=f"release-{one.id}")
    signed = one.findings.get("signed_by")
    by = words("card.signed", name=signed) if signed else words("card.unsigned")
    if one.state == "answered":
        body: Child = [
            finding_card(each, one, words, operating_point(workspace, one.release, each["concept"]))
            for each in one.findings["findings"]
        ]
    else:
        body = tag("p", tag("strong", words("said.unavailable")), " ", words.phrase(one.reason), class_="unavailable")
    notes = [tag("li", words.phrase(note)) for note in one.findings.get("notes", ())]
    return tag(
        "article",
        tag(
            "header",
            name,
            tag("p", by, " ", tag("a", words("card.model"), href=f"/models/{quote(one.release)}"), class_="quiet"),
        ),
        tag("p", decided(one, words), class_="decided", data_decided=one.id),
        answers(one, words) if may_answer and one.state == "answered" else None,
        body,
        tag("ul", notes, class_="notes") if notes else None,
        class_="result",
        data_result=one.id,
        data_series=one.series,
        aria_labelledby=f"release-{one.id}",
    )


def finding_card(finding: Mapping[str, Any], one: ResultView, words: Words, point: tuple[Said, ...] | None) -> Markup:
    """One finding; `point` says what the release's evaluation says of such findings."""
    concept = finding["concept"]
    place = finding.get("place")
    label = words.phrase(concept)
    return tag(
        "section",
        tag(
            "div",
            tag("h3", label),
            tag("span", words(f"status.{finding['status']}"), class_=f"status {finding['status']}"),
            _where(place, label, words),
            class_="what",
        ),
        tag("p", words("said.unavailable"), " ", words.phrase(finding["reason"])) if finding["reason"] else None,
        measures(finding, words),
        expected(finding["rule"], point or (), words),
        tag("div", class_="more", data_more=concept),
        class_=f"finding {finding['status']}",
        data_finding=concept,
        data_place=json.dumps(place) if place else None,
        data_result=one.id,
    )


def answers(one: ResultView, words: Words) -> Markup:
    """What a reader may say; a script sends it."""
    buttons = [
        tag(
            "button",
            words(f"answer.{verdict}"),
            tag("kbd", key),
            type="button",
            data_verdict=verdict,
            aria_keyshortcuts=key,
        )
        for verdict, key in (("accept", "a"), ("amend", "c"), ("reject", "r"), ("unsure", "u"))
    ]
    reasons = [
        tag("option", words(f"reason.{name}"), value=name)
        for name in ("false_finding", "wrong_place", "wrong_size", "wrong_class", "poor_image", "not_for_this", "other")
    ]
    reason = tag(
        "form",
        tag("label", words("answer.reason"), for_=f"reason-{one.id}"),
        tag("select", reasons, id=f"reason-{one.id}", name="reason"),
        tag("button", words("answer.do_reject"), type="submit", class_="main"),
        tag("button", words("answer.back"), type="reset"),
        class_="reason",
        hidden=True,
    )
    amend = tag(
        "form",
        tag("p", words("answer.how"), class_="quiet"),
        tag("div", class_="corrections"),
        tag("label", words("answer.comment"), for_=f"comment-{one.id}"),
        tag("textarea", id=f"comment-{one.id}", name="comment", maxlength=2000),
        tag("button", words("answer.do_amend"), type="submit", class_="main"),
        tag("button", words("answer.back"), type="reset"),
        class_="amend",
        hidden=True,
    )
    return tag(
        "div",
        tag("div", buttons, class_="verdicts", role="group", aria_label=words("answer.title")),
        reason,
        amend,
        class_="answers",
    )


def decided(one: ResultView, words: Words) -> str:
    """What was decided last, by whom and when."""
    if one.reading is None:
        return words("decided.nobody")
    told = {"by": reader(one.reading), "at": numbers.moment(one.reading["at"])}
    return words(f"decided.{one.reading['verdict']}", **told)


def _where(place: Mapping[str, Any] | None, label: str, words: Words) -> Markup | None:
    if not place:
        return None
    first, last = place["start"][0] + 1, place["stop"][0]
    slices = words("card.slice", n=first) if first == last else words("card.slices", first=first, last=last)
    return tag(
        "button",
        slices,
        type="button",
        class_="where",
        data_jump=True,
        aria_label=f"{words('card.show')}: {label}, {slices}",
    )


def expected(rule: str, point: tuple[Said, ...], words: Words) -> Markup | None:
    """What to expect of the release here: the first sentence at once, the others for whoever asks."""
    rest = [tag("p", in_words(each, words), class_="point") for each in point[1:]]
    if rule:
        rest.append(tag("p", words.phrase(rule), class_="rule"))
    first = in_words(point[0], words) if point else words("card.rule")
    return tag("details", tag("summary", first), rest, class_="expect") if rest else None


def measures(finding: Mapping[str, Any], words: Words) -> Markup | None:
    """How sure a finding is, and what was measured of it."""
    rows = []
    for name, one in finding.get("measures", {}).items():
        if one.get("value") is None:
            continue
        value = numbers.percent(one["value"]) if name in SURE else numbers.quantity(one["value"], one["unit"])
        parts = [tag("span", value, class_="number")]
        if one.get("low") is not None and one.get("high") is not None:
            ends = [
                numbers.percent(one[end]) if name in SURE else numbers.quantity(one[end], "1")
                for end in ("low", "high")
            ]
            parts.append(tag("small", f" {ends[0]} – {ends[1]}", class_="number"))
        if one.get("note"):
            parts.append(tag("small", f" {words.phrase(one['note'])}"))
        rows += [tag("dt", words.phrase(name)), tag("dd", parts)]
    return tag("dl", rows, class_="measures") if rows else None
