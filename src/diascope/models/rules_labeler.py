"""Findings of a report by rules: words that name them, words that deny or doubt them (NegEx). Nothing is learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core.errors import BadUsage
from diascope.core.presence import LABELS
from diascope.models import Cost, FittedAtOnce, Gives, InputSpec
from diascope.models.blocks.letters import in_letters
from diascope.models.estimators.answers import MEANINGS
from diascope.models.words.rules import Said, finding_of, is_nothing, said_of, vocabulary
from diascope.models.words.vocabulary import decoded

ODDS: Mapping[Said, float] = {"present": 3.0, "doubted": 0.5, "unsaid": -3.0, "denied": -4.0}
"""Log odds of what is said: a start, which the task calibrates on cases that are known."""


class RulesLabeler(nn.Module):
    """K log odds from what a report says of K findings.

    Args:
        spec: Its `names` are those of the labels.
    """

    gives: Gives = "answer"
    nothing: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        in_letters(spec, "rules_labeler")
        self.channels = (len(spec.names),)
        self.findings = _findings(spec.names)
        # A weights file holds at least one array.
        self.register_buffer("nothing", torch.tensor([finding is None for finding in self.findings]))

    def forward(self, texts: Tensor) -> Tensor:
        """(B, L) code points to (B, K) log odds."""
        found = [self._odds(decoded(one)) for one in texts.cpu().numpy()]
        return torch.tensor(found, dtype=torch.float32, device=self.nothing.device).reshape(len(texts), -1)

    def _odds(self, text: str) -> list[float]:
        told = said_of(text, list(vocabulary()))
        odds = {finding: ODDS[said] for finding, said in told.items()}
        # Nothing is found as surely as the surest finding is not.
        healthy = -max(odds.values())
        return [healthy if finding is None else odds[finding] for finding in self.findings]


def _findings(names: Sequence[str]) -> list[str | None]:
    """The finding that each label means; None for one that means: nothing found.

    Raises:
        BadUsage: When a label means none that the rules know.
    """
    unknown = [name for name in names if finding_of(name) is None and not is_nothing(name)]
    if unknown or not names:
        raise BadUsage(
            "the model rules_labeler knows the words of chest findings alone",
            given=f"labels {', '.join(unknown) or 'without a name'}",
            todo=f"It knows {', '.join(vocabulary())}; choose another model for others",
        )
    return [finding_of(name) for name in names]


class RulesLabelerModel:
    """The baseline beside which a learnt reader of reports is to be seen."""

    takes = frozenset({"text"})
    dimensions = frozenset({1})
    gives: Gives = "answer"
    fitted: Literal["gradient", "once"] = "once"
    target_kinds = frozenset({LABELS})

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return dict(MEANINGS)

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return RulesLabeler(spec)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        _findings(spec.names)
        return Cost(parameters=0, gflop=0.0, activation_bytes=100 * in_letters(spec, "rules_labeler"))

    def fit(
        self,
        module: nn.Module,
        inputs: npt.NDArray[Any],
        target: Mapping[str, npt.NDArray[Any]],
        options: Mapping[str, Any],
    ) -> None:
        """Nothing is fitted."""
        np.asarray(inputs)


MODEL: FittedAtOnce = RulesLabelerModel()
