"""From scores of tags to spans with probabilities: exact, by forward and backward over the whole text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from diascope.models.blocks.crf import best_path, forward_backward
from diascope.tasks.spans.tags import ALONE, FIRST, LAST, WITHIN, may_begin, may_end, may_follow, spans_of, tag_of

FLOOR = 0.02
"""Probability below which a span is no candidate."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """A span that may be said.

    Args:
        start, stop: Characters, half-open.
        label: 1, 2, ...
        probability: That exactly this span is marked so, by the model.
        on_path: Whether it lies on the most probable path of tags (Viterbi).
    """

    start: int
    stop: int
    label: int
    probability: float
    on_path: bool = False


def candidates_of(values: npt.NDArray[np.float32], length: int, labels: int) -> list[Candidate]:
    """Every span of at least `FLOOR`, and those of the most probable path, the most probable first.

    Args:
        values: (K, L + K) scores of tags, then of moves from the row's tag to the column's.
        length: Characters of the text; what is padded behind them does not count.
        labels: How many labels there are.
    """
    count = values.shape[0]
    if not length:
        return []
    scores = values[:, :length].T.astype(np.float64)
    scores[-1, ~may_end(labels)] = -np.inf
    moves = np.where(may_follow(labels), values[:, -count:].astype(np.float64), -np.inf)
    first = np.where(may_begin(labels), 0.0, -np.inf)
    chain = (torch.from_numpy(scores)[None], torch.from_numpy(moves), torch.from_numpy(first), torch.tensor([length]))
    ahead, behind, total = (one[0].numpy() for one in forward_backward(*chain))
    path = set(spans_of(best_path(*chain)[0].tolist()))
    found = {key: p for label in range(1, labels + 1) for key, p in _of(label, (scores, moves), (ahead, behind, total))}
    chosen = {key for key, p in found.items() if p >= FLOOR} | path
    listed = [Candidate(*key, float(min(1.0, found.get(key, 0.0))), key in path) for key in chosen]
    return sorted(listed, key=lambda one: (-one.probability, one.start, one.stop, one.label))


def _of(
    label: int, chain: tuple[Floats, Floats], sums: tuple[Floats, Floats, Floats]
) -> list[tuple[tuple[int, int, int], float]]:
    """Spans of one label that begin where one probably begins, with the probability of each."""
    (scores, moves), (ahead, behind, total) = chain, sums
    first, within, last, alone = (tag_of(label, place) for place in (FIRST, WITHIN, LAST, ALONE))
    single = np.exp(ahead[:, alone] + behind[:, alone] - total)
    found = [((int(at), int(at) + 1, label), float(single[at])) for at in np.flatnonzero(single >= FLOOR)]
    # Log score of being within from the start of the text to before each character: a difference of two is a stretch.
    through = np.r_[0.0, np.cumsum(scores[:, within] + moves[within, within])]
    starts = np.flatnonzero(np.exp(ahead[:, first] + behind[:, first] - total) >= FLOOR)
    for start in starts.tolist():
        ends = np.arange(start + 1, len(scores))
        inner = through[ends] - through[start + 1] - moves[within, within] + moves[first, within] + moves[within, last]
        inner[:1] = moves[first, last]
        logs = ahead[start, first] + inner + scores[ends, last] + behind[ends, last] - total
        probable = np.exp(np.minimum(logs, 0.0))
        found += [((start, int(ends[n]) + 1, label), float(probable[n])) for n in np.flatnonzero(probable >= FLOOR)]
    return found


def apart(candidates: list[Candidate]) -> list[Candidate]:
    """Those that do not share characters with a more probable one, in the order of the list (the surest first).

    Whether one is kept depends on surer ones alone: a threshold afterwards leaves out some of these, and adds none.
    """
    kept: list[Candidate] = []
    for one in candidates:
        if all(one.stop <= other.start or other.stop <= one.start for other in kept):
            kept.append(one)
    return kept
