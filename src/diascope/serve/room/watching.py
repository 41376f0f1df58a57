"""What readers decided about what releases said: how often they agree, over time and by finding, why not, how fast.

Of a reader who decided twice about a result the later decision counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, select

from diascope.core.finding import Measure
from diascope.evidence.proportions import proportion
from diascope.serve.database.tables import readings, results, studies
from diascope.serve.reading.suggestion import CHOICES

VERDICTS = ("accept", "amend", "reject", "unsure")
NOT_THERE = ("false_finding", "wrong_class")
"""Reasons of a rejection that say that what was called present is not there."""
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
        shares: Share of each verdict; none without decisions.
    """

    start: float
    stop: float
    verdicts: Mapping[str, int]
    shares: Mapping[str, Measure]


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
        readings.c.amended, readings.c.at, readings.c.added,
    )  # fmt: skip
    query = select(*columns).join(results, results.c.id == readings.c.result_id)
    query = query.join(studies, studies.c.id == results.c.study_id).where(mine, readings.c.at >= since)
    if releases:
        query = query.where(results.c.release.in_(releases))
    found: dict[tuple[str, str], Decision] = {}
    for row in connection.execute(query.order_by(readings.c.at.desc(), readings.c.id).limit(most)):
        plain = Decision(*row[:3], row[3].get("findings", []), *row[4:9], row[9] or {}, row[10] or {}, row[11])
        one = with_missed(plain, row[12] or [])
        found.setdefault((one.result, one.reader), one)
    return list(found.values())


def with_missed(one: Decision, added: Sequence[Mapping[str, Any]]) -> Decision:
    """A decision with what the release missed: who accepts and adds something has amended; what was absent is there."""
    if not added:
        return one
    absent = {each["concept"] for each in one.findings if each.get("status") == "absent"}
    there = {each["concept"]: {"status": "present"} for each in added if each.get("concept") in absent}
    verdict = "amend" if one.verdict == "accept" else one.verdict
    return replace(one, verdict=verdict, amended={**there, **one.amended})


def agreement(some: Sequence[Decision]) -> Measure | None:
    """Share of decisions that accept what was said as it was, with Wilson's interval by patient; None without any."""
    return shares(some).get("accept")


def shares(some: Sequence[Decision]) -> dict[str, Measure]:
    """Share of each verdict with Wilson's interval by patient; none without decisions."""
    patients = [one.patient for one in some]
    found = {name: _share([one.verdict == name for one in some], patients) for name in VERDICTS}
    return {name: share for name, share in found.items() if share is not None}


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
        found.append(Part(start + place * width, start + (place + 1) * width, counts, shares(mine)))
    return found


def by_finding(some: Sequence[Decision]) -> list[OfFinding]:
    """What became of each finding, those with the most decisions first; see `stayed`."""
    seen: dict[tuple[str, str], list[tuple[Decision, bool | None]]] = {}
    for one in some:
        for concept, finding in told(one).items():
            seen.setdefault((one.release, concept), []).append((one, stayed(one, finding)))
    found = []
    for (release, concept), mine in seen.items():
        decided = [(one, kept) for one, kept in mine if kept is not None]
        share = _share([kept for _, kept in decided], [one.patient for one, _ in decided])
        counts = Counter(one.verdict for one, _ in mine)
        found.append(OfFinding(release, concept, counts, share, len(decided)))
    return sorted(found, key=lambda one: (-one.cases, one.release, one.concept))


def told(one: Decision) -> dict[str, Mapping[str, Any]]:
    """Findings that a decision is about, by name; of a rejection those that say that something is there.

    Of the two classes of a target the one is decided by the other, and says nothing of its own.
    """
    silent = {"abstained", "absent"} if one.verdict == "reject" else {"abstained"}
    found: dict[str, Mapping[str, Any]] = {}
    for each in one.findings:
        if each.get("status") not in silent and decided_by(each) == each["concept"]:
            found.setdefault(str(each["concept"]), each)
    return found


def stayed(one: Decision, finding: Mapping[str, Any]) -> bool | None:
    """Whether a finding stayed as it was: one beside which something else was amended did; None where undecided.

    A rejection is of the whole result, and so of each of its findings.
    """
    if one.verdict == "unsure":
        return None
    if one.verdict != "amend":
        return one.verdict == "accept"
    if finding["concept"] in one.amended:
        return False
    truth = truth_of(one, finding)
    return True if finding.get("status") == "measured" else None if truth is None else truth == _is_there(finding)


def truth_of(one: Decision, finding: Mapping[str, Any]) -> bool | None:
    """Whether a finding is there, as a reader decided; None where the decision leaves that open."""
    is_there = _is_there(finding)
    if finding.get("status") not in ("present", "absent") or one.verdict == "unsure":
        return None
    if one.verdict == "accept":
        return is_there
    if one.verdict == "reject":
        return False if is_there and one.reason in NOT_THERE else None
    said = amended_status(one, str(finding["concept"]))
    if said is not None or finding["concept"] in one.amended:
        return is_there if said is None else said
    return _by_others(one, finding, is_there)


def amended_status(one: Decision, concept: str) -> bool | None:
    """Whether a reader says in an amendment that a finding is there; None where that is not said."""
    said = (one.amended.get(concept) or {}).get("status")
    return None if said is None else said == "present"


def decided_by(finding: Mapping[str, Any]) -> str:
    """Name of the finding whose measure decides: its own, but for one of two classes."""
    return str((finding.get("operating_point") or {}).get("of", finding["concept"]))


def _is_there(finding: Mapping[str, Any]) -> bool:
    return bool(finding.get("status") == "present")


def _by_others(one: Decision, finding: Mapping[str, Any], is_there: bool) -> bool | None:
    """What an amendment of another class means for this one: of classes that exclude each other one is there."""
    concept, rule = finding["concept"], (finding.get("operating_point") or {}).get("rule")
    for each in one.findings:
        said = amended_status(one, str(each["concept"]))
        if said is None or each["concept"] == concept:
            continue
        if decided_by(each) == concept:  # the other one of two classes
            return not said
        if rule in CHOICES and (each.get("operating_point") or {}).get("rule") in CHOICES:
            return False if said else None
    return is_there


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
