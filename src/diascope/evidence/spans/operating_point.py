"""Operating points of spans: from which probability on a span is said, chosen by a stated rule on validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from diascope.core.errors import BadUsage
from diascope.core.record import Record

RuleName = Literal["f1", "recall_at_least", "precision_at_least", "fixed", "best_path"]
UNDEFINED = 0.5
"""Threshold where no span is there to choose by."""


class SpanRule(Record):
    """How the threshold is chosen."""

    name: RuleName = "f1"
    """`f1`: highest strict F1; `recall_at_least`: the highest threshold that reaches it; `precision_at_least`: the
    lowest that reaches it; `fixed`: given by hand; `best_path`: no threshold, the spans of the most probable tags."""
    value: float | None = None
    """What is to be reached, or the fixed threshold; 0..1. None for the rules that need none."""

    @model_validator(mode="after")
    def _value_fits(self) -> SpanRule:
        needed = self.name not in ("f1", "best_path")
        if needed != (self.value is not None) or (self.value is not None and not 0 <= self.value <= 1):
            raise BadUsage(
                f"the rule {self.name!r} takes {'a value in 0..1' if needed else 'no value'}", given=self.value
            )
        return self


class SpanPoint(Record):
    """A threshold, how it was chosen, and what it achieved on the texts it was chosen on."""

    threshold: float
    """A span is said when its calibrated probability is at least this; 0 for the rule `best_path`."""
    rule: SpanRule
    precision: float | None
    """Share of the said spans that are right; None where none was said."""
    recall: float | None
    """Share of the true spans that were found; None where there are none."""
    truths: int
    """True spans of the texts that it was chosen on."""
    sound: bool = True
    """False where the rule could not be followed, and 0.5 was taken."""

    @property
    def words(self) -> dict[str, str]:
        """The operating point in one sentence, by language."""
        value = "" if self.rule.value is None else f" {self.rule.value:g}"
        english = {
            "f1": "highest F1",
            "recall_at_least": f"recall of at least{value}",
            "precision_at_least": f"precision of at least{value}",
            "fixed": "set by hand",
            "best_path": "most probable tags",
        }[self.rule.name]
        chinese = {
            "f1": "F1 值最大",
            "recall_at_least": f"召回率不低于{value}",
            "precision_at_least": f"精确率不低于{value}",
            "fixed": "人工设定",
            "best_path": "概率最大的标注序列",
        }[self.rule.name]
        doubt = ("", "") if self.sound else ("; the rule could not be followed", "；规则无法满足")
        return {
            "en": f"confidence >= {self.threshold:.3f} ({english}, validation{doubt[0]})",
            "zh-CN": f"置信度 ≥ {self.threshold:.3f}（{chinese}，在验证部分选定{doubt[1]}）",
        }


def choose(
    probability: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], truths: int, rule: SpanRule
) -> SpanPoint:
    """The operating point that a rule picks.

    Thresholds lie halfway between neighbouring probabilities, so that the last digit of a sum cannot change a decision.

    Args:
        probability: (N,) calibrated, of the spans that could be said, none of which share characters.
        right: (N,) whether each is a true span.
        truths: How many true spans there are, also those that could not be said.
        rule: How to choose.
    """
    if rule.name == "best_path":
        return _achieved(probability, right, truths, (0.0, rule))
    if rule.name == "fixed" and rule.value is not None:
        return _achieved(probability, right, truths, (rule.value, rule))
    if not truths or not right.any():
        return _achieved(probability, right, truths, (UNDEFINED, rule)).model_copy(update={"sound": False})
    values = np.unique(probability)
    thresholds = np.r_[values[0] / 2, (values[:-1] + values[1:]) / 2]
    order = np.sort(probability[right])
    hits = right.sum() - np.searchsorted(order, thresholds, side="left")
    said = len(probability) - np.searchsorted(np.sort(probability), thresholds, side="left")
    index = _best(rule, hits / truths, hits / said, 2 * hits / (said + truths))
    if index is None:
        return _achieved(probability, right, truths, (UNDEFINED, rule)).model_copy(update={"sound": False})
    return _achieved(probability, right, truths, (float(thresholds[index]), rule))


Floats = npt.NDArray[np.float64]


def _best(rule: SpanRule, recall: Floats, precision: Floats, f1: Floats) -> int | None:
    """Place of the threshold; thresholds ascend. None where none reaches what was asked for."""
    if rule.name == "f1":
        return int(np.argmax(np.round(f1, 12)))
    wanted = (rule.value or 0.0) - 1e-12
    reached = np.flatnonzero((recall if rule.name == "recall_at_least" else precision) >= wanted)
    if not reached.size:
        return None
    return int(reached[-1] if rule.name == "recall_at_least" else reached[0])


def _achieved(
    probability: Floats, right: npt.NDArray[np.bool_], truths: int, point: tuple[float, SpanRule]
) -> SpanPoint:
    said = probability >= point[0]
    hits: int = int((said & right).sum())
    return SpanPoint(
        threshold=point[0],
        rule=point[1],
        precision=hits / int(said.sum()) if said.any() else None,
        recall=hits / truths if truths else None,
        truths=truths,
    )


def said_by(probability: Sequence[float], on_path: Sequence[bool], point: SpanPoint) -> npt.NDArray[np.bool_]:
    """Which spans an operating point says."""
    if point.rule.name == "best_path":
        return np.asarray(on_path, bool)
    return np.asarray(probability, np.float64) >= point.threshold
