"""What is said of a network that was made elsewhere: where it comes from, and what recalibration changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diascope.core import registry
from diascope.core.case import Case
from diascope.core.figure import Figure, Grid
from diascope.core.finding import Measure
from diascope.core.plan import Plan
from diascope.engine.batch import Row
from diascope.evidence.comparison import compare
from diascope.evidence.intervals import measures

UNKNOWN_TRAINING = (
    "the network was made elsewhere, and nothing was trained here: whether it has learnt from patients of this data is "
    "not known"
)
RESAMPLES = 500
OF_CALIBRATION = ("calibration_slope", "ece", "brier")
"""Metrics that come first: what a recalibration is for."""
PAPERS = ("name", "source", "licence", "file", "format", "sha256", "outputs", "activation")
"""Fields of `origin`, in the order of the table."""


def is_given(plan: Plan) -> bool:
    """Whether the network was made elsewhere, and learnt nothing here."""
    return "origin" in plan.choices


def given_figures(
    rows: Sequence[Row], cases: Sequence[Case], plan: Plan, decision: Mapping[str, Any]
) -> tuple[Figure, ...]:
    """Tables for a report: the network's papers, and every overall metric before and after recalibration.

    Args:
        rows: Decided, each by a decision that its own truth took no part in.
        cases: Of the rows.
        plan: Its `origin` says where the network comes from.
        decision: Of the release.
    """
    known = plan["origin"]
    papers = tuple((name, _said(known[name])) for name in PAPERS if known.get(name))
    origin = Grid(title="A network that was made elsewhere", columns=("field", "value"), rows=papers)
    return (origin, *_before_and_after(rows, cases, plan, decision))


def _before_and_after(
    rows: Sequence[Row], cases: Sequence[Case], plan: Plan, decision: Mapping[str, Any]
) -> tuple[Grid, ...]:
    task = registry.get("tasks", plan.task)
    as_said = getattr(task, "as_said", None)
    if as_said is None:
        return ()
    patients = [case.patient for case in cases]
    plain = [task.decide(row, as_said(plan), plan) for row in rows]
    before, after = (
        [one for one in task.score(some, plan).statistics if "/" not in one.name] for some in (plain, rows)
    )
    first, last = (measures(some, patients, resamples=RESAMPLES, seed=plan.seed) for some in (before, after))
    changed = compare(after, before, patients, resamples=RESAMPLES, seed=plan.seed)
    lines = [
        (name, *_cells(measure), *_cells(last[name]), *_cells(changed[name].difference))
        for name, measure in sorted(first.items(), key=lambda one: one[0] not in OF_CALIBRATION)
        if name in last
    ]
    count, people = decision.get("cases", len(rows)), len(set(patients))
    return (
        Grid(
            title="Before and after recalibration",
            columns=(
                "metric",
                "as it was made",
                "95 % interval",
                "recalibrated here",
                "95 % interval of that",
                "difference",
                "95 % interval of the difference",
            ),
            rows=tuple(lines),
            note=f"{len(rows)} cases of {people} patients, none recalibrated by itself; {count} cases recalibrate the "
            "release; folds have recalibrations of their own, which moves ranks such as the AUROC a little",
        ),
    )


def _cells(measure: Measure) -> tuple[float | None, str]:
    value = None if measure.value is None else round(measure.value, 3)
    known = measure.low is not None and measure.high is not None
    return value, f"{measure.low:.3f} to {measure.high:.3f}" if known else measure.note


def _said(value: Any) -> str:
    return ", ".join("null" if one is None else str(one) for one in value) if isinstance(value, list) else str(value)
