"""Texts with the words that speak for an answer, and those that speak against it."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import numpy.typing as npt

from diascope.core.figure import Mark, Passage

LEVELS = 4
WEAKEST = 0.1
"""Share of the strongest word's weight below which a word is not marked."""
FOR, AGAINST = 0, 1
"""Numbers of their colours."""


def evidence_passage(text: str, weights: npt.NDArray[np.float32], caption: str, case: str) -> Passage:
    """A text in which what led to an answer is marked.

    Args:
        text: As it was read.
        weights: (len(text),) in -1..1.
        caption: What is explained.
        case: Id.
    """
    levels = [0 if abs(one) < WEAKEST else int(np.ceil(abs(one) * LEVELS)) * (1 if one > 0 else -1) for one in weights]
    marks = []
    for level, run in groupby(range(len(levels)), key=lambda place: levels[place]):
        places = list(run)
        if level:
            marks.append(
                Mark(
                    start=places[0],
                    stop=places[-1] + 1,
                    label=str(abs(level)),
                    colour=FOR if level > 0 else AGAINST,
                    sort="for" if level > 0 else "against",
                    strength=min(abs(level), LEVELS),
                )
            )
    return Passage(text=text, marks=tuple(marks), caption=caption, case=case)
