"""Whether something is there: the values of a target of kind `labels`, one a column."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from diascope.core.errors import BadUsage

LABELS = "labels"
"""`Target.kind` of several columns that each say of one label whether it is present."""
UNCERTAIN: Final = "uncertain"
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


CODES: Mapping[Presence, float] = MappingProxyType({1: 1.0, 0: 0.0, UNCERTAIN: -1.0, None: float("nan")})
"""A presence as a number in an array."""
POLICIES: Mapping[str, float] = MappingProxyType({"ignore": float("nan"), "positive": 1.0, "negative": 0.0})
"""What may be made of an uncertain label, and the number that it then has."""


def made_of_uncertain(policy: str) -> float:
    """The number that stands for an uncertain label: 1, 0, or nan where it counts as not said.

    Raises:
        BadUsage: When there is no such policy.
    """
    if policy not in POLICIES:
        raise BadUsage(
            "uncertain labels cannot be counted in this way", given=policy, todo=f"Choose one of {', '.join(POLICIES)}"
        )
    return POLICIES[policy]
