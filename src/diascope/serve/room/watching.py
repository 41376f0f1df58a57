"""What readers decided about what releases said: how often they agree, over time and by finding, why not, how fast.

Of a reader who decided twice about a result the later decision counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, select

from diascope.core.finding import Measure
from diascope.evidence.proportions import proportion
from diascope.serve.database.tables import readings, results, studies

VERDICTS = ("accept", "amend", "reject", "unsure")
MOST = 5000
"""Decisions that are looked at, the newest: a page must answer soon."""
DAY = 86400.0
BINS: Mapping[int, int] = {7: 7, 30: 10, 90: 13}
"""Days of a span to the number of equal parts that it is shown in."""
PARTS = 12
"""The same where the span is all time."""


@dataclass(frozen=True)
class Decision:
    """What a reader decided about a result.

    Args:
        id: Of the reading.
        result: Id.
        release: That said it.
        findings: What it said.
        patient: Pseudonym.
        reader: Id.
        verdict: One of `VERDICTS`.
        reason: Of a rejection.
        seconds: Since the reader opened the study; None where that is not known.
        shown: What the reader saw.
        amended: Name of a finding to what is right instead.
        at: Seconds since 1970.
    """

    id: str
    result: str
    release: str
    findings: Sequence[Mapping[str, Any]]
    patient: str
    reader: str
    verdict: str
    reason: str
    seconds: float | None
    shown: Mapping[str, Any]
    amended: Mapping[str, Any]
    at: float


@dataclass(frozen=True)
class Part:
    """A part of the time.

    Args:
        start: Seconds since 1970.
        stop: The same.
        verdicts: How many of each.
        accepted: Share that accepts; None without decisions.
    """

    start: float
    stop: float
    verdicts: Mapping[str, int]
    accepted: Measure | None


@dataclass(frozen=True)
class OfFinding:
    """What readers decided about one finding of a release.

    Args:
        release: `name@version`.
        concept: Name of the finding.
        verdicts: Of the results that it is in.
        kept: Share of accepted, amended and rejected ones in which it stayed as it was; None without any.
        cases: Of which the share is.
    """

    release: str
    concept: str
    verdicts: Mapping[str, int]
    kept: Measure | None
    cases: int


@dataclass(frozen=True)
class Time:
    """How long reading took.

    Args:
        quartiles: Lower quartile, median, upper quartile; seconds.
        cases: Of how many readings.
    """

    quartiles: tuple[float, float, float]
    cases: int


def decisions(
    connection: Connection,
    mine: ColumnElement[bool],
    since: float = 0.0,
    releases: Sequence[str] = (),
    most: int = MOST,
) -> list[Decision]:
    """What readers decided, the newest first.

    Args:
        connection: Of the index.
        mine: Condition on `studies`: those that the caller may know of.
        since: Seconds since 1970, included.
        releases: Labels; without any all of them.
        most: How many at most.
    """
    columns = (
        readings.c.id, readings.c.result_id, results.c.release, results.c.findings, studies.c.patient,
        readings.c.reader, readings.c.verdict, readings.c.reason, readings.c.seconds, readings.c.shown,
        readings.c.amended, readings.c.at,
    )  # fmt: skip
    query = select(*columns).join(results, results.c.id == readings.c.result_id)
    query = query.join(studies, studies.c.id == results.c.study_id).where(mine, readings.c.at >= since)
    if releases:
        query = query.where(results.c.release.in_(releases))
    found: dict[tuple[str, str], Decision] = {}
    for row in connection.execute(query.order_by(readings.c.at.desc(), readings.c.id).limit(most)):
        one = Decision(*row[:3], row[3].get("findings", []), *row[4:9], row[9] or {}, row[10] or {}, row[11])
        found.setdefault((one.result, one.reader), one)
    return list(found.values())


def agreement(some: Sequence[Decision]) -> Measure | None:
    """Share of decisions that accept what was said as it was, with Wilson's interval by patient; None without any."""
    return _share([one.verdict == "accept" for one in some], [one.patient for one in some])


def over_time(some: Sequence[Decision], days: int | None, now: float) -> list[Part]:
    """Agreement in equal parts of the time.

    Args:
        some: Decisions.
        days: Of the span until now; None is since the first decision.
        now: Seconds since 1970.
    """
    if not some:
        return []
    start = min(one.at for one in some) if days is None else now - days * DAY
    number = PARTS if days is None else BINS.get(days, PARTS)
    width = max((now - start) / number, 1.0)
    places = [min(max(int((one.at - start) / width), 0), number - 1) for one in some]
    found = []
    for place in range(number):
        mine = [one for one, where in zip(some, places, strict=True) if where == place]
        counts = Counter(one.verdict for one in mine)
        found.append(Part(start + place * width, start + (place + 1) * width, counts, agreement(mine)))
    return found


def by_finding(some: Sequence[Decision]) -> list[OfFinding]:
    """What became of each finding: one that a reader amended elsewhere in the same result stayed as it was.

    A rejection is of the whole result, and so of each of its findings that says something is there or measures it.
    """
    seen: dict[tuple[str, str], list[tuple[Decision, bool]]] = {}
    for one in some:
        for concept in sorted(told(one)):
            right = one.verdict == "accept" or (one.verdict == "amend" and concept not in one.amended)
            seen.setdefault((one.release, concept), []).append((one, right))
    found = []
    for (release, concept), mine in seen.items():
        decided = [(one, right) for one, right in mine if one.verdict != "unsure"]
        kept = _share([right for _, right in decided], [one.patient for one, _ in decided])
        counts = Counter(one.verdict for one, _ in mine)
        found.append(OfFinding(release, concept, counts, kept, len(decided)))
    return sorted(found, key=lambda one: (-one.cases, one.release, one.concept))


def told(one: Decision) -> set[str]:
    """Names of the findings that a decision is about; of a rejection those that say that something is there."""
    silent = {"abstained", "absent"} if one.verdict == "reject" else {"abstained"}
    return {str(each["concept"]) for each in one.findings if each.get("status") not in silent}


def reasons(some: Iterable[Decision]) -> dict[str, int]:
    """Why results were rejected, the commonest first; "" where nobody said why."""
    return dict(Counter(one.reason for one in some if one.verdict == "reject").most_common())


def time_to_read(some: Iterable[Decision]) -> Time | None:
    """Quartiles of the seconds from opening a study to deciding; None where they are not known."""
    known = [one.seconds for one in some if one.seconds is not None]
    if not known:
        return None
    low, middle, high = (float(value) for value in np.quantile(known, (0.25, 0.5, 0.75)))
    return Time((low, middle, high), len(known))


def shown_first(one: Decision) -> bool | None:
    """Whether the answer stood there before the reader had looked; None where that was not recorded."""
    said = one.shown.get("ai_first")
    return said if isinstance(said, bool) else None


def _share(right: Sequence[bool], patients: Sequence[str]) -> Measure | None:
    if not right:
        return None
    value, low, high = proportion(np.asarray(right), patients)
    return Measure(value=value, low=low, high=high)
