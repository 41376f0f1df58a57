"""Proportional hazards of a table row (Cox 1972) with a ridge whose strength is cross-validated, fitted at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from diascope.core.errors import DataRefused, DiascopeError
from diascope.evidence.survival.grid import edges_of
from diascope.models import Cost, FittedAtOnce, Gives, InputSpec
from diascope.models.estimators.columns import Design, counted
from diascope.models.estimators.folds import fold_of

Floats = npt.NDArray[np.float64]
STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
LEAST, MOST = 1e-9, 40.0
"""Cumulative hazards of an interval are kept between these."""


class ProportionalHazards(nn.Module):
    """Logits of the hazards of K intervals: one baseline for all, raised or lowered by a score of the row.

    Args:
        spec: Columns, and K as `outputs`.
    """

    gives: Gives = "answer"
    weights: Tensor
    middle: Tensor
    baseline: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.channels = (max(1, spec.outputs),)
        self.design = Design(spec)
        self.register_buffer("weights", torch.zeros(self.design.columns, dtype=torch.float64))
        self.register_buffer("middle", torch.zeros((), dtype=torch.float64))
        self.register_buffer("baseline", torch.full(self.channels, LEAST, dtype=torch.float64))

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D) to (B, K) logits."""
        score = self.design(rows) @ self.weights - self.middle
        hazard = (self.baseline * score.clamp(-30, 30).exp()[:, None]).clamp(LEAST, MOST)
        logits: Tensor = hazard + torch.log(-torch.expm1(-hazard))
        return logits.float()


class Cox:
    """The penalised partial likelihood of standardised columns, with Breslow's baseline.

    Options: `strengths` of the ridge, of which inner cross-validation takes one; `folds` of it; `seed` of how cases are
    dealt; `edges` (K + 1) of the intervals, None for as many events in each.
    """

    takes = frozenset({"table"})
    dimensions = frozenset({0})
    gives: Gives = "answer"
    fitted: Literal["gradient", "once"] = "once"
    target_kinds = frozenset({"time_to_event"})

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"strengths": list(STRENGTHS), "folds": 5, "seed": 0, "edges": None}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return ProportionalHazards(spec)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        columns = 2 * spec.channels + sum(counted(spec))
        return Cost(parameters=columns + spec.outputs, gflop=2e-9 * columns, activation_bytes=8 * columns)

    def fit(
        self,
        module: nn.Module,
        inputs: npt.NDArray[np.float32],
        target: Mapping[str, npt.NDArray[Any]],
        options: Mapping[str, Any],
    ) -> None:
        """Fill the buffers from (N, D) rows, `time` (N,) and `event` (N,).

        Raises:
            DataRefused: When no event was seen.
            DiascopeError: When the solver does not settle.
        """
        if not isinstance(module, ProportionalHazards):
            raise DiascopeError("this is not the module that cox builds", given=type(module).__name__)
        time, event = np.asarray(target["time"], float), np.asarray(target["event"], bool)
        if not event.any():
            raise DataRefused(f"none of {len(event)} training cases has an event", todo="Follow the cases for longer")
        columns = module.design.fit(torch.from_numpy(inputs))
        strength = _chosen(columns, (time, event), options, target.get("patient"))
        weights = solved(columns, time, event, strength)
        score = columns @ weights
        middle = float(score.mean())
        edges = options["edges"] or edges_of(np.quantile(time[event], np.linspace(0, 1, 21)), module.channels[0])
        hazard = np.diff(breslow(time, event, score - middle, np.asarray(edges, float)))
        kept = np.full(module.channels[0], LEAST)
        kept[: len(hazard)] = np.clip(hazard, LEAST, MOST)
        module.weights.copy_(torch.from_numpy(weights))
        module.middle.fill_(middle)
        module.baseline.copy_(torch.from_numpy(kept))


def _chosen(
    columns: Floats,
    outcome: tuple[Floats, npt.NDArray[np.bool_]],
    options: Mapping[str, Any],
    patients: npt.NDArray[np.int64] | None,
) -> float:
    """The strength with the best cross-validated partial likelihood (Verweij and van Houwelingen 1993)."""
    time, event = outcome
    strengths, folds = sorted(map(float, options["strengths"]), reverse=True), int(options["folds"])
    if len(strengths) < 2 or int(event.sum()) < 2 * folds:
        return strengths[len(strengths) // 2]
    # Events and censored cases are dealt apart, so that each fold has both.
    fold = fold_of(event.astype(np.float64), folds, int(options["seed"]), patients)
    gains = []
    for strength in strengths:
        gain = 0.0
        for number in range(folds):
            rest = fold != number
            weights = solved(columns[rest], time[rest], event[rest], strength)
            whole, _ = likelihood(weights, columns, time, event, 0.0)
            part, _ = likelihood(weights, columns[rest], time[rest], event[rest], 0.0)
            gain += rest.sum() * part - len(time) * whole
        gains.append(gain)
    return strengths[int(np.argmax(gains))]


def solved(columns: Floats, time: Floats, event: npt.NDArray[np.bool_], strength: float) -> Floats:
    """The weights (P,) that minimise the penalised mean negative log partial likelihood.

    Raises:
        DiascopeError: When the solver does not settle.
    """
    found = minimize(
        likelihood,
        np.zeros(columns.shape[1]),
        args=(columns, time, event, strength),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5000, "ftol": 1e-14, "gtol": 1e-9},
    )
    if not np.isfinite(found.x).all():
        raise DiascopeError(
            "Cox's weights did not settle", todo="Leave the smallest numbers out of the option strengths"
        )
    return np.asarray(found.x)


def likelihood(
    weights: Floats, columns: Floats, time: Floats, event: npt.NDArray[np.bool_], strength: float
) -> tuple[float, Floats]:
    """Penalised mean negative log partial likelihood with its gradient (P,); ties as Breslow (1974)."""
    order = np.argsort(-time, kind="stable")
    rows, late, seen = columns[order], -time[order], event[order]
    score = rows @ weights
    top = float(score.max()) if len(score) else 0.0
    risk = np.exp(score - top)
    # At risk at a time are all rows up to the last one of that time: the sums run from the longest time down.
    last = np.searchsorted(late, late[seen], side="right") - 1
    total = np.cumsum(risk)[last]
    # Each row stands in the sums of all events that are not later than it.
    share = np.zeros(len(risk))
    np.add.at(share, last, 1 / total)
    load = risk * np.cumsum(share[::-1])[::-1]
    count = max(1, len(time))
    value = (np.log(total) + top - score[seen]).sum() / count + strength / 2 * weights @ weights
    gradient = (load @ rows - rows[seen].sum(axis=0)) / count + strength * weights
    return float(value), np.asarray(gradient)


def breslow(time: Floats, event: npt.NDArray[np.bool_], score: Floats, edges: Floats) -> Floats:
    """(K + 1,) cumulative baseline hazard at the edges (Breslow 1972)."""
    times = np.unique(time[event])
    order = np.argsort(time)
    risk = np.exp(score[order])
    after = np.cumsum(risk[::-1])[::-1]
    at_risk = after[np.searchsorted(time[order], times, side="left")]
    deaths = np.bincount(np.searchsorted(times, time[event]), minlength=len(times))
    hazard = np.r_[0.0, np.cumsum(deaths / at_risk)]
    return np.asarray(hazard[np.searchsorted(times, edges, side="right")])


MODEL: FittedAtOnce = Cox()
