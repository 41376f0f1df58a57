"""The planner: from a fingerprint and a budget to a plan, each choice with its kind and its reason."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from diascope.core import registry
from diascope.core.case import Dataset
from diascope.core.errors import BadUsage, DoesNotFit, UnknownName
from diascope.core.plan import Choice, Fingerprint, InputFacts, Plan
from diascope.engine.building import input_specs, refuse_misfit
from diascope.engine.devices import Capabilities, candidates, capabilities, prepare_process
from diascope.engine.preparing import stored_cases
from diascope.engine.starting import begun_network
from diascope.kinds import kind_of
from diascope.models import InputSpec, learns
from diascope.planning.at_once import draft_at_once
from diascope.planning.budget import Budget
from diascope.planning.contest import SHARE as CONTEST_SHARE
from diascope.planning.contest import compare, entrants, without_slow
from diascope.planning.draft import Draft, Setting, plan_of
from diascope.planning.grid import LARGEST_SIDE, Grid, patch_grid, whole_grid
from diascope.planning.preprocessing import end_with_slices, preprocessed, working
from diascope.planning.probe import MOST_SECONDS, MOST_SHARE, Probe, probe
from diascope.planning.recipe import mirror_axes, recipe
from diascope.planning.scaling import scale
from diascope.planning.sizing import Size, sized
from diascope.planning.starting import begin_draft
from diascope.planning.timing import timed

PROBE_CASES = 12
OVER = 1.1
"""Times the budget that a plan may be predicted to take: below that, the loop shortens what it overruns."""
ONE_FIT = 2.0
"""Seconds that a model takes that is fitted at once, where nothing was measured."""


def make_plan(
    dataset: Dataset,
    facts: Fingerprint,
    budget: Budget,
    by_hand: Mapping[str, Any],
    seed: int,
    say: Callable[[str], None],
) -> Plan:
    """Decide everything that `train` needs.

    Args:
        dataset: After curation.
        facts: Its fingerprint.
        budget: Time and memory.
        by_hand: Plan fields set by the user.
        seed: Of all randomness.
        say: Told what is being measured.

    Raises:
        DoesNotFit: When not even the smallest network fits the memory, or not even 20 steps the minutes.
        UnknownName: When a field set by hand does not exist.
        BadUsage: When the model does not suit the task or the inputs.
    """
    prepare_process()
    draft = _begun(dataset, facts, by_hand)
    facts = preprocessed(draft, dataset, facts)
    setting = Setting(dataset, facts, budget, capabilities(), seed, say)
    models = _models(draft, setting)
    _folds(draft, dataset, budget)
    _budget(draft, budget, setting.machine)
    grid = _grid(draft, facts)
    _reading(draft)
    if len(models) == 1:
        return _checked(_planned(draft, models[0], grid, setting), by_hand)
    return _checked(_best(draft, models, grid, setting), by_hand)


def _models(draft: Draft, setting: Setting) -> tuple[str, ...]:
    """The task's model, or the one set by hand, where it reads the inputs; else all that do, to be compared.

    Raises:
        BadUsage: When none does.
    """
    encoders = draft.choices["encoders"].value if "encoders" in draft.choices else {}
    if encoders and not draft.choices["image_inputs"].value:
        draft.put("model", next(iter(encoders.values()))["model"], "rule", "of the first input; see `encoders`")
    plan = plan_of(draft, setting.dataset, setting.seed)
    try:
        refuse_misfit(plan)
    except BadUsage:
        found = () if plan["image_inputs"] or "model" in draft.by_hand else entrants(plan)
        if not found:
            raise
        return without_slow(found, plan, setting)
    return (plan["model"],)


def _planned(draft: Draft, model: str, grid: Grid, setting: Setting, each: float = ONE_FIT) -> Plan:
    """The whole plan with one model; `each` is what one fit of it takes, where it is fitted at once."""
    if draft.choices["model"].value != model:
        draft.choices["model"] = Choice(value=model, kind="rule", reason="reads the input, and answers for this target")
    if registry.get("models", model).fitted == "once":
        draft_at_once(draft, grid, setting, each)
        return plan_of(draft, setting.dataset, setting.seed)
    return _by_gradient(draft, grid, setting)


def _best(draft: Draft, models: Sequence[str], grid: Grid, setting: Setting) -> Plan:
    """The plan of the model that is best on training cases it was not fitted on."""
    dataset, task = setting.dataset, registry.get("tasks", setting.dataset.task)
    if dataset.folds and not dataset.part("test"):
        # Every case is tested out of fold: a comparison would choose by cases that are reported.
        usual = [kind_of(one).alone for one in draft.choices["readings"].value.values()]
        first = next((name for name in usual if name in models), models[0])
        plan = _planned(draft, first, grid, setting)
        reason = "so few patients that none is left to compare models by: the usual of " + ", ".join(models)
        return plan.with_choice("model", first, "rule", reason)
    began = time.monotonic()
    seconds = CONTEST_SHARE * setting.budget.minutes * 60
    setting.say(f"comparing {', '.join(models)} on training cases")
    plans = {model: _planned(draft.copy(), model, grid, setting) for model in models}
    found = compare(
        plans, dataset.part("train"), Path(dataset.root), partial(task.stratum, target=dataset.target), seconds
    )
    spent = setting.later(time.monotonic() - began)
    made = (_planned(draft.copy(), model, grid, spent, found.seconds[model]) for model in found.ranked)
    # The best one that the budget has room for: a network may need more than is left after the comparison.
    best = next(made)
    plan = best if _in_time(best) else next((other for other in made if _in_time(other)), best)
    scores = {name: value if math.isfinite(value) else None for name, value in found.scores.items()}
    plan = plan.with_choice("contest", scores, "measured", found.words)
    words = found.words if plan["model"] == found.winner else f"{found.words}; {found.winner} takes too long"
    return plan.with_choice("model", plan["model"], "measured", words)


def _in_time(plan: Plan) -> bool:
    return bool(plan.choices["steps"].kind == "by hand" or plan["predicted_minutes"] <= OVER * plan["minutes"])


def preparation(dataset: Dataset, facts: Fingerprint) -> Plan:
    """How cases are read and prepared, before anything is known of a network: nothing is measured."""
    draft = _begun(dataset, facts, {})
    preprocessed(draft, dataset, facts)
    _grid(draft, facts)
    return plan_of(draft, dataset, 0)


def _begun(dataset: Dataset, facts: Fingerprint, by_hand: Mapping[str, Any]) -> Draft:
    """What the task chooses, and the inputs."""
    draft = Draft({}, by_hand)
    for field, choice in registry.get("tasks", dataset.task).choices(facts, dataset.target).items():
        draft.put(field, choice.value, choice.kind, choice.reason)
    draft.of_task = frozenset(draft.choices)
    _inputs(draft, facts)
    return draft


def _inputs(draft: Draft, facts: Fingerprint) -> None:
    order = facts.order or tuple(facts.inputs)
    images = [name for name in order if facts.inputs[name].kind == "image"]
    draft.put("image_inputs", images, "rule", "all image inputs, stacked as channels on the grid of the first")
    _readings(draft, {name: facts.inputs[name] for name in order if facts.inputs[name].kind != "image"})
    draft.put(
        "channels", {name: facts.inputs[name].channels for name in images}, "rule", "channels that most images have"
    )
    scale(draft, {name: facts.inputs[name] for name in images}, bool(facts.label_volumes))


def _readings(draft: Draft, others: Mapping[str, InputFacts]) -> None:
    """How inputs that are no images become numbers, and by what each is encoded where several are read together."""
    plugins = {name: registry.get("kinds", facts.kind) for name, facts in others.items()}
    settings = {name: plugin.settings(others[name]) for name, plugin in plugins.items()}
    reasons = "; ".join(f"{name}: {plugin.reason(settings[name])}" for name, plugin in plugins.items())
    draft.put("readings", settings, "rule", reasons or "images alone")
    if len(others) + bool(draft.choices["image_inputs"].value) < 2:
        return
    encoders = {name: _encoder(plugin.encoder, plugin.spec(settings[name])) for name, plugin in plugins.items()}
    draft.put("encoders", encoders, "rule", "each input by what suits its kind; images by the model")


def _encoder(name: str, spec: InputSpec) -> dict[str, Any]:
    return {"model": name, "options": registry.get("models", name).options(spec)}


def _folds(draft: Draft, dataset: Dataset, budget: Budget) -> None:
    if "folds" in draft.by_hand:
        raise BadUsage(
            "folds are dealt out when the data set is frozen, before there is a plan",
            given=f"--set folds={draft.by_hand['folds']}",
            todo=f"Use --folds {draft.by_hand['folds']}",
        )
    count = len(dataset.folds)
    reason = "enough patients for one test part"
    if count and dataset.part("test"):
        reason = "several networks answer, and every training case calibrates, out of fold; the test part is outside"
    elif count:
        reason = "few patients: every case is tested once, out of fold"
        if not learns(registry.get("models", draft.choices["model"].value)):
            reason = "every case is tested once, recalibrated by the cases of the other folds"
    draft.put("folds", count, "by hand" if budget.folds else "rule", reason)


def _budget(draft: Draft, budget: Budget, machine: Capabilities) -> None:
    draft.put(
        "minutes",
        budget.minutes,
        "by hand" if budget.minutes != 15.0 else "fixed",
        "wall-clock minutes for the whole fit",
    )
    allowed = budget.memory_gb or round(0.8 * machine.memory_available / 1e9, 1)
    draft.put("memory_gb", allowed, "by hand" if budget.memory_gb else "measured", "peak memory that may be used")


def _grid(draft: Draft, facts: Fingerprint) -> Grid:
    images = draft.choices["image_inputs"].value
    if not images:
        draft.put("prepare", [], "fixed", "no image input")
        draft.put("patch", [1, 1, 1], "fixed", "no image input")
        draft.put("spacing", [1.0, 1.0, 1.0], "fixed", "no image input")
        return Grid([], (1.0, 1.0, 1.0), (1, 1, 1), "no image input")
    first = facts.inputs[images[0]]
    grids = draft.choices["grids"].value if "grids" in draft.choices else []
    longest = draft.choices["longest_side"].value if "longest_side" in draft.choices else LARGEST_SIDE
    whole = draft.choices["whole"].value
    grid = whole_grid(first, (*grids, longest)[0], bool(grids)) if whole else patch_grid(working(draft, first))
    draft.put("prepare", grid.prepare, "rule", grid.reason)
    end_with_slices(draft)
    draft.put("spacing", list(grid.steps), "rule", "steps (z, y, x) of the working grid")
    return grid


def _reading(draft: Draft) -> None:
    draft.put("overlap", 0.5, "fixed", "of sliding windows, as nnU-Net")
    draft.put("skip_empty", False, "fixed", "windows without content are read too")
    draft.put(
        "mirror_reading", True, "rule", "the answer is the mean over the mirrored image where mirroring is allowed"
    )
    images = bool(draft.choices["image_inputs"].value)
    draft.put("read_batch", 16 if images else 256, "fixed", "whole images or rows read together")


def _optimisation(draft: Draft) -> None:
    draft.put("weight_decay", 0.02, "fixed", "AdamW")
    draft.put("betas", [0.9, 0.99], "fixed", "AdamW; short second-moment memory suits short schedules")
    draft.put("clip", 5.0, "fixed", "gradient norm limit")
    draft.put("ema", 0.998, "fixed", "averaged weights are what is released")
    draft.put("dropout", 0.1, "fixed", "before the head of whole-image networks")
    draft.put("log_every", 10, "fixed", "steps between lines of the log")


def _by_gradient(draft: Draft, grid: Grid, setting: Setting) -> Plan:
    dataset, facts, budget, machine = setting.dataset, setting.facts, setting.budget, setting.machine
    began = time.monotonic()
    _optimisation(draft)
    images = draft.choices["image_inputs"].value
    if images:
        first = facts.inputs[images[0]]
        axes, why = mirror_axes(working(draft, first), dataset.target, facts.label_places)
        axes = tuple(draft.put("mirror_axes", list(axes), "rule", why))
    else:
        draft.put("mirror_axes", [], "fixed", "no image input")
    size = sized(draft, facts, grid, budget, machine)
    _augmentation(draft, facts)
    begin_draft(draft, plan_of(draft, dataset, setting.seed), setting.say)
    cases = dataset.part("train")
    rng_cases = cases[:: max(1, len(cases) // PROBE_CASES)][:PROBE_CASES]
    plan = plan_of(draft, dataset, setting.seed)
    setting.say("measuring a training step on this machine")
    found = _probe(plan, Path(dataset.root), rng_cases, machine, budget)
    _arithmetic(draft, found, machine, budget, size)
    timed(draft, dataset, facts, found, setting.later(time.monotonic() - began).budget)
    return plan_of(draft, dataset, setting.seed)


def _augmentation(draft: Draft, facts: Fingerprint) -> None:
    images = draft.choices["image_inputs"].value
    if not images:
        draft.put("recipe", [], "fixed", "no image input")
        return
    first, strength = facts.inputs[images[0]], draft.choices["augment"].value
    z, y, x = draft.choices["spacing"].value
    found = recipe(first, strength, tuple(draft.choices["mirror_axes"].value), (z, y, x))
    draft.put("recipe", found, "rule", f"{strength} augmentation for {first.modality} images")


def _probe(plan: Plan, root: Path, cases: Sequence[Any], machine: Capabilities, budget: Budget) -> Probe:
    task = registry.get("tasks", plan.task)
    torch.manual_seed(plan.seed)
    network: nn.Module = begun_network(plan)
    stored = stored_cases(cases, root, plan)
    dimensions = _dimensions(plan)
    seconds = min(MOST_SECONDS, MOST_SHARE * budget.minutes * 60)
    return probe(network, task.phases(plan), plan, stored, candidates(machine, dimensions), seconds)


def _dimensions(plan: Plan) -> Literal[0, 1, 2, 3]:
    spec: InputSpec = next(iter(input_specs(plan).values()))
    return spec.dimensions


def _arithmetic(draft: Draft, found: Probe, machine: Capabilities, budget: Budget, size: Size) -> None:
    tried = ", ".join(f"{name} {1000 * took:.0f} ms" for name, took in found.tried.items())
    draft.put("precision", found.arithmetic.precision, "measured", f"a step takes: {tried}")
    draft.put("channels_last", found.arithmetic.channels_last, "measured", "with the arithmetic above")
    draft.put("threads", found.arithmetic.threads, "measured", "with the arithmetic above")
    long_enough = budget.minutes > 5 and size.dimensions == 3 and machine.compiler
    draft.put(
        "compile",
        long_enough,
        "rule",
        "torch.compile pays for volumes, more than 5 minutes, where a compiler is present",
    )
    draft.put("seconds_per_step", round(found.seconds_per_step, 4), "measured", "the fastest of the probe's steps")


def _checked(plan: Plan, by_hand: Mapping[str, Any]) -> Plan:
    for field in by_hand:
        if field not in plan.choices:
            raise UnknownName("plan field", field, plan.choices)
    allowed, minutes = plan["minutes"], plan["predicted_minutes"]
    if not _in_time(plan):
        raise DoesNotFit(
            f"at least {minutes:.1f} minutes are needed ({plan.choices['predicted_minutes'].reason})",
            given=f"{allowed:g} minutes",
            todo=f"Give --minutes {math.ceil(1.2 * minutes)}",
        )
    limit, needed = plan["memory_gb"], plan["predicted_gb"]
    if needed > limit:
        raise DoesNotFit(
            f"the plan needs {needed:.1f} GB, {limit:.1f} GB are allowed, and nothing is left to shrink",
            todo="Raise --memory, or use smaller images: --set patch=[...] or --set prepare=[...]",
        )
    return plan
