"""Do probabilities mean what they say here? What releases said against what readers signed.

Readers saw the answer before they decided, so that what they signed leans to it: the page says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import ColumnElement, Connection, select

from diascope.core.finding import Measure
from diascope.evidence.calibration import ReliabilityBin, reliability
from diascope.evidence.intervals import measure
from diascope.metrics.ece import ece
from diascope.serve.database.room_tables import signatures
from diascope.serve.database.tables import studies
from diascope.serve.room.watching import Decision, decided_by, truth_of

RESAMPLES = 500
MOST = 6
"""Findings whose curves are drawn, those with the most patients."""


@dataclass(frozen=True)
class Calibrated:
    """A finding of a release whose probabilities were compared with what readers signed.

    Args:
        release: `name@version`.
        concept: Name of the finding.
        error: Expected calibration error; its note says why there is no interval ("too few: 12 patients").
        bins: The reliability curve; none where there are too few.
        cases: How many.
        present: How many of them have it, as the readers say.
        patients: Of the cases.
    """

    release: str
    concept: str
    error: Measure
    bins: tuple[ReliabilityBin, ...]
    cases: int
    present: int
    patients: int


def signed_ids(connection: Connection, mine: ColumnElement[bool]) -> set[str]:
    """Ids of the readings that some signed report tells of.

    Args:
        connection: Of the index.
        mine: Condition on `studies`: those that the caller may know of.
    """
    query = select(signatures.c.readings).join(studies, studies.c.id == signatures.c.study_id).where(mine)
    return {str(one) for ids in connection.execute(query).scalars() for one in ids}


def calibrations(some: Iterable[Decision]) -> list[Calibrated]:
    """Each finding with a probability, those with the most patients first.

    Args:
        some: Decisions that were signed, the newest first; the newest of each result counts.
    """
    rows: dict[tuple[str, str], list[tuple[float, bool, str]]] = {}
    seen: set[str] = set()
    for one in some:
        if one.result in seen:
            continue
        seen.add(one.result)
        for concept, said, truth in compared(one):
            rows.setdefault((one.release, concept), []).append((said, truth, one.patient))
    found = [_calibrated(*key, mine) for key, mine in rows.items()]
    return sorted(found, key=lambda one: (-one.patients, one.release, one.concept))


def compared(one: Decision) -> list[tuple[str, float, bool]]:
    """Findings of a decision with their probability and whether the reader says that it is there.

    A box or a span is one of several of its name, and says nothing about the case; it is left out. So is what a
    decision leaves open, and that one of two classes which is decided by the other.
    """
    found = []
    for each in one.findings:
        said = (each.get("measures", {}).get("probability") or {}).get("value")
        alone = not each.get("place") and not each.get("span") and decided_by(each) == each["concept"]
        truth = truth_of(one, each) if alone else None
        if truth is not None and isinstance(said, int | float) and 0 <= said <= 1:
            found.append((str(each["concept"]), float(said), truth))
    return found


def _calibrated(release: str, concept: str, rows: Sequence[tuple[float, bool, str]]) -> Calibrated:
    said = np.array([row[0] for row in rows])
    truth = np.array([row[1] for row in rows])
    patients = [row[2] for row in rows]
    names = np.where(truth, "present", "absent")
    error = measure(lambda cases: ece(truth[cases], said[cases]), patients, counts=names, resamples=RESAMPLES)
    if len(set(names)) < 2 and not error.note.startswith("too few"):
        missing = "absent" if truth.all() else "present"
        error = error.model_copy(update={"low": None, "high": None, "note": f"too few: 0 patients in class {missing}"})
    enough = error.low is not None
    bins = reliability(truth, said, patients) if enough else ()
    return Calibrated(release, concept, error, bins, len(rows), int(truth.sum()), len(set(patients)))
