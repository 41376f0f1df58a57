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

from sqlalchemy import Connection, Integer, Table, bindparam, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from diascope.serve.audit import Event
from diascope.serve.database.tables import changes, instances, series, studies
from diascope.serve.identities import Identity, OtherPatient
from diascope.serve.service import Service
from diascope.store.archive import Stored

SEEN = select(instances.c.uid, instances.c.sha256).where(instances.c.uid.in_(bindparam("uids", expanding=True)))
PLACED = (
    select(series.c.uid, studies.c.uid.label("study_uid"))
    .join_from(series, studies)
    .where(series.c.uid.in_(bindparam("uids", expanding=True)))
)
KNOWN = select(studies.c.id, studies.c.uid, studies.c.patient, studies.c.project_id).where(
    studies.c.uid.in_(bindparam("uids", expanding=True))
)
_THIS_SERIES = (series.c.study_id == bindparam("of_study")) & (series.c.uid == bindparam("of_uid"))
SERIES_ID = select(series.c.id).where(_THIS_SERIES)
ARRIVED = (
    update(series)
    .where(_THIS_SERIES)
    .values(
        arrived=bindparam("new_arrived"),
        due=bindparam("new_due"),
        peer=bindparam("new_peer"),
        expected=func.coalesce(bindparam("new_expected", type_=Integer), series.c.expected),
    )
    .returning(series.c.id)
)
CHANGED = update(studies).where(studies.c.uid == bindparam("of_uid")).values(changed=bindparam("now"))


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
        status: `stored`; `same`: these bytes are there already; else it is refused.
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
    return _Storing(service, connection, arrivals).done()


def lock(connection: Connection, uids: Iterable[str]) -> None:
    """Let nobody else index or delete what has these UIDs until this transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name != "postgresql":
        return
    keys = {int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big", signed=True) for uid in uids}
    ordered = "SELECT pg_advisory_xact_lock(key) FROM (SELECT unnest(CAST(:keys AS bigint[])) AS key ORDER BY 1) AS one"
    connection.execute(text(ordered), {"keys": sorted(keys)})


class _Storing:
    """One transaction: what is there is asked once for all arrivals, and what is new is written at once."""

    def __init__(self, service: Service, connection: Connection, arrivals: Sequence[Arrival]) -> None:
        self.service, self.connection, self.arrivals = service, connection, arrivals
        self.now = service.clock()
        uids = [_uids(one.facts) for one in arrivals]
        asked = [sorted({one[place] for one in uids}) for place in range(3)]
        self.seen = {row.uid: row.sha256 for row in connection.execute(SEEN, {"uids": asked[0]})}
        self.placed = {row.uid: row.study_uid for row in connection.execute(PLACED, {"uids": asked[1]})}
        self.known = {row.uid: row for row in connection.execute(KNOWN, {"uids": asked[2]})}
        self.series_ids: dict[str, int] = {}
        self.rows: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []

    def done(self) -> list[Outcome]:
        """What became of each."""
        outcomes = [self._judged(one) for one in self.arrivals]
        if self.rows:
            self.connection.execute(insert(instances), self.rows)
            self.connection.execute(insert(changes), self.changes)
            for uid in sorted({row["study_uid"] for row in self.changes}):
                self.connection.execute(CHANGED, {"of_uid": uid, "now": self.now})
        # The head of the audit trail is one row for everybody: it is taken last and held shortest.
        told = zip(self.arrivals, outcomes, strict=True)
        said = [_event(arrival, outcome) for arrival, outcome in told if outcome.status in ("stored", "same")]
        self.service.audit.append_all(self.connection, said)
        return outcomes

    def _judged(self, arrival: Arrival) -> Outcome:
        uid, series_uid, study_uid = _uids(arrival.facts)
        if uid in self.seen:
            return _again(self.seen[uid], arrival.stored.sha256)
        if self.placed.get(series_uid, study_uid) != study_uid:
            words = "its series is known as part of another study"
            return Outcome("mismatch", words, "Send the series with one study UID")
        patient = self.service.identities.pseudonym(arrival.identity, study_uid)
        study = self.known.get(study_uid)
        if study is not None and study.patient != patient:
            return _other_patient()
        if study is not None and study.project_id != arrival.origin.project:
            return Outcome("forbidden", "its study belongs to another project", "Ask who answers for that project")
        try:
            self.service.identities.keep(study_uid, arrival.identity)
        except OtherPatient:
            return _other_patient()
        self._write(arrival, study.id if study is not None else self._new_study(arrival, patient))
        return Outcome("stored")

    def _write(self, arrival: Arrival, study_id: int) -> None:
        uid, series_uid, study_uid = _uids(arrival.facts)
        series_id = self.series_ids.get(series_uid) or self._met_series(arrival, study_id)
        self.series_ids[series_uid], self.placed[series_uid] = series_id, study_uid
        self.seen[uid] = arrival.stored.sha256
        self.rows.append(_instance(arrival, series_id, self.now))
        change = {"kind": "instance_stored", "study_uid": study_uid, "series_uid": series_uid, "instance_uid": uid}
        self.changes.append({**change, "at": self.now})

    def _new_study(self, arrival: Arrival, patient: str) -> int:
        uid = arrival.facts["study_uid"]
        columns = {"uid": uid, "project_id": arrival.origin.project, "patient": patient}
        values = {**columns, **arrival.facts["study"], "created": self.now, "changed": self.now}
        self.connection.execute(_unless_there(self.connection, studies), values)
        self.known |= {row.uid: row for row in self.connection.execute(KNOWN, {"uids": [uid]})}
        return int(self.known[uid].id)

    def _met_series(self, arrival: Arrival, study_id: int) -> int:
        """The series, told that something of it has arrived; its id."""
        facts, origin = arrival.facts, arrival.origin
        due = None if origin.made else self.now + self.service.settings.quiet_seconds
        arrived = {"arrived": self.now, "due": due, "peer": origin.peer, "expected": facts["expected"]}
        there = {"of_study": study_id, "of_uid": facts["series_uid"]}
        told = {f"new_{name}": value for name, value in arrived.items()} | there
        known = self.connection.execute(ARRIVED, told).scalar_one_or_none()
        if known is not None:
            return int(known)
        own = {"study_id": study_id, "uid": facts["series_uid"], "made": origin.made, "revision": 0}
        self.connection.execute(_unless_there(self.connection, series), {**own, **facts["series"], **arrived})
        return int(self.connection.execute(SERIES_ID, there).scalar_one())


def _unless_there(connection: Connection, table: Table) -> Any:
    """An insert that does nothing where the row is there."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table).on_conflict_do_nothing()


def _again(known: str, sha256: str) -> Outcome:
    if known == sha256:
        return Outcome("same")
    return Outcome("duplicate", "another object has this instance UID", "Give it a UID of its own; the first stays")


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
