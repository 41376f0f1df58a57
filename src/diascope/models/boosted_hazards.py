"""Boosted trees of the hazard of each interval of time: a row and the number of the interval make one case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from diascope.core.errors import DataRefused, DiascopeError
from diascope.evidence.survival.grid import edges_of, told
from diascope.models import Cost, FittedAtOnce, Gives, InputSpec
from diascope.models.boosting import (
    COMPARED,
    FEW_ITERATIONS,
    LEAVES,
    ROWS_A_LEAF,
    Boosted,
    Boosting,
    Forest,
    refuse_other_trees,
)
from diascope.models.estimators.answers import Floats
from diascope.models.estimators.columns import cleaned, counted
from diascope.models.estimators.folds import Rows, choose, fold_of

FURTHEST = 15.0
"""Logits of hazards are kept between minus and plus this."""


class TreeHazards(nn.Module):
    """Logits of the hazards of K intervals, by trees that see the number of the interval as one more column.

    Args:
        spec: Columns and categories, and K as `outputs`.
        options: `max_depth`.
    """

    gives: Gives = "answer"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.channels = (max(1, spec.outputs),)
        wide = InputSpec("table", spec.channels + 1, 0, outputs=2, categories=(*counted(spec), 0))
        self.boosted = Boosted(wide, {**options, "ordered": False})

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D) to (B, K) logits."""
        intervals = self.channels[0]
        number = torch.arange(intervals, dtype=torch.float64, device=rows.device).repeat(len(rows))
        many = torch.cat([rows.double().repeat_interleave(intervals, dim=0), number[:, None]], dim=1)
        scores = self.boosted.trees(cleaned(many, self.boosted.categories))
        logit: Tensor = scores[:, 1] - scores[:, 0]
        return logit.reshape(len(rows), intervals).clamp(-FURTHEST, FURTHEST).float()


class BoostedHazardsModel:
    """Histogram boosting of "does the event come in this interval, for those who came to it?".

    Options: as those of `boosting`, and `edges` (K + 1) of the intervals, None for as many events in each. The number
    of iterations is cross-validated by case: all intervals of a case are held out together.
    """

    takes = frozenset({"table"})
    dimensions = frozenset({0})
    gives: Gives = "answer"
    fitted: Literal["gradient", "once"] = "once"
    target_kinds = frozenset({"time_to_event"})

    def options(self, spec: InputSpec) -> dict[str, Any]:
        own = Boosting().options(spec)
        return {**own, "most_iterations": 200, "max_features": 0.5, "min_samples_leaf": 20, "folds": 3, "edges": None}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return TreeHazards(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        trees, intervals = options["most_iterations"], max(1, spec.outputs)
        return Cost(
            parameters=trees * 2 * (options["max_leaf_nodes"] or LEAVES[1]),
            gflop=8e-9 * trees * options["max_depth"] * intervals,
            activation_bytes=(64 * trees + 8 * spec.channels) * intervals,
        )

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
        """
        if not isinstance(module, TreeHazards):
            raise DiascopeError("this is not the module that boosted_hazards builds", given=type(module).__name__)
        time, event = np.asarray(target["time"], float), np.asarray(target["event"], bool)
        if not event.any():
            raise DataRefused(f"none of {len(event)} training cases has an event", todo="Follow the cases for longer")
        intervals = module.channels[0]
        edges = options["edges"] or edges_of(np.quantile(time[event], np.linspace(0, 1, 21)), intervals)
        asked = told(time, event, edges)[:, :intervals]
        case, interval = np.nonzero(np.isfinite(asked))
        truth: Floats = asked[case, interval]
        many = np.concatenate([inputs[case].astype(np.float64), interval[:, None]], axis=1)
        boosted = module.boosted
        rows = cleaned(torch.from_numpy(many), boosted.categories).numpy()
        leaves = options["max_leaf_nodes"] or np.clip(len(time) // ROWS_A_LEAF, *LEAVES)
        settings = {**options, "max_leaf_nodes": int(leaves)}
        categorical, most = boosted.categories.numpy() > 0, int(options["most_iterations"])

        def grown(some: Rows | slice, iterations: int) -> Forest:
            return Forest(boosted.answer, categorical, settings).fit(rows[some], truth[some], iterations)

        def held(train: Rows, test: Rows) -> Iterator[Floats]:
            return grown(train, most).staged(rows[test])

        # Sums of several threads differ in their last bits, and with them the trees.
        with threadpool_limits(limits=1, user_api="openmp"):
            dealt = _dealt(event, case, options, target.get("patient"))
            place = choose(boosted.answer, truth, dealt, held) if dealt else min(FEW_ITERATIONS, most) - 1
            forest = grown(slice(None), place + 1)
            *_, said = forest.staged(rows[:COMPARED])
        forest.store(boosted.trees)
        refuse_other_trees(boosted.trees, rows[:COMPARED], said)


def _dealt(
    event: npt.NDArray[np.bool_], case: Rows, options: Mapping[str, Any], patients: npt.NDArray[np.int64] | None
) -> list[tuple[Rows, Rows]]:
    """Training and held-out intervals of each fold; all of a patient are on one side. None with too few events."""
    folds = int(options["folds"])
    if int(event.sum()) < 2 * folds:
        return []
    fold = fold_of(event.astype(np.float64), folds, int(options["seed"]), patients)
    return [(np.flatnonzero(fold[case] != one), np.flatnonzero(fold[case] == one)) for one in range(folds)]


MODEL: FittedAtOnce = BoostedHazardsModel()
