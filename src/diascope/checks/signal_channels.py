"""Channels that some signals lack, and channels in units of different things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from diascope.checks import Check
from diascope.checks.judging.seen import looks
from diascope.checks.judging.words import bars, share, some
from diascope.core.case import Case
from diascope.core.problem import Problem
from diascope.kinds import Look
from diascope.kinds.signals.units import factor
from diascope.planning.survey import Survey

MOST = 0.9
"""A channel that so large a share of the signals have is one that all should have."""

Seen = Sequence[tuple[Case, Look]]


class SignalChannels:
    """What a model reads is the channels that all signals have."""

    title = "Channels that some signals lack, and mixed units"

    def look(self, survey: Survey) -> list[Problem]:
        problems: list[Problem] = []
        for name, seen in looks(survey, "signal").items():
            found = (_lacking(name, seen), _rare(name, seen), _units(name, seen))
            problems += [problem for problem in found if problem is not None]
        return problems


def _counts(seen: Seen) -> Counter[str]:
    return Counter(channel for _, look in seen for channel in look.facts["channels"])


def _lacking(name: str, seen: Seen) -> Problem | None:
    numbers = _counts(seen)
    usual = [channel for channel, number in numbers.items() if MOST * len(seen) <= number < len(seen)]
    lacking = {case.id: [one for one in usual if one not in look.facts["channels"]] for case, look in seen}
    lacking = {key: channels for key, channels in lacking.items() if channels}
    if not lacking:
        return None
    shown = some(f"{key} ({', '.join(channels)})" for key, channels in lacking.items())
    return Problem(
        check="signal_channels",
        severity="warn",
        title=f"{share(len(lacking), len(seen))} whose {name!r} lacks a channel that nearly all have",
        detail=f"{shown}. They are left out: otherwise no signal could be read in that channel.",
        cases=tuple(lacking),
        exclude=tuple(lacking),
    )


def _rare(name: str, seen: Seen) -> Problem | None:
    numbers = _counts(seen)
    rare = {channel: number for channel, number in numbers.items() if number < MOST * len(seen)}
    if not rare:
        return None
    severity = "refuse" if len(rare) == len(numbers) else "note"
    what = "no channel is in nearly all signals" if severity == "refuse" else "channels that only some signals have"
    todo = "Give the same channel the same name in all of them." if severity == "refuse" else "They are not read."
    return Problem(
        check="signal_channels",
        severity="refuse" if severity == "refuse" else "note",
        title=f"{what} ({name!r}): {some(f'{channel} {number}' for channel, number in rare.items())}",
        detail=f"A model reads the channels that all signals have, by their names. {todo}",
        cases=tuple(case.id for case, look in seen if any(one in rare for one in look.facts["channels"])),
        figure=bars(f"Channels of {name!r}", numbers.most_common()),
    )


def _units(name: str, seen: Seen) -> Problem | None:
    """Units that no factor brings together: a number would mean two things."""
    wrong: dict[str, str] = {}
    for channel in _counts(seen):
        units = {case.id: _unit(look, channel) for case, look in seen if channel in look.facts["channels"]}
        said = Counter(unit for unit in units.values() if unit)
        usual = said.most_common(1)[0][0] if said else ""
        wrong |= {key: f"{channel}: {unit}" for key, unit in units.items() if factor(unit, usual) is None}
    if not wrong:
        return None
    return Problem(
        check="signal_channels",
        severity="refuse" if len(wrong) > len(seen) / 20 else "warn",
        title=f"{share(len(wrong), len(seen))} whose {name!r} is in a unit of something else than the others",
        detail=f"{some(f'{key} ({what})' for key, what in wrong.items())}. They are left out; mend the units.",
        cases=tuple(wrong),
        exclude=tuple(wrong),
    )


def _unit(look: Look, channel: str) -> str:
    return str(look.facts["units"][look.facts["channels"].index(channel)])


CHECK: Check = SignalChannels()
