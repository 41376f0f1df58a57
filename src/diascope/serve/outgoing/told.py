"""A result that was kept, as messages tell it: what was said, by what, of whom, and what a reader decided since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from diascope.core.errors import BadUsage, DiascopeError, Tampered
from diascope.core.evaluation import Release
from diascope.core.finding import Findings
from diascope.core.result import Algorithm, Made, Review
from diascope.serve.database.tables import readings, results, series, studies, users
from diascope.serve.identities import Identity
from diascope.serve.outgoing.parcel import Parcel
from diascope.serve.outgoing.telling import StudyFacts
from diascope.serve.reporting import wording
from diascope.serve.room.words import words
from diascope.serve.service import Service
from diascope.store.releases import INDEX


@dataclass(frozen=True)
class Told:
    """Everything that a message says.

    Args:
        findings: As they were kept.
        made: By what and when, and the latest review.
        person: Whose study it is; to be told to the peer, and nowhere else.
        study: The study.
    """

    findings: Findings
    made: Made
    person: Identity
    study: StudyFacts


def told(service: Service, parcel: Parcel) -> Told:
    """What a message about a result says now.

    Raises:
        DiascopeError: When the result, or the identity of its study, is gone.
    """
    with service.database.reading() as connection:
        row, review = _row(connection, parcel.result), _review(connection, parcel.result)
    if row is None:
        raise DiascopeError("the result was deleted", given=parcel.result)
    person = service.identities.of([row.uid]).get(row.uid)
    if person is None:
        raise DiascopeError("nobody knows whose study it is: no message about it is sent", given=parcel.result)
    findings = Findings.from_json(dict(row.findings), where="the result")
    made = Made(parcel.result, _time(findings.created, row.answered), _algorithm(service, row), review)
    study = StudyFacts(row.uid, _when(row.date, row.time), row.modality, row.description, (row.series_uid,))
    return Told(findings, made, person, study)


def _row(connection: Connection, result: str) -> Any:
    columns = (
        results.c.findings, results.c.release, results.c.seal, results.c.answered, studies.c.uid, studies.c.date,
        studies.c.time, studies.c.description, series.c.modality, series.c.uid.label("series_uid"),
    )  # fmt: skip
    joined = select(*columns).join(studies, studies.c.id == results.c.study_id)
    whole = joined.join(series, series.c.id == results.c.series_id)
    return connection.execute(whole.where(results.c.id == result)).first()


def _review(connection: Connection, result: str) -> Review | None:
    """The latest decision of a reader."""
    query = select(readings, users.c.display, users.c.name)
    joined = query.join(users, users.c.id == readings.c.reader, isouter=True).where(readings.c.result_id == result)
    row = connection.execute(joined.order_by(readings.c.at.desc(), readings.c.id.desc()).limit(1)).first()
    if row is None:
        return None
    english, amended = words("en"), row.amended if isinstance(row.amended, dict) else {}
    return Review(
        by=row.display or row.name or "a reader",
        at=datetime.fromtimestamp(row.at, UTC),
        verdict=verdict_told(row.verdict, row.added),
        comment=row.comment,
        reason=wording.reason(row.reason, english) if row.reason else "",
        amended={name: wording.corrected(one, english) for name, one in amended.items()},
        added=tuple(f"{one['concept']}: {wording.missed(one, english)}" for one in row.added or ()),
    )


def verdict_told(verdict: str, added: Any) -> Any:
    """A verdict as others are told of it: what was accepted, but for what the release missed, was amended."""
    return "amend" if verdict == "accept" and added else verdict


def _algorithm(service: Service, row: Any) -> Algorithm:
    """The release of a result; of one that is gone or changed, what the result keeps of it."""
    name, _, version = row.release.rpartition("@")
    try:
        release = Release.read(service.workspace.releases / row.release / INDEX)
    except (Tampered, BadUsage):
        release = None
    if release is not None and release.seal == row.seal and release.label == row.release:
        return Algorithm.of(release)
    return Algorithm(name=name, version=version, seal=row.seal, calibration="unknown: the release is gone")


def _time(created: str, answered: float) -> datetime:
    at = datetime.fromisoformat(created)
    return at if at.tzinfo else datetime.fromtimestamp(answered, UTC)


def _when(date: str, time: str) -> datetime | None:
    """When a study was made, without a zone as its headers have none; None where they do not say."""
    whole = f"{date}{time.partition('.')[0].ljust(6, '0')[:6]}"
    try:
        return datetime.strptime(whole, "%Y%m%d%H%M%S")
    except ValueError:
        return None
