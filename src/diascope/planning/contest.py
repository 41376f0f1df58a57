"""Which model suits a table: those that can learn the target are compared on cases that they were not fitted on.

The comparison sees training cases only (inner cross-validation by patient), so that nothing that is reported later was
chosen by. Small sets, of which every case is tested out of fold, have no case left for it: they take the first entrant.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from diascope.core import registry
from diascope.core.case import Case, Stratum
from diascope.core.errors import BadUsage, DiascopeError, MissingPackage
from diascope.core.plan import Plan
from diascope.engine.building import input_specs, refuse_misfit
from diascope.engine.fit import Part, fit_network, load_weights
from diascope.engine.reading import Reader
from diascope.engine.scoring import cross_decided, observe
from diascope.kinds import kind_of
from diascope.models import InputSpec
from diascope.planning.draft import Setting
from diascope.planning.folding import folds, unit
from diascope.planning.sizing import guessed_step

FOLDS = 5
SHARE = 0.25
"""Of the budget that the comparison may take; where it would take more it has fewer folds, then fewer entrants."""
FEWEST = 3
"""Folds where five would take longer."""
TELLING = 100
"""Steps below which a network has learnt next to nothing."""
LEAST_STEPS = 20


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
    """Models that read the plan's inputs and give what its task needs; those that are fitted at once come first.

    Where none is, no other is compared: every network would take the whole time. The one that suits the kind is taken.
    """
    found = []
    settings = next(iter(plan["readings"].values()))
    spec = next(iter(input_specs(plan).values()))
    for name in registry.names("models"):
        try:
            refuse_misfit(plan.with_choice("model", name, "rule", ""))
            model = registry.get("models", name)
            # What cannot be built from its own options (a checkpoint must be named) is taken only when it is named.
            model.cost(spec, model.options(spec))
        except (BadUsage, MissingPackage):
            continue
        found.append(name)
    suited = kind_of(settings).encoder
    if suited in found and all(registry.get("models", name).fitted != "once" for name in found):
        return (suited,)
    return tuple(sorted(found, key=partial(_eagerness, spec=spec)))


def without_slow(models: Sequence[str], plan: Plan, setting: Setting) -> tuple[str, ...]:
    """Entrants without networks that could learn next to nothing in their share of the time.

    To measure the steps of a network takes time as well. All stay where nothing else is left, or nothing is compared.
    """
    if setting.dataset.folds and not setting.dataset.part("test"):
        return tuple(models)
    spec, cases = next(iter(input_specs(plan).values())), len(setting.dataset.part("train"))
    seconds = SHARE * setting.budget.minutes * 60
    slow = []
    for name in models:
        model = registry.get("models", name)
        if model.fitted == "once":
            continue
        needed = TELLING * guessed_step(model, spec, cases, setting.machine) * FEWEST
        if needed > seconds / len(models):
            slow.append(name)
    kept = tuple(name for name in models if name not in slow)
    if not slow or not kept:
        return tuple(models)
    setting.say(f"{', '.join(slow)} not compared: {TELLING} steps on each part would take too long")
    return kept


def _eagerness(name: str, spec: InputSpec) -> tuple[bool, int, str]:
    """Models that are fitted at once first, those with fewer options (hence the simpler ones) before others."""
    model = registry.get("models", name)
    return model.fitted != "once", len(model.options(spec)), name


def compare(
    plans: dict[str, Plan], cases: Sequence[Case], root: Path, stratum: Callable[[Case], Stratum], seconds: float
) -> Outcome:
    """Fit each entrant on all but one part of the cases, read that part, and score all parts together.

    Args:
        plans: Model to a complete plan with it.
        cases: Of the training part.
        root: Folder that relative paths start at.
        stratum: What the parts are balanced by.
        seconds: What it may take: networks learn for fewer steps then, and an entrant whose first fit shows that it
            would take longer all the same is left out, unless none is left.
    """
    first = next(iter(plans.values()))
    whole = sum(_seconds(plan) for plan in plans.values())
    count = min(FOLDS if whole * FOLDS <= seconds else FEWEST, len({unit(case) for case in cases}))
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
            short = _shortened(plan, seconds / len(plans) / count)
            rows = _rows(short, cases, root, parts, left if scores else float("inf"))
        except DiascopeError as error:
            scores[name], reasons[name] = float("nan"), str(error).removesuffix(".")
            continue
        decided = [row for part in cross_decided(rows, plan)[0] for row in part]
        scored = registry.get("tasks", plan.task).score(decided, plan)
        metric = scored.headline[0]
        statistic = next(one for one in scored.statistics if one.name == metric)
        better = statistic.better
        scores[name] = round(float(statistic.of(np.arange(len(decided)))), 4)
        took[name] = (time.monotonic() - started) / count
    return Outcome(metric, scores, better, count, reasons, took)


def _seconds(plan: Plan) -> float:
    """What training once takes by the plan; nothing is known of estimators."""
    return float(plan["steps"] * plan["seconds_per_step"]) if plan["steps"] else 0.0


def _shortened(plan: Plan, seconds: float) -> Plan:
    """The plan with as many steps as fit the time."""
    if _seconds(plan) <= seconds:
        return plan
    steps, why = max(LEAST_STEPS, int(seconds / plan["seconds_per_step"])), "for a comparison"
    steps = min(steps, plan["steps"])
    plan = plan.with_choice("steps", steps, "rule", why).with_choice("steps_cap", steps, "rule", why)
    return plan.with_choice("train_seconds", None, "rule", why)


def _rows(
    plan: Plan, cases: Sequence[Case], root: Path, parts: Sequence[Sequence[str]], seconds: float
) -> list[list[dict[str, object]]]:
    """Rows of each part, read by a network that was fitted on the others.

    Raises:
        DiascopeError: When the probe or the first fit shows that all would take too long.
    """
    found = []
    _refuse_slow(_seconds(plan) * len(parts), seconds)
    for number, part in enumerate(parts):
        began = time.monotonic()
        out = tuple(case for case in cases if unit(case) in part)
        rest = tuple(case for case in cases if unit(case) not in part)
        with tempfile.TemporaryDirectory(prefix="diascope-") as folder:
            weights = fit_network(plan, Part(rest, (), root), Path(folder), lambda facts: None, {})
            reader = Reader([load_weights(plan, weights)], plan, "torch", plan["precision"])
        found.append([one.row for one in observe(reader, out, root, plan)])
        took = time.monotonic() - began
        if number == 0:
            _refuse_slow(took * len(parts), seconds)
    return found


def _refuse_slow(needed: float, left: float) -> None:
    if needed > left:
        raise DiascopeError(f"it would take {needed:.0f} s, {max(left, 0):.0f} s are left")
