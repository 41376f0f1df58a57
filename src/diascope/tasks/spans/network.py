"""The network that scores tags, and its loss: a conditional random field above an encoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from diascope.core.errors import BadUsage
from diascope.engine.batch import Batch
from diascope.engine.network import OutputShape
from diascope.models.blocks.crf import log_partition, path_score
from diascope.tasks.spans.tags import may_follow, tag_count, tags_of

LABEL, FIRST = "label", "first"
"""Names of the target's arrays: the label of each character, and whether a span starts there."""


class SpanNetwork(nn.Module):
    """Scores of each tag at each character, and of each tag after each other, the same everywhere.

    Args:
        encoders: One, of a text: (B, L) code points to (B, D, L).
        labels: How many labels there are.
        dropout: Share of features dropped in training.

    Raises:
        BadUsage: When several inputs are read.
    """

    output: OutputShape = "tokens"
    allowed: Tensor

    def __init__(self, encoders: Mapping[str, nn.Module], labels: int, dropout: float) -> None:
        super().__init__()
        if len(encoders) != 1:
            raise BadUsage(
                "spans are found in one text, and several inputs are read",
                given=", ".join(encoders),
                todo="Leave the others out with --input",
            )
        ((self.name, encoder),) = encoders.items()
        self.encoders = nn.ModuleDict({self.name: encoder})
        self.dropout = nn.Dropout(dropout)
        count = tag_count(labels)
        self.head = nn.Linear(encoder.channels[0], count)  # type: ignore[index,arg-type]
        self.moves = nn.Parameter(torch.zeros(count, count))
        self.register_buffer("allowed", torch.from_numpy(may_follow(labels)), persistent=False)

    def scores(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, L, K) of each tag at each character."""
        features: Tensor = self.encoders[self.name](inputs[self.name])
        scores: Tensor = self.head(self.dropout(features.transpose(1, 2)))
        return scores

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, K, L + K): the scores of each character, then K columns of the scores of moves, row to column."""
        scores = self.scores(inputs).transpose(1, 2)
        return torch.cat([scores, self.moves.expand(len(scores), -1, -1)], dim=2)


def span_loss(network: nn.Module, batch: Batch) -> Tensor:
    """Mean over the characters of the negative log likelihood of the true tags.

    A stretch may begin and end within a span. What follows its end is unknown, so a span that reaches its last
    character does not count; one that began before it does.
    """
    if not isinstance(network, SpanNetwork):
        raise BadUsage("the loss of spans is one of a network of tags", given=type(network).__name__)
    text = batch.inputs[network.name]
    label, first = batch.target[LABEL], batch.target[FIRST]
    lengths = _counted(text, label, first)
    scores = network.scores(batch.inputs).float()
    moves = network.moves.float().masked_fill(~network.allowed, -torch.inf)
    anywhere = scores.new_zeros(scores.shape[2])
    tags = tags_of(label, first)
    missed = log_partition(scores, moves, anywhere, lengths) - path_score(scores, moves, anywhere, lengths, tags)
    return missed.sum() / lengths.sum()


def _counted(text: Tensor, label: Tensor, first: Tensor) -> Tensor:
    """(B,) characters of each stretch whose tags are known, at least 1."""
    places = torch.arange(text.shape[1], device=text.device)
    lengths = torch.where(text > 0, places + 1, 0).amax(dim=1)
    cut = (lengths == text.shape[1]) & (label[:, -1] > 0)
    last = torch.where(first.bool(), places, 0).amax(dim=1)
    return torch.where(cut, last, lengths).clamp_min(1)
