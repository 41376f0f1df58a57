"""Operating points: from which probability on a case is called positive, chosen by a stated rule on validation."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from diascope.core.errors import BadUsage
from diascope.core.record import Record

RuleName = Literal["youden", "f1", "sensitivity_at_least", "specificity_at_least", "fixed"]
_NEEDS_VALUE = ("sensitivity_at_least", "specificity_at_least", "fixed")
_UNDEFINED_THRESHOLD = 0.5


class Rule(Record):
    """How a threshold is chosen."""

    name: RuleName = "youden"
    """`youden`: most sensitivity + specificity (Youden 1950); `f1`: highest F1; `sensitivity_at_least`: the highest
    threshold that reaches it; `specificity_at_least`: the lowest that reaches it; `fixed`: given by hand."""
    value: float | None = None
    """What is to be reached, or the fixed threshold; 0..1. None for the rules that need none."""

    @model_validator(mode="after")
    def _value_fits(self) -> Rule:
        needed = self.name in _NEEDS_VALUE
        if needed != (self.value is not None) or (self.value is not None and not 0 <= self.value <= 1):
            wanted = "a value in 0..1" if needed else "no value"
            raise BadUsage(f"the rule {self.name!r} takes {wanted}", given=self.value)
        return self


class OperatingPoint(Record):
    """A threshold, how it was chosen and what it achieved on the cases it was chosen on."""

    threshold: float
    """A case is called positive when its calibrated probability is at least this."""
    rule: Rule
    sensitivity: float | None
    specificity: float | None
    ppv: float | None
    npv: float | None
    """On the cases that it was chosen on (so a little too good); None where undefined."""
    positives: int
    negatives: int
    sound: bool = True
    """False where the rule could not be followed (one class only) and 0.5 was taken."""

    @property
    def words(self) -> dict[str, str]:
        """The operating point in one sentence, by language."""
        return {"en": _english(self), "zh-CN": _chinese(self)}


def choose(truth: npt.NDArray[Any], probability: npt.NDArray[Any], rule: Rule) -> OperatingPoint:
    """The operating point that a rule picks.

    Thresholds lie halfway between neighbouring probabilities, so that the last digit of a sum cannot change a decision.
    Of equally good ones the lowest, which misses least, is taken.

    Args:
        truth: (N,) bool.
        probability: (N,) calibrated, of the positive class.
        rule: How to choose.

    Raises:
        BadUsage: When a probability is not finite.
    """
    truth, probability = np.asarray(truth).astype(bool), np.asarray(probability, np.float64)
    if not np.isfinite(probability).all():
        raise BadUsage(
            "an operating point needs finite probabilities", given=f"{int((~np.isfinite(probability)).sum())}"
        )
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if rule.name == "fixed" and rule.value is not None:
        return _achieved(truth, probability, rule.value, rule)
    if not positives or not negatives:
        point = _achieved(truth, probability, _UNDEFINED_THRESHOLD, rule)
        return point.model_copy(update={"sound": False})
    thresholds = _thresholds(probability)
    above, below = np.sort(probability[truth]), np.sort(probability[~truth])
    hits = positives - np.searchsorted(above, thresholds, side="left")
    clear = np.searchsorted(below, thresholds, side="left")
    index = _best(rule, hits / positives, clear / negatives, 2 * hits / (hits + negatives - clear + positives))
    return _achieved(truth, probability, float(thresholds[index]), rule)


def _best(
    rule: Rule,
    sensitivity: npt.NDArray[np.float64],
    specificity: npt.NDArray[np.float64],
    f1: npt.NDArray[np.float64],
) -> int:
    """Index of the threshold; thresholds ascend, hence sensitivity falls and specificity rises."""
    if rule.name == "youden":
        # Rounded: equal sums must not be ranked by their last bit.
        return int(np.argmax(np.round(sensitivity + specificity, 12)))
    if rule.name == "f1":
        return int(np.argmax(np.round(f1, 12)))
    wanted = (rule.value or 0.0) - 1e-12
    if rule.name == "sensitivity_at_least":
        return int(np.flatnonzero(sensitivity >= wanted)[-1])
    return int(np.flatnonzero(specificity >= wanted)[0])


def _thresholds(probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Ascending: all positive, between each two neighbours, none positive."""
    values = np.unique(probability)
    top = float(values[-1])
    none = (top + 1) / 2 if top < 1 else float(np.nextafter(top, 2))
    return np.concatenate([[min(0.0, float(values[0]))], (values[:-1] + values[1:]) / 2, [none]])


def _achieved(
    truth: npt.NDArray[np.bool_], probability: npt.NDArray[np.float64], threshold: float, rule: Rule
) -> OperatingPoint:
    called = probability >= threshold
    positives, negatives = int(truth.sum()), int((~truth).sum())
    hits, clear = int((called & truth).sum()), int((~called & ~truth).sum())
    calls = int(called.sum())
    return OperatingPoint(
        threshold=threshold,
        rule=rule,
        sensitivity=_share(hits, positives),
        specificity=_share(clear, negatives),
        ppv=_share(hits, calls),
        npv=_share(clear, truth.size - calls),
        positives=positives,
        negatives=negatives,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _number(value: float | None, missing: str) -> str:
    return missing if value is None else f"{value:.3f}"


def _english(point: OperatingPoint) -> str:
    rule = {
        "youden": "the highest sum of sensitivity and specificity (Youden)",
        "f1": "the highest F1",
        "sensitivity_at_least": f"the highest threshold with a sensitivity of at least {point.rule.value}",
        "specificity_at_least": f"the lowest threshold with a specificity of at least {point.rule.value}",
        "fixed": "set by hand",
    }[point.rule.name]
    called = f"A case is called positive when its probability is at least {point.threshold:.3f}"
    if not point.sound:
        return f"{called}: the rule ({rule}) could not be followed, because the cases to choose on hold one class only."
    missing = "undefined"
    return (
        f"{called}: {rule}, chosen on {point.positives} positive and {point.negatives} negative cases not trained "
        f"on, where it has a sensitivity of {_number(point.sensitivity, missing)} and a specificity of "
        f"{_number(point.specificity, missing)}."
    )


def _chinese(point: OperatingPoint) -> str:
    rule = {
        "youden": "灵敏度与特异度之和最大（约登指数）",
        "f1": "F1 值最大",
        "sensitivity_at_least": f"灵敏度不低于 {point.rule.value} 的最高阈值",
        "specificity_at_least": f"特异度不低于 {point.rule.value} 的最低阈值",
        "fixed": "人工设定",
    }[point.rule.name]
    called = f"概率不低于 {point.threshold:.3f} 时判为阳性"
    if not point.sound:
        return f"{called}：用于选择的病例只有一个类别，无法按规则（{rule}）选择。"
    missing = "无定义"
    return (
        f"{called}：{rule}；在未参与训练的 {point.positives} 例阳性和 {point.negatives} 例阴性病例上选定，"
        f"灵敏度为 {_number(point.sensitivity, missing)}，特异度为 {_number(point.specificity, missing)}。"
    )
