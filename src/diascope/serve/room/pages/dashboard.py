"""The dashboard: do readers agree, do probabilities hold, has something changed, and does the service keep up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from sqlalchemy import ColumnElement, Connection, func, select

from diascope.reports.markup import Child, Markup, tag
from diascope.serve.access.refusals import Missing
from diascope.serve.database.tables import jobs, results, studies
from diascope.serve.room.models import within
from diascope.serve.room.models_evidence import evidence
from diascope.serve.room.page import Page, shown
from diascope.serve.room.visiting import Visit, Visitor, page_of
from diascope.serve.room.watching import DAY, MOST, Decision, decisions
from diascope.serve.room.watching_calibration import Calibrated, calibrations, signed_ids
from diascope.serve.room.watching_drift import Watched, given, judged, watched
from diascope.serve.room.watching_shown import agreement_part, calibration_part, drift_part, reasons_part, time_part
from diascope.serve.room.watching_state import delivered, queue
from diascope.serve.room.watching_state_shown import disk_part, peers_part, queue_part
from diascope.serve.room.words import Words

router = APIRouter()
SPANS = (7, 30, 90)
"""Days that one may choose from, beside all time."""
LOOKED_AT = 5
"""Releases whose drift is tested where none was chosen: those with the newest results."""

Span = Literal["7", "30", "90", "all"]
Label = Annotated[str, Query(max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


@dataclass(frozen=True)
class Look:
    """What one look at the dashboard is about.

    Args:
        days: Of the span until now; None is all time.
        release: `name@version`; "" is all of them.
        now: Seconds since 1970.
    """

    days: int | None
    release: str
    now: float

    @property
    def since(self) -> float:
        """Seconds since 1970."""
        return 0.0 if self.days is None else self.now - self.days * DAY


@dataclass(frozen=True)
class Seen:
    """What is shown of the readings.

    Args:
        releases: That have results in the visitor's projects.
        said: Decisions, the newest first.
        calibrated: Findings whose probabilities were compared with what readers signed.
        tests: Of drift.
        level: Of each of them; None where nothing was tested.
    """

    releases: list[str]
    said: list[Decision]
    calibrated: list[Calibrated]
    tests: list[Watched]
    level: float | None


@router.get("/dashboard", **page_of("readings.list"))
def dashboard(visit: Visitor, span: Span = "30", release: Label = "") -> HTMLResponse:
    """What readers decided and how the service does, in the visitor's projects."""
    asked, words = visit.asked, visit.words
    asked.service.audit.tell(asked.event("study.queried", of="readings"))
    look = Look(None if span == "all" else int(span), release, asked.service.clock())
    with asked.service.database.reading() as connection:
        seen = _seen(visit, connection, look)
        state = _state(visit, connection, look)
    cut = tag("p", words("dashboard.cut", n=f"{MOST:,}"), class_="warning") if len(seen.said) >= MOST else None
    body = [
        tag("h1", words("dashboard.title")),
        tag("p", words("dashboard.lead"), class_="lead"),
        chooser(span, look, seen.releases, words),
        cut,
        agreement_part(seen.said, look.days, look.now, words),
        tag("div", reasons_part(seen.said, words), time_part(seen.said, words), class_="pair"),
        calibration_part(seen.calibrated, words),
        drift_part(seen.tests, seen.level, words),
        *state,
    ]
    return shown(visit, Page(words("dashboard.title"), tag("div", *body, class_="evidence dashboard"), kind="wide"))


def chooser(span: str, look: Look, releases: list[str], words: Words) -> Markup:
    """Time and release."""
    spans = [(str(days), words("dashboard.days", n=str(days))) for days in SPANS] + [("all", words("dashboard.all"))]
    known = sorted({*releases, look.release} - {""})
    labels = [("", words("dashboard.any")), *((one, one) for one in known)]
    return tag(
        "form",
        _choice("span", words("dashboard.span"), spans, span),
        _choice("release", words("dashboard.release"), labels, look.release),
        tag("button", words("dashboard.show"), type="submit"),
        class_="filters",
        role="search",
    )


def _choice(name: str, label: str, values: list[tuple[str, str]], chosen: str) -> Markup:
    options = [tag("option", text, value=value, selected=value == chosen) for value, text in values]
    select_ = tag("select", options, id=f"look-{name}", name=name)
    return tag("span", tag("label", label, for_=f"look-{name}"), select_)


def _seen(visit: Visit, connection: Connection, look: Look) -> Seen:
    caller = visit.asked.caller
    mine, found = within("readings.list", caller), within("findings.list", caller)
    query = select(results.c.release).join(studies, studies.c.id == results.c.study_id).where(mine)
    releases = list(connection.execute(query.distinct().order_by(results.c.release)).scalars())
    said = decisions(connection, mine, look.since, [look.release] if look.release else ())
    signed = signed_ids(connection, mine)
    tests: list[Watched] = []
    for label in [look.release] if look.release else _newest(connection, found, look):
        try:
            known = evidence(visit.asked.service.workspace, label)
        except Missing:
            continue
        tests += watched(given(connection, found, label), known)
    judged_, level = judged(tests)
    return Seen(releases, said, calibrations(one for one in said if one.id in signed), judged_, level)


def _newest(connection: Connection, mine: ColumnElement[bool], look: Look) -> list[str]:
    query = select(results.c.release).join(studies, studies.c.id == results.c.study_id)
    asked = query.where(mine, results.c.answered >= look.since).group_by(results.c.release)
    return list(connection.execute(asked.order_by(func.max(results.c.answered).desc()).limit(LOOKED_AT)).scalars())


def _state(visit: Visit, connection: Connection, look: Look) -> list[Child]:
    """How the service does, as far as the visitor may see that."""
    asked, words = visit.asked, visit.words
    found: list[Markup] = []
    if asked.may("jobs.list"):
        found.append(
            queue_part(queue(connection, within("jobs.list", asked.caller, jobs.c.project_id), look.now), words)
        )
    if asked.may("system.read"):
        free = asked.service.archive.free_bytes()
        found.append(disk_part(free, asked.service.settings.keep_free_gb * 1e9, words))
    parts: list[Child] = [tag("div", found, class_="pair")] if found else []
    if asked.may("peers.list"):
        there = delivered(connection, within("findings.list", asked.caller))
        parts.append(peers_part(there, words, why=asked.may("peers.read")))
    return parts
