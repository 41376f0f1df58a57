"""Survival: how soon an event comes, from cases some of which were not followed until then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from diascope.core.case import Case, FileRef, Target
from diascope.core.figure import Chart, Figure, Grid, Line
from diascope.core.finding import Finding, Measure
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Example, Output, Row
from diascope.engine.network import AnswerNetwork
from diascope.engine.task import Phase, Prediction, Scores, Statistic, Task
from diascope.models import Gives

GROUPS = ("low risk", "middle risk", "high risk")
"""Thirds of the validation cases, by what was said of them."""
MOST_STEPS = 200
"""Steps of the baseline that a release keeps."""
TIME_UNIT = "{time}"
"""UCUM annotation: the table's own unit of time, whichever it is."""
Floats = npt.NDArray[np.float64]


class Survival:
    """A log hazard for each case; on validation it becomes a survival curve (Breslow) and three risk groups."""

    summary = "time to an event that not everybody has had yet"
    needs: Gives = "answer"
    writes: tuple[str, ...] = ("findings",)

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(target for target in targets if target.kind == "time_to_event")

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        missing = tuple(case.id for case in cases if _outcome(case, target) is None)
        if not missing:
            return []
        return [
            Problem(
                check="target",
                severity="warn",
                title=f"{len(missing)} cases without a time above 0 and an event of 0 or 1",
                detail="They are left out: nothing can be learnt from them here.",
                cases=missing,
                exclude=missing,
            )
        ]

    def stratum(self, case: Case, target: Target) -> str:
        outcome = _outcome(case, target)
        return "" if outcome is None else "event" if outcome[1] else "censored"

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        events = fingerprint.strata.get("event", 0)
        return {"model": Choice(value="cox", kind="rule", reason=f"a table, {events} events: a linear log hazard")}

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        outcome = _outcome(case, target)
        return {} if outcome is None else {"time": np.array(outcome[0]), "event": np.array(outcome[1])}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        (name, model), *_ = encoders.items()
        return AnswerNetwork(name, model)

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return ()

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        return {
            "case": example.case.id,
            "log_hazard": float(output.values[0]),
            "time": float(truth["time"]),
            "event": bool(truth["event"]),
        }

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        said = _column(rows, "log_hazard")
        times, hazard = breslow(_column(rows, "time"), _column(rows, "event").astype(bool), said)
        low, high = np.quantile(said, (1 / 3, 2 / 3)) if len(said) else (0.0, 0.0)
        return {
            "times": times.tolist(),
            "cumulative_hazard": hazard.tolist(),
            "cuts": [float(low), float(high)],
            "rule": f"log hazard < {low:.3g}, < {high:.3g}, or above (thirds of the validation cases)",
        }

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        before = np.searchsorted(decision["times"], row["time"], side="right")
        baseline = decision["cumulative_hazard"][before - 1] if before else 0.0
        return {
            **row,
            "group": int(np.searchsorted(decision["cuts"], row["log_hazard"], side="right")),
            "expected": baseline * float(np.exp(row["log_hazard"])),
        }

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        time, event = _column(rows, "time"), _column(rows, "event").astype(bool)
        right, comparable = pairs(time, event, _column(rows, "log_hazard"))
        ratio = partial(_observed_to_expected, event, _column(rows, "expected"))
        statistics = (
            Statistic("concordance", partial(_share, right, comparable), counts=event.astype(int)),
            Statistic("observed_to_expected", ratio, better="nearer", counts=event.astype(int)),
        )
        with np.errstate(invalid="ignore"):
            of_case = (right + right.T).sum(axis=1) / (comparable + comparable.T).sum(axis=1)
        return Scores(statistics, ("concordance", "observed_to_expected"), of_case)

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        time, event, group = (_column(rows, name) for name in ("time", "event", "group"))
        lines, cells = [], []
        for number, name in enumerate(GROUPS):
            mine = group == number
            x, y = kaplan_meier(time[mine], event[mine].astype(bool))
            below = x[y <= 0.5]
            lines.append(Line(label=name, x=tuple(x.tolist()), y=tuple(y.tolist()), style="step"))
            median = float(below[0]) if len(below) else None
            cells.append((name, int(mine.sum()), int(event[mine].sum()), median))
        chart = Chart(
            title="Survival of the risk groups",
            x_label=f"{plan.target.columns[0]}",
            y_label="share without the event (Kaplan-Meier)",
            lines=tuple(lines),
            y_range=(0, 1),
        )
        columns = ("risk group", "cases", "events", "median survival")
        return (chart, Grid(title="Risk groups", columns=columns, rows=tuple(cells)))

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        name = plan.target.name
        if all(np.isnan(values).all() for values in example.inputs.values()):
            reason = "not available, because every value of the row is missing"
            return Prediction((Finding(concept=name, status="abstained", reason=reason),))
        said = float(output.values[0])
        group = GROUPS[int(np.searchsorted(decision["cuts"], said, side="right"))]
        measures = {
            "risk": Measure(value=round(float(np.exp(said)), 6), note="hazard relative to the mean training case"),
            "median_survival": _median(said, decision),
        }
        rule = f"{group}: {decision['rule']}"
        return Prediction((Finding(concept=name, status="measured", measures=measures, rule=rule),))


def breslow(time: Floats, event: npt.NDArray[np.bool_], said: Floats) -> tuple[Floats, Floats]:
    """Event times and the cumulative baseline hazard at them, at most `MOST_STEPS` (Breslow 1972)."""
    times = np.unique(time[event])
    deaths = np.array([(event & (time == one)).sum() for one in times], float)
    at_risk = np.array([np.exp(said[time >= one]).sum() for one in times], float)
    hazard = np.cumsum(deaths / at_risk)
    thin = np.unique(np.linspace(0, len(times) - 1, min(len(times), MOST_STEPS)).round().astype(int))
    return times[thin], hazard[thin]


def kaplan_meier(time: Floats, event: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Times from 0 on, and the share that is without the event until then (Kaplan and Meier 1958)."""
    times = np.unique(time)
    deaths = np.array([(event & (time == one)).sum() for one in times], float)
    at_risk = np.array([(time >= one).sum() for one in times], float)
    return np.r_[0.0, times], np.r_[1.0, np.cumprod(1 - deaths / at_risk)]


def pairs(time: Floats, event: npt.NDArray[np.bool_], said: Floats) -> tuple[Floats, Floats]:
    """Which pairs (N, N) of cases are in the right order, and which can be compared (Harrell 1982).

    Row i had the event while column j is known to have had none; a tie of what was said counts half.
    """
    later = (time[:, None] < time[None]) | ((time[:, None] == time[None]) & ~event[None])
    comparable = (later & event[:, None] & ~np.eye(len(time), dtype=bool)).astype(float)
    apart = said[:, None] - said[None]
    return comparable * ((apart > 0) + 0.5 * (apart == 0)), comparable


def _share(right: Floats, comparable: Floats, index: npt.NDArray[np.intp]) -> float:
    """Concordance of a resample: a case that was drawn twice weighs twice."""
    weight = np.bincount(index, minlength=len(right)).astype(float)
    total = weight @ comparable @ weight
    return float(weight @ right @ weight / total) if total else float("nan")


def _observed_to_expected(event: npt.NDArray[np.bool_], expected: Floats, index: npt.NDArray[np.intp]) -> float:
    total = expected[index].sum()
    return float(event[index].sum() / total) if total else float("nan")


def _median(said: float, decision: Mapping[str, Any]) -> Measure:
    hazard = np.asarray(decision["cumulative_hazard"]) * np.exp(said)
    reached = np.flatnonzero(hazard >= np.log(2))
    if not len(reached):
        return Measure(value=None, unit=TIME_UNIT, note="not reached within the follow-up of the validation cases")
    return Measure(value=float(decision["times"][reached[0]]), unit=TIME_UNIT, note="by the baseline of validation")


def _outcome(case: Case, target: Target) -> tuple[float, int] | None:
    """Time and event of a case; None where they are missing or make no sense."""
    time, event = (case.targets.get(column) for column in target.columns)
    if isinstance(time, FileRef | str | None) or isinstance(event, FileRef | str | None):
        return None
    return (float(time), int(event)) if time > 0 and event in (0, 1) else None


def _column(rows: Sequence[Row], name: str) -> Floats:
    return np.array([row[name] for row in rows], dtype=np.float64)


TASK: Task = Survival()
