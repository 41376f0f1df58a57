"""Letters and lengths of sequences: how many are ambiguous, and whether all are equally long."""

from __future__ import annotations

from collections import Counter

from diascope.checks import Check
from diascope.checks.judging.texts import looks_of
from diascope.checks.judging.words import count, share, some
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

MANY = 0.2
"""Share of ambiguous letters from which on a sequence says little."""
USUAL = 0.9
"""Share of the sequences that have one length, where the others are called odd."""


class SequenceLetters:
    """Sequences of mostly ambiguous letters, of several alphabets, and of odd length among aligned ones."""

    title = "Ambiguous letters, and sequences of another length or alphabet than the others"

    def look(self, survey: Survey) -> list[Problem]:
        found = []
        for name, cases in looks_of(survey, "sequence").items():
            unclear = tuple(case.id for case, facts in cases if facts["ambiguous"] > MANY * facts["size"])
            some_ambiguous = sum(facts["ambiguous"] > 0 for _, facts in cases)
            if unclear:
                found.append(
                    Problem(
                        check="sequence_letters",
                        severity="warn",
                        title=f"{share(len(unclear), len(cases), 'sequence')} in {name!r} with more than {MANY:.0%} "
                        "ambiguous letters",
                        detail=f"{some(unclear)}. Such a letter counts as a share of each letter that it may be.",
                        cases=unclear,
                    )
                )
            elif some_ambiguous:
                found.append(
                    Problem(
                        check="sequence_letters",
                        severity="note",
                        title=f"{share(some_ambiguous, len(cases), 'sequence')} in {name!r} with ambiguous letters",
                        detail="A letter such as N or R counts as a share of each letter that it may be.",
                        cases=tuple(case.id for case, facts in cases if facts["ambiguous"] > 0),
                    )
                )
            found += _lengths(name, {case.id: int(facts["size"]) for case, facts in cases})
        return found


def _lengths(name: str, sizes: dict[str, int]) -> list[Problem]:
    counts = Counter(sizes.values())
    length, usual = counts.most_common(1)[0]
    if len(counts) == 1 or usual < USUAL * len(sizes):
        return []
    odd = tuple(case for case, size in sizes.items() if size != length)
    return [
        Problem(
            check="sequence_letters",
            severity="warn",
            title=f"{count(len(odd), 'sequence')} in {name!r} of another length than {length}",
            detail=f"{some(f'{case} ({sizes[case]})' for case in odd)}. Where sequences are aligned (around a splice "
            "site, a promoter), one of another length was cut or is shifted.",
            cases=odd,
        )
    ]


CHECK: Check = SequenceLetters()
