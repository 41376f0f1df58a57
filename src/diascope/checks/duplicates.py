"""The same pixels, or the same row of a table, in several cases."""

from __future__ import annotations

from dataclasses import dataclass

from diascope.checks import Check
from diascope.checks.copies.pictures import gallery
from diascope.checks.copies.repair import Group, Repair, repaired
from diascope.checks.copies.rows import same_rows
from diascope.checks.judging.texts import only_texts
from diascope.checks.judging.words import count, some
from diascope.core.case import Case
from diascope.core.problem import Problem
from diascope.planning.survey import Survey


@dataclass(frozen=True)
class Kind:
    """What is copied: its name, and what is the same."""

    name: str
    same: str


IMAGES, ROWS = Kind("image", "the same pixels"), Kind("row", "the same values")


class Duplicates:
    """Cases whose images have the same pixels, whatever the files are called, or whose rows are copies."""

    title = "Exact duplicates (the same pixels, or the same row of a table, in several cases)"

    def look(self, survey: Survey) -> list[Problem]:
        found = [*_looked(survey, same_pixels(survey), IMAGES), *_looked(survey, same_rows(survey), ROWS)]
        return [problem for problem in found if problem is not None]


def _looked(survey: Survey, groups: list[list[Case]], of: Kind) -> list[Problem | None]:
    repair = repaired(survey, groups, keep_unknown=False)
    return [_conflicting(survey, repair, of), _straddling(survey, repair, of), _harmless(survey, repair, of)]


def same_pixels(survey: Survey) -> list[list[Case]]:
    """Groups of cases all of whose images agree; constant images are left to another check."""
    groups: dict[tuple[tuple[str, str], ...], list[Case]] = {}
    marked = survey.target is not None and survey.target.kind == "spans"
    for case in survey.cases:
        facts = survey.facts.get(case.id)
        if facts is None or any(ref.kind == "table" for ref in case.inputs.values()):
            continue  # rows may be alike
        if only_texts(case) and not marked:
            continue  # the same words are a template (`repeated_text`); what is marked in them is not
        inputs = facts.inputs
        if facts.looks or any(one.minimum != one.maximum for one in inputs.values()):
            digests = {name: one.digest for name, one in inputs.items()}
            key = tuple(sorted({**digests, **{name: one.digest for name, one in facts.looks.items()}}.items()))
            groups.setdefault(key, []).append(case)
    return [group for group in groups.values() if len(group) > 1]


def _conflicting(survey: Survey, repair: Repair, of: Kind) -> Problem | None:
    if not repair.conflicting:
        return None
    cases = _all(repair.conflicting)
    return Problem(
        check="duplicates",
        severity="warn",
        title=f"{count(len(repair.conflicting), of.name)} filed under different labels ({count(len(cases), 'case')})",
        detail=f"{some(' = '.join(group) for group in repair.conflicting)}: {of.same}, but different labels. "
        "Nobody can tell which is right, so all of these copies are left out.",
        cases=cases,
        exclude=cases,
        figure=gallery(survey, f"Same {of.name}, different labels", repair.conflicting),
    )


def _straddling(survey: Survey, repair: Repair, of: Kind) -> Problem | None:
    if not repair.straddling:
        return None
    cases = _all(repair.straddling)
    return Problem(
        check="duplicates",
        severity="warn",
        title=f"{count(len(repair.surplus), 'exact duplicate')} in {count(len(repair.straddling), 'group')} "
        "across splits or patients",
        detail=f"{some(' = '.join(group) for group in repair.straddling)}. A model would be tested on what it was "
        f"taught, so each {of.name} is kept on one side only: in test rather than validation or train, else under the "
        "first patient. The other copies are left out"
        + (
            f"; patients that share {'an' if of is IMAGES else 'a'} {of.name} are kept on one side."
            if repair.patients
            else "."
        ),
        cases=cases,
        exclude=tuple(repair.surplus),
        groups=tuple(repair.patients),
        figure=gallery(survey, "Exact duplicates", repair.straddling),
    )


def _harmless(survey: Survey, repair: Repair, of: Kind) -> Problem | None:
    if not repair.harmless:
        return None
    cases = _all(repair.harmless)
    surplus = len(cases) - len(repair.harmless)
    return Problem(
        check="duplicates",
        severity="note",
        title=f"{count(surplus, 'exact duplicate')} in {count(len(repair.harmless), 'group')} within one patient",
        detail=f"{some(' = '.join(group) for group in repair.harmless)}. They stay on one side of every split and "
        f"are kept; each such {of.name} counts more than others.",
        cases=cases,
        figure=gallery(survey, "Exact duplicates within one patient", repair.harmless),
    )


def _all(groups: list[Group]) -> tuple[str, ...]:
    return tuple(key for group in groups for key in group)


CHECK: Check = Duplicates()
