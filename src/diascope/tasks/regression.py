"""Regression: one number for each case, with an interval that holds the truth as often as it says."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.case import Case, Target
from diascope.core.figure import Bars, Chart, Figure, Line
from diascope.core.finding import Finding, Measure
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.network import VectorNetwork
from diascope.engine.task import Phase, Prediction, Scores, Statistic
from diascope.models import Gives

METRICS = ("mae", "rmse", "r2", "spearman")
OF_THE_UNIT = ("mae", "rmse")
"""Metrics that are lengths on the scale of the target."""
COVERED = 0.9
"""Share of new cases whose truth lies in the interval."""
SHOWN = 400
"""Points of a chart."""
AS_NUMBER = {"kind": "number", "labels": (), "positive": None}
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?$")
Floats = npt.NDArray[np.float64]


class NumberNetwork(VectorNetwork):
    """A vector network whose one output is in the target's own unit; it learns the standardised one.

    Args:
        encoders: Input name to a module that maps it to (B, D).
        scale: Mean and standard deviation of the target in training.
        dropout: Share of features dropped in training.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, encoders: Mapping[str, nn.Module], scale: Sequence[float], dropout: float = 0.0) -> None:
        super().__init__(encoders, 1, dropout)
        self.register_buffer("mean", torch.tensor(float(scale[0])))
        self.register_buffer("spread", torch.tensor(float(scale[1]) or 1.0))

    def answer(self, features: Tensor) -> Tensor:
        """(B, D) to (B, 1) in the unit of the target."""
        return super().answer(features) * self.spread + self.mean


class Regression:
    """A number; its interval is as wide as the errors on validation say (split conformal, Lei 2018)."""

    summary = "one number for each case, with a prediction interval"
    needs: Gives = "vector"
    writes = ("findings", "picture")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(
            target if target.kind == "number" else target.model_copy(update=AS_NUMBER)
            for target in targets
            if target.kind == "number" or _counts(target)
        )

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        values = {case.id: _value(case, target) for case in cases}
        missing = tuple(case for case, value in values.items() if value is None)
        found = []
        if missing:
            found.append(
                Problem(
                    check="target",
                    severity="warn",
                    title=f"{len(missing)} cases without a number to learn",
                    detail="They are left out: nothing can be learnt from them here.",
                    cases=missing,
                    exclude=missing,
                )
            )
        known = {value for value in values.values() if value is not None}
        if len(known) < 2:
            found.append(
                Problem(
                    check="target",
                    severity="refuse",
                    title=f"all numbers in {target.name!r} are alike",
                    detail="There is nothing to tell apart. Choose another target column.",
                )
            )
        return found

    def stratum(self, case: Case, target: Target) -> str:
        return ""

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        mean, spread = fingerprint.target_values or (0.0, 1.0)
        flat = all(one.dimensions == 2 for one in fingerprint.inputs.values())
        return {
            "whole": Choice(value=True, kind="fixed", reason="the whole input is seen at once"),
            "model": Choice(
                value="resnet", kind="rule", reason="residual network: the strongest from scratch on small sets"
            ),
            "loss": Choice(value="huber", kind="fixed", reason="a few wild values must not rule"),
            "target_scale": Choice(
                value=[mean, spread], kind="measured", reason="mean and standard deviation of the target in training"
            ),
            "mixup": Choice(value=0.0, kind="fixed", reason="a mixture has no number of its own"),
            "foreground": Choice(value=0.0, kind="fixed", reason="no patches"),
            "learning_rate": Choice(value=1e-3 if flat else 3e-3, kind="rule", reason="AdamW with cosine decay"),
            "augment": Choice(
                value="light" if flat else "mirrored", kind="rule", reason="a size must stay nearly what it is"
            ),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        value = _value(case, target)
        return {} if value is None else {"value": np.array(value, dtype=np.float64)}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        return NumberNetwork(encoders, plan["target_scale"], plan["dropout"])

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (Phase("network", _parameters, partial(_loss, plan=plan)),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        return {
            "case": example.case.id,
            "patient": example.case.patient,
            "said": float(output.values[0]),
            "true": float(truth["value"]),
        }

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        apart = np.sort(np.abs(_column(rows, "said") - _column(rows, "true")))
        # The rank that also counts the case which is to come; of few cases none is wide enough, and none is given.
        rank = math.ceil(COVERED * (len(apart) + 1))
        width = float(apart[rank - 1]) if 0 < rank <= len(apart) else None
        return {
            "width": width,
            "cases": len(apart),
            "rule": f"half the width of the {COVERED:.0%} interval is the error that as many of {len(apart)} "
            "validation cases stay below",
        }

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        width = decision["width"]
        inside = None if width is None else bool(abs(row["said"] - row["true"]) <= width)
        return {**row, "inside": inside}

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        said, true = _column(rows, "said"), _column(rows, "true")
        statistics = []
        for name in METRICS:
            metric = registry.get("metrics", name)
            unit = (plan.target.unit or "{target}") if name in OF_THE_UNIT else metric.unit
            statistics.append(Statistic(name, partial(_on, metric, true, said), unit, metric.better))
        inside = np.array([np.nan if row["inside"] is None else float(row["inside"]) for row in rows])
        statistics.append(Statistic("covered", partial(_mean, inside), better="nearer"))
        return Scores(tuple(statistics), ("mae", "r2", "covered"), -np.abs(said - true))

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        said, true = _column(rows, "said"), _column(rows, "true")
        if not len(rows):
            return ()
        name = f"{plan.target.name} ({plan.target.unit})" if plan.target.unit else plan.target.name
        every = max(1, math.ceil(len(rows) / SHOWN))
        ends = (float(min(said.min(), true.min())), float(max(said.max(), true.max())))
        chart = Chart(
            title="Said against true",
            x_label=f"true {name}",
            y_label=f"said {name}",
            lines=(
                Line(label="perfect", x=ends, y=ends, style="reference"),
                Line(
                    label="cases",
                    x=tuple(map(float, true[::every])),
                    y=tuple(map(float, said[::every])),
                    style="points",
                ),
            ),
        )
        counts, edges = np.histogram(said - true, bins=min(15, max(5, len(rows) // 5)))
        middles = (edges[:-1] + edges[1:]) / 2
        bars = Bars(
            title="Errors: said minus true",
            names=tuple(f"{middle:.3g}" for middle in middles),
            values=tuple(float(count) for count in counts),
            unit="cases",
            histogram=True,
        )
        return (chart, bars)

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        value, width = float(output.values[0]), decision["width"]
        note = f"{COVERED:.0%} prediction interval" if width is not None else "too few cases for an interval"
        measure = Measure(
            value=round(value, 6),
            unit=plan.target.unit or "{target}",
            low=None if width is None else round(value - width, 6),
            high=None if width is None else round(value + width, 6),
            note=note,
        )
        finding = Finding(
            concept=plan.target.name, status="measured", measures={"value": measure}, rule=str(decision["rule"])
        )
        return Prediction((finding,))


def _counts(target: Target) -> bool:
    """Whether classes are numbers all of them, as a few counts are: learnt as such only where the user says so."""
    names = [label.name for label in target.labels]
    return target.kind == "category" and bool(names) and all(NUMBER.match(name) for name in names)


def _value(case: Case, target: Target) -> float | None:
    value = case.targets.get(target.columns[0])
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _parameters(network: nn.Module) -> Iterable[nn.Parameter]:
    return network.parameters()


def _loss(network: nn.Module, batch: Batch, plan: Plan) -> Tensor:
    mean, spread = plan["target_scale"][0], plan["target_scale"][1] or 1.0
    said, true = network(batch.inputs).float(), batch.target["value"].float()
    loss: Tensor = registry.get("losses", plan["loss"])((said - mean) / spread, (true - mean) / spread, {})
    return loss


def _column(rows: Sequence[Row], name: str) -> Floats:
    return np.array([row[name] for row in rows], dtype=np.float64)


def _on(metric: Any, true: Floats, said: Floats, index: npt.NDArray[np.intp]) -> float:
    return float(metric(true[index], said[index]))


def _mean(values: Floats, index: npt.NDArray[np.intp]) -> float:
    known = values[index][np.isfinite(values[index])]
    return float(known.mean()) if known.size else float("nan")


TASK = Regression()
