"""Ordinal classification: one of several ordered grades or stages, where a near miss is less wrong than a far one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.case import Target
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.engine.batch import Row
from diascope.engine.network import VectorNetwork
from diascope.engine.task import Scores, Statistic
from diascope.evidence.calibration import probabilities
from diascope.tasks.classification import Classification

SCALES = (
    ("none", "mild", "moderate", "severe"),
    ("absent", "mild", "moderate", "severe"),
    ("normal", "mild", "moderate", "severe"),
    ("low", "medium", "high"),
    ("low", "intermediate", "high"),
    ("i", "ii", "iii", "iv", "v"),
    ("a", "b", "c", "d", "e"),
)
"""Orders of words; a part of one, in any writing, is an order too."""
NUMBERED = re.compile(r"^\D*(\d+(?:\.\d+)?)\D*$")
"""`2`, `0.5`, `T2`, `grade 2`, `stage_2`: ordered by the number."""
METRICS = ("quadratic_kappa", "grade_error")
MEDIAN = {
    "en": "the median grade: the first one up to which at least half of the probability lies",
    "zh-CN": "中位等级：累计概率首次达到一半的等级",
}


class OrderedNetwork(VectorNetwork):
    """One score and K - 1 rising thresholds (cumulative link, McCullagh 1980), answered as K log-probabilities.

    Args:
        encoders: Input name to a module that maps it to (B, D).
        grades: K.
        dropout: Share of features dropped in training.
    """

    def __init__(self, encoders: Mapping[str, nn.Module], grades: int, dropout: float = 0.0) -> None:
        super().__init__(encoders, 1, dropout)
        self.first = nn.Parameter(torch.tensor(-1.0))
        self.steps = nn.Parameter(torch.zeros(grades - 2))
        self.outputs = grades

    def answer(self, features: Tensor) -> Tensor:
        """(B, D) to (B, K) log-probabilities."""
        score = super().answer(features).float()
        rises = nn.functional.softplus(self.steps).cumsum(0)
        thresholds = torch.cat([self.first[None], self.first + rises])
        above = torch.sigmoid(score - thresholds)
        ones, zeros = torch.ones_like(score), torch.zeros_like(score)
        shares = torch.cat([ones, above], dim=1) - torch.cat([above, zeros], dim=1)
        return shares.clamp_min(1e-7).log()


class Ordinal(Classification):
    """As classification, with a network that knows the order, the median grade as the call, and weighted agreement."""

    summary = "one of several ordered grades for each case, with calibrated probabilities"

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(
            target.model_copy(update={"ordered": True, "labels": labels})
            for target in targets
            if target.kind == "category" and len(target.labels) > 2 and (labels := _ordered(target)) is not None
        )

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        found = super().choices(fingerprint, target)
        even = [1.0] * len(target.labels)
        return {
            **found,
            "answer": Choice(value={"ordered": True}, kind="fixed", reason="an estimator must know of the order"),
            "class_weights": Choice(value=even, kind="fixed", reason="the order already spreads what is learnt"),
            "mixup": Choice(value=0.0, kind="fixed", reason="a mixture of two grades is no grade"),
            "label_smoothing": Choice(value=0.0, kind="fixed", reason="neighbouring grades share what is learnt"),
            "operating_point": Choice(value={"name": "median"}, kind="fixed", reason="the least expected distance"),
        }

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        return OrderedNetwork(encoders, len(plan.target.labels), plan["dropout"])

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        found = super().fit_decision(rows, plan)
        return {**{name: value for name, value in found.items() if name != "weights"}, "rule": MEDIAN}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        said = probabilities(np.array([row["logits"]]) + decision.get("offsets", 0.0), decision["temperature"])[0]
        call = int(np.searchsorted(np.cumsum(said), 0.5 - 1e-9))
        return {**row, "probability": [float(value) for value in said], "call": min(call, len(said) - 1)}

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        found = super().score(rows, plan)
        truth = np.array([row["class"] for row in rows], dtype=np.intp)
        calls = np.array([row["call"] for row in rows], dtype=np.intp)
        names = np.array([label.name for label in plan.target.labels])[truth] if len(rows) else np.zeros(0, str)
        own = []
        for name in METRICS:
            metric = registry.get("metrics", name)
            own.append(Statistic(name, partial(_on, metric, truth, calls), metric.unit, metric.better, counts=names))
        return Scores((*own, *found.statistics), ("quadratic_kappa", "grade_error", "accuracy"), found.per_case)


def _ordered(target: Target) -> tuple[Any, ...] | None:
    """The labels in the order that their names say, numbered anew; None where they say none."""
    names = [label.name for label in target.labels]
    places = _by_number(names) or _by_words(names)
    if places is None:
        return None
    order = sorted(range(len(names)), key=lambda index: places[index])
    return tuple(target.labels[index].model_copy(update={"value": place}) for place, index in enumerate(order))


def _by_number(names: Sequence[str]) -> list[float] | None:
    found = [NUMBERED.match(name.strip()) for name in names]
    numbers = [float(one[1]) for one in found if one]
    return numbers if len(set(numbers)) == len(names) else None


def _by_words(names: Sequence[str]) -> list[float] | None:
    plain = [name.strip().lower().removeprefix("grade ").removeprefix("stage ") for name in names]
    return next(([float(scale.index(name)) for name in plain] for scale in SCALES if set(plain) <= set(scale)), None)


def _on(metric: Any, truth: npt.NDArray[np.intp], calls: npt.NDArray[np.intp], index: npt.NDArray[np.intp]) -> float:
    return float(metric(truth[index], calls[index]))


TASK = Ordinal()
