"""Whether something is there: the values of a target of kind `labels`, one a column."""

from __future__ import annotations

from typing import Literal

LABELS = "labels"
"""`Target.kind` of several columns that each say of one label whether it is present."""
UNCERTAIN = "uncertain"
"""Who labelled the case looked and could not tell."""
FEWEST_CASES = 10
"""Cases with a label, and cases without it, below which nothing is learnt about it that could be relied on."""

Presence = Literal[0, 1, "uncertain"] | None
"""1 present, 0 absent, `uncertain`; None where nothing was said, which is not absent."""


def presence(value: object) -> Presence:
    """A value of `Case.targets` as a presence; what is none is as good as not said.

    >>> presence(1), presence(0.0), presence("uncertain"), presence(None), presence("perhaps")
    (1, 0, 'uncertain', None, None)
    """
    if value == UNCERTAIN:
        return UNCERTAIN
    if isinstance(value, int | float) and value in (0, 1):
        return 1 if value else 0
    return None
