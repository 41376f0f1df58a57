"""Operating points of boxes: from which probability on a box is said, chosen by a stated rule on validation."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import model_validator

from diascope.core.errors import BadUsage
from diascope.core.record import Record
from diascope.evidence.boxes.matching import Pooled

RuleName = Literal["f1", "false_positives_at_most", "sensitivity_at_least", "fixed"]
UNDEFINED = 0.5
"""Threshold where no box is there to choose by."""


class BoxRule(Record):
    """How the threshold of a label is chosen."""

    name: RuleName = "f1"
    """`f1`: highest F1 of the boxes; `false_positives_at_most`: the lowest threshold that stays below so many an image;
    `sensitivity_at_least`: the highest threshold that reaches it; `fixed`: given by hand."""
    value: float | None = None
    """What is to be kept or reached, or the fixed threshold. None for F1."""

    @model_validator(mode="after")
    def _value_fits(self) -> BoxRule:
        if (self.name == "f1") != (self.value is None):
            wanted = "no value" if self.name == "f1" else "a value"
            raise BadUsage(f"the rule {self.name!r} takes {wanted}", given=self.value)
        largest = np.inf if self.name == "false_positives_at_most" else 1.0
        if self.value is not None and not 0 <= self.value <= largest:
            raise BadUsage(f"the rule {self.name!r} takes a value in 0..{largest:g}", given=self.value)
        return self


class BoxPoint(Record):
    """A threshold, how it was chosen, and what it achieved on the images it was chosen on."""

    threshold: float
    """A box is said when its calibrated probability is at least this."""
    rule: BoxRule
    sensitivity: float | None
    """Share of the boxes there are that were found; None where there are none."""
    ppv: float | None
    """Share of the boxes said that hit; None where none was said."""
    false_positives: float | None
    """An image."""
    truths: int
    images: int
    sound: bool = True
    """False where the rule could not be followed, and 0.5 was taken."""

    @property
    def words(self) -> str:
        """One line: the rule and the threshold."""
        said = {
            "f1": "highest F1",
            "false_positives_at_most": f"at most {self.rule.value} false positives an image",
            "sensitivity_at_least": f"sensitivity of at least {self.rule.value}",
            "fixed": "set by hand",
        }[self.rule.name]
        doubt = "" if self.sound else "; the rule could not be followed"
        return f"probability >= {self.threshold:.3f} ({said}, validation{doubt})"


def choose(label: Pooled, rule: BoxRule, level: int = 0) -> BoxPoint:
    """The operating point that a rule picks for one label.

    Thresholds lie halfway between neighbouring probabilities, so that the last digit of a sum cannot change a decision.

    Args:
        label: All images of validation, with calibrated probabilities as scores.
        rule: How to choose.
        level: Place of the overlap from which on a box hits.
    """
    images = len(label.truths)
    hits, false, truths = label.counted(np.arange(images))
    hits, false = np.r_[0.0, hits[level]], np.r_[0.0, false[level]]
    if rule.name == "fixed" and rule.value is not None:
        place = int(np.searchsorted(-label.scores, -rule.value, side="right"))
        return _point(rule.value, rule, (hits[place], false[place]), (truths, images))
    if not truths or not len(label.scores):
        return _point(UNDEFINED, rule, (0.0, 0.0), (truths, images), sound=False)
    # After each run of equal scores, and before the first.
    ends = np.r_[0, np.flatnonzero(np.diff(label.scores)) + 1, len(label.scores)]
    place = int(ends[_best(rule, hits[ends] / truths, false[ends] / images, _f1(hits[ends], false[ends], truths))])
    above = label.scores[place - 1] if place else min(1.0, label.scores[0] + 2e-3)
    below = label.scores[place] if place < len(label.scores) else 0.0
    return _point(float((above + below) / 2), rule, (hits[place], false[place]), (truths, images))


def _f1(hits: np.ndarray, false: np.ndarray, truths: int) -> np.ndarray:
    return np.asarray(2 * hits / (hits + false + truths))


def _best(rule: BoxRule, sensitivity: np.ndarray, false: np.ndarray, f1: np.ndarray) -> int:
    """Index of the threshold; they descend, hence sensitivity and false positives rise."""
    if rule.name == "f1":
        return len(f1) - 1 - int(np.argmax(np.round(f1[::-1], 12)))
    wanted = rule.value or 0.0
    if rule.name == "false_positives_at_most":
        return int(np.flatnonzero(false <= wanted + 1e-12)[-1])
    reached = np.flatnonzero(sensitivity >= wanted - 1e-12)
    return int(reached[0]) if reached.size else len(sensitivity) - 1


def _point(
    threshold: float, rule: BoxRule, counts: tuple[float, float], size: tuple[int, int], sound: bool = True
) -> BoxPoint:
    (hits, false), (truths, images) = counts, size
    return BoxPoint(
        threshold=threshold,
        rule=rule,
        sensitivity=hits / truths if truths else None,
        ppv=hits / (hits + false) if hits + false else None,
        false_positives=false / images if images else None,
        truths=truths,
        images=images,
        sound=sound,
    )
