"""How often each of several labels is present, absent, uncertain or not said, and which two are one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from diascope.checks import Check
from diascope.checks.judging.words import count, some
from diascope.core.case import Target
from diascope.core.figure import Grid
from diascope.core.presence import CODES, FEWEST_CASES, LABELS, UNCERTAIN, presence
from diascope.core.problem import Problem, Severity
from diascope.planning.survey import Survey

FEW = 20
"""Patients with a label below which a test part holds too few of them to measure by."""
DOUBTFUL = 0.2
"""Share of uncertain cells of a label from which on the way in which they count decides much."""
FEWEST_ALIKE = 20
"""Cases in which two labels must both be known before they are said to be one."""


@dataclass(frozen=True)
class Known:
    """What is known of K labels in N cases that may be trained on.

    Args:
        names: Of the labels.
        codes: (N, K) 1 present, 0 absent, -1 uncertain, nan not said.
        patients: (N,) patient of each case.
    """

    names: tuple[str, ...]
    codes: npt.NDArray[np.float64]
    patients: npt.NDArray[np.str_]

    @classmethod
    def of(cls, survey: Survey, target: Target) -> Known:
        """Of the training part where one is given, else of all cases."""
        cases = [case for case in survey.cases if case.split in (None, "train")]
        rows = [[CODES[presence(case.targets.get(name))] for name in target.columns] for case in cases]
        codes = np.array(rows, dtype=np.float64).reshape(len(cases), len(target.columns))
        return cls(target.columns, codes, np.array([case.patient for case in cases], dtype=str))

    def number(self, label: int, value: float) -> int:
        """Cases of which a label says one thing."""
        return int((self.codes[:, label] == value).sum())

    def patients_with(self, label: int, value: float) -> int:
        """Patients of these cases."""
        return len(set(self.patients[self.codes[:, label] == value]))


class LabelCounts:
    """Labels that cannot be learnt, rare ones, those that say the same, and how many are uncertain."""

    title = "How often each of several labels is present, uncertain or not said"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or target.kind != LABELS or not target.columns:
            return []
        known = Known.of(survey, target)
        if not len(known.codes):
            return []
        found = (_counts(known), _one_sided(known), _too_few(known), _rare(known), _doubtful(known), _alike(known))
        return [problem for problem in found if problem is not None]


def _counts(known: Known) -> Problem:
    rows = []
    for label, name in enumerate(known.names):
        present, absent, unsure = (known.number(label, value) for value in (1.0, 0.0, -1.0))
        silent = len(known.codes) - present - absent - unsure
        rows.append((name, present, absent, unsure, silent, known.patients_with(label, 1.0)))
    cells, unsure, silent = known.codes.size, sum(row[3] for row in rows), sum(row[4] for row in rows)
    return Problem(
        check="label_counts",
        severity="note",
        title=f"{count(len(rows), 'label')}: {', '.join(f'{row[0]} {row[1]:,}' for row in rows)} cases",
        detail=f"{unsure:,} of {cells:,} cells ({unsure / cells:.1%}) are uncertain, {silent:,} ({silent / cells:.1%}) "
        "say nothing. What says nothing is neither learnt nor counted; uncertain ones count as the plan's field "
        f"`{UNCERTAIN}` says (`ignore`, `positive` or `negative`).",
        figure=Grid(
            title="Cases of each label",
            columns=("label", "present", "absent", "uncertain", "not said", "patients with it"),
            rows=tuple(rows),
        ),
    )


def _one_sided(known: Known) -> Problem | None:
    wrong = {}
    for label, name in enumerate(known.names):
        present, absent = known.number(label, 1.0), known.number(label, 0.0)
        if not present or not absent:
            wrong[name] = "never present" if absent else "always present" if present else "never said"
    detail = (
        "Nothing can be told apart, so nothing is said of them. Leave them out of --target; an empty cell is not "
        "absent: write 0 where a label is."
    )
    return _problem("warn", wrong, "that cannot be learnt", detail)


def _too_few(known: Known) -> Problem | None:
    wrong = {}
    for label, name in enumerate(known.names):
        present, absent = known.number(label, 1.0), known.number(label, 0.0)
        if 0 < min(present, absent) < FEWEST_CASES:
            wrong[name] = f"{count(min(present, absent), 'case')} {'with' if present < absent else 'without'} it"
    detail = "Too few to learn from: nothing is said of them (the plan's field `fewest_cases`). Add cases."
    return _problem("warn", wrong, f"with fewer than {FEWEST_CASES} cases", detail)


def _rare(known: Known) -> Problem | None:
    rare = {
        name: str(patients)
        for label, name in enumerate(known.names)
        if known.number(label, 1.0) >= FEWEST_CASES and (patients := known.patients_with(label, 1.0)) < FEW
    }
    detail = (
        "A test part holds few of them, so that intervals will be wide or not given. With --folds 5 every patient is "
        "tested once."
    )
    return _problem("note", rare, f"with fewer than {FEW} patients", detail)


def _doubtful(known: Known) -> Problem | None:
    found = {}
    for label, name in enumerate(known.names):
        share = known.number(label, -1.0) / max(1, int(np.isfinite(known.codes[:, label]).sum()))
        if share >= DOUBTFUL:
            found[name] = f"{share:.0%}"
    detail = (
        "How these are counted decides much of what is learnt and measured: see what changes with "
        f"--set {UNCERTAIN}=positive and negative."
    )
    return _problem("warn", found, "of which many are uncertain", detail)


def _problem(severity: Severity, found: dict[str, str], which: str, detail: str) -> Problem | None:
    """Labels and why they are named; None where there is none."""
    if not found:
        return None
    said = some(f"{name} ({why})" for name, why in found.items())
    title = f"{count(len(found), 'label')} {which}: {said}"
    return Problem(check="label_counts", severity=severity, title=title, detail=detail)


def _alike(known: Known) -> Problem | None:
    pairs = []
    for one, other in combinations(range(len(known.names)), 2):
        both = np.isin(known.codes[:, one], (0, 1)) & np.isin(known.codes[:, other], (0, 1))
        first, second = known.codes[both, one], known.codes[both, other]
        if len(first) < FEWEST_ALIKE or len(np.unique(first)) < 2:
            continue
        names = f"{known.names[one]} / {known.names[other]}"
        if (first == second).all():
            pairs.append(f"{names} (alike)")
        elif (first != second).all():
            pairs.append(f"{names} (opposite)")
    if not pairs:
        return None
    return Problem(
        check="label_counts",
        severity="warn",
        title=f"{count(len(pairs), 'pair')} of labels that say the same in all cases: {some(pairs)}",
        detail="One of them says nothing that the other does not: is a column there twice? Each counts by itself in "
        "the means.",
    )


CHECK: Check = LabelCounts()
