"""Linear-chain conditional random field: one tag a place, where which tag follows which counts (Lafferty et al. 2001).

A path of tags y has the score `first[y_0] + sum scores[t, y_t] + sum moves[y_(t-1), y_t]`; its probability is the exp
of that over the sum for all paths. A move that must not be has the score minus infinity. Everything is in log space and
batched; places from `lengths` on do not count.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def log_partition(scores: Tensor, moves: Tensor, first: Tensor, lengths: Tensor) -> Tensor:
    """Log of the sum over all paths, by the forward algorithm; gradients by forward and backward (Rabiner 1989).

    Args:
        scores: (B, L, K) of each tag at each place.
        moves: (K, K) from the row's tag to the column's.
        first: (K,) of the tags at the first place.
        lengths: (B,) places that count, 1 to L.

    Returns:
        (B,)
    """
    found: Tensor = _LogPartition.apply(scores, moves, first, lengths)  # type: ignore[no-untyped-call]
    return found


def path_score(scores: Tensor, moves: Tensor, first: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
    """(B,) score of one path (B, L) each; the arguments are those of `log_partition`."""
    counted = torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]
    own = scores.gather(2, tags[..., None])[..., 0]
    between = moves[tags[:, :-1], tags[:, 1:]]
    zero = scores.new_zeros(())
    total = torch.where(counted, own, zero).sum(dim=1) + torch.where(counted[:, 1:], between, zero).sum(dim=1)
    return total + first[tags[:, 0]]


def best_path(scores: Tensor, moves: Tensor, first: Tensor, lengths: Tensor) -> Tensor:
    """(B, L) tags of the path with the highest score (Viterbi 1967), -1 beyond the length; of ties the lower tag."""
    steps = scores.shape[1]
    counted = torch.arange(steps, device=scores.device)[:, None] < lengths
    best, back = first + scores[:, 0], []
    for place in range(1, steps):
        reached, tag = (best[:, :, None] + moves).max(dim=1)
        best = torch.where(counted[place][:, None], reached + scores[:, place], best)
        back.append(tag)
    last = best.argmax(dim=1)
    path = [last]
    for place in range(steps - 1, 0, -1):
        before = back[place - 1].gather(1, path[-1][:, None])[:, 0]
        path.append(torch.where(counted[place], before, path[-1]))
    found = torch.stack(path[::-1], dim=1)
    return torch.where(counted.T, found, -1)


def forward_backward(scores: Tensor, moves: Tensor, first: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log sums over the beginnings and the ends of paths, and over whole ones; without gradients.

    Returns:
        (B, L, K) over all paths up to a place that end in a tag, (B, L, K) over all that go on from there (without the
        score of the place itself), and (B,) over all paths. The sum of the first two less the third is the log of the
        probability of a tag at a place.
    """
    with torch.no_grad():
        ahead = _ahead(scores, moves, first, lengths)
        return ahead, _behind(scores, moves, lengths), torch.logsumexp(ahead[:, -1], dim=1)


def _ahead(scores: Tensor, moves: Tensor, first: Tensor, lengths: Tensor) -> Tensor:
    found = [first + scores[:, 0]]
    for place in range(1, scores.shape[1]):
        reached = torch.logsumexp(found[-1][:, :, None] + moves, dim=1) + scores[:, place]
        # What lies beyond the end repeats the end, so that the last place holds it for every length.
        found.append(torch.where((place < lengths)[:, None], reached, found[-1]))
    return torch.stack(found, dim=1)


def _behind(scores: Tensor, moves: Tensor, lengths: Tensor) -> Tensor:
    found = [torch.zeros_like(scores[:, 0])]
    for place in range(scores.shape[1] - 1, 0, -1):
        reached = torch.logsumexp(moves + (scores[:, place] + found[-1])[:, None], dim=2)
        found.append(torch.where((place < lengths)[:, None], reached, torch.zeros_like(reached)))
    return torch.stack(found[::-1], dim=1)


class _LogPartition(torch.autograd.Function):
    """Its gradient is the probability of each tag and move, which needs no graph of the hundreds of small steps."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, moves: Tensor, first: Tensor, lengths: Tensor) -> Tensor:
        ahead = _ahead(scores, moves, first, lengths)
        total = torch.logsumexp(ahead[:, -1], dim=1)
        ctx.save_for_backward(scores, moves, lengths, ahead, total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, Tensor, None]:
        scores, moves, lengths, ahead, total = ctx.saved_tensors
        weight = gradients[0][:, None, None]
        behind = _behind(scores, moves, lengths)
        counted = (torch.arange(scores.shape[1], device=scores.device) < lengths[:, None])[..., None]
        # Logs of probabilities: of scores in the billions the last digits may say otherwise.
        share = torch.where(counted, torch.exp((ahead + behind - total[:, None, None]).clamp_max(0)), 0.0) * weight
        after = scores[:, 1:] + behind[:, 1:] - total[:, None, None]
        pairs = torch.exp((ahead[:, :-1, :, None] + moves + after[:, :, None]).clamp_max(0))
        pairs = torch.where(counted[:, 1:, None], pairs, 0.0) * weight[..., None]
        return share, pairs.sum(dim=(0, 1)), share[:, 0].sum(dim=0), None
