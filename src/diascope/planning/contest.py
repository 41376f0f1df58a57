"""Which model suits a table: those that can learn the target are compared on cases that they were not fitted on.

The comparison sees training cases only (inner cross-validation by patient), so that nothing that is reported later was
chosen by. Small sets, of which every case is tested out of fold, have no case left for it: they take the first entrant.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diascope.core import registry
from diascope.core.case import Case
from diascope.core.errors import BadUsage, DiascopeError, MissingPackage
from diascope.core.plan import Plan
from diascope.engine.building import refuse_misfit
from diascope.engine.fit import Part, fit_network, load_weights
from diascope.engine.reading import Reader
from diascope.engine.scoring import cross_decided, observe
from diascope.models import InputSpec
from diascope.planning.folding import folds, unit

FOLDS = 5
SHARE = 0.25
"""Of the budget that the comparison may take; where it would take more it has fewer folds, then fewer entrants."""
FEWEST = 3


@dataclass(frozen=True)
class Outcome:
    """What a comparison found.

    Args:
        metric: The task's first headline metric.
        scores: Model to its value out of fold; nan where the model failed.
        better: Which way is better.
        folds: Of how many parts of the training cases each was left out once.
        reasons: Model to why it could not be fitted.
        seconds: Model to what one fit took, reading included.
    """

    metric: str
    scores: dict[str, float]
    better: str
    folds: int
    reasons: dict[str, str]
    seconds: dict[str, float]

    @property
    def winner(self) -> str:
        """The best; of equals, the one that entered first.

        Raises:
            DiascopeError: When none could be fitted.
        """
        return self.ranked[0]

    @property
    def ranked(self) -> tuple[str, ...]:
        """Those that could be fitted, the best first.

        Raises:
            DiascopeError: When none could be.
        """
        known = {name: value for name, value in self.scores.items() if np.isfinite(value)}
        if not known:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.reasons.items())
            raise DiascopeError("no model could be fitted to the training cases", given=reasons)
        sign = 1 if self.better == "higher" else -1
        return tuple(sorted(known, key=lambda name: -sign * known[name]))

    @property
    def words(self) -> str:
        """One line with the values."""
        values = ", ".join(f"{name} {value:.3f}" for name, value in self.scores.items() if np.isfinite(value))
        failed = "".join(f"; {name} not, because {why}" for name, why in self.reasons.items())
        return f"best {self.metric} of {self.folds} inner folds: {values}{failed}"


def entrants(plan: Plan) -> tuple[str, ...]:
    """Models that read the plan's inputs and give what its task needs; those that are fitted at once come first."""
    found = []
    for name in registry.names("models"):
        try:
            refuse_misfit(plan.with_choice("model", name, "rule", ""))
        except (BadUsage, MissingPackage):
            continue
        found.append(name)
    return tuple(sorted(found, key=_eagerness))


def _eagerness(name: str) -> tuple[bool, int, str]:
    """Models that are fitted at once first, those with fewer options (hence the simpler ones) before others."""
    model = registry.get("models", name)
    return model.fitted != "once", len(model.options(InputSpec("table", 1, 0, outputs=2))), name


def compare(
    plans: dict[str, Plan], cases: Sequence[Case], root: Path, stratum: Callable[[Case], str], seconds: float
) -> Outcome:
    """Fit each entrant on all but one part of the cases, read that part, and score all parts together.

    Args:
        plans: Model to a complete plan with it.
        cases: Of the training part.
        root: Folder that relative paths start at.
        stratum: What the parts are balanced by.
        seconds: What it may take: an entrant whose first fit shows that it would take longer is left out, unless none
            is left.
    """
    first = next(iter(plans.values()))
    count = min(FOLDS, len({unit(case) for case in cases}))
    parts = folds(cases, stratum, count, first.seed)
    metric, better = "", "higher"
    scores: dict[str, float] = {}
    reasons: dict[str, str] = {}
    took: dict[str, float] = {}
    began = time.monotonic()
    for name, plan in plans.items():
        started = time.monotonic()
        left = seconds - (started - began)
        try:
            rows = _rows(plan, cases, root, parts, left if scores else float("inf"))
        except DiascopeError as error:
            scores[name], reasons[name] = float("nan"), str(error)
            continue
        decided = [row for part in cross_decided(rows, plan)[0] for row in part]
        scored = registry.get("tasks", plan.task).score(decided, plan)
        metric = scored.headline[0]
        statistic = next(one for one in scored.statistics if one.name == metric)
        better = statistic.better
        scores[name] = round(float(statistic.of(np.arange(len(decided)))), 4)
        took[name] = (time.monotonic() - started) / count
    return Outcome(metric, scores, better, count, reasons, took)


def _rows(
    plan: Plan, cases: Sequence[Case], root: Path, parts: Sequence[Sequence[str]], seconds: float
) -> list[list[dict[str, object]]]:
    """Rows of each part, read by a network that was fitted on the others.

    Raises:
        DiascopeError: When the first fit shows that all would take too long.
    """
    found = []
    for number, part in enumerate(parts):
        began = time.monotonic()
        out = tuple(case for case in cases if unit(case) in part)
        rest = tuple(case for case in cases if unit(case) not in part)
        with tempfile.TemporaryDirectory(prefix="diascope-") as folder:
            weights = fit_network(plan, Part(rest, (), root), Path(folder), lambda facts: None, {})
            reader = Reader([load_weights(plan, weights)], plan, "torch", plan["precision"])
        found.append([one.row for one in observe(reader, out, root, plan)])
        took = time.monotonic() - began
        if number == 0 and took * len(parts) > seconds:
            raise DiascopeError(f"it would take {took * len(parts):.0f} s, {max(seconds, 0):.0f} s are left")
    return found
