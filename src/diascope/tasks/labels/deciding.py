"""Each label by itself: a calibrated probability, and the point from which on it is called present."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from diascope.core.finding import Threshold
from diascope.core.plan import Plan
from diascope.evidence.calibration import fit_offsets, fit_temperature, probabilities
from diascope.evidence.operating_point import Rule, choose
from diascope.tasks.labels.knowing import Floats


def fit_label(logits: Floats, truth: Floats, weight: float, rule: Rule) -> dict[str, Any]:
    """Calibration (an offset and a temperature: Platt 1999) and operating point of one label.

    Args:
        logits: (N,) log odds, uncalibrated.
        truth: (N,) 1, 0, or nan where it is not known: these cases do not count.
        weight: How much more a present label counted in training.
        rule: Of the operating point.
    """
    known = np.isfinite(truth)
    pairs, present = np.stack([np.zeros(known.sum()), logits[known]], axis=1), truth[known] == 1
    offsets = fit_offsets(pairs, present, [1.0, weight])
    temperature = fit_temperature(pairs + offsets, present)
    point = choose(present, probabilities(pairs + offsets, temperature.value)[:, 1], rule)
    return {
        "offset": float(offsets[1] - offsets[0]),
        "temperature": temperature.value,
        "calibration": temperature.to_json(),
        "point": point.to_json(),
        "rule": point.words,
    }


def said_of(logits: Sequence[float], decisions: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[int]]:
    """Calibrated probability of each label, and 1 where it is called present."""
    offset, temperature, threshold = (
        np.array([float(value) for value in values])
        for values in (
            [one["offset"] for one in decisions],
            [one["temperature"] for one in decisions],
            [one["point"]["threshold"] for one in decisions],
        )
    )
    said = expit((np.asarray(logits, np.float64) + offset) / temperature)
    return [float(value) for value in said], [int(value) for value in said >= threshold]


def in_order(decision: Mapping[str, Any], plan: Plan) -> list[Mapping[str, Any]]:
    """What was decided about each label, in the order of the plan."""
    return [decision["labels"][label.name] for label in plan.target.labels]


def threshold_of(name: str, decision: Mapping[str, Any]) -> Threshold:
    """The operating point of one label in numbers."""
    point = decision["point"]
    rule = point.get("rule", {})
    words = [str(rule[key]) for key in ("name", "value") if rule.get(key) is not None]
    return Threshold(of=name, value=point["threshold"], rule=" ".join(words) or "given", sound=point.get("sound", True))
