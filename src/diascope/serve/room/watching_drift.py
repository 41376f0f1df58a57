"""Has something changed? What releases were given and what they said of late, against what was known before.

Of each patient the newest result counts, so that cases are independent, as the tests need it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, select

from diascope.core.evaluation import Evaluation
from diascope.core.figure import Grid
from diascope.core.finding import Measure
from diascope.evidence.drift import FEWEST, counts_differ, exact_share, level, more_than, values_differ
from diascope.serve.database.tables import results, studies
from diascope.serve.room.models_evidence import Evidence
from diascope.serve.room.watching import decided_by

RECENT = 100
"""Patients that are compared with those before them."""
MOST = 4000
"""Results of a release that are looked at, the newest."""
UNLIKE = "it is unlike the training cases"
"""How the reason begins where the gate refused an input by its distance (`stages/predict.py`)."""
OF_CLASSES, OF_LABELS = "Cases of each class", "Cases of each label"
"""Titles of the figures in which an evaluation counts what was called (`tasks/classification.py`, `tasks/labels`)."""


@dataclass(frozen=True)
class Given:
    """What a release answered about a patient.

    Args:
        answered: Whether it gave an answer.
        unlike: Whether its gate found the input unlike the training cases.
        findings: What it said.
        at: Seconds since 1970.
        distance: Of the input from the training cases; None where it is not known.
    """

    answered: bool
    unlike: bool
    findings: Sequence[Mapping[str, Any]]
    at: float
    distance: float | None = None


@dataclass(frozen=True)
class Watched:
    """One test.

    Args:
        key: What is compared: `calls`, `called`, `probability`, `measure`, `refused`, `distance`.
        release: `name@version`.
        concept: Name of the finding; "" where it is about all.
        recent: Patients of late.
        reference: Patients, or cases, that they are compared with.
        p: None where there are too few for a test.
        alarm: Whether it is below the level of the look.
        share: Of `refused` and `called`: the share of late, with its exact interval.
        expected: Of `refused`: the rate that the release states; of `called`: the share in its evaluation.
        classes: Of `calls`: name, share of late, share in the evaluation.
        middles: Of numbers: the median of late, and that of before.
    """

    key: str
    release: str
    concept: str
    recent: int
    reference: int
    p: float | None = None
    alarm: bool = False
    share: Measure | None = None
    expected: float | None = None
    classes: tuple[tuple[str, float, float], ...] = ()
    middles: tuple[float, float] | None = None


def given(connection: Connection, mine: ColumnElement[bool], release: str) -> list[Given]:
    """What a release was given, one of each patient, the newest first.

    Args:
        connection: Of the index.
        mine: Condition on `studies`: those that the caller may know of.
        release: `name@version`.
    """
    columns = (
        studies.c.patient, results.c.state, results.c.reason, results.c.findings, results.c.answered,
        results.c.distance,
    )  # fmt: skip
    query = select(*columns).join(studies, studies.c.id == results.c.study_id)
    wanted = query.where(mine, results.c.release == release, results.c.superseded.is_(None))
    found: dict[str, Given] = {}
    for row in connection.execute(wanted.order_by(results.c.answered.desc(), results.c.id).limit(MOST)):
        said = row.findings.get("findings", ()) if row.state == "answered" else ()
        one = Given(row.state == "answered", row.reason.startswith(UNLIKE), said, row.answered, row.distance)
        found.setdefault(row.patient, one)
    return list(found.values())


def watched(some: Sequence[Given], known: Evidence) -> list[Watched]:
    """Every test that there are cases for; `judged` then says which is an alarm.

    Args:
        some: What the release was given, the newest first.
        known: Its index and evaluation.
    """
    answered = [one for one in some if one.answered]
    recent, before = answered[:RECENT], answered[RECENT:]
    found = [*_refused(some[:RECENT], known), *_distances(recent, before, known.label)]
    if known.evaluation is not None:
        found += _called(recent, known.evaluation, known.label)
    return found + _values(recent, before, known.label)


def judged(tests: Sequence[Watched]) -> tuple[list[Watched], float | None]:
    """The tests of a look with their alarms, and the level of each; None where nothing was tested."""
    done = sum(one.p is not None for one in tests)
    if not done:
        return list(tests), None
    least = level(done)
    return [replace(one, alarm=one.p is not None and one.p <= least) for one in tests], least


def _refused(recent: Sequence[Given], known: Evidence) -> list[Watched]:
    """Inputs that the gate found unlike the training cases, against the rate that the release states.

    Inputs that were refused for something else (another modality, no pixels) never came so far.
    """
    gate = known.release.gate if known.release else None
    if gate is None or gate.distance_limit is None or gate.false_refusal_rate is None:
        return []
    reached = [one for one in recent if one.answered or one.unlike]
    refused = sum(one.unlike for one in reached)
    plain = Watched("refused", known.label, "", len(reached), gate.fitted_on, expected=gate.false_refusal_rate)
    if len(reached) < FEWEST:
        return [plain]
    # By the upper end of what is stated: that rate was itself measured on few cases.
    stated = max(gate.false_refusal_rate, gate.false_refusal_high or 0.0)
    p = more_than(refused, len(reached), stated)
    return [replace(plain, p=p, share=exact_share(refused, len(reached)))]


def _distances(recent: Sequence[Given], before: Sequence[Given], release: str) -> list[Watched]:
    """How far from the training cases the inputs of late are that were read, against those that were read before.

    Against the training cases themselves it can't be done: a release keeps none of their distances.
    """
    new, old = (
        np.array([one.distance for one in some if one.distance is not None], float) for some in (recent, before)
    )
    if not len(new):
        return []
    return [_compared(Watched("distance", release, "", len(new), len(old)), new, old)]


def _compared(plain: Watched, new: npt.NDArray[np.float64], old: npt.NDArray[np.float64]) -> Watched:
    """Numbers of late against those before, where there are enough of both."""
    if min(len(new), len(old)) < FEWEST:
        return plain
    return replace(plain, p=values_differ(old, new), middles=(float(np.median(new)), float(np.median(old))))


def _called(recent: Sequence[Given], evaluation: Evaluation, label: str) -> list[Watched]:
    """What was called, against what was called in the evaluation."""
    found = []
    grids = {one.title: one for one in evaluation.figures if isinstance(one, Grid)}
    if (grid := grids.get(OF_CLASSES)) is not None:
        counts = {str(row[0]): int(row[2] or 0) for row in grid.rows}
        said = Counter(_winner(one, counts) for one in recent)
        here = [said[name] for name in counts]
        one = _counted("calls", label, "", list(counts.values()), here)
        known = one.p is not None
        shares = [(name, said[name] / sum(here), count / one.reference) for name, count in counts.items() if known]
        found.append(replace(one, classes=tuple(shares)))
    if (grid := grids.get(OF_LABELS)) is not None:
        for row in grid.rows:
            cases = sum(int(cell or 0) for cell in row[1:5])
            if row[5] is None or not cases:
                continue
            name, called = str(row[0]), int(row[5])
            statuses = [_status(one, name) for one in recent]
            here = [statuses.count("present"), statuses.count("absent")]
            found.append(_counted("called", label, name, [called, cases - called], here))
    return found


def _counted(key: str, release: str, concept: str, reference: list[int], recent: list[int]) -> Watched:
    plain = Watched(key, release, concept, sum(recent), sum(reference))
    if key == "called":
        plain = replace(plain, expected=reference[0] / sum(reference))
        plain = replace(plain, share=exact_share(recent[0], sum(recent)) if sum(recent) else None)
    if min(sum(recent), sum(reference)) < FEWEST:
        return plain
    return replace(plain, p=counts_differ(reference, recent))


def _values(recent: Sequence[Given], before: Sequence[Given], release: str) -> list[Watched]:
    """Probabilities and measures of late, against those that the release gave here before."""
    new, old = _numbers(recent), _numbers(before)
    found = []
    for (key, concept), values in sorted(new.items()):
        earlier = old.get((key, concept), [])
        plain = Watched(key, release, concept, len(values), len(earlier))
        found.append(_compared(plain, np.array(values), np.array(earlier)))
    return found


def _numbers(some: Iterable[Given]) -> dict[tuple[str, str], list[float]]:
    """Of each finding that is one of its name: its probability, else its first measure."""
    found: dict[tuple[str, str], list[float]] = {}
    for one in some:
        names = Counter(each["concept"] for each in one.findings)
        for each in one.findings:
            measures = each.get("measures") or {}
            if names[each["concept"]] > 1 or not measures or decided_by(each) != each["concept"]:
                continue
            key, name = ("probability",) * 2 if "probability" in measures else ("measure", next(iter(measures)))
            value = (measures[name] or {}).get("value")
            if isinstance(value, int | float) and math.isfinite(value):
                found.setdefault((key, str(each["concept"])), []).append(float(value))
    return found


def _winner(one: Given, names: Mapping[str, int]) -> str:
    return next((name for each in one.findings if (name := str(each["concept"])) in names
                 and each.get("status") == "present"), "")  # fmt: skip


def _status(one: Given, name: str) -> str:
    return next((str(each.get("status")) for each in one.findings if each["concept"] == name), "")
