"""By which rule the intensities of each image input become what a network sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from diascope.core import registry
from diascope.core.plan import InputFacts
from diascope.planning.draft import Draft

FIELD = "intensity"
VIEWS = 3
"""Display windows that a whole image without a mask is shown in."""


def scale(draft: Draft, images: Mapping[str, InputFacts], masked: bool) -> None:
    """Put `intensity` into the draft: the modality's rule for every image input that the task names none for.

    Args:
        draft: With what the task chooses.
        images: Facts of each image input.
        masked: Whether masks say which tissue matters.
    """
    rules = {name: rule_of(facts, masked) for name, facts in images.items()}
    words = "; ".join(f"{name}: {rule['rule']} ({_what(images[name])})" for name, rule in rules.items())
    if FIELD in draft.of_task:
        own = draft.choices[FIELD]
        draft.choices[FIELD] = own.model_copy(update={"value": {**rules, **own.value}})
    else:
        draft.put(FIELD, rules, "rule", words or "no image input")


def _what(facts: InputFacts) -> str:
    return f"{facts.modality}: {facts.modality_reason}" if facts.modality_reason else facts.modality


def rule_of(facts: InputFacts, masked: bool) -> dict[str, Any]:
    """The intensity rule of an image input, with its numbers."""
    modality = registry.get("modalities", facts.modality)
    rule = modality.intensity
    if facts.details.get("over_time"):
        # One scale for all frames: a scale of its own would take from each what it shows beside the others.
        if rule != "window":
            return {"rule": "series"}
        ends = {"low": [min(facts.intensity["low"])], "high": [max(facts.intensity["high"])]}
        return {"rule": rule, **ends, **{key: [float(np.mean(facts.intensity[key]))] for key in ("mean", "std")}}
    if rule == "window" and not masked and modality.windows:
        # Without a mask nobody says which tissue matters, and air would set the scale: see it as a reader does.
        return {"rule": "windows", "windows": [[one.centre, one.width] for one in modality.windows[:VIEWS]]}
    if rule == "window":
        return {"rule": rule, **{key: list(facts.intensity[key]) for key in ("low", "high", "mean", "std")}}
    if rule in ("grey", "rgb") and facts.integer:
        # 16-bit films reach beyond 255: the range is then that of the training set.
        top = 255.0 if max(facts.intensity["high"]) <= 255 else max(facts.intensity["high"])
        mean, std = (
            [round(v / top, 4) for v in facts.intensity["mean"]],
            [round(max(v / top, 0.05), 4) for v in facts.intensity["std"]],
        )
        return {"rule": rule, "low": 0.0, "high": top, "mean": mean, "std": std}
    return {"rule": "z-score" if rule in ("grey", "rgb") else rule}
