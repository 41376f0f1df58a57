"""How many cases and patients each class, or each structure in a mask, has."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from diascope.checks import Check
from diascope.checks.judging.seen import class_of
from diascope.checks.judging.words import bars, count
from diascope.core.boxes import Boxes
from diascope.core.case import Case, Target
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

FEW = 20
"""Patients of a class below which a split leaves too few to test on, and folds are used."""
UNBALANCED = 10.0
"""Times that the most frequent class may outnumber the rarest before it is said."""


class ClassCounts:
    """Classes that cannot be learnt and tested, rare ones, and imbalance."""

    title = "Cases and patients of each class"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or target.kind not in MEMBERS or not target.labels:
            return []
        members = MEMBERS[target.kind](survey, target)
        patients = {name: len({case.patient for case in cases}) for name, cases in members.items()}
        problems = [_counts(members, patients, target)]
        for name, number in patients.items():
            if number < 2:
                problems.append(_too_few(name, members[name]))
        rare = {name: number for name, number in patients.items() if 2 <= number < FEW}
        if rare:
            problems.append(_rare(rare))
        return problems


def _of_classes(survey: Survey, target: Target) -> dict[str, list[Case]]:
    members: dict[str, list[Case]] = {label.name: [] for label in target.labels}
    for case in survey.cases:
        name = class_of(case, target)
        if name is not None:
            members[name].append(case)
    return members


def _of_masks(survey: Survey, target: Target) -> dict[str, list[Case]]:
    members: dict[str, list[Case]] = {label.name: [] for label in target.labels if label.value != 0}
    for case in survey.cases:
        masks = survey.facts[case.id].masks.values() if case.id in survey.facts else ()
        present = {value for mask in masks for value, number in mask.counts.items() if number}
        for label in target.labels:
            if label.value != 0 and present & set(label.members or (label.value,)):
                members[label.name].append(case)
    return members


def _of_boxes(survey: Survey, target: Target) -> dict[str, list[Case]]:
    members: dict[str, list[Case]] = {label.name: [] for label in target.labels}
    for case in survey.cases:
        boxes = case.targets.get(target.columns[0])
        for name in sorted(set(boxes.labels)) if isinstance(boxes, Boxes) else ():
            if name in members:
                members[name].append(case)
    return members


MEMBERS: Mapping[str, Callable[[Survey, Target], dict[str, list[Case]]]] = {
    "category": _of_classes,
    "mask": _of_masks,
    "boxes": _of_boxes,
}
"""Kind of target to the cases of each class."""


def _counts(members: dict[str, list[Case]], patients: dict[str, int], target: Target) -> Problem:
    sizes = {name: len(cases) for name, cases in members.items()}
    fewest = min(sizes.values(), default=0)
    ratio = max(sizes.values(), default=0) / max(fewest, 1)
    unbalanced = target.kind == "category" and ratio > UNBALANCED
    said = ", ".join(f"{name} {number:,}" for name, number in sizes.items())
    return Problem(
        check="class_counts",
        severity="note",
        title=f"{said} cases" + (f"; unbalanced {ratio:.0f} : 1" if unbalanced else ""),
        detail="Patients: " + ", ".join(f"{name} {number:,}" for name, number in patients.items()) + ".",
        figure=bars(f"Cases with each {'structure' if target.kind == 'mask' else 'class'}", list(sizes.items())),
    )


def _too_few(name: str, cases: list[Case]) -> Problem:
    if not cases:
        title, detail = f"no case of {name!r}", f"{name!r} is declared, but nothing can be learnt about it."
    else:
        title = f"{name!r} has one patient ({count(len(cases), 'case')})"
        detail = (
            "It can be learnt or tested, not both: no figure about it will mean anything. Add patients, "
            "or leave this class out."
        )
    return Problem(
        check="class_counts",
        severity="warn",
        title=title,
        detail=detail,
        cases=tuple(case.id for case in cases),
    )


def _rare(rare: dict[str, int]) -> Problem:
    said = ", ".join(f"{name} {number:,}" for name, number in rare.items())
    return Problem(
        check="class_counts",
        severity="note",
        title=f"{count(len(rare), 'class', 'classes')} with fewer than {FEW} patients: {said}",
        detail="Intervals about them will be wide or not given; folds are used by default, so that every patient is "
        "tested once.",
    )


CHECK: Check = ClassCounts()
