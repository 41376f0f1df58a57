"""Which series is asked about next: what nobody is sure of, and what is unlike all that was labelled.

Score = uncertainty × diversity. Diversity alone is farthest-first search (Gonzalez 1985; Sener and Savarese 2018); the
product keeps uncertainty from asking about the same kind of case again and again (Zhdanov 2019). The same series,
answers and vectors give the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Kind = Literal["second", "unsure", "unlike", "first", "unknown", "chosen"]

LEAST = 1e-3
"""Uncertainty and diversity that count at least: a case that is like another, or sure, comes last and not never."""


@dataclass(frozen=True)
class Reason:
    """Why a series is asked about.

    Args:
        kind: `second`: another reader labelled it, and two are asked. `unsure`: what is known does not tell. `unlike`:
            it is unlike what was labelled. `first`: the most typical of all. `unknown`: nothing is known of it yet.
            `chosen`: the reader chose it.
        uncertainty: 0 to 1; None where nothing says so.
        diversity: 0 to 1, half the distance between vectors of length 1; None where nothing was labelled yet.
    """

    kind: Kind
    uncertainty: float | None = None
    diversity: float | None = None


@dataclass(frozen=True)
class Choice:
    """A series that may be asked about.

    Args:
        series: Id of its row.
        reason: Why it stands where it stands.
        score: What it is ordered by.
    """

    series: int
    reason: Reason
    score: float


def ranked(
    wanted: Sequence[int],
    vectors: Mapping[int, Floats],
    seen: Collection[int],
    uncertainty: Mapping[int, float],
) -> list[Choice]:
    """All that may be asked about, the best first; ties by the id of the row.

    Args:
        wanted: Ids of the series that wait.
        vectors: Id to what the series looks like, of length 1; of as many as there are.
        seen: Ids of the series that were labelled, or lie before a reader now.
        uncertainty: Id to 0 (sure) … 1 (anything may be); of as many as there are.

    Returns:
        Every one of `wanted`, once. What has no vector gets the mean score of those that have: it comes in its turn.
    """
    known = [one for one in wanted if one in vectors]
    reference = [one for one in sorted(seen) if one in vectors]
    found = [_choice(one, far, uncertainty.get(one)) for one, far in _diversity(known, reference, vectors)]
    if known and not reference and not uncertainty:
        found = _typical_first(known, vectors)
    mean = float(np.mean([one.score for one in found])) if found else 1.0
    found += [
        Choice(one, Reason("unknown", uncertainty.get(one)), mean * _counted(uncertainty.get(one)))
        for one in wanted
        if one not in vectors
    ]
    return sorted(found, key=lambda one: (-one.score, one.series))


def _choice(series: int, far: float | None, unsure: float | None) -> Choice:
    score = _counted(far) * _counted(unsure)
    return Choice(series, Reason("unlike" if unsure is None else "unsure", unsure, far), score)


def _counted(value: float | None) -> float:
    return 1.0 if value is None else max(value, LEAST)


def _diversity(
    known: Sequence[int], reference: Sequence[int], vectors: Mapping[int, Floats]
) -> list[tuple[int, float | None]]:
    """Half the distance to the nearest of `reference`; None where there is none."""
    if not known or not reference:
        return [(one, None) for one in known]
    here, there = (np.stack([vectors[one] for one in some]) for some in (known, reference))
    alike = (here @ there.T).max(axis=1)
    far = np.sqrt(np.clip(2 - 2 * alike, 0, 4)) / 2
    return [(one, float(value)) for one, value in zip(known, np.round(far, 6), strict=True)]


def _typical_first(known: Sequence[int], vectors: Mapping[int, Floats]) -> list[Choice]:
    """Where nothing was labelled: the nearer to the middle of all the earlier, for the first answer says most there."""
    table = np.stack([vectors[one] for one in known])
    middle = table.mean(axis=0)
    near = np.round(table @ (middle / max(float(np.linalg.norm(middle)), 1e-12)), 6)
    return [Choice(one, Reason("first"), max(float(value), LEAST)) for one, value in zip(known, near, strict=True)]
