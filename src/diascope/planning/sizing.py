"""Network width, patch and batch: as large as still leaves enough steps in the time, and fits the memory.

Throughput is first guessed from the cores; the probe then measures the size that was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from diascope.core import registry
from diascope.core.errors import DoesNotFit
from diascope.core.plan import Fingerprint
from diascope.engine.devices import Capabilities
from diascope.models import InputSpec
from diascope.planning.budget import Budget
from diascope.planning.grid import Grid, fitted_patch

GFLOPS_PER_CORE = 90.0
"""fp32, channels last, kept allocator: about what two cores of a recent Xeon reach in training (PERFORMANCE.md)."""
WITH_AMX = 4.0
ON_GPU = 20_000.0
LEAN = (1.0, 0.75, 0.5, 0.375, 0.25)
"""Shares of a model's own width that are tried, widest first."""
WANTED_STEPS = {True: 1500, False: 3000}
"""Steps that a schedule should have: whole images, patches. More steps beat more width (NUMBERS.md)."""
BASE_GB = 0.9
"""Interpreter, libraries, kept allocator."""


@dataclass(frozen=True)
class Size:
    """What was chosen."""

    dimensions: Literal[0, 2, 3]
    gflop: float
    """Of one step, forward and backward."""


def sized(draft: Any, facts: Fingerprint, grid: Grid, budget: Budget, machine: Capabilities) -> Size:
    """Choose `model_options`, `patch` and `batch`, and write them into the draft.

    Raises:
        DoesNotFit: When the smallest network and batch need more memory than is allowed.
    """
    model = registry.get("models", draft.choices["model"].value)
    whole = bool(draft.choices["whole"].value)
    spec = _spec(draft, facts, grid)
    train_cases = sum(facts.strata.values())
    speed = _throughput(machine)
    seconds = 0.7 * budget.minutes * 60 / max(1, draft.choices["folds"].value)
    wanted = WANTED_STEPS[whole] * min(1.0, budget.minutes / 15)
    chosen = None
    for lean, batch, shape in _ladder(spec, grid, whole, train_cases):
        one = InputSpec(spec.kind, spec.channels, spec.dimensions, shape, spec.spacing)
        options = narrowed(model.options(one), lean)
        shape = _divisible(shape, model.stride(options), one.dimensions)
        one = InputSpec(spec.kind, spec.channels, spec.dimensions, shape, spec.spacing)
        cost = model.cost(one, options)
        need = BASE_GB + (16 * cost.parameters + 1.3 * batch * cost.activation_bytes) / 1e9
        chosen = (options, shape, batch, cost.gflop * batch, need)
        if need <= draft.choices["memory_gb"].value and cost.gflop * batch / speed * wanted <= seconds:
            break
    if chosen is None or chosen[4] > draft.choices["memory_gb"].value:
        raise DoesNotFit(
            f"the smallest network needs {chosen[4] if chosen else 0:.1f} GB",
            given=f"{draft.choices['memory_gb'].value:.1f} GB are allowed",
            todo="Raise --memory, or train on smaller images: --set prepare=[...]",
        )
    options, shape, batch, gflop, need = chosen
    why = f"about {gflop:.0f} GFLOP a step leave {seconds * speed / max(gflop, 1e-9):.0f} steps in the time"
    options = draft.put("model_options", options, "rule", f"the widest that leaves enough steps: {why}")
    shape = draft.put(
        "patch", list(shape), "rule", grid.reason if whole else "median image, within what two cores can train on"
    )
    if whole and list(shape) != list(grid.shape) and draft.choices["patch"].kind != "by hand":
        _refit(draft, grid, shape)
    draft.put("batch", batch, "rule", f"{train_cases} training cases; {need:.1f} GB by estimate")
    draft.put("estimated_gb", round(need, 2), "rule", "by the model's own estimate, before the probe")
    return Size(spec.dimensions, gflop)


def narrowed(options: dict[str, Any], share: float) -> dict[str, Any]:
    """The options with fewer channels: `features` (a list) or `width` (a number), in multiples of 8."""
    changed = dict(options)
    if "features" in options:
        changed["features"] = [max(8, round(width * share / 8) * 8) for width in options["features"]]
    if "width" in options:
        changed["width"] = max(8, round(options["width"] * share / 8) * 8)
    return changed


def _ladder(spec: InputSpec, grid: Grid, whole: bool, cases: int) -> list[tuple[float, int, tuple[int, int, int]]]:
    """(share of width, batch, shape) from large to small."""
    if spec.dimensions == 0:
        return [(1.0, int(np.clip(cases // 10, 8, 128)), (1, 1, 1))]
    if whole:
        flat = spec.dimensions == 2
        batch = int(
            np.clip(2 ** round(np.log2(max(8.0, cases / 25))), 8, 32 if not flat or max(grid.shape) > 64 else 128)
        )
        rungs: list[tuple[float, int, tuple[int, int, int]]] = [(lean, batch, grid.shape) for lean in LEAN]
        smaller = [tuple(max(1, round(side * f)) for side in grid.shape) for f in (0.75, 0.6)]
        return rungs + [(LEAN[-1], min(batch, 16), (s[0] if not flat else 1, s[1], s[2])) for s in smaller]
    rungs = []
    for lean in LEAN:
        rungs += [(lean, batch, grid.shape) for batch in ((9, 6, 4, 2) if lean < 1 else (9, 6))]
    steps = np.array(grid.steps)
    size = np.array(grid.shape, float)
    for factor in (0.8, 0.65, 0.5):
        cut = np.maximum(size * factor, np.minimum(size, 16))
        rungs.append((LEAN[-1], 2, fitted_patch(cut, spec.dimensions, steps)))
    return rungs


def _spec(draft: Any, facts: Fingerprint, grid: Grid) -> InputSpec:
    images = draft.choices["image_inputs"].value
    if images:
        dimensions = facts.inputs[images[0]].dimensions
        return InputSpec("image", _channels(draft), dimensions, grid.shape, grid.steps)
    name = draft.choices["table_inputs"].value[0]
    return InputSpec("table", facts.inputs[name].channels, 0)


def _channels(draft: Any) -> int:
    intensity = draft.choices["intensity"].value
    return sum(
        count * len(intensity[name].get("windows", [None])) for name, count in draft.choices["channels"].value.items()
    )


def _divisible(shape: tuple[int, int, int], stride: tuple[int, int, int], dimensions: int) -> tuple[int, int, int]:
    z, y, x = (-(-side // step) * step for side, step in zip(shape, stride, strict=True))
    return (1, y, x) if dimensions == 2 else (z, y, x)


def _throughput(machine: Capabilities) -> float:
    if machine.cuda:
        return ON_GPU
    return GFLOPS_PER_CORE * machine.cores * (WITH_AMX if machine.amx else 1.0)


def _refit(draft: Any, grid: Grid, shape: list[int]) -> None:
    """Bring the preparation to a smaller whole-image size."""
    factor = [full / small for full, small in zip(grid.shape, shape, strict=True)]
    prepare = []
    for name, params in draft.choices["prepare"].value or [["resample", {"order": 3, "anti_alias": True}]]:
        changed = dict(params)
        if "spacing" in changed:
            changed["spacing"] = [round(s * f, 4) for s, f in zip(changed["spacing"], factor, strict=True)]
        else:
            changed["shape"] = list(shape)
        prepare.append([name, changed])
    draft.put("prepare", prepare, "rule", "scaled down so that enough steps fit the time")
    draft.put(
        "spacing",
        [s * f for s, f in zip(grid.steps, factor, strict=True)],
        "rule",
        "steps (z, y, x) of the working grid",
    )
