"""What scores mean: a number, one of several classes (with an order: Frank and Hall 2001), or several labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core.errors import BadUsage, DataRefused, DiascopeError
from diascope.core.presence import CODES, LABELS, UNCERTAIN, made_of_uncertain
from diascope.models import InputSpec

Floats = npt.NDArray[np.float64]
FLOOR = 1e-7
"""The least probability of a class that is ever said."""
HIGHEST_ODDS = math.log((1 - FLOOR) / FLOOR)
CERTAIN = 1e4
"""Stands for an infinite score, which no weights file may hold: of a class that had no training case, or of a cut with
all training cases on one side, or of a label that all training cases have, or none."""
MEANINGS: Mapping[str, Any] = MappingProxyType({"ordered": False, LABELS: False, UNCERTAIN: "ignore"})
"""Options that say what the outputs mean, as a task asks for them: classes with an order, labels of which any may be
present, and what is made of those that are uncertain."""


@dataclass(frozen=True)
class Answer:
    """How R scores become an answer.

    Args:
        kind: A `number` is one score in the target's own units. A `category` of K classes has K scores, of which
            log-softmax makes log-probabilities. K `ordered` classes have K - 1 scores: the log odds of each cut, that
            is of lying in a class above the k-th. K `labels` have K scores: the log odds of each.
        classes: K; 1 for a number.
        uncertain: What is made of uncertain labels: `ignore`, `positive` or `negative`.
    """

    kind: Literal["number", "category", "ordered", "labels"]
    classes: int
    uncertain: str = "ignore"

    @classmethod
    def of(cls, spec: InputSpec, options: Mapping[str, Any]) -> Answer:
        """The answer that a module is built for: labels where they are asked for, a number of one output, else classes.

        Raises:
            BadUsage: When it is not said how many outputs there are.
        """
        if spec.outputs < 1:
            raise BadUsage("a model that is fitted at once needs to know how many outputs it has", given=spec.outputs)
        if options.get(LABELS):
            return cls("labels", spec.outputs, options.get(UNCERTAIN, "ignore"))
        if spec.outputs == 1:
            return cls("number", 1)
        return cls("ordered" if options.get("ordered") else "category", spec.outputs)

    @property
    def scores(self) -> int:
        """R."""
        return self.classes - (self.kind == "ordered")

    def truth(self, target: Mapping[str, npt.NDArray[Any]]) -> Floats:
        """The encoded target (N,): class numbers, or values; (N, K) of labels: 1, 0, or nan where they are not known.

        Raises:
            DiascopeError: When the target is of another kind than the module was built for.
            DataRefused: When nothing can be learnt from it.
            BadUsage: When there is no such way to count uncertain labels.
        """
        key = {"number": "value", LABELS: LABELS}.get(self.kind, "class")
        if key not in target:
            raise DiascopeError(f"a model of {self._words()} is fitted to a target's {key!r}", given=sorted(target))
        if key == LABELS:
            return self._presences(np.asarray(target[key], dtype=np.float64))
        truth = np.asarray(target[key], dtype=np.float64).reshape(len(target[key]))
        if key == "value":
            unknown = int((~np.isfinite(truth)).sum())
            if unknown or not len(truth):
                raise DataRefused(f"{unknown} of {len(truth)} training cases have no finite value")
            return truth
        found = np.unique(truth)
        if len(found) < 2:
            raise DataRefused(
                "training cases of at least two classes are needed",
                given=f"{len(truth)} cases of {len(found)} class",
                todo="Add cases of another class",
            )
        if not np.isin(found, np.arange(self.classes)).all():
            raise DiascopeError(f"a model of {self._words()} is fitted to classes 0 to {self.classes - 1}", given=found)
        return truth

    def _presences(self, codes: Floats) -> Floats:
        truth: Floats = np.where(codes == CODES[UNCERTAIN], made_of_uncertain(self.uncertain), codes)
        if not any({0.0, 1.0} <= set(column) for column in truth.T):
            raise DataRefused(
                "no label is present in some training cases and absent in others",
                given=f"{len(truth)} cases, {truth.shape[1]} labels",
                todo="Add cases, or choose other labels",
            )
        return truth

    def parts(self, truth: Floats) -> Iterator[Part]:
        """The fits that together make the answer: one, or one for each label, on the cases in which it is known."""
        if self.kind != LABELS:
            scores = tuple(range(self.scores))
            yield Part(self, np.arange(len(truth)), truth, scores, scores)
            return
        for label, column in enumerate(truth.T):
            rows = np.flatnonzero(np.isfinite(column))
            if len(np.unique(column[rows])) > 1:
                yield Part(Answer("category", 2), rows, column[rows], (1,), (label,))

    def untold(self, truth: Floats) -> Floats:
        """(R,) scores where no part says anything: of a label that all training cases have, or none."""
        scores = np.zeros(self.scores)
        if self.kind == LABELS:
            for label, column in enumerate(truth.T):
                known = set(column[np.isfinite(column)])
                scores[label] = {frozenset({1.0}): CERTAIN, frozenset({0.0}): -CERTAIN}.get(frozenset(known), 0.0)
        return scores

    def finish(self, scores: Tensor) -> Tensor:
        """Scores (B, R) to the value (B, 1), to log-probabilities (B, K) of classes or log odds (B, K), float32."""
        if self.kind == "number":
            return scores.float()
        if self.kind == LABELS:
            return scores.clamp(-HIGHEST_ODDS, HIGHEST_ODDS).float()
        if self.kind == "category":
            return nn.functional.log_softmax(scores, dim=1).clamp(min=math.log(FLOOR)).float()
        above = falling(scores.sigmoid())
        one = above.new_ones((len(above), 1))
        edges = torch.cat([one, above, one - 1], dim=1)
        return (edges[:, :-1] - edges[:, 1:]).clamp(min=FLOOR).log().float()

    def loss(self, scores: Floats, truth: Floats) -> float:
        """Mean squared error of scores (B, R), or their mean negative log-likelihood."""
        if self.kind == "number":
            return float(np.mean((scores[:, 0] - truth) ** 2))
        said = self.finish(torch.from_numpy(np.ascontiguousarray(scores)))
        return float(-said.double().gather(1, torch.from_numpy(truth).long()[:, None]).mean())

    def _words(self) -> str:
        return "a number" if self.kind == "number" else f"{self.classes} {LABELS if self.kind == LABELS else 'classes'}"


@dataclass(frozen=True)
class Part:
    """One fit of those that make an answer.

    Args:
        answer: What its own scores mean.
        rows: (n,) training cases that it is fitted to.
        truth: (n,) class numbers or values of these.
        own: Its own scores that are used.
        places: Where they stand among those of the whole answer.
    """

    answer: Answer
    rows: npt.NDArray[np.intp]
    truth: Floats
    own: tuple[int, ...]
    places: tuple[int, ...]


def falling(above: Tensor) -> Tensor:
    """(B, K - 1) probabilities of lying above each cut, made to fall from cut to cut.

    Cuts are fitted apart and may contradict each other. The mean of the lowest up to here and the highest from here on
    treats both ends alike: classes in the reverse order get the reverse answer.
    """
    lowest = above.cummin(dim=1).values
    highest = above.flip(1).cummax(dim=1).values.flip(1)
    return (lowest + highest) / 2
