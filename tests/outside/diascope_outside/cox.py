"""Proportional hazards of a table row, fitted at once (Cox 1972, with Breslow's handling of ties and a ridge)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core.errors import DataRefused, DiascopeError
from diascope.models import Cost, FittedAtOnce, Gives, InputSpec

Floats = npt.NDArray[np.float64]
MOST_STEPS = 50
CLOSE = 1e-9
"""Newton's method stops when no coefficient moves further than this."""


class Hazard(nn.Module):
    """Log hazard of a row, relative to the mean training row.

    A missing value is the training median, and an indicator column says that it was missing. The state is float64.

    Args:
        columns: D, columns of the table.
    """

    gives: Gives = "answer"
    median: Tensor
    mean: Tensor
    scale: Tensor
    coefficients: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.channels = (1,)
        self.register_buffer("median", torch.zeros(columns, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(2 * columns, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(2 * columns, dtype=torch.float64))
        self.register_buffer("coefficients", torch.zeros(2 * columns, dtype=torch.float64))

    def with_indicators(self, rows: Tensor) -> Tensor:
        """(B, D) with nan for missing to (B, 2 D): filled values, then 1 where a value was missing."""
        missing = torch.isnan(rows)
        return torch.cat([torch.where(missing, self.median, rows.double()), missing.double()], dim=1)

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D) to (B, 1)."""
        standard = (self.with_indicators(rows) - self.mean) / self.scale
        return (standard @ self.coefficients)[:, None].float()


class Cox:
    """Newton's method on the penalised partial likelihood of standardised columns."""

    takes = frozenset({"table"})
    dimensions = frozenset({0})
    gives: Gives = "answer"
    fitted: Literal["gradient", "once"] = "once"
    target_kinds = frozenset({"time_to_event"})

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"ridge": 0.01}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return Hazard(spec.channels)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        return Cost(parameters=7 * spec.channels, gflop=4e-9 * spec.channels, activation_bytes=32 * spec.channels)

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
            DiascopeError: When Newton's method does not settle.
        """
        if not isinstance(module, Hazard):
            raise DiascopeError("this is not the module that Cox builds", given=type(module).__name__)
        time, event = np.asarray(target["time"], float), np.asarray(target["event"], bool)
        if not event.any():
            raise DataRefused(f"none of {len(event)} training cases has an event", todo="Follow the cases for longer")
        known = np.isfinite(inputs)
        medians = [
            np.median(column[seen]) if seen.any() else 0.0 for column, seen in zip(inputs.T, known.T, strict=True)
        ]
        module.median.copy_(torch.tensor(np.array(medians)))
        columns = module.with_indicators(torch.from_numpy(inputs)).numpy()
        mean, spread = columns.mean(axis=0), columns.std(axis=0, ddof=1)
        varies = spread > CLOSE
        scale = np.where(varies, spread, 1.0)
        coefficients = np.zeros(len(mean))
        standard = ((columns - mean) / scale)[:, varies]
        coefficients[varies] = newton(standard, time, event, float(options["ridge"]))
        for name, values in (("mean", mean), ("scale", scale), ("coefficients", coefficients)):
            getattr(module, name).copy_(torch.from_numpy(values))


def newton(columns: Floats, time: Floats, event: npt.NDArray[np.bool_], ridge: float) -> Floats:
    """The coefficients (P,) that minimise the penalised mean negative log partial likelihood.

    Raises:
        DiascopeError: When it does not settle, as where a column separates the events without a ridge.
    """
    beta = np.zeros(columns.shape[1])
    value, gradient, curvature = likelihood(beta, columns, time, event, ridge)
    for _ in range(MOST_STEPS):
        step = np.linalg.solve(curvature, gradient)
        if not step.size or np.abs(step).max() < CLOSE:
            return beta
        for _ in range(MOST_STEPS):
            found = likelihood(beta - step, columns, time, event, ridge)
            if found[0] <= value + CLOSE:
                break
            step = step / 2
        beta = beta - step
        value, gradient, curvature = found
    raise DiascopeError(f"Cox's coefficients did not settle in {MOST_STEPS} steps", todo="Raise the option ridge")


def likelihood(
    beta: Floats, columns: Floats, time: Floats, event: npt.NDArray[np.bool_], ridge: float
) -> tuple[float, Floats, Floats]:
    """Penalised mean negative log partial likelihood with its gradient (P,) and curvature (P, P)."""
    order = np.argsort(-time, kind="stable")
    rows, late = columns[order], -time[order]
    score = rows @ beta
    weight = np.exp(score - score.max())
    # At risk at a time are all rows up to the last one of that time: the sums run from the longest time down.
    at_risk = np.searchsorted(late, late[event[order]], side="right") - 1
    total = weight.cumsum()[at_risk]
    mean = (weight[:, None] * rows).cumsum(axis=0)[at_risk] / total[:, None]
    square = (weight[:, None, None] * rows[:, :, None] * rows[:, None, :]).cumsum(axis=0)[at_risk]
    spread = square / total[:, None, None] - mean[:, :, None] * mean[:, None, :]
    seen, count = event[order], len(time)
    value = (np.log(total) + score.max() - score[seen]).sum() / count + ridge / 2 * beta @ beta
    gradient = (mean - rows[seen]).sum(axis=0) / count + ridge * beta
    return float(value), gradient, spread.sum(axis=0) / count + ridge * np.eye(len(beta))


MODEL: FittedAtOnce = Cox()
