"""Labels that are missing, not declared, or empty masks."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from diascope.checks import Check
from diascope.checks.judging.seen import is_missing, label_of, same_label
from diascope.checks.judging.words import share, some
from diascope.core.case import Case, FileRef, Target
from diascope.core.presence import LABELS
from diascope.core.problem import Problem
from diascope.planning.survey import MaskFacts, Survey


class Labels:
    """Each case needs its label, and each label must be one of those that were declared."""

    title = "Missing labels, labels outside the declared set, empty masks"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or not target.columns:
            return []
        # Of several labels some may be unknown: what is known of the others is learnt from.
        lost = all if target.kind == LABELS else any
        missing = [case.id for case in survey.cases if lost(_is_absent(case, column) for column in target.columns)]
        problems = _missing(missing, survey, target)
        if target.kind == "mask":
            return problems + _values(survey, target) + _empty(survey, target)
        return problems + _undeclared(survey, target)


def _is_absent(case: Case, column: str) -> bool:
    return is_missing(case.targets.get(column))


def _problem(title: str, detail: str, cases: list[str], severity: Literal["refuse", "warn"] = "warn") -> Problem:
    ids = tuple(cases)
    return Problem(check="labels", severity=severity, title=title, detail=detail, cases=ids, exclude=ids)


def _missing(missing: list[str], survey: Survey, target: Target) -> list[Problem]:
    if not missing:
        return []
    title = f"no label ({target.name}) for {share(len(missing), len(survey.cases))}"
    if len(missing) == len(survey.cases):
        return [_problem(title, "Nothing is left to learn from. Choose another --target.", missing, "refuse")]
    return [_problem(title, f"{some(missing)}. They are left out; label them to have them back.", missing)]


def _undeclared(survey: Survey, target: Target) -> list[Problem]:
    if target.kind != "category" or not target.labels:
        return []
    strange: dict[str, str] = {}
    for case in survey.cases:
        value = label_of(case, target)
        if value is not None and not any(same_label(value[0], label.name, label.value) for label in target.labels):
            strange[case.id] = str(value[0])
    if not strange:
        return []
    shown = some(f"{value!r} ({number:,})" for value, number in Counter(strange.values()).most_common())
    declared = ", ".join(label.name for label in target.labels)
    return [
        _problem(
            f"{share(len(strange), len(survey.cases))} with a label outside the declared set",
            f"{shown}; declared are {declared}. They are left out; correct the labels to have them back.",
            list(strange),
        )
    ]


def _masks(survey: Survey, target: Target) -> list[tuple[str, list[MaskFacts]]]:
    found = []
    for case in survey.cases:
        if case.id in survey.facts and all(isinstance(case.targets.get(name), FileRef) for name in target.columns):
            masks = survey.facts[case.id].masks
            found.append((case.id, [masks[name] for name in target.columns if name in masks]))
    return found


def _values(survey: Survey, target: Target) -> list[Problem]:
    declared = {0} | {value for label in target.labels for value in (label.value, *label.members)}
    if not target.labels:
        return []
    strange: dict[str, set[int]] = {}
    for key, masks in _masks(survey, target):
        values = {value for mask in masks for value in mask.counts} - declared - {target.ignore}
        if values:
            strange[key] = values
    if not strange:
        return []
    shown = some(f"{key} ({', '.join(map(str, sorted(values)[:5]))})" for key, values in strange.items())
    return [
        _problem(
            f"{share(len(strange), len(survey.cases))} whose mask holds values outside the declared set",
            f"{shown}; declared are {', '.join(map(str, sorted(declared)))}. They are left out; declare these values, "
            "or correct the masks, to have them back.",
            list(strange),
        )
    ]


def _empty(survey: Survey, target: Target) -> list[Problem]:
    seen = _masks(survey, target)
    nothing = {0, target.ignore}
    empty = [key for key, masks in seen if masks and all(set(mask.counts) <= nothing for mask in masks)]
    if not empty:
        return []
    title = f"{share(len(empty), len(survey.cases))} with an empty mask"
    if len(empty) == len(seen):
        return [_problem(title, "No mask marks anything, so there is nothing to learn.", empty, "refuse")]
    return [
        Problem(
            check="labels",
            severity="note",
            title=title,
            detail=f"{some(empty)}. They are kept as cases in which nothing is to be found; a mask that was not drawn "
            "yet looks the same, so look at them.",
            cases=tuple(empty),
        )
    ]


CHECK: Check = Labels()
