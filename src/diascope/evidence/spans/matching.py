"""Spans that were said against those there are: strict (place and label) and relaxed (a shared character and label)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Span = tuple[int, int, int]
"""Start, stop (half-open, characters) and label (1, 2, ...)."""
Counts = npt.NDArray[np.int64]

HITS, SAID, TRUE, NEAR, FOUND = range(5)
"""Columns of the counts: said spans that are right, said spans, true spans, said spans that share a character with a
true one of their label, true spans that share one with a said one."""


def counted(truth: Sequence[Span], said: Sequence[Span], labels: int) -> Counts:
    """(labels, 5) counts of one text."""
    found = np.zeros((labels, 5), np.int64)
    known = set(truth)
    for span in said:
        found[span[2] - 1, SAID] += 1
        found[span[2] - 1, HITS] += span in known
        found[span[2] - 1, NEAR] += any(shared(span, other) for other in truth if other[2] == span[2])
    for span in truth:
        found[span[2] - 1, TRUE] += 1
        found[span[2] - 1, FOUND] += any(shared(span, other) for other in said if other[2] == span[2])
    return found


def shared(one: Span, other: Span) -> int:
    """Characters that two spans share."""
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def precision(counts: Counts, relaxed: bool = False) -> float:
    """Share of the said spans that are right, of summed counts (5,); nan where none was said."""
    return _share(counts[NEAR if relaxed else HITS], counts[SAID])


def recall(counts: Counts, relaxed: bool = False) -> float:
    """Share of the true spans that were found, of summed counts (5,); nan where there are none."""
    return _share(counts[FOUND if relaxed else HITS], counts[TRUE])


def f1(counts: Counts, relaxed: bool = False) -> float:
    """Harmonic mean of both; 0 where nothing is right, nan where there is nothing and nothing was said."""
    if not counts[SAID] + counts[TRUE]:
        return float("nan")
    if not relaxed:
        return float(2 * counts[HITS] / (counts[SAID] + counts[TRUE]))
    exact, whole = precision(counts, True), recall(counts, True)
    return 2 * exact * whole / (exact + whole) if exact > 0 and whole > 0 else 0.0


def _share(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else float("nan")


def paired(truth: Sequence[Span], said: Sequence[Span]) -> list[tuple[int, int]]:
    """Label that is true and label that was said, pair by pair; 0 where there is no partner.

    Each span has one partner at most: the one that it shares the largest part of their common stretch with.
    """
    pairs = sorted(
        ((shared(a, b) / (max(a[1], b[1]) - min(a[0], b[0])), i, j) for i, a in enumerate(truth) for j, b in
         enumerate(said) if shared(a, b)),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )  # fmt: skip
    left, right = set(range(len(truth))), set(range(len(said)))
    found = []
    for _, i, j in pairs:
        if i in left and j in right:
            found.append((truth[i][2], said[j][2]))
            left.discard(i)
            right.discard(j)
    return [*found, *((truth[i][2], 0) for i in sorted(left)), *((0, said[j][2]) for j in sorted(right))]
