"""Signals that are flat: a lead that was off, a device that was not running."""

from __future__ import annotations

import math

from diascope.checks import Check
from diascope.checks.judging.seen import looks
from diascope.checks.judging.words import count, some
from diascope.core.problem import Problem, Severity
from diascope.kinds import Look
from diascope.planning.survey import Survey

STRETCH = 0.25
"""Share of a recording for which a channel may stand still before that is told."""


class FlatSignal:
    """A channel is flat where it holds one value only, or nothing at all."""

    title = "Signals and channels that are flat"

    def look(self, survey: Survey) -> list[Problem]:
        problems: list[Problem] = []
        for name, seen in looks(survey, "signal").items():
            flat = {case.id: _flat(look) for case, look in seen}
            empty = [case.id for case, look in seen if len(flat[case.id]) == len(look.facts["channels"])]
            if empty:
                problems.append(
                    Problem(
                        check="flat_signal",
                        severity="warn",
                        title=f"{count(len(empty), 'signal')} of {name!r} flat or without samples in every channel",
                        detail=f"There is nothing to see in {some(empty)}. They are left out.",
                        cases=tuple(empty),
                        exclude=tuple(empty),
                    )
                )
            off = {key: channels for key, channels in flat.items() if channels and key not in empty}
            if off:
                problems.append(_told("warn", name, off, "with a channel that is flat", "a lead that was off looks so"))
            still = {case.id: found for case, look in seen if (found := _still(look)) and case.id not in empty}
            if still:
                problems.append(
                    _told("note", name, still, "that stand still for a while", "a part that is padded does")
                )
        return problems


def _told(severity: Severity, name: str, found: dict[str, list[str]], what: str, why: str) -> Problem:
    shown = some(f"{key} ({', '.join(channels)})" for key, channels in found.items())
    return Problem(
        check="flat_signal",
        severity=severity,
        title=f"{count(len(found), 'signal')} of {name!r} {what}",
        detail=f"{shown}: {why}. They are kept; look at them.",
        cases=tuple(found),
    )


def _flat(look: Look) -> list[str]:
    spread = look.facts["std"]
    return [one for one, std in zip(look.facts["channels"], spread, strict=True) if math.isnan(std) or std == 0]


def _still(look: Look) -> list[str]:
    found = zip(look.facts["channels"], look.facts["flat"], look.facts["std"], strict=True)
    return [f"{channel} {share:.0%}" for channel, share, std in found if std > 0 and share >= STRETCH]


CHECK: Check = FlatSignal()
