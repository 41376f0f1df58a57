"""The rows of what arrived: study, series, instance, change, audit, in one transaction.

A study belongs to one patient and one project, a series to one study, an instance to one series. What speaks against
that is refused and the first stays (K1; dcm4chee-arc does the same unless told otherwise, "Accept Conflicting Patient
ID"). Refusals are answers here, not errors: others may be in the same transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Table, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from diascope.serve.audit import Event
from diascope.serve.database.tables import changes, instances, series, studies
from diascope.serve.identities import Identity, OtherPatient
from diascope.serve.service import Service
from diascope.store.archive import Stored

OTHERS_MAY_WRITE = 3600.0
"""Seconds that an object may wait for its row where other hosts write into the same archive."""


@dataclass(frozen=True)
class Origin:
    """Who sends.

    Args:
        actor: For the audit: `peer:CT1`, `user:li`, `service`.
        address: Network address.
        project: Where a study that is new belongs.
        peer: Id of the peer.
        made: Whether this service made it (SEG, SR): its series is never read by a release.
    """

    actor: str
    address: str
    project: str
    peer: str = ""
    made: bool = False


@dataclass(frozen=True)
class Arrival:
    """An object that is kept and not yet indexed.

    Args:
        facts: What `Decoder.index` said.
        stored: Where it lies.
        origin: Who sent it.
        detail: For the audit.
    """

    facts: Mapping[str, Any]
    stored: Stored
    origin: Origin
    detail: Mapping[str, Any]

    @property
    def identity(self) -> Identity:
        """Who it is of."""
        return Identity.model_validate(self.facts["identity"])


@dataclass(frozen=True)
class Outcome:
    """What became of an arrival.

    Args:
        status: `stored`; `same`: these bytes are there already; else it is refused, and why.
        wrong: Why.
        todo: What its sender can do.
    """

    status: Literal["stored", "same", "duplicate", "mismatch", "forbidden"]
    wrong: str = ""
    todo: str = ""


def store(service: Service, arrivals: Sequence[Arrival]) -> list[Outcome]:
    """Index several arrivals in one transaction, which is durable when this returns.

    Raises:
        StorageFull: When the disk of a database is full; nothing is then indexed.
        Unavailable: When a database does not answer.
    """
    return service.database.change(lambda connection: store_in(service, connection, arrivals))


def store_in(service: Service, connection: Connection, arrivals: Sequence[Arrival]) -> list[Outcome]:
    """Index several arrivals in the caller's transaction."""
    lock(connection, [uid for one in arrivals for uid in _uids(one.facts)])
    outcomes = [_store(service, connection, one) for one in arrivals]
    # The head of the audit trail is one row for everybody: it is taken last and held shortest.
    for arrival, outcome in zip(arrivals, outcomes, strict=True):
        if outcome.status in ("stored", "same"):
            service.audit.append(connection, _event(arrival, outcome))
    return outcomes


def lock(connection: Connection, uids: Iterable[str]) -> None:
    """Let nobody else index or delete what has these UIDs until this transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name != "postgresql":
        return
    keys = {int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big", signed=True) for uid in uids}
    ordered = "SELECT pg_advisory_xact_lock(key) FROM (SELECT unnest(CAST(:keys AS bigint[])) AS key ORDER BY 1) AS one"
    connection.execute(text(ordered), {"keys": sorted(keys)})


def met(connection: Connection, facts: Mapping[str, Any], sha256: str) -> Outcome | None:
    """What speaks for or against an object before anything is written; None where nothing does."""
    uid, series_uid, study_uid = _uids(facts)
    query = (
        select(instances.c.sha256, series.c.uid, studies.c.uid.label("study_uid"))
        .join_from(instances, series)
        .join(studies)
        .where(instances.c.uid == uid)
    )
    row = connection.execute(query).first()
    if row is not None:
        if row.sha256 == sha256:
            return Outcome("same")
        return Outcome("duplicate", "another object has this instance UID", "Give it a UID of its own; the first stays")
    elsewhere = select(studies.c.uid).join_from(series, studies).where(series.c.uid == series_uid)
    if any(other != study_uid for other in connection.execute(elsewhere).scalars()):
        return Outcome("mismatch", "its series is known as part of another study", "Send the series with one study UID")
    return None


def sweep(service: Service) -> int:
    """Remove what a crash left: drafts, objects that no row names, identities of studies that are not there.

    Returns:
        How many objects and drafts were removed.
    """

    def known(keys: Sequence[str]) -> set[str]:
        with service.database.reading() as connection:
            return set(connection.execute(select(instances.c.key).where(instances.c.key.in_(keys))).scalars())

    return service.archive.sweep(known, 0.0 if service.database.is_sqlite else OTHERS_MAY_WRITE)


def _store(service: Service, connection: Connection, arrival: Arrival) -> Outcome:
    facts, origin, now = arrival.facts, arrival.origin, service.clock()
    found = met(connection, facts, arrival.stored.sha256)
    if found is not None:
        return found
    identity, study_uid = arrival.identity, facts["study_uid"]
    patient = service.identities.pseudonym(identity, study_uid)
    row = connection.execute(select(studies).where(studies.c.uid == study_uid)).first()
    if row is not None and row.patient != patient:
        return _other_patient()
    if row is not None and row.project_id != origin.project:
        return Outcome("forbidden", "its study belongs to another project", "Ask who answers for that project")
    try:
        service.identities.keep(study_uid, identity)
    except OtherPatient:
        return _other_patient()
    study_id = row.id if row is not None else _new_study(connection, arrival, patient, now)
    series_id = _met_series(service, connection, arrival, study_id)
    connection.execute(insert(instances).values(**_instance(arrival, series_id, now)))
    connection.execute(update(studies).where(studies.c.id == study_id).values(changed=now))
    uid, series_uid, _ = _uids(facts)
    change = {"study_uid": study_uid, "series_uid": series_uid, "instance_uid": uid, "at": now}
    connection.execute(insert(changes).values(kind="instance_stored", **change))
    return Outcome("stored")


def _new_study(connection: Connection, arrival: Arrival, patient: str, now: float) -> int:
    columns = {"uid": arrival.facts["study_uid"], "project_id": arrival.origin.project, "patient": patient}
    values = {**columns, **arrival.facts["study"], "created": now, "changed": now}
    return _inserted(connection, studies, values, studies.c.uid == columns["uid"])


def _met_series(service: Service, connection: Connection, arrival: Arrival, study_id: int) -> int:
    """The series, told that something of it has arrived; its id."""
    facts, origin, now = arrival.facts, arrival.origin, service.clock()
    due = None if origin.made else now + service.settings.quiet_seconds
    arrived = {"arrived": now, "due": due, "peer": origin.peer}
    if facts["expected"] is not None:
        arrived["expected"] = facts["expected"]
    there = (series.c.study_id == study_id) & (series.c.uid == facts["series_uid"])
    changed = connection.execute(update(series).where(there).values(**arrived).returning(series.c.id)).first()
    if changed is not None:
        return int(changed.id)
    values = {"study_id": study_id, "uid": facts["series_uid"], "made": origin.made, "revision": 0}
    return _inserted(connection, series, {**values, **facts["series"], **arrived}, there)


def _instance(arrival: Arrival, series_id: int, now: float) -> dict[str, Any]:
    facts, stored = arrival.facts, arrival.stored
    return {
        "series_id": series_id,
        "uid": facts["sop_uid"],
        "sop_class": facts["sop_class"],
        "syntax": facts["syntax"],
        **facts["instance"],
        "size": stored.size,
        "sha256": stored.sha256,
        "key": stored.key,
        "received": now,
    }


def _inserted(connection: Connection, table: Table, values: Mapping[str, Any], there: Any) -> int:
    """Id of a row that is made unless it is there."""
    made = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table).values(**values)
    row = connection.execute(made.on_conflict_do_nothing().returning(table.c.id)).first()
    return int(row.id if row is not None else connection.execute(select(table.c.id).where(there)).scalar_one())


def _uids(facts: Mapping[str, Any]) -> tuple[str, str, str]:
    return facts["sop_uid"], facts["series_uid"], facts["study_uid"]


def _other_patient() -> Outcome:
    return Outcome(
        "mismatch",
        "its study is known as another patient's",
        "Find out which patient is right; delete the study before the corrected one is sent",
    )


def _event(arrival: Arrival, outcome: Outcome) -> Event:
    origin, facts = arrival.origin, arrival.facts
    said = {"study": facts["study_uid"], "series": facts["series_uid"], "class": facts["sop_class"]}
    if outcome.status == "same":
        said["again"] = True
    return Event(
        action="instance.stored",
        actor=origin.actor,
        object=facts["sop_uid"],
        project=origin.project,
        address=origin.address,
        detail={**said, "bytes": arrival.stored.size, **arrival.detail},
    )
