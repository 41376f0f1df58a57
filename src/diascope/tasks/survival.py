"""Survival: how soon an event comes, from cases some of which were not followed until then."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.case import Case, Target
from diascope.core.figure import Figure
from diascope.core.finding import Finding, Measure
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.network import VectorNetwork
from diascope.engine.task import Phase, Prediction, Scores, Statistic
from diascope.evidence.survival import grid
from diascope.evidence.survival.brier import Followed, brier, errors, integrated_brier
from diascope.evidence.survival.concordance import MOST, Pairs, uno_weights
from diascope.models import Gives
from diascope.tasks.curves.survival import brier_chart, calibration_chart, groups_chart, until
from diascope.tasks.treatments import told, treatments_in

INTERVALS = 20
GROUPS = ("low risk", "middle risk", "high risk")
"""Thirds of the validation cases, by what was said of them."""
SHOWN = 5
"""Cases that a problem names."""
FEWEST = 20
"""Events below which nothing is learnt that could be measured."""
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class HazardNetwork(VectorNetwork):
    """K logits of hazards: free in each interval, or one baseline that a score raises and lowers (proportional).

    Args:
        encoders: Input name to a module that maps it to (B, D).
        intervals: K.
        proportional: Whether the hazards are proportional.
        dropout: Share of features dropped in training.
    """

    def __init__(
        self, encoders: Mapping[str, nn.Module], intervals: int, proportional: bool, dropout: float = 0.0
    ) -> None:
        super().__init__(encoders, 1 if proportional else intervals, dropout)
        self.baseline = nn.Parameter(torch.full((intervals,), -3.0))
        self.outputs = intervals

    def answer(self, features: Tensor) -> Tensor:
        """(B, D) to (B, K)."""
        return self.baseline + super().answer(features)


class Survival:
    """Hazards of intervals with as many events in each; a curve, risks at horizons and three groups of risk."""

    summary = "time to an event that not everybody has had yet"
    needs: Gives = "vector"
    writes: tuple[str, ...] = ("findings", "picture")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(target for target in targets if target.kind == "time_to_event" and len(target.columns) == 2)

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        outcomes = {case.id: _outcome(case, target) for case in cases}
        early = {case.id: when for case in cases if (when := _time(case, target)) is not None and when <= 0}
        missing = [case for case, outcome in outcomes.items() if outcome is None and case not in early]
        found = []
        if early:
            shown = [f"{case}: {when:g}" for case, when in early.items()]
            found.append(_left_out(f"{len(early)} cases with a time of 0 or less", shown, early))
        if missing:
            title = f"{len(missing)} cases without a time, or without an event of 0 or 1"
            found.append(_left_out(title, missing, missing))
        events = sum(bool(outcome and outcome[1]) for outcome in outcomes.values())
        if events < FEWEST:
            title = f"only {events} events were seen"
            if not events:
                title = "all cases are censored: no event was seen" if any(outcomes.values()) else _nobody(early)
            detail = f"At least {FEWEST} events are needed. Follow the cases for longer, or bring more."
            found.append(Problem(check="target", severity="refuse", title=title, detail=detail))
        return found

    def stratum(self, case: Case, target: Target) -> str:
        outcome = _outcome(case, target)
        return "" if outcome is None else "event" if outcome[1] else "censored"

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        events = fingerprint.strata.get("event", 0)
        edges = grid.edges_of(fingerprint.event_times or (0.0, 1.0), max(2, min(INTERVALS, events // 5)))
        known = [float(f"{fingerprint.event_times[place]:.3g}") for place in (5, 10, 15) if fingerprint.event_times]
        horizons = list(dict.fromkeys(known)) or edges[-1:]
        flat = all(one.dimensions == 2 for one in fingerprint.inputs.values())
        treatment, values = treatments_in(fingerprint)
        return {
            "treatment": Choice(
                value=treatment, kind="rule", reason="a column that is named like one; risks are told under each value"
            ),
            "treatment_values": Choice(value=values, kind="measured", reason="columns that could be the treatment"),
            "whole": Choice(value=True, kind="fixed", reason="the whole input is seen at once"),
            "model": Choice(
                value="resnet", kind="rule", reason="residual network: the strongest from scratch on small sets"
            ),
            "loss": Choice(value="hazards", kind="fixed", reason="likelihood of discrete hazards; censoring counts"),
            "edges": Choice(value=edges, kind="measured", reason=f"about as many of {events} events in each interval"),
            "outputs": Choice(value=len(edges) - 1, kind="rule", reason="one hazard an interval"),
            "answer": Choice(value={"edges": edges}, kind="rule", reason="the same intervals for every model"),
            "proportional": Choice(
                value=True, kind="rule", reason="few parameters; set false for hazards that cross over time"
            ),
            "horizons": Choice(
                value=horizons, kind="measured", reason="a quarter, half and three quarters of the events in training"
            ),
            "mixup": Choice(value=0.0, kind="fixed", reason="a mixture has no time of its own"),
            "foreground": Choice(value=0.0, kind="fixed", reason="no patches"),
            "learning_rate": Choice(value=1e-3 if flat else 3e-3, kind="rule", reason="AdamW with cosine decay"),
            "augment": Choice(
                value="light" if flat else "mirrored", kind="rule", reason="what shows the risk must stay"
            ),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        outcome = _outcome(case, target)
        if outcome is None:
            return {}
        return {"time": np.array(outcome[0], dtype=np.float64), "event": np.array(outcome[1], dtype=np.float64)}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        return HazardNetwork(encoders, plan["outputs"], plan["proportional"], plan["dropout"])

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (Phase("network", _parameters, partial(_loss, plan=plan)),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        return {
            "case": example.case.id,
            "patient": example.case.patient,
            "logits": [float(value) for value in output.values],
            "time": float(truth["time"]),
            "event": bool(truth["event"]),
            **told.seen(output, example, plan),
        }

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        logits, time, event = _logits(rows, plan), _column(rows, "time"), _column(rows, "event").astype(bool)
        slope, offset = grid.recalibration(logits, time, event, plan["edges"])
        risk = _risk(_curves(logits, [slope, offset]), plan)
        low, high = np.quantile(risk, (1 / 3, 2 / 3)) if len(rows) else (0.0, 0.0)
        return {
            "slope": slope,
            "offset": offset,
            **told.fitted(rows, plan),
            "cuts": [float(low), float(high)],
            "cases": len(rows),
            "rule": f"share of the time lost {until(plan['edges'][-1], plan.target.unit)}: below {low:.2f}, "
            f"below {high:.2f}, or above (thirds of the validation cases)",
        }

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        curves = _curves(np.array([row["logits"]]), [decision["slope"], decision["offset"]])
        risk = float(_risk(curves, plan)[0])
        return {
            **row,
            "curve": [float(value) for value in curves[0]],
            "risk": risk,
            "group": int(np.searchsorted(decision["cuts"], risk, side="right")),
        }

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        time, event, risk = _column(rows, "time"), _column(rows, "event").astype(bool), _column(rows, "risk")
        curves, followed = _said(rows, plan), Followed.of(time, event)
        counts = np.where(event, "event", "censored")
        statistics = []
        for name, weights in (("concordance", np.ones(len(rows))), ("concordance_ipcw", uno_weights(time, event))):
            statistics.append(Statistic(name, _pairs(time, event, risk, weights), counts=counts))
        each = errors(time, event, curves, plan["edges"][1:], followed)
        score = partial(integrated_brier, each, plan["edges"][1:])
        statistics.append(Statistic("integrated_brier", score, better="lower", counts=counts))
        said = grid.at(np.column_stack([np.ones(len(rows)), curves]), plan["edges"], plan["horizons"])
        each = errors(time, event, said, plan["horizons"], followed)
        for place, horizon in enumerate(plan["horizons"]):
            of = partial(brier, each[:, place])
            statistics.append(Statistic(f"brier/{until(horizon, plan.target.unit)}", of, better="lower", counts=counts))
        expected = -np.log(np.maximum(_lived(curves, time, plan), 1e-12))
        # The curves say nothing of what comes after their last edge.
        event = event & (time <= plan["edges"][-1])
        ratio = partial(_observed_to_expected, event, expected)
        statistics.append(Statistic("observed_to_expected", ratio, better="nearer", counts=counts))
        headline = ("concordance", "integrated_brier", "concordance_ipcw", "observed_to_expected")
        return Scores(tuple(statistics), headline, -np.abs(event - (1 - np.exp(-expected))))

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        if not rows:
            return ()
        time, event = _column(rows, "time"), _column(rows, "event").astype(bool)
        unit, curves = plan.target.unit, _said(rows, plan)
        chart, table = groups_chart(time, event, _column(rows, "group").astype(int), GROUPS, unit)
        said = grid.at(np.column_stack([np.ones(len(rows)), curves]), plan["edges"], plan["horizons"])
        return (
            chart,
            *(calibration_chart(time, event, said[:, n], when, unit) for n, when in enumerate(plan["horizons"])),
            brier_chart(time, event, curves, plan["edges"][1:], (Followed.of(time, event), unit)),
            table,
            *told.figures(rows, decision, plan, partial(_risks, decision=decision, plan=plan)),
        )

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        name = plan.target.name
        if example.inputs and all(np.isnan(values).all() for values in example.inputs.values()):
            reason = "not available, because every value of the row is missing"
            return Prediction((Finding(concept=name, status="abstained", reason=reason),))
        row = {"logits": [float(value) for value in output.values], **told.seen(output, example, plan)}
        decided = self.decide({**row, "time": 0.0, "event": False}, decision, plan)
        curve = np.array([decided["curve"]])
        unit = plan.target.unit or "{time}"
        measures = {
            f"risk_until_{horizon:g}": Measure(
                value=round(float(1 - grid.at(curve, plan["edges"], horizon)[0, 0]), 6),
                note=f"probability of the event until {horizon:g} {unit}, calibrated on cases not trained on",
            )
            for horizon in plan["horizons"]
        }
        measures["median_survival"] = _median(curve[0], plan["edges"], unit)
        rule = f"{GROUPS[decided['group']]}: {decision['rule']}"
        under = told.findings(row, decision, plan, partial(_risks, decision=decision, plan=plan))
        return Prediction((Finding(concept=name, status="measured", measures=measures, rule=rule), *under))


def _outcome(case: Case, target: Target) -> tuple[float, bool] | None:
    when, seen = _time(case, target), case.targets.get(target.columns[1])
    return None if when is None or when <= 0 or seen not in (0, 1) else (when, bool(seen))


def _time(case: Case, target: Target) -> float | None:
    when = case.targets.get(target.columns[0])
    return float(when) if isinstance(when, int | float) and math.isfinite(when) else None


def _left_out(title: str, shown: Sequence[str], cases: Iterable[str]) -> Problem:
    ids, more = tuple(cases), ", ..." if len(shown) > SHOWN else ""
    detail = f"{', '.join(shown[:SHOWN])}{more}. They are left out: correct them to have them back."
    return Problem(check="target", severity="warn", title=title, detail=detail, cases=ids, exclude=ids)


def _nobody(early: Collection[str]) -> str:
    return "no case has a time above 0" if early else "no case has both a time and an event of 0 or 1"


def _parameters(network: nn.Module) -> Iterable[nn.Parameter]:
    return network.parameters()


def _loss(network: nn.Module, batch: Batch, plan: Plan) -> Tensor:
    wanted = grid.told(batch.target["time"].cpu().numpy(), batch.target["event"].cpu().numpy(), plan["edges"])
    logits = network(batch.inputs)
    target = torch.from_numpy(wanted).to(logits.device)
    loss: Tensor = registry.get("losses", plan["loss"])(logits, target, {})
    return loss


def _column(rows: Sequence[Row], name: str) -> Floats:
    return np.array([row[name] for row in rows], dtype=np.float64)


def _logits(rows: Sequence[Row], plan: Plan) -> Floats:
    return np.array([row["logits"] for row in rows], dtype=np.float64).reshape(len(rows), plan["outputs"])


def _curves(logits: Floats, calibration: Sequence[float]) -> Floats:
    """(N, K + 1) calibrated shares without the event at the edges."""
    return grid.survival(calibration[0] * logits + calibration[1])


def _risks(logits: Sequence[float], decision: Mapping[str, Any], plan: Plan) -> Floats:
    """(H,) calibrated risk of one case until each horizon."""
    curves = _curves(np.array([logits]), [decision["slope"], decision["offset"]])
    return np.asarray(1 - grid.at(curves, plan["edges"], plan["horizons"])[0])


def _said(rows: Sequence[Row], plan: Plan) -> Floats:
    """(N, K) shares without the event at the end of each interval."""
    return np.array([row["curve"] for row in rows], dtype=np.float64).reshape(len(rows), len(plan["edges"]))[:, 1:]


def _risk(curves: Floats, plan: Plan) -> Floats:
    """(N,) share of the time until the last edge that is lost: 0 for who surely lives it through."""
    return np.asarray(1 - grid.mean_time(curves, plan["edges"]) / plan["edges"][-1])


def _lived(curves: Floats, time: Floats, plan: Plan) -> Floats:
    """(N,) said share without the event at each case's own time."""
    whole = np.column_stack([np.ones(len(curves)), curves])
    return np.array([grid.at(whole[n : n + 1], plan["edges"], when)[0, 0] for n, when in enumerate(time)])


def _pairs(time: Floats, event: Flags, risk: Floats, weights: Floats) -> Any:
    """Concordance of a choice of cases; of very many, every so-many-th stands for the others."""
    every = max(1, math.ceil(len(time) / MOST))
    pairs = Pairs.of(time[::every], event[::every], risk[::every], weights[::every])

    def of(index: npt.NDArray[np.intp]) -> float:
        return pairs.share(index[index % every == 0] // every)

    return of


def _observed_to_expected(event: Flags, expected: Floats, index: npt.NDArray[np.intp]) -> float:
    total = float(expected[index].sum())
    return float(event[index].sum()) / total if total else float("nan")


def _median(curve: Floats, edges: Sequence[float], unit: str) -> Measure:
    below = np.flatnonzero(curve <= 0.5)
    if not below.size:
        return Measure(value=None, unit=unit, note=f"more than half are without the event until {edges[-1]:g}")
    place = int(below[0])
    logs = np.log(np.maximum(curve[place - 1 : place + 1], 1e-12))
    share = (np.log(0.5) - logs[0]) / (logs[1] - logs[0])
    return Measure(value=round(float(edges[place - 1] + share * (edges[place] - edges[place - 1])), 6), unit=unit)


TASK = Survival()
