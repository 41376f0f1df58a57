"""The contract on time: minutes become a number of steps, once, when the plan is made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from diascope.core.case import Dataset
from diascope.core.plan import Fingerprint
from diascope.core.presence import LABELS
from diascope.engine.fit import WATCHED
from diascope.planning.budget import REPORT_SECONDS, RESERVE, Budget
from diascope.planning.probe import Probe

EPOCHS_WHOLE = 100
"""Beyond this many passes over whole images a network from scratch mostly learns them by heart."""
EPOCHS_PATCHES = 4000
VALIDATIONS = 8
FEWEST_STEPS = 20
"""Below this nothing is learnt: a budget is refused that has no room for them."""
READ_SHARE = 0.3
"""Of the time that reading may take before the mirrored readings are left out."""
SPARSE_OVERLAP = 0.25
"""Of sliding windows, where the usual one and no mirrored readings would still take that share."""
SHOWN_AGAIN = 12
"""Cases that the galleries of the report read once more."""
VOXEL_SECONDS = 1.5e-8
"""For each voxel of a file and each label: bringing scores to the file's grid, arg-max and surfaces (two cores)."""
PLACE_SECONDS = 1.5e-4
"""For each character of a text that is read stretch by stretch: sums over the paths of its tags."""
RESAMPLED_SECONDS = 1.2e-3
"""For each test case and class: a thousand resamples of every figure."""
WATCH_SHARE = 0.08
"""Of the training time that may go into watching it."""


@dataclass(frozen=True)
class Costs:
    """Seconds: of one step; to read one case; to prepare all; to read all that is read after training."""

    step: float
    read_one: float
    prepare: float
    read: float


def timed(draft: Any, dataset: Dataset, facts: Fingerprint, found: Probe, budget: Budget) -> None:
    """Choose `steps`, the intervals of log, validation and checkpoint, and predict minutes and memory."""
    folds = max(1, draft.choices["folds"].value)
    costs = _costs(draft, dataset, facts, found, budget)
    left = _room(budget, costs.prepare) - costs.read
    validation = len(dataset.part("val")) if folds == 1 else len(dataset.part("train")) // folds
    looks, watched = _looks(validation, costs.read_one, left / folds)
    watch = looks * watched * costs.read_one * folds
    reason = f"validation cases scored {looks} times: at most {WATCH_SHARE:.0%} of the time"
    draft.put("watched", watched, "rule", reason)
    seen = len(dataset.part("train")) * _stretches(draft, facts, 0.0)
    seconds = watch + _steps(draft, seen, costs, left - watch, folds)
    steps = draft.choices["steps"].value
    timeless = draft.choices["steps"].kind == "by hand"
    reason = "what the loop may take; none where the steps are given"
    draft.put("train_seconds", None if timeless else round(seconds, 1), "rule", reason)
    draft.put("warmup", max(5, min(200, steps // 20)), "rule", "a twentieth of the steps")
    draft.put("validate_every", max(1, steps // looks), "rule", f"{looks} looks at the validation part")
    draft.put("checkpoint_every", max(10, int(30 / costs.step) // 10 * 10), "rule", "about every 30 s")
    minutes = (budget.spent_seconds + costs.prepare + seconds + costs.read + REPORT_SECONDS) / 60
    reason = f"{(costs.prepare + costs.read) / 60:.1f} minutes to read the cases, {seconds / 60:.1f} for training"
    draft.put("predicted_minutes", round(minutes, 2), "measured", f"{reason}, the rest for looking and the report")
    pack = 4e-9 * facts.bytes_decoded / 4
    gigabytes = round(found.peak_gb * 1.05 + 0.3 + min(pack, 0.5 * found.peak_gb), 2)
    draft.put("predicted_gb", gigabytes, "measured", "peak of the probe, and the prepared cases")


def _room(budget: Budget, prepare: float) -> float:
    """Seconds for training and reading."""
    return RESERVE * budget.minutes * 60 - budget.spent_seconds - prepare - REPORT_SECONDS


def _costs(draft: Any, dataset: Dataset, facts: Fingerprint, found: Probe, budget: Budget) -> Costs:
    """Every case is read once after training: validation for the decision, test (or held out) for the figures."""
    folded = bool(draft.choices["folds"].value)
    count = len(dataset.cases) if folded else len(dataset.part("val")) + len(dataset.part("test"))
    count += 0 if draft.choices["whole"].value else min(SHOWN_AGAIN, count)
    audit = draft.choices["audit_seconds"].value if "audit_seconds" in draft.choices else None
    count += 0 if audit is None else len(dataset.part("train"))
    prepare = 1.2 * len(dataset.cases) * facts.seconds_per_case
    most = READ_SHARE * _room(budget, prepare)

    def read_one() -> float:
        return _read_seconds(draft, facts, found) + facts.seconds_per_case + _file_seconds(draft, dataset, facts)

    if read_one() * count > most:
        draft.put("mirror_reading", False, "rule", f"mirrored readings would take above {READ_SHARE:.0%} of the time")
    if read_one() * count > most and not draft.choices["whole"].value:
        reason = f"windows that overlap by half would take above {READ_SHARE:.0%} of the time"
        draft.put("overlap", SPARSE_OVERLAP, "rule", reason)
    figures = _figure_seconds(dataset, len(dataset.cases) if folded else len(dataset.part("test")))
    return Costs(found.seconds_per_step, read_one(), prepare, read_one() * count + figures + (audit or 0.0))


def _file_seconds(draft: Any, dataset: Dataset, facts: Fingerprint) -> float:
    """Seconds that the voxels of one file, or the characters of a text, take after the network has seen them."""
    if draft.choices["whole"].value:
        return 0.0
    if not draft.choices["image_inputs"].value:
        long = _long(draft)
        return PLACE_SECONDS * facts.inputs[long].shapes[2][2] if long else 0.0
    voxels = float(np.prod(facts.inputs[draft.choices["image_inputs"].value[0]].shapes[2]))
    return VOXEL_SECONDS * voxels * (1 + len(dataset.target.labels))


def _figure_seconds(dataset: Dataset, cases: int) -> float:
    """Seconds for the intervals of figures that are computed anew on every resample."""
    if dataset.target.kind not in ("category", "boxes", LABELS):
        return 0.0
    classes = len(dataset.target.labels)
    return RESAMPLED_SECONDS * cases * (1 if classes == 2 and dataset.target.kind == "category" else classes)


def _steps(draft: Any, cases: int, costs: Costs, left: float, folds: int) -> float:
    """Choose the steps; the seconds that they take."""
    own = draft.choices.get("passes")
    epochs = own.value if own else EPOCHS_WHOLE if draft.choices["whole"].value else EPOCHS_PATCHES
    cap = max(60, int(np.ceil(epochs * cases / draft.choices["batch"].value)))
    left = max(left, FEWEST_STEPS * costs.step * folds)
    fits = int(left / folds / costs.step)
    reason = f"{costs.step:.3f} s a step, {left / 60:.1f} minutes are left for training"
    if fits > cap:
        reason = f"{epochs} passes"
    steps = draft.put("steps", max(FEWEST_STEPS, min(cap, fits)), "measured", reason)
    draft.put("steps_cap", cap, "rule", f"at most {epochs} passes over the training cases")
    by_hand = draft.choices["steps"].kind == "by hand"
    # Where time is the limit, all of it may be used.
    return float(max(left, steps * costs.step * folds) if fits <= cap and not by_hand else steps * costs.step * folds)


def _looks(cases: int, each: float, seconds: float) -> tuple[int, int]:
    """How often how many validation cases are scored during training."""
    affordable = max(1, int(WATCH_SHARE * max(seconds, 0.0) / max(each, 1e-6)))
    watched = max(1, min(WATCHED, cases, affordable // 3 or 1))
    return max(1, min(VALIDATIONS, affordable // watched)), watched


def _stretches(draft: Any, facts: Fingerprint, overlap: float) -> int:
    """Stretches that a usual text is cut into where it is not seen whole; 1 for everything that is."""
    long = _long(draft)
    if long is None:
        return 1
    length, size = facts.inputs[long].shapes[2][2], draft.choices["patch"].value[2]
    pieces: int = math.ceil(max(length - size, 0) / max(1.0, size * (1 - overlap)))
    return pieces + 1


def _long(draft: Any) -> str | None:
    """The input that is read stretch by stretch; None without."""
    readings = draft.choices["readings"].value.items()
    return next((name for name, settings in readings if settings.get("whole")), None)


def _read_seconds(draft: Any, facts: Fingerprint, found: Probe) -> float:
    """Seconds to read one prepared case: a forward pass costs a third of a step."""
    forward = found.seconds_per_step / draft.choices["batch"].value / 3
    passes = 1 + len(draft.choices["mirror_axes"].value) * bool(draft.choices["mirror_reading"].value)
    if draft.choices["whole"].value or not draft.choices["image_inputs"].value:
        return float(forward * passes * _stretches(draft, facts, draft.choices["overlap"].value))
    first = facts.inputs[draft.choices["image_inputs"].value[0]]
    size = np.array(first.shapes[2]) * np.array(first.spacings[2]) / np.array(draft.choices["spacing"].value)
    patch = np.array(draft.choices["patch"].value)
    step = np.maximum(1, patch * (1 - draft.choices["overlap"].value))
    windows = np.prod(np.ceil(np.maximum(size - patch, 0) / step) + 1)
    return float(forward * passes * windows)
