"""Receiving one object: parsed apart, compared with what its sender announced, kept, indexed, audited.

When `receive` returns, the object is durable and known; when it raises `Refused`, nothing of it is left.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from sqlalchemy import select

from diascope.core.errors import (
    DiascopeError,
    StorageFailed,
    StorageFull,
    Unavailable,
    UnreadableFile,
)
from diascope.formats.dicomio.decoder import Decoder
from diascope.formats.dicomio.uids import is_uid
from diascope.serve.audit import Event
from diascope.serve.database.tables import instances
from diascope.serve.incoming.decoding import strict_decoder
from diascope.serve.incoming.room import Room
from diascope.serve.incoming.storing import Arrival, Origin, Outcome, store
from diascope.serve.incoming.together import Together
from diascope.serve.service import Service
from diascope.store.archive import Draft

Reason = Literal["unparsable", "mismatch", "duplicate", "out_of_resources", "forbidden", "class_not_supported"]

PREAMBLE = 128
"""Bytes before DICM that mean nothing to DICOM and may be the head of a program (RELIABILITY B9)."""

CHUNK = 1 << 20

AT_ONCE = 32
"""Objects that one transaction indexes at most."""

NO_OBJECTS = frozenset(("1.2.840.10008.1.3.10", "1.2.840.10008.1.1"))
"""SOP classes that are no object of a patient: a DICOMDIR, verification."""

STORAGE = (Unavailable, StorageFull, StorageFailed)


class Refused(DiascopeError):
    """An object that was not stored.

    Args:
        reason: Code that each protocol turns into its own.
        wrong: What was wrong, one clause, without any text of the object.
        given: What was given, verbatim, never an identity.
        todo: What to do next.
    """

    exit_code = 3

    def __init__(self, reason: Reason, wrong: str, given: object = None, todo: str = "") -> None:
        super().__init__(wrong, given=given, todo=todo)
        self.reason: Reason = reason
        self.instance_uid = self.sop_class = ""
        """Of the object, where it could be parsed: a sender is told which one it was."""


@dataclass(frozen=True)
class Expected:
    """What a sender announced before the object came; "" where it said nothing."""

    sop_class: str = ""
    instance_uid: str = ""
    study_uid: str = ""
    syntax: str = ""


@dataclass(frozen=True)
class Received:
    """What became of an object.

    Args:
        status: `stored`; or `same`: these bytes were there already, and nothing was done.
        instance_uid: Of the object.
        study_uid: Of the object.
        series_uid: Of the object.
        sop_class: Of the object.
        warnings: `preamble zeroed`, `meta header differs`, `unread: Keyword, …`.
    """

    status: Literal["stored", "same"]
    instance_uid: str
    study_uid: str
    series_uid: str
    sop_class: str
    warnings: tuple[str, ...] = ()


class Receiving:
    """Takes in objects; several threads may use one.

    Args:
        service: Where they go.
        decoder: Parses them; by default that of `decoding.py`.
    """

    def __init__(self, service: Service, decoder: Decoder | None = None) -> None:
        self.service = service
        self.decoder = decoder or strict_decoder()
        self._room = Room(service)
        self._store: Together[Arrival, Outcome] = Together(lambda some: store(service, some), AT_ONCE)

    def receive(self, draft: Draft, origin: Origin, expected: Expected | None = None) -> Received:
        """Take in an object that was written into a draft. The draft is kept or dropped when this returns.

        Args:
            draft: With all bytes of a DICOM file.
            origin: Who sends.
            expected: What was announced.

        Raises:
            Refused: With the reason; it is audited, and nothing of the object is left.
        """
        with draft:
            try:
                return self._received(draft, origin, expected or Expected())
            except Refused as error:
                self._tell(error, origin, expected)
                raise
            except STORAGE as error:
                refused = Refused("out_of_resources", error.wrong, error.given, error.todo)
                self._tell(refused, origin, expected)
                raise refused from error

    def _received(self, draft: Draft, origin: Origin, expected: Expected) -> Received:
        self._room.check(draft.size)
        facts = self._facts(draft)
        try:
            return self._known(draft, facts, origin, expected)
        except Refused as error:
            error.instance_uid, error.sop_class = facts["sop_uid"], facts["sop_class"]
            raise

    def _known(self, draft: Draft, facts: dict[str, Any], origin: Origin, expected: Expected) -> Received:
        if facts["sop_class"] in NO_OBJECTS:
            raise Refused("class_not_supported", "this is no object of a patient", facts["sop_class"], "Send its files")
        _compare(facts, expected)
        warnings = tuple(_warnings(facts))
        if not facts["preamble"]:
            return self._kept(draft, facts, origin, warnings)
        with self.service.archive.draft() as clean:
            _without_preamble(draft.path, clean)
            draft.drop()
            return self._kept(clean, facts, origin, warnings)

    def _kept(self, draft: Draft, facts: dict[str, Any], origin: Origin, warnings: tuple[str, ...]) -> Received:
        """Order of decision 0016: file, then identity, then index and audit."""
        stored, detail = draft.keep(), {"warnings": list(warnings)} if warnings else {}
        outcome = self._indexed(Arrival(facts, stored, origin, detail))
        if outcome.status != "stored":
            self.service.archive.delete(stored.key)
        self._room.taken(stored.size if outcome.status == "stored" else 0)
        if outcome.status not in ("stored", "same"):
            raise Refused(cast(Reason, outcome.status), outcome.wrong, facts["sop_uid"], outcome.todo)
        status: Literal["stored", "same"] = "stored" if outcome.status == "stored" else "same"
        uids = facts["sop_uid"], facts["study_uid"], facts["series_uid"], facts["sop_class"]
        return Received(status, *uids, warnings)

    def _indexed(self, arrival: Arrival) -> Outcome:
        try:
            return self._store(arrival)
        except BaseException:
            self._drop_unless_indexed(arrival.stored.key)
            raise

    def _facts(self, draft: Draft) -> dict[str, Any]:
        try:
            return self.decoder.index(draft.path, draft.flush)
        except UnreadableFile as error:
            raise Refused(
                "unparsable", error.reason, todo="Look at the object with the program that made it"
            ) from error

    def _drop_unless_indexed(self, key: str) -> None:
        """After a failure. Where nobody can say whether the row is there, the object stays; `sweep` asks again."""
        with contextlib.suppress(DiascopeError):
            with self.service.database.reading() as connection:
                there = connection.execute(select(instances.c.id).where(instances.c.key == key)).first()
            if there is None and self.service.database.is_sqlite:
                self.service.archive.delete(key)

    def _tell(self, error: Refused, origin: Origin, expected: Expected | None) -> None:
        uid = (expected.instance_uid if expected else "") or (error.given if isinstance(error.given, str) else "")
        event = Event(
            action="instance.refused",
            actor=origin.actor,
            object=uid if is_uid(uid) else "",
            outcome="refused",
            project=origin.project,
            address=origin.address,
            detail={"reason": error.reason, "wrong": error.wrong},
        )
        # Where the database is what failed, its refusal cannot be written down; the object is not there either way.
        with contextlib.suppress(*(STORAGE if error.reason == "out_of_resources" else ())):
            self.service.audit.tell(event)


def _compare(facts: dict[str, Any], expected: Expected) -> None:
    """Refuse an object that is not the one that was announced."""
    pairs = (
        ("SOP class", expected.sop_class, facts["sop_class"]),
        ("SOP instance UID", expected.instance_uid, facts["sop_uid"]),
        ("study", expected.study_uid, facts["study_uid"]),
        ("transfer syntax", expected.syntax, facts["syntax"]),
    )
    for what, announced, found in pairs:
        if announced and announced != found:
            raise Refused("mismatch", f"its {what} is not the one that was announced", found, "Announce what is sent")


def _warnings(facts: dict[str, Any]) -> list[str]:
    found = []
    if facts["preamble"]:
        found.append("preamble zeroed")
    if facts["meta"] != {"sop_class": facts["sop_class"], "sop_uid": facts["sop_uid"]}:
        found.append("meta header differs")
    if facts["odd"]:
        found.append(f"unread: {', '.join(facts['odd'])}")
    return found


def _without_preamble(source: Path, clean: Draft) -> None:
    """Copy a file with zeros before DICM; every other byte stays."""
    with source.open("rb") as stream:
        stream.seek(PREAMBLE)
        clean.write(b"\0" * PREAMBLE)
        while chunk := stream.read(CHUNK):
            clean.write(chunk)


__all__ = ["Expected", "Origin", "Received", "Receiving", "Refused"]
