"""The draft of a study's report: what readers accepted, amended and added, in sentences that a reader may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from diascope.core.finding import Finding
from diascope.core.result import SURE, VERDICTS
from diascope.serve.database.tables import series, studies
from diascope.serve.reporting import wording
from diascope.serve.reporting.standing import Standing
from diascope.serve.room.numbers import iso_date, moment, quantity
from diascope.serve.room.words import Words

Name = Literal["examination", "compared_with", "findings", "rejected", "impression", "method"]


@dataclass(frozen=True)
class Line:
    """A sentence of the draft.

    Args:
        text: In the language of the report.
        result: Id of the result that it tells of; "" where it tells of none.
        finding: Name of the finding; the same.
    """

    text: str
    result: str = ""
    finding: str = ""


def sections(
    connection: Connection, study: RowMapping, said: Sequence[Standing], within: ColumnElement[bool], words: Words
) -> dict[Name, list[Line]]:
    """The draft, section by section.

    Args:
        connection: To the index.
        study: The row.
        said: What counts of it.
        within: Which projects' studies may be named.
        words: Of a language.
    """
    return {
        "examination": examination(connection, study, words),
        "compared_with": [Line(_earlier(connection, study, within, words))],
        "findings": list(findings(said, words)) or [Line(words("report.findings.none"))],
        "rejected": list(rejected(said, words)) or [Line(words("report.rejected.none"))],
        "impression": impression(said, words),
        "method": list(method(said, words)),
    }


def examination(connection: Connection, study: RowMapping, words: Words) -> list[Line]:
    """Which examination it is: kind, part of the body, description, date."""
    query = select(series.c.modality, series.c.body_part).where(series.c.study_id == study["id"], ~series.c.made)
    rows = connection.execute(query.order_by(series.c.number, series.c.id)).all()
    told = {
        "modality": words("report.list").join(dict.fromkeys(row.modality for row in rows if row.modality)),
        "part": words("report.list").join(dict.fromkeys(row.body_part for row in rows if row.body_part)),
        "description": study["description"],
        "date": iso_date(study["date"]),
    }
    known = [Line(words(f"report.examination.{name}", said=one)) for name, one in told.items() if one]
    return known or [Line(words("report.examination.unknown"))]


def findings(said: Sequence[Standing], words: Words) -> Iterator[Line]:
    """A line for each finding that was accepted or amended, for what a reader added, and for what is not available."""
    for one in said:
        result, release = one.result["id"], one.result["release"]
        if not one.is_answered:
            why = words.phrase(wording.not_available(one.result["reason"]))
            yield Line(words("report.unavailable", release=release, why=why), result)
        elif one.verdict in ("accept", "amend"):
            yield from _decided(one, words)
        elif one.verdict == "unsure":
            for finding in one.findings:
                yield Line(words("report.undecided", name=finding.concept), result, finding.concept)
        for given in one.added:
            said_there = _sided(wording.missed(given, words), one, words)
            told = words("report.added", name=given["concept"], said=said_there, release=release)
            yield Line(told, result, given["concept"])


def rejected(said: Sequence[Standing], words: Words) -> Iterator[Line]:
    """What releases said and a reader rejected: it is told here, and nowhere as a finding."""
    for one in said:
        if one.verdict == "reject" and one.reading is not None:
            lines = [_line(finding, words) for finding in one.findings if finding.status != "absent"]
            told = words("report.between").join(lines) or words("report.rejected.nothing")
            why = wording.reason(one.reading["reason"], words)
            text = words("report.rejected.line", release=one.result["release"], said=told, reason=why)
            yield Line(text, one.result["id"])


def impression(said: Sequence[Standing], words: Words) -> list[Line]:
    """The findings in short, by what is known of them; what is not available is no negative."""
    names: dict[str, dict[str, None]] = {
        kind: {} for kind in ("present", "measured", "absent", "undecided", "unavailable")
    }
    for one in said:
        if not one.is_answered:
            names["unavailable"][one.result["release"]] = None
        elif one.verdict:
            for finding in one.findings if one.verdict != "reject" else ():
                names[_kind(finding, one)][_short(finding, one, words)] = None
        names["present"] |= dict.fromkeys(given["concept"] for given in one.added)
    between = words("report.list")
    lines = [Line(words(f"report.impression.{kind}", names=between.join(of))) for kind, of in names.items() if of]
    return lines or [Line(words("report.impression.none"))]


def method(said: Sequence[Standing], words: Words) -> Iterator[Line]:
    """By which releases, at which operating point, who reviewed them, and what this is not."""
    for one in said:
        rules = words("report.between").join(dict.fromkeys(words.phrase(f.rule) for f in one.findings if f.rule))
        signed = "signed" if one.result["findings"].get("signed_by") else "candidate"
        read = words(
            "report.method.read",
            release=one.result["release"],
            signed=words(f"report.method.{signed}"),
            rule=rules or words("report.method.no_rule"),
        )
        yield Line(f"{read} {reviewed(one, words)}", one.result["id"])
    if not said:
        yield Line(words("report.method.none"))
    yield Line(words("report.method.no_device"))


def reviewed(one: Standing, words: Words) -> str:
    """Who reviewed a result, when, and how."""
    if one.reading is None:
        return words("report.method.not_reviewed")
    verdict = words.phrase(VERDICTS[one.verdict])
    return words("report.method.reviewed", by=reader(one.reading), at=moment(one.reading["at"]), verdict=verdict)


def reader(row: RowMapping) -> str:
    """What a reader is called: the name for people, else that of the account."""
    return str(row["display"] or row["name"] or row["reader"]).replace("^", " ")


def _decided(one: Standing, words: Words) -> Iterator[Line]:
    """The findings of a result; of several of one name that were amended one line: the amendment is of the name."""
    told = set[str]()
    for finding in one.findings:
        name = finding.concept
        if name not in one.amended:
            yield Line(_line(finding, words, one), one.result["id"], name)
        elif name not in told:
            told.add(name)
            right = wording.corrected(one.amended[name], words, finding)
            right = _sided(right, one, words) if _kind(finding, one) in ("present", "measured") else right
            all_said = [wording.said_of(each, words) for each in one.findings if each.concept == name]
            original = words("report.between").join(all_said)
            text = words("report.corrected", name=name, said=right, original=original)
            yield Line(text, one.result["id"], name)


def _line(finding: Finding, words: Words, one: Standing | None = None) -> str:
    said = wording.said_of(finding, words)
    if one is not None and finding.status in ("present", "measured"):
        said = _sided(said, one, words)
    return words("report.line", name=finding.concept, said=said)


def _sided(said: str, one: Standing, words: Words) -> str:
    """What is said with the side, where the headers of the images say it (decision 0017)."""
    return words("report.between").join([said, words(f"report.side.{one.side}")]) if one.side else said


def _kind(finding: Finding, one: Standing) -> str:
    """Under which heading of the impression a finding stands."""
    if one.verdict == "unsure":
        return "undecided"
    given = one.amended.get(finding.concept)
    status = given.get("status") if isinstance(given, Mapping) else None
    if finding.status == "abstained" and isinstance(given, Mapping) and given.get("value") is not None:
        status = status or "measured"
    return {"abstained": "unavailable"}.get(status or finding.status, status or finding.status)


def _short(finding: Finding, one: Standing, words: Words) -> str:
    """A finding as the impression names it: with how sure, or with its number."""
    given = one.amended.get(finding.concept)
    if one.verdict == "unsure":
        return finding.concept
    if isinstance(given, Mapping) and given.get("value") is not None:
        return f"{finding.concept} {quantity(given['value'], str(given.get('unit') or '1'))}"
    if finding.status == "measured" and finding.measures:
        name, measure = next(iter(finding.measures.items()))
        known = measure.value is not None and name not in SURE
        return f"{finding.concept} {quantity(measure.value or 0.0, measure.unit)}" if known else finding.concept
    sure = wording.sureness(finding)
    is_told = finding.status == "present" and given is None and sure
    return words("report.sure", name=finding.concept, value=sure) if is_told else finding.concept


def _earlier(connection: Connection, study: RowMapping, within: ColumnElement[bool], words: Words) -> str:
    """The newest examination of the same patient that is older."""
    if not study["date"]:
        return words("report.compared.none")
    older = (studies.c.patient == study["patient"]) & (studies.c.id != study["id"])
    dated = (studies.c.date != "") & (studies.c.date < study["date"])
    query = select(studies).where(older, dated, within).order_by(studies.c.date.desc(), studies.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    if row is None:
        return words("report.compared.none")
    kinds = select(series.c.modality).where(series.c.study_id == row["id"], ~series.c.made).order_by(series.c.id)
    known = [*dict.fromkeys(one for one in connection.execute(kinds).scalars() if one), row["description"]]
    told = words("report.list").join(one for one in known if one) or row["uid"]
    return words("report.compared.earlier", date=iso_date(row["date"]), said=told)
