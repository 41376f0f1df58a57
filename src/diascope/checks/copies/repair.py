"""What is done about groups of copies: one policy for exact and for near duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from diascope.checks.judging.seen import label_of
from diascope.core.case import Case
from diascope.planning.survey import Survey

KEPT_FIRST = ("test", "val", "train", None)
"""Of copies in several given splits those in the first of these are kept: a test part is never made smaller."""

Group = tuple[str, ...]


@dataclass
class Repair:
    """Groups of copies by what is done about them.

    Args:
        conflicting: Copies with different labels: nobody knows which is right, so all are left out.
        straddling: Copies in several given splits or under several patients.
        surplus: Of those, the ids that are left out.
        loose: Copies whose patients are not known and which are kept, together on one side.
        harmless: Copies of one patient in one split.
        patients: Cases of patients that share a picture, and so are probably one: kept on one side.
    """

    conflicting: list[Group] = field(default_factory=list)
    straddling: list[Group] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    loose: list[Group] = field(default_factory=list)
    harmless: list[Group] = field(default_factory=list)
    patients: list[Group] = field(default_factory=list)


def repaired(survey: Survey, groups: Iterable[Sequence[Case]], keep_unknown: bool) -> Repair:
    """Sort groups of copies by what is done about them.

    Args:
        survey: For the target, and the other cases of the patients concerned.
        groups: Copies of one picture each.
        keep_unknown: Whether copies whose patients are not known are kept together (near duplicates may be two
            pictures of one patient) instead of all but one being left out (exact ones hold nothing new).
    """
    result = Repair()
    of_patient: dict[str, list[Case]] = {}
    for case in survey.cases:
        of_patient.setdefault(case.patient, []).append(case)
    for group in groups:
        ids = tuple(case.id for case in group)
        if _conflict(survey, group):
            result.conflicting.append(ids)
        elif _on_one_side(group):
            result.harmless.append(ids)
        elif keep_unknown and not all(case.patient_known for case in group) and len(_splits(group)) == 1:
            result.loose.append(ids)
        else:
            kept = _kept(group)
            result.straddling.append(ids)
            result.surplus.extend(key for key in ids if key not in kept)
            result.patients.extend(_merged(group, of_patient))
    gone = {key for group in result.conflicting for key in group} | set(result.surplus)
    result.patients = [left for group in result.patients if len(left := _without(group, gone)) > 1]
    return result


def _conflict(survey: Survey, group: Sequence[Case]) -> bool:
    labels = {label for case in group if (label := label_of(case, survey.target)) is not None}
    return len(labels) > 1


def _splits(group: Sequence[Case]) -> set[str | None]:
    return {case.split for case in group}


def _on_one_side(group: Sequence[Case]) -> bool:
    return len(_splits(group)) == 1 and len({case.patient for case in group}) == 1


def _kept(group: Sequence[Case]) -> set[str]:
    """The copies of the first patient in the first split of `KEPT_FIRST`."""
    best = min(group, key=lambda case: KEPT_FIRST.index(case.split))
    return {case.id for case in group if (case.split, case.patient) == (best.split, best.patient)}


def _merged(group: Sequence[Case], of_patient: dict[str, list[Case]]) -> list[Group]:
    """All cases of the known patients that share a picture, where no given split keeps them apart."""
    patients = dict.fromkeys(case.patient for case in group if case.patient_known)
    cases = [case for patient in patients for case in of_patient[patient]]
    if len(patients) < 2 or len(_splits(cases)) != 1:
        return []
    return [tuple(case.id for case in cases)]


def _without(group: Group, gone: set[str]) -> Group:
    return tuple(key for key in group if key not in gone)
