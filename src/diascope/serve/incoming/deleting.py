"""Deleting a study: from the index, then from the archive, then who it was of.

The index goes first, in one transaction with its tombstone and its audit record: from then on the study is not there.
What a crash leaves after that is named by no row, and `sweeping.sweep` removes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from diascope.core.errors import DataRefused
from diascope.serve.audit import Event
from diascope.serve.database.tables import changes, studies
from diascope.serve.incoming.named import keys_of_study
from diascope.serve.incoming.storing import lock
from diascope.serve.service import Service
from diascope.serve.viewing.series import forget


class NoStudy(DataRefused):
    """A study that is not there."""

    def __init__(self) -> None:
        super().__init__("there is no such study", todo="It may have been deleted, or not be yours")


@dataclass(frozen=True)
class Deleted:
    """What was deleted.

    Args:
        study_uid: The study.
        project: Where it belonged.
        keys: Names of its objects in the archive.
    """

    study_uid: str
    project: str
    keys: tuple[str, ...]


def delete_study(
    service: Service,
    study_uid: str,
    actor: str,
    address: str = "",
    reason: str = "",
    unless: Callable[[Connection, Row[Any]], bool] | None = None,
) -> Deleted:
    """Delete a study with everything that hangs on it: results, readings, objects, its identity.

    Args:
        service: Where it is.
        study_uid: The study.
        actor: Who deletes, for the audit.
        address: Network address that it came from.
        reason: `retention`, `request`, …; a code, never free text about a patient.
        unless: Given the connection and the row: whether it is to be left after all.

    Raises:
        NoStudy: When there is none, or it was left.
        Unavailable: When a database does not answer.
    """

    def work(connection: Connection) -> Deleted:
        lock(connection, [study_uid])
        row = connection.execute(select(studies).where(studies.c.uid == study_uid)).first()
        if row is None or (unless is not None and unless(connection, row)):
            raise NoStudy
        keys = tuple(keys_of_study(connection, row.id))
        connection.execute(delete(studies).where(studies.c.id == row.id))
        connection.execute(insert(changes).values(kind="study_deleted", study_uid=study_uid, at=service.clock()))
        event = Event(
            action="study.deleted",
            actor=actor,
            object=study_uid,
            project=row.project_id,
            address=address,
            detail={"objects": len(keys), **({"reason": reason} if reason else {})},
        )
        service.audit.append(connection, event)
        return Deleted(study_uid, row.project_id, keys)

    deleted = service.database.change(work)
    forget(service, study_uid)
    for key in deleted.keys:
        service.archive.delete(key)
    forget_absent(service, study_uid)
    return deleted


def forget_absent(service: Service, study_uid: str) -> bool:
    """Forget who a study was of, unless it is there: whoever sends it again keeps its identity in the same transaction.

    Returns:
        Whether it was not there.
    """

    def work(connection: Connection) -> bool:
        lock(connection, [study_uid])
        there = connection.execute(select(studies.c.id).where(studies.c.uid == study_uid)).first() is not None
        if not there:
            service.identities.forget(study_uid)
        return not there

    return service.database.change(work)
