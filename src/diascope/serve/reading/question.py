"""What a job `read` asks: one release about one series at one revision, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from diascope.serve.database.tables import instances, results, series, studies
from diascope.serve.jobs.queue import Job


@dataclass(frozen=True)
class Source:
    """One object of the series.

    Args:
        uid: SOP instance UID.
        key: In the archive.
        sha256: Of its bytes.
    """

    uid: str
    key: str
    sha256: str


@dataclass(frozen=True)
class Question:
    """A job `read`, looked up.

    Args:
        job: Which it is.
        series: Id of the row.
        series_uid: Series instance UID.
        study: Id of the row.
        study_uid: Study instance UID.
        project: Id.
        date: Of the study, as DICOM writes it.
        revision: Of the series.
        completed: When that was complete, seconds since 1970.
        release: Label.
        rule: Names of the rules that asked.
        sends: Peer to kinds.
        sources: In the order in which they arrived.
    """

    job: Job
    series: int
    series_uid: str
    study: int
    study_uid: str
    project: str
    date: str
    revision: int
    completed: float
    release: str
    rule: str
    sends: Mapping[str, Sequence[str]]
    sources: tuple[Source, ...]

    def result_id(self, seal: str) -> str:
        """Id of the result: the same series, revision and release give the same, however often it is read."""
        parts = (self.study_uid, self.series_uid, str(self.revision), seal or self.release)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def asked(connection: Connection, job: Job) -> Question | str:
    """The question of a job, or why there is none any more."""
    payload = job.payload
    columns = (series.c.uid, series.c.revision, series.c.study_id, studies.c.uid.label("study_uid"))
    query = select(*columns, studies.c.project_id, studies.c.date).join(studies, studies.c.id == series.c.study_id)
    row = connection.execute(query.where(series.c.id == payload["series"])).first()
    if row is None:
        return "it was deleted"
    if row.revision != payload["revision"]:
        return "a later revision is complete"
    answered = (results.c.series_id == payload["series"]) & (results.c.revision == payload["revision"])
    if connection.execute(select(results.c.id).where(answered, results.c.release == payload["release"])).first():
        return "it is answered"
    sources = sources_of(connection, payload["series"], payload["completed"])
    return Question(
        job=job,
        series=payload["series"],
        series_uid=row.uid,
        study=row.study_id,
        study_uid=row.study_uid,
        project=row.project_id,
        date=row.date,
        revision=row.revision,
        completed=payload["completed"],
        release=payload["release"],
        rule=payload.get("rule", ""),
        sends={one["peer"]: tuple(one["kinds"]) for one in payload.get("send", ())},
        sources=sources,
    )


def sources_of(connection: Connection, series: int, completed: float) -> tuple[Source, ...]:
    """The objects of a series that were there when it was complete: what came later is of the next revision."""
    there = select(instances.c.uid, instances.c.key, instances.c.sha256).where(
        instances.c.series_id == series, instances.c.received <= completed
    )
    return tuple(Source(*one) for one in connection.execute(there.order_by(instances.c.id)).all())
