"""Signals with gaps: samples that are missing, jumps in time."""

from __future__ import annotations

from collections.abc import Mapping

from diascope.checks import Check
from diascope.checks.judging.seen import looks
from diascope.checks.judging.words import share, some
from diascope.core.problem import Problem
from diascope.kinds import Look
from diascope.planning.survey import Survey

MOSTLY = 0.5
"""Share of missing samples above which too little of a signal is left."""
TOLD = 0.001


class SignalGaps:
    """Of several channels the one that misses least counts for leaving out, the one that misses most is told."""

    title = "Gaps in signals"

    def look(self, survey: Survey) -> list[Problem]:
        problems: list[Problem] = []
        for name, seen in looks(survey, "signal").items():
            missing = {case.id: look for case, look in seen if max(look.facts["missing"]) > TOLD}
            mostly = {key: look for key, look in missing.items() if MOSTLY < min(look.facts["missing"]) < 1}
            if mostly:
                problems.append(_mostly(name, mostly, len(seen)))
            rest = {key: look for key, look in missing.items() if key not in mostly}
            if rest:
                problems.append(_some(name, rest, len(seen)))
        return problems


def _mostly(name: str, found: Mapping[str, Look], number: int) -> Problem:
    shown = some(f"{key} ({min(look.facts['missing']):.0%})" for key, look in found.items())
    return Problem(
        check="signal_gaps",
        severity="warn",
        title=f"{share(len(found), number)} whose {name!r} is mostly missing",
        detail=f"{shown} of every channel. They are left out.",
        cases=tuple(found),
        exclude=tuple(found),
    )


def _some(name: str, found: Mapping[str, Look], number: int) -> Problem:
    shown = some(
        f"{key} ({max(look.facts['missing']):.1%}, the longest {_length(look)})" for key, look in found.items()
    )
    return Problem(
        check="signal_gaps",
        severity="note",
        title=f"{share(len(found), number)} whose {name!r} has gaps",
        detail=f"{shown}. They are kept: a network is told where samples are missing.",
        cases=tuple(found),
    )


def _length(look: Look) -> str:
    """The longest gap in seconds, or in samples where they have no time."""
    samples = max(look.facts["gap"]) * look.size
    rate = look.facts["rate"]
    return f"{samples / rate:.3g} s" if rate else f"{samples:.0f} samples"


CHECK: Check = SignalGaps()
