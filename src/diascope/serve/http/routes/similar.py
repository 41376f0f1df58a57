"""Similar cases: earlier series that the encoder of the same release found most alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Query
from sqlalchemy import Connection, RowMapping, select

from diascope.serve.database.tables import readings, results, series, studies
from diascope.serve.explaining.asking import FILLING, key_of_gap, lacking
from diascope.serve.explaining.vectors import Neighbour, nearest, vector_of
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.fields import Answer, InPath, Time
from diascope.serve.http.routes.findings import found
from diascope.serve.room.words import in_every_language

router = APIRouter(prefix="/findings/{result}/similar", tags=["findings"])

MOST = 20
NO_VECTOR = "the network of this release makes no one vector of a series"
NOT_YET = "what the encoder made of this series was not kept: it is made anew now, ask again in a while"


class SaidThen(Answer):
    """What a release said of a case."""

    finding: str
    """Name."""
    status: str
    """present, absent, measured, abstained."""
    probability: float | None
    """Calibrated; null where there is none."""


class Case(Answer):
    """An earlier case."""

    result: str
    """Id of the result."""
    similarity: float
    """Cosine of the angle between what the encoder made of the two, at most 1."""
    project: str
    """Id."""
    study: str
    """Study Instance UID."""
    series: str
    """Series Instance UID."""
    patient: str
    """Pseudonym."""
    same_patient: bool
    """Whether it is the patient of this result."""
    date: str
    """Of the study, `YYYYMMDD`, or empty."""
    answered: Time
    """When the release read it."""
    said: list[SaidThen]
    """What the release said."""
    verdict: str | None
    """What a reader decided last: `accept`, `amend`, `reject`, `unsure`; null while nobody has."""
    reason: str
    """Of a rejection."""
    thumbnail: str
    """Address of a small picture of the series."""


class Similar(Answer):
    """Earlier cases of the same release."""

    items: list[Case]
    """The most similar first."""
    why: str
    """Why there are none; empty where there are, or where this is the first case."""
    words: dict[str, str]
    """The same by language; none where nothing is said."""


@router.get("", openapi_extra=operation("findings.read"))
def find_similar(
    asked: Who, result: InPath, limit: Annotated[int, Query(ge=1, le=MOST, description="How many")] = 5
) -> Similar:
    """Earlier cases, of the projects that the caller may see, that the encoder of the same release found most alike.

    Results of before their vectors were kept get one now, in a job of low priority.
    """
    row = found(asked, result)
    with asked.service.database.reading() as connection:
        vector = vector_of(connection, result)
        near: list[Neighbour] = []
        if vector is not None and vector.size:
            near = nearest(connection, result, vector, asked.within(studies.c.project_id), limit)
        items = _cases(connection, row, near)
        gaps = lacking(connection, row["release"], row["seal"], 1) if row["state"] == "answered" else []
    detail: dict[str, Any] = {"part": "similar", "result": result, "found": len(items)}
    asked.service.audit.tell(asked.event("study.viewed", row["study"], project=row["project"], **detail))
    if gaps and (vector is None or vector.size):
        _fill(asked, row, gaps[0])
    why = _why(row, vector)
    return Similar(items=items, why=why, words=in_every_language(why))


def _why(row: RowMapping, vector: npt.NDArray[np.float32] | None) -> str:
    if row["state"] != "answered":
        return "the release said nothing about this series"
    if vector is None:
        return NOT_YET
    return "" if vector.size else NO_VECTOR


def _fill(asked: Asked, row: RowMapping, newest: str) -> None:
    """Let the vectors be made that are missing; the same gap is filled once."""
    payload = {"release": row["release"], "seal": row["seal"]}
    key, queue = key_of_gap(row["release"], newest), asked.service.queue

    def work(connection: Connection) -> str:
        return queue.put(connection, "describe", payload, key=key, project=row["project"], priority=FILLING)

    asked.service.database.change(work)
    asked.service.stirred.set()


def _cases(connection: Connection, of: RowMapping, near: Sequence[Neighbour]) -> list[Case]:
    """What is told of the neighbours, in their order."""
    columns = (results.c.id, results.c.answered, results.c.findings, studies.c.uid, studies.c.patient, studies.c.date)
    named = (studies.c.project_id.label("project"), series.c.uid.label("series"))
    query = select(*columns, *named).join(studies, studies.c.id == results.c.study_id)
    query = query.join(series, series.c.id == results.c.series_id).where(results.c.id.in_([one.result for one in near]))
    rows = {row["id"]: row for row in connection.execute(query).mappings()}
    mine = select(studies.c.patient).where(studies.c.uid == of["study"])
    patient, decided = connection.execute(mine).scalar(), _decided(connection, list(rows))
    return [
        _case(rows[one.result], one.similarity, decided.get(one.result), patient) for one in near if one.result in rows
    ]


def _case(row: RowMapping, similarity: float, decided: RowMapping | None, patient: str | None) -> Case:
    return Case.model_validate(
        {
            **row,
            "result": row["id"],
            "similarity": round(similarity, 4),
            "study": row["uid"],
            "same_patient": bool(row["patient"]) and row["patient"] == patient,
            "said": [_said(one) for one in row["findings"].get("findings", ())],
            "verdict": decided["verdict"] if decided else None,
            "reason": decided["reason"] if decided else "",
            "thumbnail": f"/dicom-web/studies/{row['uid']}/series/{row['series']}/thumbnail",
        }
    )


def _said(finding: Mapping[str, Any]) -> SaidThen:
    value = (finding.get("measures", {}).get("probability") or {}).get("value")
    return SaidThen(finding=finding["concept"], status=finding["status"], probability=value)


def _decided(connection: Connection, wanted: Sequence[str]) -> dict[str, RowMapping]:
    """The newest reading of each result that has one."""
    query = select(readings.c.result_id, readings.c.verdict, readings.c.reason).where(readings.c.result_id.in_(wanted))
    rows = connection.execute(query.order_by(readings.c.at, readings.c.id)).mappings()
    return {row["result_id"]: row for row in rows}
