"""Network width, patch and batch: as large as still leaves enough steps in the time, and fits the memory.

Throughput is first guessed from the cores; the probe then measures the size that was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from diascope.core import registry
from diascope.core.errors import DoesNotFit
from diascope.core.plan import Fingerprint
from diascope.engine.building import encoded
from diascope.engine.devices import Capabilities
from diascope.kinds import kind_of
from diascope.models import InputSpec
from diascope.planning.budget import REPORT_SECONDS, RESERVE, Budget
from diascope.planning.grid import Grid, fitted_patch
from diascope.planning.preprocessing import working

GFLOPS_PER_CORE = 90.0
"""fp32, channels last, kept allocator: about what two cores of a recent Xeon reach in training (PERFORMANCE.md)."""
WITH_AMX = 4.0
ON_GPU = 20_000.0
LEAN = (1.0, 0.75, 0.5, 0.375, 0.25)
"""Shares of a model's own width that are tried, widest first."""
WANTED_STEPS = {True: 1500, False: 3000}
"""Steps that a schedule should have: whole images, patches. More steps beat more width (NUMBERS.md)."""
FEWEST_STEPS = {True: 400, False: 700}
"""Also where the budget is short."""
FEWEST_VOXELS = 300
"""Of the smallest structure, on a coarser grid."""
ENOUGH = 0.6
"""Share of the wanted steps with which a small network on the full grid is still better than a coarser grid: the
outlines of 1.25 mm voxels alone cost the hippocampus .05 to .07 Dice."""
SHARE = 0.85
"""Of the time that is left for the network: the rest reads validation and test."""
READ_SHARE = 0.3
"""Of that time, what reading may take: large volumes are brought to a coarser grid beyond it."""
COARSER = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
"""How many times coarser that grid may be."""
PASSES = 12
"""Times that training should see each voxel, patch by patch: below it a coarser grid, which patches cover, learns more
in the time (after 1.5 passes over 512 x 512 CT the Dice was .3)."""
ENOUGH_VOXELS = 1000
"""Of the smallest structure, on a grid that is coarser for that reason: its outline must stay."""
LEAST_SHARE = 0.4
"""Of the whole budget, whatever reading the files is guessed to take."""
STEP_OVERHEAD = 0.02
"""Seconds of a step that are not arithmetic."""
BASE_GB = 0.9
"""Interpreter, libraries, kept allocator."""


@dataclass(frozen=True)
class Size:
    """What was chosen."""

    dimensions: Literal[0, 1, 2, 3]
    gflop: float
    """Of one step, forward and backward."""


@dataclass(frozen=True)
class Rung:
    """One size that is tried.

    Args:
        lean: Share of the model's own width.
        batch: Examples a step.
        coarser: Factor on the steps of the working grid; it applies to every axis that has more than 8 voxels.
        part: Share of the patch along each axis.
    """

    lean: float
    batch: int
    coarser: float = 1.0
    part: float = 1.0


@dataclass(frozen=True)
class Time:
    """Seconds that may be spent, and on what.

    Args:
        steps: For the steps of one network.
        reading: For reading what is read after training.
        reads: How many cases that are.
        overlap: Of sliding windows.
    """

    steps: float
    reading: float
    reads: int
    overlap: float


@dataclass(frozen=True)
class Tried:
    """A rung with what it would cost."""

    options: dict[str, Any]
    spec: InputSpec
    batch: int
    gflop: float
    need_gb: float
    seconds: float
    factor: tuple[float, float, float]


def sized(draft: Any, facts: Fingerprint, grid: Grid, budget: Budget, machine: Capabilities) -> Size:
    """Choose `model_options`, `patch`, `batch` and, where time is short, a coarser grid; write them into the draft.

    Raises:
        DoesNotFit: When the smallest network and batch need more memory than is allowed.
    """
    model = registry.get("models", draft.choices["model"].value)
    whole = bool(draft.choices["whole"].value)
    cases = sum(facts.strata.values())
    time = _time(draft, facts, budget)
    enough = draft.choices["enough_steps"].value if "enough_steps" in draft.choices else WANTED_STEPS[whole]
    wanted = max(FEWEST_STEPS[whole], min(enough, WANTED_STEPS[whole] * budget.minutes / 15))
    if "steps_an_hour" in draft.choices:
        wanted = max(FEWEST_STEPS[whole], draft.choices["steps_an_hour"].value * budget.minutes / 60)
    spec, allowed = _spec(draft, facts, grid), draft.choices["memory_gb"].value
    smallest = _smallest(facts)
    if "prepare" in draft.of_task:
        smallest = 0.0  # the task keeps the grid as it is: nothing may be coarser

    given = draft.by_hand.get("model_options")

    def tried(rung: Rung) -> Tried:
        return _tried(rung, model, spec, grid, (machine, whole, given))

    physical = all(facts.inputs[name].physical for name in draft.choices["image_inputs"].value)
    first = (
        _coarseness(tried, grid, smallest, (time, cases)) if physical and spec.dimensions == 3 and not whole else 1.0
    )
    chosen = None
    rungs = _ladder(spec, grid, whole, cases, (smallest, first))
    for rung in _coarser_first(rungs, grid, draft.choices["grids"].value) if "grids" in draft.choices else rungs:
        chosen = tried(rung)
        last_on_grid = rung == Rung(LEAN[-1], 2, first) and not whole
        steps = max(FEWEST_STEPS[whole], ENOUGH * wanted) if last_on_grid else wanted
        in_time = chosen.seconds * steps <= time.steps and (whole or _reading(chosen, grid, time) <= time.reading)
        if chosen.need_gb <= allowed and in_time:
            break
    if chosen is None or chosen.need_gb > allowed:
        raise DoesNotFit(
            f"the smallest network needs {chosen.need_gb if chosen else 0:.1f} GB",
            given=f"{allowed:.1f} GB are allowed",
            todo="Raise --memory, or train on smaller images: --set prepare=[...]",
        )
    _choose(draft, chosen, grid, whole, (cases, time.steps))
    return Size(spec.dimensions, chosen.gflop)


def _smallest(facts: Fingerprint) -> float:
    """Voxels of the smallest structure, or of a small box of the smallest label."""
    boxes = [sides[1] ** 3 for sides in facts.box_sides.values()]
    return min((voxels for voxels in [*facts.label_volumes.values(), *boxes] if voxels), default=float("inf"))


def guessed_step(model: Any, spec: InputSpec, cases: int, machine: Capabilities) -> float:
    """Seconds of a training step on inputs without space, before anything is measured.

    Args:
        model: A plug-in of `models/`.
        spec: Of the input.
        cases: In the training part.
        machine: Its cores.
    """
    batch = _batch(cases)
    gflop = model.cost(spec, model.options(spec)).gflop * batch
    return float(gflop / _throughput(machine) + STEP_OVERHEAD)


def _batch(cases: int) -> int:
    """Examples a step, of inputs without space."""
    return int(np.clip(cases // 80, 1, 16)) * 8


def _time(draft: Any, facts: Fingerprint, budget: Budget) -> Time:
    """What is left when every case was prepared and read again, and the report was written."""
    folds, total = draft.choices["folds"].value, budget.minutes * 60
    files = 2.4 * facts.seconds_per_case * facts.cases
    left = max(LEAST_SHARE * total, RESERVE * total - budget.spent_seconds - files - REPORT_SECONDS)
    reads = facts.cases if folds else facts.cases - sum(facts.strata.values())
    steps = max(LEAST_SHARE * total, SHARE * left) / max(1, folds)
    return Time(steps, READ_SHARE * left, reads, draft.choices["overlap"].value)


def _reading(tried: Tried, grid: Grid, time: Time) -> float:
    """Seconds in which every case that is read after training is read once, window by window."""
    patch = np.array(tried.spec.shape)
    over = np.maximum(np.array(grid.size) / tried.factor - patch, 0)
    windows = float(np.prod(np.ceil(over / np.maximum(1, patch * (1 - time.overlap))) + 1))
    return time.reads * windows * (tried.seconds - STEP_OVERHEAD) / tried.batch / 3


def _coarseness(tried: Callable[[Rung], Tried], grid: Grid, smallest: float, setting: tuple[Time, int]) -> float:
    """How many times coarser the grid of large volumes must be to be read in time, and seen often enough, at all.

    It is asked of the leanest network; no structure falls below the voxels that each of the two reasons leaves it.
    """
    (time, cases), factor = setting, 1.0
    for coarser in COARSER:
        one = tried(Rung(LEAN[-1], 2, factor))
        slow = _reading(one, grid, time) > time.reading
        seen = time.steps / one.seconds * one.batch * np.prod(one.spec.shape)
        seldom = seen < PASSES * cases * np.prod(np.array(grid.size) / one.factor)
        left = smallest / np.prod(_factors(grid, coarser, False))
        if not (slow and left >= FEWEST_VOXELS) and not (seldom and left >= ENOUGH_VOXELS):
            break
        factor = coarser
    return factor


def _factors(grid: Grid, coarser: float, whole: bool) -> tuple[float, float, float]:
    """By how much the step along each axis grows; of patches the finest first: a thick slice holds little as it is."""
    steps = np.array(grid.steps)
    own = np.full(3, coarser) if whole else np.maximum(1.0, coarser * steps.min() / steps)
    z, y, x = (float(f) if side > 8 else 1.0 for f, side in zip(own, grid.size, strict=True))
    return z, y, x


def _tried(rung: Rung, model: Any, spec: InputSpec, grid: Grid, setting: tuple[Capabilities, bool, Any]) -> Tried:
    """Options that were given are not made narrower: what they cost is what counts."""
    machine, whole, given = setting
    factor = _factors(grid, rung.coarser, whole)
    steps = np.array(grid.steps) * factor
    full = np.array(grid.shape if whole else grid.size, float) / factor
    shape = _whole_shape(full) if whole else fitted_patch(full, spec.dimensions, steps)
    if rung.part < 1:
        cut = np.maximum(np.array(shape) * rung.part, np.minimum(shape, 16))
        shape = fitted_patch(cut, spec.dimensions, steps)
    one = InputSpec(spec.kind, spec.channels, spec.dimensions, shape, (steps[0], steps[1], steps[2]))
    one = one if spec.dimensions > 1 else spec
    options = dict(given) if isinstance(given, Mapping) else narrowed(model.options(encoded(one)), rung.lean)
    if spec.dimensions > 1:
        one = replace(one, shape=_divisible(shape, model.stride(options), one.dimensions))
    cost = model.cost(encoded(one), options)
    examples = rung.batch * (one.shape[0] if one.dimensions == 2 else 1)
    gflop = cost.gflop * examples
    need = BASE_GB + (16 * cost.parameters + 1.3 * examples * cost.activation_bytes) / 1e9
    # Narrow layers are bound by memory and not by arithmetic: half the width, about 0.7 of the speed.
    seconds = gflop / (_throughput(machine) * rung.lean**0.5) + STEP_OVERHEAD
    return Tried(options, one, rung.batch, gflop, need, seconds, factor)


def _whole_shape(full: npt.NDArray[np.float64]) -> tuple[int, int, int]:
    z, y, x = (max(1, round(float(side))) for side in full)
    return z, y, x


def _choose(draft: Any, chosen: Tried, grid: Grid, whole: bool, facts: tuple[int, float]) -> None:
    cases, seconds = facts
    left = seconds / chosen.seconds
    why = f"about {chosen.gflop:.0f} GFLOP a step leave some {left:.0f} steps in the time"
    draft.put("model_options", chosen.options, "rule", f"the widest that leaves enough steps: {why}")
    shape = list(chosen.spec.shape)
    draft.put("patch", shape, "rule", grid.reason if whole else "median image, within what two cores can train on")
    draft.put("batch", chosen.batch, "rule", f"{cases} training cases; {chosen.need_gb:.1f} GB by estimate")
    draft.put("estimated_gb", round(chosen.need_gb, 2), "rule", "by the model's own estimate, before the probe")
    if draft.choices["patch"].kind == "by hand":
        return
    if max(chosen.factor) > 1:
        _coarsen(draft, chosen, whole, grid)
    elif whole and chosen.spec.shape != grid.shape:
        prepare = [[name, dict(params)] for name, params in draft.choices["prepare"].value]
        reason = f"{draft.choices['prepare'].reason}; what the strides of the network divide"
        draft.put("prepare", _shaped(prepare, chosen), "rule", reason)


def _coarsen(draft: Any, chosen: Tried, whole: bool, grid: Grid) -> None:
    """Bring the preparation to the coarser grid."""
    steps = [round(step * factor, 4) for step, factor in zip(grid.steps, chosen.factor, strict=True)]
    reason = f"{max(chosen.factor):g} times coarser, so that training and reading fit the time"
    prepare = [[name, dict(params)] for name, params in draft.choices["prepare"].value]
    if not any({"spacing", "shape"} & set(params) for _, params in prepare):
        prepare.insert(0, ["resample", {"shape": [], "order": 3} if whole else {"spacing": [], "order": 3}])
    for _, params in prepare:
        if "spacing" in params:
            params["spacing"] = steps
    draft.put("prepare", _shaped(prepare, chosen), "rule", reason)
    draft.put("spacing", steps, "rule", "steps (z, y, x) of the working grid")


def _shaped(prepare: list[list[Any]], chosen: Tried) -> list[list[Any]]:
    """The preparation that ends in the size that was chosen."""
    for _, params in prepare:
        if "shape" in params:
            params["shape"] = list(chosen.spec.shape)
    return prepare


def narrowed(options: dict[str, Any], share: float) -> dict[str, Any]:
    """The options with fewer channels: `features` (a list) or `width` (a number), in multiples of 8."""
    changed = dict(options)
    if "features" in options:
        changed["features"] = [max(8, round(width * share / 8) * 8) for width in options["features"]]
    if "width" in options:
        changed["width"] = max(8, round(options["width"] * share / 8) * 8)
    return changed


def _ladder(spec: InputSpec, grid: Grid, whole: bool, cases: int, floor: tuple[float, float]) -> list[Rung]:
    """Sizes from large to small.

    Args:
        spec: Of the input.
        grid: The working grid.
        whole: Whether whole images are learnt from.
        cases: In the training part.
        floor: Voxels of the smallest structure, which must not vanish on a coarser grid; how coarse that is at least.
    """
    smallest, first = floor
    if spec.dimensions < 2:
        return [Rung(1.0, _batch(cases))]
    if whole:
        most = 32 if grid.shape[0] > 1 or max(grid.shape) > 64 else 128
        batch = int(np.clip(2 ** round(np.log2(max(8.0, cases / 25))), 8, most))
        return [Rung(lean, batch) for lean in LEAN] + [
            Rung(LEAN[-1], min(batch, 16), factor) for factor in (1.33, 1.67)
        ]
    rungs = [Rung(lean, batch, first) for lean in LEAN for batch in (9, 6, 4, 2)]
    flat = spec.dimensions == 2 or not np.prod(grid.steps) > 0
    coarse = [] if flat or first > 1 else [factor for factor in (1.25, 1.5) if _pays(grid, factor, smallest)]
    rungs += [Rung(lean, 2, factor) for factor in coarse for lean in (0.375, 0.25)]
    # Smaller patches come last: they see too little around a voxel, and take many windows to read.
    return rungs + [Rung(LEAN[-1], 2, coarse[-1] if coarse else first, part) for part in (0.8, 0.65)]


def _coarser_first(rungs: Sequence[Rung], grid: Grid, sides: Sequence[int]) -> list[Rung]:
    """The full width on each grid of a task that names several, largest first, and on the last one all widths."""
    factors = list(dict.fromkeys(max(1.0, max(grid.shape[1:]) / side) for side in sides))
    lean = [rung for rung in rungs if rung.coarser == 1]
    return [replace(lean[0], coarser=factor) for factor in factors[:-1]] + [
        replace(rung, coarser=factors[-1]) for rung in lean
    ]


def _pays(grid: Grid, coarser: float, smallest: float) -> bool:
    """Whether steps are faster on a coarser grid (the patch then is the whole image), and no structure vanishes."""
    factors = _factors(grid, coarser, False)
    size, steps = np.array(grid.size) / factors, np.array(grid.steps) * factors
    within = np.prod(fitted_patch(size, 3, steps)) >= 0.8 * np.prod(size)
    return bool(within and smallest / np.prod(factors) >= FEWEST_VOXELS)


def _spec(draft: Any, facts: Fingerprint, grid: Grid) -> InputSpec:
    images = draft.choices["image_inputs"].value
    if images:
        dimensions = working(draft, facts.inputs[images[0]]).dimensions
        return InputSpec("image", _channels(draft), dimensions, grid.shape, grid.steps)
    settings = next(iter(draft.choices["readings"].value.values()))
    return kind_of(settings).spec(settings)


def _channels(draft: Any) -> int:
    intensity = draft.choices["intensity"].value
    channels = sum(
        count * len(intensity[name].get("windows", [None])) for name, count in draft.choices["channels"].value.items()
    )
    return int(channels * max(1, draft.choices["slices"].value))


def _divisible(shape: tuple[int, int, int], stride: tuple[int, int, int], dimensions: int) -> tuple[int, int, int]:
    z, y, x = (-(-side // step) * step for side, step in zip(shape, stride, strict=True))
    return (shape[0], y, x) if dimensions == 2 else (z, y, x)


def _throughput(machine: Capabilities) -> float:
    if machine.cuda:
        return ON_GPU
    return GFLOPS_PER_CORE * machine.cores * (WITH_AMX if machine.amx else 1.0)
