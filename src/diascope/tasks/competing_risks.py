"""Competing risks: which of several events comes first, and when; each of them ends the chance of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core.case import Case, Target
from diascope.core.figure import Figure
from diascope.core.finding import Finding, Measure
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.network import VectorNetwork
from diascope.engine.task import Phase, Prediction, Scores, Statistic
from diascope.evidence.survival import competing, grid
from diascope.evidence.survival.brier import Followed, integrated_brier
from diascope.evidence.survival.concordance import MOST
from diascope.models import Gives
from diascope.tasks.curves.competing import calibration_chart, groups_chart
from diascope.tasks.curves.survival import until

KIND = "time_to_first_event"
INTERVALS = 20
FEWEST = 20
"""Events of a kind below which nothing is learnt of it that could be measured."""
GROUPS = ("low risk", "middle risk", "high risk")
"""Thirds of the validation cases, by what was said of them."""
Floats = npt.NDArray[np.float64]


class CauseNetwork(VectorNetwork):
    """Logits of the hazards of C events in K intervals, against none of them.

    Args:
        encoders: Input name to a module that maps it to (B, D).
        causes: C.
        intervals: K.
        dropout: Share of features dropped in training.
    """

    def __init__(self, encoders: Mapping[str, nn.Module], causes: int, intervals: int, dropout: float = 0.0) -> None:
        super().__init__(encoders, causes, dropout)
        self.baseline = nn.Parameter(torch.full((causes, intervals), -3.0))
        self.outputs = causes * intervals

    def answer(self, features: Tensor) -> Tensor:
        """(B, D) to (B, C * K): of each event one baseline, raised or lowered by a score of the case."""
        return (self.baseline + super().answer(features)[:, :, None]).flatten(1)


class CompetingRisks:
    """Hazards of each event in intervals with as many events in each; curves of incidence, and risks at horizons."""

    summary = "which of several events comes first, and when"
    needs: Gives = "vector"
    writes: tuple[str, ...] = ("findings", "picture")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(one for one in targets if one.kind == KIND and len(one.columns) == 2 and len(one.labels) > 1)

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        outcomes = {case.id: outcome_of(case, target) for case in cases}
        missing = tuple(case for case, outcome in outcomes.items() if outcome is None)
        found = []
        if missing:
            found.append(
                Problem(
                    check="target",
                    severity="warn",
                    title=f"{len(missing)} cases without a time above 0, or without a known event",
                    detail="They are left out: nothing can be learnt from them here.",
                    cases=missing,
                    exclude=missing,
                )
            )
        for label in target.labels:
            seen = sum(outcome is not None and outcome[1] == label.value for outcome in outcomes.values())
            if seen < FEWEST:
                found.append(
                    Problem(
                        check="target",
                        severity="refuse",
                        title=f"only {seen} events of {label.name!r} were seen",
                        detail=f"At least {FEWEST} of each are needed. Bring events of like meaning under one code.",
                    )
                )
        return found

    def stratum(self, case: Case, target: Target) -> str:
        outcome = outcome_of(case, target)
        return "" if outcome is None else _named(outcome[1], target)

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        events = sum(fingerprint.strata.get(label.name, 0) for label in target.labels)
        edges = grid.edges_of(fingerprint.event_times or (0.0, 1.0), max(2, min(INTERVALS, events // 5)))
        known = [float(f"{fingerprint.event_times[place]:.3g}") for place in (5, 10, 15) if fingerprint.event_times]
        flat = all(one.dimensions == 2 for one in fingerprint.inputs.values())
        causes = [label.name for label in target.labels]
        return {
            "whole": Choice(value=True, kind="fixed", reason="the whole input is seen at once"),
            "model": Choice(
                value="resnet", kind="rule", reason="residual network: the strongest from scratch on small sets"
            ),
            "edges": Choice(value=edges, kind="measured", reason=f"about as many of {events} events in each interval"),
            "causes": Choice(value=causes, kind="rule", reason="events that end the chance of the others"),
            "outputs": Choice(
                value=(len(edges) - 1) * len(causes), kind="rule", reason="one hazard an interval and event"
            ),
            "horizons": Choice(
                value=list(dict.fromkeys(known)) or edges[-1:],
                kind="measured",
                reason="a quarter, half and three quarters of the events in training",
            ),
            "mixup": Choice(value=0.0, kind="fixed", reason="a mixture has no time of its own"),
            "foreground": Choice(value=0.0, kind="fixed", reason="no patches"),
            "learning_rate": Choice(value=1e-3 if flat else 3e-3, kind="rule", reason="AdamW with cosine decay"),
            "augment": Choice(
                value="light" if flat else "mirrored", kind="rule", reason="what shows the risk must stay"
            ),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        outcome = outcome_of(case, target)
        if outcome is None:
            return {}
        return {"time": np.array(outcome[0], np.float64), "event": np.array(outcome[1], np.float64)}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        causes = len(plan["causes"])
        return CauseNetwork(encoders, causes, plan["outputs"] // causes, plan["dropout"])

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (Phase("network", lambda network: network.parameters(), partial(_loss, plan=plan)),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        return {
            "case": example.case.id,
            "patient": example.case.patient,
            "logits": [float(value) for value in output.values],
            "time": float(truth["time"]),
            "event": int(truth["event"]),
        }

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        time, code = _outcomes(rows)
        logits = _logits([row["logits"] for row in rows], plan)
        slope, *offsets = competing.recalibration(logits, time, code, plan["edges"])
        decision: dict[str, Any] = {"slope": slope, "offsets": offsets}
        last = _curves(logits, decision)[:, :, -1]
        cuts = [[float(one) for one in np.quantile(risk, (1 / 3, 2 / 3))] for risk in last.T] if len(rows) else []
        rule = f"risk {until(plan['edges'][-1], plan.target.unit)} in thirds of the validation cases"
        return {**decision, "cuts": cuts or [[0.0, 0.0]] * len(offsets), "cases": len(rows), "rule": rule}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        curves = _curves(_logits([row["logits"]], plan), decision)[0]
        groups = [
            int(np.searchsorted(cuts, curve[-1], side="right"))
            for cuts, curve in zip(decision["cuts"], curves, strict=True)
        ]
        return {**row, "curves": curves.tolist(), "groups": groups}

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        time, code = _outcomes(rows)
        curves, followed = _said(rows, plan), Followed.of(time, code > 0)
        names = np.array([_named(int(one), plan.target) for one in code])
        every = max(1, -(-len(rows) // MOST))
        orders, marks, statistics = [], [], []
        for place, label in enumerate(plan.target.labels):
            risk = curves[:, place, -1]
            some = competing.pairs(time[::every], code[::every], label.value, risk[::every])
            orders.append(partial(_share, some, every))
            each = competing.errors(time, code, label.value, curves[:, place, 1:], plan["edges"][1:], followed)
            marks.append(partial(integrated_brier, each, plan["edges"][1:]))
            statistics.append(Statistic(f"concordance/{label.name}", orders[-1], counts=names))
            statistics.append(Statistic(f"integrated_brier/{label.name}", marks[-1], better="lower", counts=names))
        means = (
            Statistic("concordance", partial(_mean, orders), counts=names),
            Statistic("integrated_brier", partial(_mean, marks), better="lower", counts=names),
        )
        wrong = [
            sum(abs(curve[-1] - (one == n)) for n, curve in enumerate(of, 1))
            for of, one in zip(curves, code, strict=True)
        ]
        return Scores((*means, *statistics), ("concordance", "integrated_brier"), -np.array(wrong, float))

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        if not rows:
            return ()
        time, code = _outcomes(rows)
        curves, unit = _said(rows, plan), plan.target.unit
        found: list[Figure] = []
        middle = plan["horizons"][len(plan["horizons"]) // 2]
        for place, label in enumerate(plan.target.labels):
            group = np.array([row["groups"][place] for row in rows])
            event = (code, label.value, label.name)
            found.append(groups_chart(time, event, group, GROUPS, unit))
            said = competing.at(curves[:, place], plan["edges"], middle)[:, 0]
            found.append(calibration_chart(time, event, said, middle, unit))
        return tuple(found)

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        if example.inputs and all(np.isnan(values).all() for values in example.inputs.values()):
            reason = "not available, because every value of the row is missing"
            return Prediction((Finding(concept=plan.target.name, status="abstained", reason=reason),))
        row = {"logits": [float(value) for value in output.values], "time": 0.0, "event": 0}
        decided = self.decide(row, decision, plan)
        unit = plan.target.unit or "{time}"
        found = []
        for place, label in enumerate(plan.target.labels):
            said = competing.at(np.array([decided["curves"][place]]), plan["edges"], plan["horizons"])[0]
            measures = {
                f"risk_until_{horizon:g}": Measure(
                    value=round(float(risk), 6),
                    note=f"probability that it came first until {horizon:g} {unit}, calibrated on cases not trained on",
                )
                for horizon, risk in zip(plan["horizons"], said, strict=True)
            }
            rule = f"{GROUPS[decided['groups'][place]]}: {decision['rule']}"
            found.append(Finding(concept=label.name, status="measured", measures=measures, rule=rule))
        return Prediction(tuple(found))


def outcome_of(case: Case, target: Target) -> tuple[float, int] | None:
    """Time and event (0: none was seen) of a case; None where one of them is not known."""
    when, seen = (case.targets.get(column) for column in target.columns)
    known = {0, *(label.value for label in target.labels)}
    if not isinstance(when, int | float) or not np.isfinite(when) or when <= 0:
        return None
    return (float(when), int(seen)) if isinstance(seen, int | float) and seen in known else None


def _named(code: int, target: Target) -> str:
    return next((label.name for label in target.labels if label.value == code), "censored")


def _loss(network: nn.Module, batch: Batch, plan: Plan) -> Tensor:
    """Mean over the batch of the negative log-likelihood of which event each interval held, or none."""
    wanted = competing.told(batch.target["time"].cpu().numpy(), batch.target["event"].cpu().numpy(), plan["edges"])
    logits = network(batch.inputs).float()
    shaped = logits.reshape(len(logits), len(plan["causes"]), -1)
    with_none = torch.cat([torch.zeros_like(shaped[:, :1]), shaped], dim=1)
    target = torch.from_numpy(wanted).to(logits.device)
    lost = nn.functional.cross_entropy(with_none, target, ignore_index=-1, reduction="sum")
    return lost / len(logits)


def _logits(rows: Sequence[Sequence[float]], plan: Plan) -> Floats:
    return np.array(rows, np.float64).reshape(len(rows), len(plan["causes"]), -1)


def _curves(logits: Floats, decision: Mapping[str, Any]) -> Floats:
    """(N, C, K + 1) calibrated shares that had each event by the edges."""
    offsets = np.array(decision["offsets"])[None, :, None]
    return competing.incidence(decision["slope"] * logits + offsets)


def _said(rows: Sequence[Row], plan: Plan) -> Floats:
    return np.array([row["curves"] for row in rows], np.float64).reshape(len(rows), len(plan["causes"]), -1)


def _outcomes(rows: Sequence[Row]) -> tuple[Floats, npt.NDArray[np.intp]]:
    return np.array([row["time"] for row in rows], np.float64), np.array([row["event"] for row in rows], np.intp)


def _share(pairs: Any, every: int, index: npt.NDArray[np.intp]) -> float:
    return float(pairs.share(index[index % every == 0] // every))


def _mean(each: Sequence[Any], index: npt.NDArray[np.intp]) -> float:
    return float(np.mean([one(index) for one in each]))


TASK = CompetingRisks()
