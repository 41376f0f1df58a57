"""Labellings as markup: how far they are, how well two readers agree, where they differ, and the form for a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import RowMapping

from diascope.core.finding import Measure
from diascope.reports.markup import Child, Markup, tag
from diascope.reports.numbers import measure_text
from diascope.reports.tables import fold, table
from diascope.serve.labelling.cases import Given
from diascope.serve.labelling.progress import Progress
from diascope.serve.room import numbers
from diascope.serve.room.labelling import Difference, Listed, Offer, View
from diascope.serve.room.words import Words

Row = RowMapping | Mapping[str, Any]
ASKS = ("classes", "masks", "boxes")


def labelling_table(found: Sequence[Listed], may_label: bool, words: Words) -> Markup:
    """Labellings in rows."""
    names = ("name", "asks", "progress", "twice", "readers", "do")
    head = [words(f"labelling.column.{name}") for name in names]
    rows = [_line(one, may_label, words) for one in found]
    return table(head, rows, class_="labellings")


def _line(one: Listed, may_label: bool, words: Words) -> list[Child]:
    row, now = one.row, one.progress
    asked = [asks(row, words), tag("small", ", ".join(row["labels"]))]
    told = tag("span", ", ".join(each.reader for each in now.readers[:4]) or "–")
    start = tag("a", words("labelling.start"), href=f"/labelling/{row['id']}/label", class_="button main")
    return [
        [tag("a", row["name"], href=f"/labelling/{row['id']}"), tag("small", row["project"])],
        asked,
        bar(now.labelled, now.fit, words),
        by_two(now, words),
        told,
        start if may_label and row["closed"] is None else closed(row, words),
    ]


def asks(row: Row, words: Words) -> str:
    """What is asked for: classes, masks, boxes."""
    return words("labelling.asks.exclusive" if row["exclusive"] else f"labelling.asks.{row['asks']}")


def closed(row: Row, words: Words) -> Child:
    """Since when nobody is asked any more."""
    if row["closed"] is None:
        return None
    return tag("span", words("labelling.closed_at", at=numbers.moment(row["closed"])), class_="quiet")


def bar(done: int, whole: int, words: Words) -> Markup:
    """How many of how many, in numbers and as a bar."""
    text = words("labelling.of", n=f"{done:,}", all=f"{whole:,}")
    return tag(
        "span", tag("progress", value=done, max=max(whole, 1), aria_label=text), " ", tag("span", text, class_="number")
    )


def by_two(now: Progress, words: Words) -> Child:
    """How many of those that two are asked about are done; readers may choose others, too."""
    wanted = bar(now.wanted_done, now.wanted_twice, words) if now.wanted_twice else "–"
    return [wanted, " ", tag("small", words("labelling.twice.all", n=f"{now.twice:,}"))] if now.twice else wanted


def making(found: Offer, words: Words) -> Markup | None:
    """The form for a new labelling, for those who may make one."""
    if not found.projects:
        return None
    own = [(each, name) for each, name in found.projects]
    any_of = [("", words("labelling.any"))]
    form = tag(
        "form",
        _field("name", words, tag("input", id="new-name", name="name", required=True, maxlength=128)),
        _choice("project", words, own),
        _choice("asks", words, [(one, words(f"labelling.asks.{one}")) for one in ("exclusive", *ASKS)]),
        _field(
            "labels",
            words,
            tag("textarea", id="new-labels", name="labels", required=True, rows=4, aria_describedby="new-labels-how"),
            tag("small", words("labelling.new.labels.how"), id="new-labels-how"),
        ),
        _choice("modality", words, any_of + [(one, one) for one in found.modalities]),
        _field(
            "twice",
            words,
            tag(
                "input", id="new-twice", name="twice", type="number", min=0, max=100, step=1, value=10, required=True,
                aria_describedby="new-twice-how",
            ),
            tag("small", words("labelling.new.twice.how"), id="new-twice-how"),
        ),
        _choice("release", words, [("", words("labelling.new.no_guide"))] + [(one, one) for one in found.releases]),
        tag("button", words("labelling.new.do"), type="submit", class_="main"),
        id="new-labelling",
        class_="making",
    )  # fmt: skip
    return tag("details", tag("summary", words("labelling.new")), form, class_="new", id="new")


def _field(name: str, words: Words, *content: Child) -> Markup:
    return tag("p", tag("label", words(f"labelling.new.{name}"), for_=f"new-{name}"), *content, class_="field")


def _choice(name: str, words: Words, options: Sequence[tuple[str, str]]) -> Markup:
    found = [tag("option", text, value=value) for value, text in options]
    return _field(name, words, tag("select", found, id=f"new-{name}", name=name))


def progress_part(now: Progress, words: Words) -> Markup:
    """How far it is, and who did what."""
    facts = [
        (words("labelling.fit"), f"{now.fit:,}"),
        (words("labelling.labelled"), bar(now.labelled, now.fit, words)),
        (words("labelling.twice"), by_two(now, words)),
        (words("labelling.unsure"), f"{now.unsure:,}"),
    ]
    head = [words(f"labelling.reader.{name}") for name in ("name", "labelled", "unsure")]
    rows: list[list[Child]] = [[one.reader, f"{one.labelled:,}", f"{one.unsure:,}"] for one in now.readers]
    return tag(
        "section",
        tag("h2", words("labelling.progress")),
        tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts], class_="facts"),
        table(head, rows, ("", "number", "number")) if rows else tag("p", words("labelling.nobody"), class_="empty"),
        id="progress",
    )


def agreement_part(found: View, words: Words) -> Markup:
    """How well two readers agree, by label, each value with its interval or why it has none."""
    told = found.agreement
    title = tag("h2", words("labelling.agreement"))
    if not told.pairs:
        return tag("section", title, tag("p", words("labelling.agreement.none"), class_="empty"), id="agreement")
    counted = told.pairs - told.unsure - told.left_out
    lead = words("labelling.agreement.lead", n=f"{counted:,}", unsure=f"{told.unsure:,}")
    more = tag("p", words("labelling.agreement.left_out", n=f"{told.left_out:,}"), class_="quiet")
    return tag(
        "section",
        title,
        tag("p", lead, class_="lead"),
        more if told.left_out else None,
        _overall(told.measures, words),
        _by_label(found.row["labels"], told.measures, words),
        fold(words("labelling.agreement.how"), tag("p", words(f"labelling.agreement.how.{found.row['asks']}"))),
        id="agreement",
    )


def _overall(measures: Mapping[str, Measure], words: Words) -> Markup | None:
    names = [name for name in ("kappa", "agreement") if name in measures]
    if not names:
        return None
    items = [tag("div", tag("dt", words(f"labelling.measure.{n}")), tag("dd", said(measures[n], words))) for n in names]
    return tag("dl", items, class_="facts")


def _by_label(labels: Sequence[str], measures: Mapping[str, Measure], words: Words) -> Markup | None:
    kinds = list(dict.fromkeys(name.partition("/")[0] for name in measures if "/" in name))
    if not kinds:
        return None
    head = [words("labelling.label"), *(words(f"labelling.measure.{kind}") for kind in kinds)]
    rows = [[label, *(said(measures[f"{kind}/{label}"], words) for kind in kinds)] for label in labels]
    return table(head, rows)


def said(one: Measure, words: Words) -> Child:
    """A value with its interval, or why there is none."""
    text = measure_text(one, words.reports)
    return [text, " ", tag("small", words.phrase(one.note))] if one.note else text


def differences_part(found: View, may_label: bool, words: Words) -> Markup | None:
    """Series about which two readers differ, with what each said."""
    if not found.agreement.differ:
        return None
    head = [words(f"labelling.differ.{name}") for name in ("case", "one", "other")]
    rows = [_difference(found, one, may_label, words) for one in found.differences]
    many = len(found.agreement.differ)
    cut = tag("p", words("labelling.differ.cut", n=len(rows), all=f"{many:,}"), class_="quiet")
    return tag(
        "section",
        tag("h2", words("labelling.differ")),
        tag("p", words.count("labelling.differ.lead", many), class_="lead"),
        table(head, rows, class_="differences"),
        cut if many > len(rows) else None,
        id="differences",
    )


def _difference(found: View, one: Difference, may_label: bool, words: Words) -> list[Child]:
    hidden = tag("span", words("labelling.differ.hidden"), class_="quiet")
    told: list[Child] = [
        hidden if one.is_hidden else [tag("b", reader), " ", answer(found.row, given, words)]
        for reader, given in zip(one.readers, (one.pair.one, one.pair.other), strict=True)
    ]
    return [case(found.row["id"], one.series, may_label, words), *told]


def case(labelling: str, one: Row, may_label: bool, words: Words) -> Markup:
    """A series with its address: where it is labelled, or its study for those who may not."""
    chosen = urlencode({"study": one["study"], "series": one["uid"]})
    address = f"/labelling/{labelling}/label?{chosen}" if may_label else f"/studies/{one['study']}"
    text = one["description"] or words("worklist.untitled")
    return tag(
        "span",
        tag("a", text, href=address),
        " ",
        tag("small", one["modality"], " · ", tag("code", one["patient"]), " · ", numbers.date(one["date"])),
        class_="case",
    )


def answer(row: Row, given: Given, words: Words) -> str:
    """What a reader said, in a line."""
    if given.unsure:
        return words("labelling.said.unsure")
    if row["asks"] == "classes":
        return ", ".join(given.answer.get("classes", ())) or words("labelling.said.none")
    if row["asks"] == "masks":
        return words("labelling.said.mask")
    held = [one["label"] for one in given.answer.get("boxes", ())]
    counted = [f"{label} × {held.count(label)}" for label in row["labels"] if label in held]
    return ", ".join(counted) or words("labelling.said.none")
