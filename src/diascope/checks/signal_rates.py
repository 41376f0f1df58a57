"""Sampling rates and lengths of signals that differ between cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from diascope.checks import Check
from diascope.checks.judging.seen import looks
from diascope.checks.judging.words import bars, share, some
from diascope.core.case import Case
from diascope.core.problem import Problem
from diascope.kinds import Look
from diascope.planning.survey import Survey

SHORT = 0.25
"""Share of the usual length below which a signal is called short."""

Seen = Sequence[tuple[Case, Look]]


class SignalRates:
    """All signals are brought to one rate; what was sampled too seldom cannot be."""

    title = "Sampling rates and lengths that differ between cases"

    def look(self, survey: Survey) -> list[Problem]:
        problems: list[Problem] = []
        for name, seen in looks(survey, "signal").items():
            found = (_timeless(name, seen), _rates(name, seen), _short(name, seen))
            problems += [problem for problem in found if problem is not None]
        return problems


def _timeless(name: str, seen: Seen) -> Problem | None:
    """Some signals say how fast they were sampled and others do not: they cannot be laid on one time."""
    without = [case.id for case, look in seen if not look.facts["rate"]]
    timed = [case.id for case, look in seen if look.facts["rate"]]
    if not without or not timed:
        return None
    fewer = without if len(without) <= len(timed) else timed
    known = "has no sampling rate" if fewer is without else "has a sampling rate"
    return Problem(
        check="signal_rates",
        severity="warn",
        title=f"{share(len(fewer), len(seen))} whose {name!r} {known}, unlike the others",
        detail=f"{some(fewer)}. They are left out; say the rate in their files, or in a signal.json.",
        cases=tuple(fewer),
        exclude=tuple(fewer),
    )


def _rates(name: str, seen: Seen) -> Problem | None:
    rates = Counter(look.facts["rate"] for _, look in seen if look.facts["rate"])
    if len(rates) < 2:
        return None
    common = rates.most_common(1)[0][0]
    wide = max(rates) >= 2 * min(rates)
    listed = [(f"{rate:g} Hz", number) for rate, number in rates.most_common()]
    return Problem(
        check="signal_rates",
        severity="warn" if wide else "note",
        title=f"sampling rates of {name!r} differ: {some(f'{rate} ({number:,})' for rate, number in listed)}",
        detail="All are brought to the rate in the middle. What was sampled seldom stays coarse, and where the rate "
        "goes with the answer, a network may learn the device instead.",
        cases=tuple(case.id for case, look in seen if look.facts["rate"] != common),
        figure=bars(f"Sampling rates of {name!r}", listed),
    )


def _short(name: str, seen: Seen) -> Problem | None:
    """Signals so short that a release would refuse them."""
    lengths = {case.id: look.size / (look.facts["rate"] or 1) for case, look in seen}
    usual = float(np.quantile(list(lengths.values()), 0.95))
    short = {key: length for key, length in lengths.items() if length < SHORT * usual}
    if not short:
        return None
    unit = " s" if any(look.facts["rate"] for _, look in seen) else " samples"
    shown = some(f"{key} ({length:.4g}{unit})" for key, length in short.items())
    return Problem(
        check="signal_rates",
        severity="note",
        title=f"{share(len(short), len(seen))} whose {name!r} is shorter than a quarter of the usual {usual:.4g}{unit}",
        detail=f"{shown}. They are filled up with nothing, and kept; a release refuses such signals.",
        cases=tuple(short),
    )


CHECK: Check = SignalRates()
