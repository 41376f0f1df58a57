"""Signals that are cut off at the limits of the device (saturation)."""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.judging.seen import looks
from diascope.checks.judging.words import count, some
from diascope.core.problem import Problem
from diascope.kinds import Look
from diascope.planning.survey import Survey

SHARE = 0.01
"""Share of the samples at a limit from which a channel counts as cut off."""


class ClippedSignal:
    """Samples that stand still at a recording's largest or smallest value, three and more in a row."""

    title = "Signals that are cut off at the limits of the device"

    def look(self, survey: Survey) -> list[Problem]:
        problems: list[Problem] = []
        for name, seen in looks(survey, "signal").items():
            cut = {case.id: channels for case, look in seen if (channels := _cut(look))}
            if not cut:
                continue
            shown = some(f"{key} ({', '.join(channels)})" for key, channels in cut.items())
            problems.append(
                Problem(
                    check="clipped_signal",
                    severity="warn" if len(cut) > len(seen) / 20 else "note",
                    title=f"{count(len(cut), 'signal')} of {name!r} with over {SHARE:.0%} of a channel at its limit",
                    detail=f"{shown}. What went beyond is lost. Padding with one value looks the same: leave such "
                    "samples empty instead, and they count as missing.",
                    cases=tuple(cut),
                )
            )
        return problems


def _cut(look: Look) -> list[str]:
    found = zip(look.facts["channels"], look.facts["clipped"], strict=True)
    return [f"{channel} {share:.0%}" for channel, share in found if share > SHARE]


CHECK: Check = ClippedSignal()
