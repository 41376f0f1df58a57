"""Splits: by patient, stratified, seeded. There is no other kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

import numpy as np

from diascope.core.case import Case, Split, Stratum
from diascope.core.errors import DataRefused

FEW_PATIENTS = 100
FEW_IN_CLASS = 20
"""Below 100 patients, or 20 in the rarer class, every case is tested once out of fold."""
FOLDS = 5
FEWEST_FOLDS = 3
"""One fold tests, one validates, and something must be left to train on."""
STRONGER: tuple[Split, ...] = ("train", "test", "val")
"""Where a patient was given to two parts (and a person accepted that), the later one here holds all of it."""
SHARES: tuple[tuple[Split, float], ...] = (("train", 0.70), ("val", 0.15), ("test", 0.15))


def unit(case: Case) -> str:
    """What must stay on one side of a split: the patient, or the cluster of patients that near duplicates join."""
    return case.group or case.patient


def united(cases: Sequence[Case], groups: Sequence[Sequence[str]]) -> list[Case]:
    """Cases with `group` set where a group of case ids joins several patients (union-find over patients)."""
    parent = {case.patient: case.patient for case in cases}

    def root(patient: str) -> str:
        while parent[patient] != patient:
            parent[patient] = parent[parent[patient]]
            patient = parent[patient]
        return patient

    of_case = {case.id: case.patient for case in cases}
    joins = [[of_case[member] for member in group if member in of_case] for group in groups]
    by_group: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        if case.group is not None:
            by_group[case.group].append(case.patient)
    for members in [*joins, *by_group.values()]:
        for other in members[1:]:
            parent[root(other)] = root(members[0])
    return [
        case.model_copy(update={"group": None if root(case.patient) == case.patient else root(case.patient)})
        for case in cases
    ]


def folds_by_rule(
    cases: Sequence[Case], stratum: Callable[[Case], Stratum], classes: Collection[str] = frozenset()
) -> bool:
    """Whether a set is so small that cross-validation is the default.

    Args:
        cases: All of them.
        stratum: What a split is balanced by.
        classes: What the target tells apart; empty where every stratum counts. Strata that are none of these (sites)
            are balanced, but few patients in one of them are no reason for folds.
    """
    patients = patients_by_stratum(cases, stratum)
    total = sum(len(members) for members in patients.values())
    counted = [len(members) for name, members in patients.items() if not classes or name in classes]
    return total < FEW_PATIENTS or (len(counted) > 1 and min(counted) < FEW_IN_CLASS)


def folds_of_few(cases: Sequence[Case]) -> int:
    """How many folds a set gets by rule: five, fewer where it has fewer patients.

    Raises:
        DataRefused: Below three patients: of the folds, one tests, one validates, and the rest train.
    """
    patients = len({unit(case) for case in cases})
    if patients < FEWEST_FOLDS:
        raise DataRefused(
            f"{patients} patient{'' if patients == 1 else 's'} cannot train, validate and test a model",
            given="patients, and those joined by near duplicates, stay on one side",
            todo=f"Bring at least {FEWEST_FOLDS} patients; name them with --patient if they are not recognised",
        )
    return min(FOLDS, patients)


def patients_by_stratum(cases: Sequence[Case], stratum: Callable[[Case], Stratum]) -> dict[str, list[str]]:
    """Each patient once, under the rarest stratum that one of their cases has (so that rare ones are spread well).

    Where cases have several labels this is the first step of iterative stratification (Sechidis 2011), for all patients
    at once.
    """
    rarest, counts = rarest_strata(cases, stratum)
    of_patient: dict[str, str] = {}
    for case, mine in zip(cases, rarest, strict=True):
        known = of_patient.get(unit(case))
        if known is None or counts[mine] < counts[known]:
            of_patient[unit(case)] = mine
    found: dict[str, list[str]] = defaultdict(list)
    for patient, name in sorted(of_patient.items()):
        found[name].append(patient)
    return dict(sorted(found.items()))


def rarest_strata(cases: Sequence[Case], stratum: Callable[[Case], Stratum]) -> tuple[list[str], dict[str, int]]:
    """The stratum of each case, of several the one that the fewest cases have; and how many cases each has."""
    named = [(found,) if isinstance(found := stratum(case), str) else found for case in cases]
    counts: dict[str, int] = defaultdict(int)
    for names in named:
        for name in names:
            counts[name] += 1
    return [min(names, key=lambda name: counts[name]) for names in named], counts


def split(cases: Sequence[Case], stratum: Callable[[Case], Stratum], seed: int) -> list[Case]:
    """Every case with its split. Given splits are kept; what is missing is cut from train, by patient.

    Raises:
        DataRefused: When a part would be empty.
    """
    given = {case.split for case in cases} - {None}
    parts: dict[str, Split] = {}
    for part in STRONGER:
        parts |= {unit(case): part for case in cases if case.split == part}
    open_cases = [case for case in cases if unit(case) not in parts]
    if given:
        # What is given holds; only the missing parts are cut from train (and from cases without a part).
        open_cases = [case for case in cases if parts.get(unit(case), "train") == "train"]
        if not open_cases:
            raise DataRefused(
                "there is nothing to train on: every patient is given as validation or test",
                todo="Measure a model on such data with diascope evaluate RELEASE SOURCE, or bring a train part",
            )
    wanted = [(name, share) for name, share in SHARES if name == "train" or name not in given]
    assigned = _assign(open_cases, stratum, wanted, seed)
    found = [case.model_copy(update={"split": assigned.get(unit(case), parts.get(unit(case)))}) for case in cases]
    for name, _ in SHARES:
        if not any(case.split == name for case in found):
            raise DataRefused(
                f"the {name} part would be empty: {len({unit(c) for c in cases})} patients are too few for three parts",
                todo="Use cross-validation: --folds 5",
            )
    return found


def _assign(
    cases: Sequence[Case], stratum: Callable[[Case], Stratum], shares: Sequence[tuple[Split, float]], seed: int
) -> dict[str, Split]:
    total = sum(share for _, share in shares)
    assigned: dict[str, Split] = {}
    rng = np.random.default_rng([seed, 11])
    for members in patients_by_stratum(cases, stratum).values():
        order = [members[i] for i in rng.permutation(len(members))]
        start = 0
        for name, share in sorted(shares, key=lambda pair: pair[0] == "train"):
            exact = share / total * len(order)
            stop = len(order) if name == "train" else min(start + max(1, round(exact)), max(start, len(order) - 1))
            for patient in order[start:stop]:
                assigned[patient] = name
            start = stop
    return assigned


def folds(
    cases: Sequence[Case], stratum: Callable[[Case], Stratum], count: int, seed: int
) -> tuple[tuple[str, ...], ...]:
    """Patients dealt out to `count` folds, stratum by stratum.

    Raises:
        DataRefused: When there are fewer patients than folds.
    """
    rng = np.random.default_rng([seed, 12])
    found: list[list[str]] = [[] for _ in range(count)]
    place = 0
    for members in patients_by_stratum(cases, stratum).values():
        for index in rng.permutation(len(members)):
            found[place % count].append(members[index])
            place += 1
    if not all(found):
        raise DataRefused(
            f"{place} patients cannot be dealt out to {count} folds", todo="Use fewer folds, or more patients"
        )
    return tuple(tuple(sorted(fold)) for fold in found)
