"""What lies beside the pictures of a study: tabs with laboratory results and texts, next to the suggestions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping

from diascope.formats.dicomio.srreading import SOP_CLASSES
from diascope.reports.markup import Child, Markup, tag
from diascope.serve.access.matrix import decide
from diascope.serve.beside import documents, observations, structured
from diascope.serve.beside.asking import Marker, markers
from diascope.serve.beside.table import LabTable, lab_table
from diascope.serve.http.asking import Asked
from diascope.serve.room import numbers
from diascope.serve.room.beside_table import shown_table
from diascope.serve.room.models import within
from diascope.serve.room.page import data
from diascope.serve.room.statements import Beside, beside_of, cards, facts
from diascope.serve.room.visiting import Visit
from diascope.serve.room.words import Words

FINDINGS, LABORATORY, TEXTS = "findings", "laboratory", "texts"


def beside(suggested: Markup, visit: Visit, study: RowMapping) -> Markup:
    """The suggestions of a study, with tabs for what else is known; as they are where there is nothing else.

    Args:
        suggested: What releases say, and the reader's answer.
        visit: Who looks.
        study: Row of `studies`, which the visitor may read.
    """
    with visit.asked.service.database.reading() as connection:
        may_read = decide("documents.read", visit.asked.caller, study["project_id"]).allowed
        answers = beside_of(connection, visit, study, may_read)
        laboratory = _laboratory(connection, visit, study, answers)
        texts = _texts(connection, visit, study, answers) if may_read else None
    if laboratory is None and texts is None:
        return suggested
    words = visit.words
    tabs = [(FINDINGS, tag("span", words("study.findings")), suggested)]
    tabs += [one for one in (laboratory, texts) if one is not None]
    return tag(
        "div",
        tag("div", [_tab(*one[:2], number == 0) for number, one in enumerate(tabs)], role="tablist", class_="tabs",
            aria_label=words("beside.tabs")),
        [_panel(name, content, number == 0) for number, (name, _, content) in enumerate(tabs)],
        data("beside", {"words": words.of_script("beside.script")}),
        facts(answers, words),
        class_="beside",
    )  # fmt: skip


def _tab(name: str, title: Markup, chosen: bool) -> Markup:
    return tag(
        "button", title, type="button", role="tab", id=f"tab-{name}", aria_controls=f"panel-{name}",
        aria_selected="true" if chosen else "false", tabindex=None if chosen else "-1",
    )  # fmt: skip


def _panel(name: str, content: Markup, chosen: bool) -> Markup:
    return tag(
        "div", content, role="tabpanel", id=f"panel-{name}", aria_labelledby=f"tab-{name}", class_="panel",
        hidden=not chosen,
    )  # fmt: skip


def _laboratory(
    connection: Connection, visit: Visit, study: RowMapping, answers: Beside
) -> tuple[str, Markup, Markup] | None:
    asked, words = visit.asked, visit.words
    if not asked.may("observations.list", study["project_id"]):
        return None
    rows = observations.of_patient(connection, study, within("observations.list", asked.caller))
    if not rows:
        return None
    _tell(asked, rows)
    table = lab_table(rows)
    title = tag("span", words("beside.laboratory"), _beyond(table, words))
    content = [shown_table(table, study["uid"], words), cards(answers, None, "", visit)]
    return LABORATORY, title, tag("div", content)


def _tell(asked: Asked, rows: Sequence[RowMapping]) -> None:
    """That they were shown, also those of the patient's other studies."""
    for study, project in {row["of"]: row["of_project"] for row in rows}.items():
        asked.service.audit.tell(asked.event("study.viewed", study, project=project, part="observations"))


def _beyond(table: LabTable, words: Words) -> Child:
    many = [(where, table.beyond(where)) for where in ("high", "low")]
    return [
        tag("small", words(f"beside.many_{where}", n=count), class_=f"judged {where}") for where, count in many if count
    ]


def _texts(
    connection: Connection, visit: Visit, study: RowMapping, answers: Beside
) -> tuple[str, Markup, Markup] | None:
    asked, words = visit.asked, visit.words
    rows, reports = documents.rows_of(connection, study["id"]), structured.rows_of(connection, study["id"])
    if not rows and not reports:
        return None
    known = markers(asked.service, connection) if rows else []
    said = documents.marks_of(connection, [one["id"] for one in rows])
    may_mark = asked.may("documents.write", study["project_id"])
    items = [
        _text(
            one,
            said[one["id"]],
            known,
            (words, may_mark, study["uid"]),
            cards(answers, one["id"], one["language"], visit),
        )
        for one in rows
    ]
    items += [_report(one, words, study["uid"]) for one in reports]
    title = tag("span", words("beside.texts"), tag("small", str(len(items)), class_="many"))
    content = tag("div", tag("ul", items, class_="texts"), tag("article", id="text", class_="text", hidden=True))
    return TEXTS, title, content


def _text(
    row: RowMapping,
    said: Sequence[RowMapping],
    known: Sequence[Marker],
    of: tuple[Words, bool, str],
    answers: Markup | None,
) -> Markup:
    words, may_mark, study = of
    address = f"/studies/{study}/documents/{row['id']}"
    when = row["written"] if row["written"] is not None else row["at"]
    key = "beside.written" if row["written"] is not None else "beside.arrived"
    head = [
        tag("strong", words(f"beside.kind.{row['kind']}")),
        tag("small", words(key, at=numbers.moment(when)), class_="number"),
        tag("small", words("beside.by", by=row["by"]), " · ", _language(row["language"], words)),
    ]
    there = {one["release"] for one in said}
    asked_for = [one for one in known if one.label not in there]
    return tag(
        "li",
        tag("button", head, type="button", data_text=address, aria_expanded="false"),
        [tag("p", _marked(one, words), class_="quiet") for one in said],
        [_unmarked(one, row["language"], address, words, may_mark) for one in asked_for],
        tag("p", words("beside.no_marker"), class_="quiet") if not said and not asked_for else None,
        answers,
    )


def _language(code: str, words: Words) -> str:
    known = {"en": "beside.language.en", "zh": "beside.language.zh"}.get(code.partition("-")[0])
    return words(known) if known else code or words("beside.language.unknown")


def _marked(one: RowMapping, words: Words) -> str:
    if one["state"] == "answered":
        return words("beside.marked", release=one["release"], n=len(one["spans"]))
    return words("beside.not_marked", release=one["release"], why=words.phrase(one["reason"]))


def _unmarked(one: Marker, language: str, address: str, words: Words, may_mark: bool) -> Markup:
    if not one.reads(language):
        return tag("p", words("beside.other_language", release=one.label), class_="quiet")
    said = words("beside.waits", release=one.label)
    if not may_mark:
        return tag("p", said, class_="quiet")
    button = tag("button", words("beside.mark", release=one.label), type="button", data_mark=address,
                 data_release=one.label)  # fmt: skip
    return tag("p", button, class_="quiet")


def _report(row: RowMapping, words: Words, study: str) -> Markup:
    head = [
        tag("strong", SOP_CLASSES[row["sop_class"]]),
        tag("small", words("beside.arrived", at=numbers.moment(row["received"])), class_="number"),
        tag("small", row["description"]) if row["description"] else None,
    ]
    address = f"/studies/{study}/instances/{row['uid']}/text"
    button = tag("button", head, type="button", data_text=address, aria_expanded="false")
    return tag("li", button, tag("p", words("beside.report_not_marked"), class_="quiet"))
