"""Who is on which side: patients in several given splits, unknown patients, several images of one."""

from __future__ import annotations

from collections import Counter

from diascope.checks import Check
from diascope.checks.judging.words import bars, count, share, some
from diascope.core.case import Case
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

MANY = 6
"""From so many cases on, patients are counted together in the figure."""


class Patients:
    """A known patient in two given splits refuses the data set; unknown patients are said loudly."""

    title = "The same patient in two given splits, unknown patients, several cases of one patient"

    def look(self, survey: Survey) -> list[Problem]:
        found = (_two_splits(survey.cases), _unknown(survey.cases), _several(survey.cases))
        return [problem for problem in found if problem is not None]


def _two_splits(cases: tuple[Case, ...]) -> Problem | None:
    splits: dict[str, dict[str, str]] = {}
    for case in cases:
        if case.patient_known and case.split is not None:
            splits.setdefault(case.patient, {})[case.id] = case.split
    torn = {patient: of for patient, of in splits.items() if len(set(of.values())) > 1}
    if not torn:
        return None
    shown = some(f"{patient} ({', '.join(sorted(set(of.values())))})" for patient, of in torn.items())
    return Problem(
        check="patients",
        severity="refuse",
        title=f"{share(len(torn), len(splits), 'patient')} {'is' if len(torn) == 1 else 'are'} in two given splits",
        detail=f"{shown}. A model that is tested on patients it was taught looks better than it is. Correct the split, "
        "leave it out to have one made by patient, or accept this with --accept patients.",
        cases=tuple(key for of in torn.values() for key in of),
    )


def _unknown(cases: tuple[Case, ...]) -> Problem | None:
    unknown = tuple(case.id for case in cases if not case.patient_known)
    if not unknown:
        return None
    kinds = {ref.kind for case in cases for ref in case.inputs.values()}
    what, near, where = "rows are of" if kinds == {"table"} else "cases are of", "", "."
    if "image" in kinds:
        what = "images show"
        near = "Near duplicates are kept together, which finds only pictures that look alike. "
        where = ", or in a metadata.csv beside the images."
    return Problem(
        check="patients",
        severity="warn",
        title=f"PATIENT UNKNOWN for {share(len(unknown), len(cases))}",
        detail=f"Nothing says which {what} the same patient, so each counts as a patient of its own. Where one has "
        "several, they may be on both sides of a split: the results are then too good and their intervals too narrow. "
        f"{near}Name the patient with --patient COLUMN{where}",
        cases=unknown,
    )


def _several(cases: tuple[Case, ...]) -> Problem | None:
    numbers = Counter(case.patient for case in cases if case.patient_known)
    several = {patient: number for patient, number in numbers.items() if number > 1}
    if not several:
        return None
    most = max(several, key=lambda patient: several[patient])
    sizes = Counter(min(number, MANY) for number in numbers.values())
    return Problem(
        check="patients",
        severity="note",
        title=f"{share(len(several), len(numbers), 'patient')} have several cases, "
        f"{count(sum(several.values()), 'case')} in all",
        detail=f"At most {several[most]:,} (patient {most}). All cases of a patient stay on one side of every split, "
        "and intervals are made by patient.",
        cases=tuple(case.id for case in cases if case.patient_known and case.patient in several),
        figure=bars(
            "Cases of each patient",
            [(f"{size}{' or more' if size == MANY else ''}", sizes[size]) for size in sorted(sizes)],
            note="How many patients have how many cases.",
        ),
    )


CHECK: Check = Patients()
