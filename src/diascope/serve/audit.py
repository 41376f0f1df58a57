"""The audit trail: what was done, by whom, chained so that a changed, missing or added record shows.

Each record's digest is a keyed hash (HMAC-SHA256) of the record and of the digest before it; the key is outside the
database. Cutting off the end leaves a sound chain: so the newest head of each day is kept in a file beside the
database, signed with the same key (RELIABILITY D2). A record is appended in the transaction of what it tells: where it
can't be written, nothing is done (D3, fails closed).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from diascope.core.errors import Tampered
from diascope.core.record import canonical_json, write_durably
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import audit as records
from diascope.serve.database.tables import audit_head

START = "0" * 64
"""What the first record has as the digest before it."""

CHUNK = 5000

FORWARD = (
    update(audit_head)
    .values(sequence=audit_head.c.sequence + bindparam("by"))
    .returning(audit_head.c.sequence, audit_head.c.digest)
)


@dataclass(frozen=True)
class Event:
    """Something that was done, or refused.

    Args:
        action: `noun.verb`: `study.viewed`, `login.failed`.
        actor: User, peer or part of the service: `user:li`, `peer:CT1`, `service`.
        object: What it was done to: a UID, an id. No name of a patient.
        outcome: Whether it was done.
        project: Where the object belongs.
        address: Network address that it came from.
        detail: Text, whole numbers, truth values. No identities.
    """

    action: str
    actor: str
    object: str = ""
    outcome: Literal["success", "failure", "refused"] = "success"
    project: str = ""
    address: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verified:
    """What a verification found.

    Args:
        records: How many there are.
        first_bad: Sequence number of the first record that is wrong or missing; None where all are sound.
        reason: What is wrong with it.
        head: Digest of the last record.
    """

    records: int
    first_bad: int | None
    reason: str
    head: str


class Audit:
    """The trail of one service.

    Args:
        database: The index.
        key: 32 bytes, outside the database.
        anchors: File of the signed heads.
        clock: Seconds since 1970.
    """

    def __init__(self, database: Database, key: bytes, anchors: Path, clock: Callable[[], float] = time.time) -> None:
        self.database, self.anchors, self.clock = database, anchors, clock
        self._key = key
        database.change(_first_head)

    def append(self, connection: Connection, event: Event) -> None:
        """Add a record in the caller's transaction."""
        self.append_all(connection, [event])

    def append_all(self, connection: Connection, events: Sequence[Event]) -> None:
        """Add records, in order, in the caller's transaction."""
        if not events:
            return
        # On PostgreSQL whoever else appends waits here.
        head = connection.execute(FORWARD, {"by": len(events)}).one()
        rows, previous = [], head.digest
        for sequence, event in enumerate(events, start=head.sequence - len(events) + 1):
            row = {
                "sequence": sequence,
                "at": self.clock(),
                "actor": event.actor[:128],
                "action": event.action,
                "outcome": event.outcome,
                "object": event.object[:256],
                "project_id": event.project,
                "address": event.address[:64],
                "detail": json.loads(canonical_json(dict(event.detail))),
                "previous": previous,
            }
            previous = row["digest"] = self._digest(row)
            rows.append(row)
        connection.execute(insert(records), rows)
        connection.execute(update(audit_head), {"digest": previous})

    def tell(self, event: Event) -> None:
        """Add a record in a transaction of its own."""
        self.database.change(lambda connection: self.append(connection, event))

    def anchor(self) -> None:
        """Keep the head outside the database: the newest of each day, signed."""
        with self.database.reading() as connection:
            head = connection.execute(select(audit_head)).one()
        if not head.sequence:
            return
        day = datetime.fromtimestamp(self.clock(), UTC).date().isoformat()
        kept = {line["day"]: line for line in self._anchors()}
        if kept.get(day, {}).get("sequence") == head.sequence:
            return
        line = {"day": day, "sequence": head.sequence, "digest": head.digest}
        kept[day] = {**line, "signature": self._signature(line)}
        lines = [canonical_json(kept[day]) for day in sorted(kept)]
        write_durably(self.anchors, "\n".join([*lines, ""]).encode())

    def verify(self) -> Verified:
        """Read the whole trail and name the first record that is not what it was."""
        count, previous, anchors = 0, START, {}
        try:
            anchors = {line["sequence"]: line["digest"] for line in self._anchors()}
        except Tampered as error:
            return Verified(0, 1, error.wrong, START)
        for row in self._records():
            count += 1
            if wrong := self._wrong(row, count, previous, anchors):
                return Verified(count, count, wrong, previous)
            previous = row["digest"]
        with self.database.reading() as connection:
            head = connection.execute(select(audit_head)).one()
        if (head.sequence, head.digest) != (count, previous) or max(anchors, default=0) > count:
            return Verified(count, count + 1, "records are missing at the end", previous)
        return Verified(count, None, "", previous)

    def _wrong(self, row: RowMapping, expected: int, previous: str, anchors: Mapping[int, str]) -> str:
        if row["sequence"] != expected:
            return f"record {expected} is missing: the next one has number {row['sequence']}"
        if row["previous"] != previous:
            return "it does not follow the record before it"
        if not hmac.compare_digest(row["digest"], self._digest(row)):
            return "its content is not what was written"
        if anchors.get(expected, row["digest"]) != row["digest"]:
            return "it differs from the signed head of its day"
        return ""

    def _records(self) -> Iterator[RowMapping]:
        last = 0
        while True:
            with self.database.reading() as connection:
                query = select(records).where(records.c.sequence > last).order_by(records.c.sequence).limit(CHUNK)
                rows = connection.execute(query).mappings().all()
            yield from rows
            if len(rows) < CHUNK:
                return
            last = rows[-1]["sequence"]

    def _digest(self, row: Mapping[Any, Any]) -> str:
        content = {name: row[name] for name in row if name != "digest"}
        return hmac.new(self._key, canonical_json(content).encode(), hashlib.sha256).hexdigest()

    def _signature(self, line: Mapping[str, Any]) -> str:
        content = canonical_json({name: line[name] for name in ("day", "sequence", "digest")})
        return hmac.new(self._key, b"head\0" + content.encode(), hashlib.sha256).hexdigest()

    def _anchors(self) -> list[dict[str, Any]]:
        """The heads that were kept.

        Raises:
            Tampered: When one of them was not signed by this service.
        """
        if not self.anchors.exists():
            return []
        found = []
        for text in self.anchors.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
                sound = hmac.compare_digest(str(line["signature"]), self._signature(line))
            except (ValueError, KeyError, TypeError):
                sound = False
            if not sound:
                raise Tampered(f"{self.anchors.name} holds a head that this service did not sign")
            found.append(line)
        return found


def _first_head(connection: Connection) -> None:
    if connection.execute(select(audit_head)).first() is None:
        connection.execute(insert(audit_head).values(id=1, sequence=0, digest=START))
