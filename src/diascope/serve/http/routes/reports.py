"""The draft of a study's report: what readers decided, as sentences that one of them changes and signs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from diascope.serve.database.tables import studies
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Answer
from diascope.serve.http.routes.studies import UidInPath, found
from diascope.serve.reporting.draft import Line, Name, sections
from diascope.serve.reporting.signing import newest
from diascope.serve.reporting.standing import Standing, standing
from diascope.serve.room.words import words

router = APIRouter(prefix="/studies/{study}/report", tags=["reports"])

Language = Literal["en", "zh-CN"]


class Sentence(Answer):
    """A sentence of the draft."""

    text: str
    """In the language of the draft."""
    result: str | None
    """Id of the result that it tells of; null where it tells of none."""
    finding: str | None
    """Name of the finding, or of what a reader added."""


class Section(Answer):
    """A section of the draft."""

    name: Name
    """The same in every language."""
    title: str
    """In the language of the draft."""
    text: str
    """All sentences, each on a line."""
    lines: list[Sentence]
    """The sentences."""


class Unanswered(Answer):
    """A result that counts, and that nobody has decided about."""

    result: str
    """Id."""
    series: str
    """Series Instance UID."""
    release: str
    """`name@version`."""


class Report(Answer):
    """The draft of a report."""

    study: str
    """Study Instance UID."""
    language: Language
    """Of the sentences."""
    sections: list[Section]
    """In the order of a report; what was rejected is no finding, and stands for itself."""
    unanswered: list[Unanswered]
    """While there is one, the report can't be signed."""
    readings: list[str]
    """Ids of the newest reading of each result: what a signature names."""
    signature: str | None
    """Id of the signature that the next one would be an addendum to."""


@router.get("", openapi_extra=operation("readings.read"))
def read_report(
    asked: Who,
    study: UidInPath,
    language: Annotated[Language, Query(description="In which it is written")] = "en",
) -> Report:
    """The draft of the report of a study, made of what readers decided until now; it is kept nowhere."""
    row = found(asked, study)
    with asked.service.database.reading() as connection:
        said = standing(connection, row["id"])
        within = asked.within(studies.c.project_id)
        written = sections(connection, row, said, within, words(language))
        before = newest(connection, row["id"])
    asked.service.audit.tell(asked.event("study.viewed", study, project=row["project_id"], part="report"))
    return Report(
        study=study,
        language=language,
        sections=[_section(name, lines, language) for name, lines in written.items()],
        unanswered=[_unanswered(one) for one in said if one.is_unanswered],
        readings=[one.reading["id"] for one in said if one.reading is not None],
        signature=None if before is None else before["id"],
    )


def _section(name: Name, lines: list[Line], language: Language) -> Section:
    told = [Sentence(text=one.text, result=one.result or None, finding=one.finding or None) for one in lines]
    title = words(language)(f"report.section.{name}")
    return Section(name=name, title=title, text="\n".join(one.text for one in lines), lines=told)


def _unanswered(one: Standing) -> Unanswered:
    return Unanswered(result=one.result["id"], series=one.result["series_uid"], release=one.result["release"])
