"""The same pixels in several cases."""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.copies.pictures import gallery
from diascope.checks.copies.repair import Group, Repair, repaired
from diascope.checks.judging.words import count, some
from diascope.core.case import Case
from diascope.core.problem import Problem
from diascope.planning.survey import Survey


class Duplicates:
    """Cases whose images have the same pixels, whatever the files are called."""

    title = "Exact duplicates (the same pixels in several cases)"

    def look(self, survey: Survey) -> list[Problem]:
        repair = repaired(survey, same_pixels(survey), keep_unknown=False)
        found = (_conflicting(survey, repair), _straddling(survey, repair), _harmless(survey, repair))
        return [problem for problem in found if problem is not None]


def same_pixels(survey: Survey) -> list[list[Case]]:
    """Groups of cases all of whose images agree; constant images are left to another check."""
    groups: dict[tuple[tuple[str, str], ...], list[Case]] = {}
    for case in survey.cases:
        facts = survey.facts.get(case.id)
        if facts is None or any(ref.kind == "table" for ref in case.inputs.values()):
            continue
        inputs = facts.inputs
        if facts.looks or any(one.minimum != one.maximum for one in inputs.values()):
            digests = {name: one.digest for name, one in inputs.items()}
            key = tuple(sorted({**digests, **{name: one.digest for name, one in facts.looks.items()}}.items()))
            groups.setdefault(key, []).append(case)
    return [group for group in groups.values() if len(group) > 1]


def _conflicting(survey: Survey, repair: Repair) -> Problem | None:
    if not repair.conflicting:
        return None
    cases = _all(repair.conflicting)
    return Problem(
        check="duplicates",
        severity="warn",
        title=f"{count(len(repair.conflicting), 'image')} filed under different labels ({count(len(cases), 'case')})",
        detail=f"{some(' = '.join(group) for group in repair.conflicting)}: the same pixels, but different labels. "
        "Nobody can tell which is right, so all of these copies are left out.",
        cases=cases,
        exclude=cases,
        figure=gallery(survey, "Same image, different labels", repair.conflicting),
    )


def _straddling(survey: Survey, repair: Repair) -> Problem | None:
    if not repair.straddling:
        return None
    cases = _all(repair.straddling)
    return Problem(
        check="duplicates",
        severity="warn",
        title=f"{count(len(repair.surplus), 'exact duplicate')} in {count(len(repair.straddling), 'group')} "
        "across splits or patients",
        detail=f"{some(' = '.join(group) for group in repair.straddling)}. A model would be tested on what it was "
        "taught, so each image is kept on one side only: in test rather than validation or train, else under the "
        "first patient. The other copies are left out"
        + ("; patients that share an image are kept on one side." if repair.patients else "."),
        cases=cases,
        exclude=tuple(repair.surplus),
        groups=tuple(repair.patients),
        figure=gallery(survey, "Exact duplicates", repair.straddling),
    )


def _harmless(survey: Survey, repair: Repair) -> Problem | None:
    if not repair.harmless:
        return None
    cases = _all(repair.harmless)
    surplus = len(cases) - len(repair.harmless)
    return Problem(
        check="duplicates",
        severity="note",
        title=f"{count(surplus, 'exact duplicate')} in {count(len(repair.harmless), 'group')} within one patient",
        detail=f"{some(' = '.join(group) for group in repair.harmless)}. They stay on one side of every split and "
        "are kept; each such image counts more than others.",
        cases=cases,
        figure=gallery(survey, "Exact duplicates within one patient", repair.harmless),
    )


def _all(groups: list[Group]) -> tuple[str, ...]:
    return tuple(key for group in groups for key in group)


CHECK: Check = Duplicates()
