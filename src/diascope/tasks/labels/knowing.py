"""What is known of the labels: of a case, of the training part, and of which of them too little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from diascope.core.case import Case, Target
from diascope.core.plan import Plan
from diascope.core.presence import CODES, UNCERTAIN, Presence, made_of_uncertain, presence
from diascope.engine.batch import Row

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Decided rows as arrays.

    Args:
        names: Of the K labels.
        truth: (N, K) 1, 0, nan where it is not known.
        said: (N, K) probability.
        calls: (N, K) 1 where the label was called present.
        uncertain: (N, K) whether who labelled the case could not tell.
        patients: (N,) patient key of each case.
    """

    names: tuple[str, ...]
    truth: Floats
    said: Floats
    calls: npt.NDArray[np.intp]
    uncertain: npt.NDArray[np.bool_]
    patients: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[Row], plan: Plan) -> Answers:
        """Of rows that `decide` gave."""
        names = tuple(label.name for label in plan.target.labels)
        shape = (len(rows), len(names))
        return cls(
            names,
            truth_of(rows, plan),
            np.array([row["probability"] for row in rows], dtype=np.float64).reshape(shape),
            np.array([row["call"] for row in rows], dtype=np.intp).reshape(shape),
            np.array([[one == UNCERTAIN for one in row["labels"]] for row in rows], dtype=bool).reshape(shape),
            tuple(str(row["patient"]) for row in rows),
        )

    def patients_of(self, label: int) -> tuple[int, int]:
        """Patients with a case that has the label, and with one that has it not."""
        found = [{self.patients[case] for case in np.flatnonzero(self.truth[:, label] == value)} for value in (1, 0)]
        return len(found[0]), len(found[1])


def codes_of(case: Case, target: Target) -> npt.NDArray[np.float32]:
    """(K,) 1 present, 0 absent, -1 uncertain, nan not said."""
    return np.array([CODES[presence(case.targets.get(name))] for name in target.columns], dtype=np.float32)


def presences(codes: npt.NDArray[np.float32]) -> list[Presence]:
    """What the codes say, as JSON types."""
    said: dict[float, Presence] = {1.0: 1, 0.0: 0, -1.0: UNCERTAIN}
    return [said.get(float(code)) for code in codes]


def truth_of(rows: Sequence[Row], plan: Plan) -> Floats:
    """(N, K) 1, 0, or nan where a label is not known; what is uncertain counts as the plan says."""
    numbers = {**CODES, UNCERTAIN: made_of_uncertain(plan["uncertain"])}
    found = [[numbers[one] for one in row["labels"]] for row in rows]
    return np.array(found, dtype=np.float64).reshape(len(rows), len(plan.target.labels))


def learnt_from(plan: Plan) -> dict[str, tuple[int, int]]:
    """Label to the training cases in which it is present and absent; uncertain ones count as the plan says."""
    made = made_of_uncertain(plan["uncertain"])
    found = {}
    for label, column in zip(plan.target.labels, plan.target.columns, strict=True):
        present, absent, uncertain = plan["label_counts"].get(column, (0, 0, 0))
        found[label.name] = (present + uncertain * (made == 1), absent + uncertain * (made == 0))
    return found


def not_learnt(plan: Plan) -> Mapping[str, str]:
    """Label to why nothing is said of it: training had too few cases with it, or without it."""
    fewest, found = plan["fewest_cases"], {}
    for name, (present, absent) in learnt_from(plan).items():
        if min(present, absent) < fewest:
            number, which = (present, "with") if present < absent else (absent, "without")
            cases = f"{number} case" if number == 1 else f"{number} cases"
            found[name] = f"training had {cases} {which} it, and {fewest} are needed"
    return found
