"""The same picture stored differently, and pictures that look alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diascope.checks import Check
from diascope.checks.copies.likeness import Pair, alike, clusters
from diascope.checks.copies.pictures import gallery
from diascope.checks.copies.repair import Group, Repair, repaired
from diascope.checks.judging.seen import first_images
from diascope.checks.judging.words import count, some
from diascope.core.case import Case
from diascope.core.problem import Problem
from diascope.planning.survey import InputFactsOfCase, Survey

RULE = "perceptual hash, verified by the correlation of fine structure"


class NearDuplicates:
    """Re-encoded, resized, brightened or mirrored copies, and adjacent frames; of the first image of each case."""

    title = f"Near duplicates ({RULE})"

    def look(self, survey: Survey) -> list[Problem]:
        members = _distinct(survey)
        if len(members) < 2:
            return []
        sides = [min(facts.shape[1:]) for _, facts in members]
        pairs = alike(np.stack([facts.thumbnail for _, facts in members]), sides)
        cases = [group for group, _ in members]
        copies = _grouped(cases, [pair for pair in pairs if pair.same])
        repair = repaired(survey, copies, keep_unknown=True)
        loose, similar = _look_alikes(cases, pairs)
        gone = {key for group in repair.conflicting for key in group}
        found = (
            _conflicting(survey, repair),
            _straddling(survey, repair),
            _loose(survey, loose, gone),
            _similar(survey, similar),
        )
        return [problem for problem in found if problem is not None]


def _distinct(survey: Survey) -> list[tuple[list[Case], InputFactsOfCase]]:
    """Cases by distinct pixels of their first image, with its facts."""
    found: dict[str, tuple[list[Case], InputFactsOfCase]] = {}
    for case, facts in first_images(survey):
        found.setdefault(facts.digest, ([], facts))[0].append(case)
    return list(found.values())


def _grouped(cases: Sequence[list[Case]], pairs: Sequence[Pair]) -> list[list[Case]]:
    """Groups of cases that pairs connect; exact copies of a member belong to its group."""
    connected = clusters(len(cases), [(pair.first, pair.second) for pair in pairs])
    return [[case for index in group for case in cases[index]] for group in connected]


def _look_alikes(cases: Sequence[list[Case]], pairs: Sequence[Pair]) -> tuple[list[Group], list[Group]]:
    """Groups to be kept on one side because a patient is unknown, and other look-alike pairs across patients."""
    together: list[Pair] = []
    similar: list[Group] = []
    for pair in pairs:
        both = cases[pair.first] + cases[pair.second]
        if len({case.patient for case in both}) == 1:
            continue
        if not all(case.patient_known for case in both) and len({case.split for case in both}) == 1:
            together.append(pair)
        elif not pair.same:
            similar.append((cases[pair.first][0].id, cases[pair.second][0].id))
    groups = [tuple(case.id for case in group) for group in _grouped(cases, together)]
    return groups, similar


def _conflicting(survey: Survey, repair: Repair) -> Problem | None:
    if not repair.conflicting:
        return None
    cases = tuple(key for group in repair.conflicting for key in group)
    return Problem(
        check="near_duplicates",
        severity="warn",
        title=f"{count(len(repair.conflicting), 'near-duplicate picture')} filed under different labels "
        f"({count(len(cases), 'case')})",
        detail=f"{some(' ~ '.join(group) for group in repair.conflicting)}: the same picture ({RULE}), but different "
        "labels. Nobody can tell which is right, so all of these copies are left out.",
        cases=cases,
        exclude=cases,
        figure=gallery(survey, "Same picture, different labels", repair.conflicting),
    )


def _straddling(survey: Survey, repair: Repair) -> Problem | None:
    if not repair.straddling:
        return None
    return Problem(
        check="near_duplicates",
        severity="warn",
        title=f"{count(len(repair.surplus), 'near duplicate')} in {count(len(repair.straddling), 'group')} "
        "across splits or patients",
        detail=f"{some(' ~ '.join(group) for group in repair.straddling)}: the same picture, stored differently "
        f"({RULE}). It is kept on one side only: in test rather than validation or train, else under the first "
        "patient. The other copies are left out"
        + ("; patients that share a picture are kept on one side." if repair.patients else "."),
        cases=tuple(key for group in repair.straddling for key in group),
        exclude=tuple(repair.surplus),
        groups=tuple(repair.patients),
        figure=gallery(survey, "Near duplicates", repair.straddling),
    )


def _loose(survey: Survey, groups: list[Group], gone: set[str]) -> Problem | None:
    groups = [left for group in groups if len(left := tuple(key for key in group if key not in gone)) > 1]
    if not groups:
        return None
    cases = tuple(key for group in groups for key in group)
    return Problem(
        check="near_duplicates",
        severity="warn",
        title=f"{count(len(cases), 'case')} in {count(len(groups), 'group')} look alike, and their patients are "
        "not known",
        detail=f"{some(' ~ '.join(group) for group in groups)}: copies, or several pictures of one patient ({RULE}). "
        "Each group is kept on one side of every split.",
        cases=cases,
        groups=tuple(groups),
        figure=gallery(survey, "Look-alikes that stay together", groups),
    )


def _similar(survey: Survey, pairs: list[Group]) -> Problem | None:
    if not pairs:
        return None
    return Problem(
        check="near_duplicates",
        severity="note",
        title=f"{count(len(pairs), 'pair')} of pictures look alike across patients or splits",
        detail=f"{some(' ~ '.join(pair) for pair in pairs)}: less alike than copies are, so nothing was left out. "
        "Look whether they show the same patient.",
        cases=tuple(dict.fromkeys(key for pair in pairs for key in pair)),
        figure=gallery(survey, "Look-alikes", pairs),
    )


CHECK: Check = NearDuplicates()
