"""The contract on time: minutes become a number of steps, once, when the plan is made."""

from __future__ import annotations

from typing import Any

import numpy as np

from diascope.core.case import Dataset
from diascope.core.plan import Fingerprint
from diascope.engine.fit import WATCHED
from diascope.planning.budget import REPORT_SECONDS, RESERVE, Budget
from diascope.planning.probe import Probe

EPOCHS_WHOLE = 100
"""Beyond this many passes over whole images a network from scratch mostly learns them by heart."""
EPOCHS_PATCHES = 4000
VALIDATIONS = 8
LEAST_SHARE = 0.4
"""Of what is left of the budget: training gets at least this much, whatever the probe guessed of the rest."""
WATCH_SHARE = 0.08
"""Of the training time that may go into watching it."""


def timed(draft: Any, dataset: Dataset, facts: Fingerprint, found: Probe, budget: Budget) -> None:
    """Choose `steps`, the intervals of log, validation and checkpoint, and predict minutes and memory."""
    folds = max(1, draft.choices["folds"].value)
    batch, cases = draft.choices["batch"].value, len(dataset.part("train"))
    prepare = 1.2 * len(dataset.cases) * facts.seconds_per_case
    read_one = _read_seconds(draft, facts, found) + facts.seconds_per_case
    # Every case is read about once after training: validation for the decision, test (or held out) for the figures.
    read = read_one * (len(dataset.cases) if folds > 1 else len(dataset.part("val")) + len(dataset.part("test")))
    left = RESERVE * budget.minutes * 60 - budget.spent_seconds - prepare - read - REPORT_SECONDS
    looks, watched = _looks(len(dataset.part("val")) if folds == 1 else cases // folds, read_one, left / folds)
    watch = looks * watched * read_one * folds
    left -= watch
    draft.put(
        "watched", watched, "rule", f"validation cases scored {looks} times: at most {WATCH_SHARE:.0%} of the time"
    )
    step = found.seconds_per_step
    epochs = EPOCHS_WHOLE if draft.choices["whole"].value else EPOCHS_PATCHES
    cap = max(60, int(np.ceil(epochs * cases / batch)))
    left = max(left, LEAST_SHARE * (RESERVE * budget.minutes * 60 - budget.spent_seconds))
    fits = int(left / folds / step)
    rule = max(20, min(cap, fits))
    reason = (
        f"{step:.3f} s a step, {left / 60:.1f} of {budget.minutes:g} minutes are left for training"
        if fits <= cap
        else f"{epochs} passes"
    )
    steps = draft.put("steps", rule, "measured", reason)
    draft.put("steps_cap", cap, "rule", f"at most {epochs} passes over the training cases")
    by_hand = draft.choices["steps"].kind == "by hand"
    # Where time is the limit, all of it may be used: the loop's first look corrects what the probe guessed.
    seconds = watch + (max(left, steps * step * folds) if fits <= cap and not by_hand else steps * step * folds)
    draft.put(
        "train_seconds",
        None if by_hand else round(seconds, 1),
        "rule",
        "what the loop may take; none where the steps are given",
    )
    draft.put("warmup", max(5, min(200, steps // 20)), "rule", "a twentieth of the steps")
    draft.put("validate_every", max(1, steps // looks), "rule", f"{looks} looks at the validation part")
    draft.put("checkpoint_every", max(10, int(30 / step) // 10 * 10), "rule", "about every 30 s")
    minutes = (budget.spent_seconds + prepare + seconds + read + REPORT_SECONDS) / 60
    draft.put("predicted_minutes", round(minutes, 2), "measured", "reading, training, evaluation and report")
    pack = 4e-9 * facts.bytes_decoded / 4
    draft.put(
        "predicted_gb",
        round(found.peak_gb * 1.05 + 0.3 + min(pack, 0.5 * found.peak_gb), 2),
        "measured",
        "peak of the probe, and the prepared cases",
    )


def _looks(cases: int, each: float, seconds: float) -> tuple[int, int]:
    """How often how many validation cases are scored during training."""
    affordable = max(1, int(WATCH_SHARE * max(seconds, 0.0) / max(each, 1e-6)))
    watched = max(1, min(WATCHED, cases, affordable // 3 or 1))
    return max(1, min(VALIDATIONS, affordable // watched)), watched


def _read_seconds(draft: Any, facts: Fingerprint, found: Probe) -> float:
    """Seconds to read one prepared case: a forward pass costs a third of a step."""
    forward = found.seconds_per_step / draft.choices["batch"].value / 3
    passes = 1 + len(draft.choices["mirror_axes"].value) * bool(draft.choices["mirror_reading"].value)
    if draft.choices["whole"].value or not draft.choices["image_inputs"].value:
        return float(forward * passes)
    first = facts.inputs[draft.choices["image_inputs"].value[0]]
    size = np.array(first.shapes[2]) * np.array(first.spacings[2]) / np.array(draft.choices["spacing"].value)
    patch = np.array(draft.choices["patch"].value)
    windows = np.prod(np.ceil(np.maximum(size - patch, 0) / (patch * (1 - draft.choices["overlap"].value))) + 1)
    return float(forward * passes * windows)
