"""Laboratory results and vital signs of a study: kept as they came, looked up by patient, judged by their own range."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, or_, select

from diascope.serve.database.beside_tables import observations
from diascope.serve.database.tables import studies

MOST = 500
"""Observations that are brought in together."""
MOST_SHOWN = 2000
"""Observations of a patient that a page shows, the newest."""

Judgement = Literal["low", "within", "high"]


@dataclass(frozen=True)
class Observation:
    """One result.

    Args:
        name: As the laboratory calls it.
        code: LOINC; "" where nobody said.
        value: A finite number in `unit`; None where it is no number.
        said: In words, where it is no number.
        unit: UCUM, or as it came.
        low: Lower end of the reference range, in the same unit; None without one.
        high: Its upper end.
        taken: Seconds since 1970; None where nobody said.
    """

    name: str
    code: str = ""
    value: float | None = None
    said: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    taken: float | None = None


@dataclass(frozen=True)
class Kept:
    """What came of bringing some in.

    Args:
        added: Rows that are new.
        again: How many were there already, with every word the same.
    """

    added: Sequence[dict[str, Any]]
    again: int


def keep(connection: Connection, study: int, given: Iterable[Observation], by: str, now: float) -> Kept:
    """Add observations to a study; one that is there with every word the same is not added again.

    Args:
        connection: Of the transaction, which holds the row of the study.
        study: Id of that row.
        given: To be added.
        by: Who brings them.
        now: Seconds since 1970.
    """
    columns = [observations.c[name] for name in Observation.__dataclass_fields__]
    there = {tuple(row) for row in connection.execute(select(*columns).where(observations.c.study_id == study))}
    added, again = list[dict[str, Any]](), 0
    for one in given:
        values = asdict(one)
        if tuple(values.values()) in there:
            again += 1
            continue
        there.add(tuple(values.values()))
        added.append({**values, "id": secrets.token_hex(16), "study_id": study, "by": by, "at": now})
    if added:
        connection.execute(insert(observations), added)
    return Kept(added, again)


def of_patient(connection: Connection, study: RowMapping, mine: ColumnElement[bool]) -> Sequence[RowMapping]:
    """Observations of a study and of the patient's other ones, the newest first.

    Each has `of` (UID of its study), `of_date` (as DICOM writes it) and `of_project`.

    Args:
        connection: Of the index.
        study: Row of `studies`.
        mine: Condition on `studies`: those whose observations the reader may see.
    """
    same = or_(studies.c.id == study["id"], (studies.c.patient == study["patient"]) & (studies.c.patient != ""))
    named = (studies.c.uid.label("of"), studies.c.date.label("of_date"), studies.c.project_id.label("of_project"))
    query = select(observations, *named).join(studies, studies.c.id == observations.c.study_id)
    newest = (observations.c.taken.is_(None), observations.c.taken.desc(), observations.c.at.desc(), observations.c.id)
    return connection.execute(query.where(same, mine).order_by(*newest).limit(MOST_SHOWN)).mappings().all()


def judged(value: float | None, low: float | None, high: float | None) -> Judgement | None:
    """Where a value lies in its reference range, whose ends belong to it; None without a value or a range.

    With one end only, "within" says that the value is not beyond that one.
    """
    if value is None or (low is None and high is None):
        return None
    if low is not None and value < low:
        return "low"
    return "high" if high is not None and value > high else "within"
