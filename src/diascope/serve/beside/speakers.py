"""Which releases say something of a text or of laboratory results, and how they are asked: nothing here needs torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from diascope.serve.beside.asking import SPANS, OneReading, in_service, may_know, one_reading
from diascope.serve.beside.rows import LabRow, lab_row, results_of
from diascope.serve.database.beside_tables import statements
from diascope.serve.service import Service

TEXT, TABLE = "text", "table"
ENOUGH = 0.5
"""Share of its columns that must have a value before a release is asked without anybody asking for it."""


@dataclass(frozen=True)
class Speaker:
    """A release in service that reads one text, or one row of a table, and nothing else.

    Args:
        label: `name@version`.
        reads: What.
        settings: Of its plan's only reading.
    """

    label: str
    reads: Literal["text", "table"]
    settings: Mapping[str, Any] = field(repr=False)

    def knows(self, language: str) -> bool:
        """Whether it may know the language of a text."""
        return may_know(str(self.settings.get("language", "")), language)

    def fits(self, row: LabRow) -> bool:
        """Whether enough of its columns have a value to ask it unasked."""
        return row.there >= max(1.0, ENOUGH * len(row.values))


def speakers(service: Service, connection: Connection, reads: str) -> list[Speaker]:
    """Every such release in service, by name; one that can't be read says nothing.

    Args:
        service: Whose.
        connection: Of the index.
        reads: `text` or `table`.
    """
    found = [_speaker(one) for one in in_service(service, connection)]
    return [one for one in found if one is not None and one.reads == reads]


def speaker(service: Service, label: str) -> Speaker | None:
    """A release of these by its name, whether it is in service or not; None where it is none, or can't be read."""
    one = one_reading(service, label)
    return None if one is None else _speaker(one)


def ask(
    service: Service, connection: Connection, study: Mapping[Any, Any], release: str, about: tuple[str | None, str]
) -> str:
    """Put a job `state` into the queue, in the caller's transaction; the same while one is under way.

    Args:
        service: Whose.
        connection: Of the transaction.
        study: Row of `studies`.
        release: Label.
        about: Id of the text, None for laboratory results; who asks.

    Returns:
        Id of the job.
    """
    document, by = about
    # What was not available may be asked for again, and so may newer results: a later question has another key.
    same = (statements.c.study_id == study["id"]) & (statements.c.release == release)
    last = connection.execute(select(func.max(statements.c.at)).where(same & _about(document))).scalar()
    basis = "" if document else _basis(service, connection, study["id"], release)
    digest = hashlib.sha256(f"{release}\n{last}\n{basis}".encode()).hexdigest()[:32]
    payload = {"study": study["uid"], "document": document, "release": release}
    key = f"state:{document or study['id']}:{digest}"
    return service.queue.put(connection, "state", payload, key=key, project=study["project_id"], by=by)


def ask_fitting(
    service: Service, connection: Connection, study: Mapping[Any, Any], known: Sequence[Speaker], by: str
) -> list[str]:
    """Let each release that reads rows read the laboratory results of a study, where enough of them are there.

    Args:
        service: Whose.
        connection: Of the transaction that kept new ones.
        study: Row of `studies`.
        known: Of `speakers`.
        by: Who brought them.

    Returns:
        Labels of those that were asked; one that has answered about the very same values is not.
    """
    results, labels = results_of(connection, study["id"]), []
    for one in known:
        row = lab_row(results, one.settings)
        same = (statements.c.study_id == study["id"]) & (statements.c.release == one.label) & _about(None)
        same &= (statements.c.basis == row.basis) & (statements.c.state == "answered")
        if one.fits(row) and connection.execute(select(statements.c.id).where(same)).first() is None:
            ask(service, connection, study, one.label, (None, by))
            labels.append(one.label)
    return labels


def _speaker(one: OneReading) -> Speaker | None:
    kind, label = one.settings["kind"], one.release.label
    if one.plan["image_inputs"]:
        return None
    if kind == TEXT and one.release.target.kind != SPANS:
        return Speaker(label, "text", one.settings)
    return Speaker(label, "table", one.settings) if kind == TABLE else None


def _about(document: str | None) -> Any:
    return statements.c.document_id.is_(None) if document is None else statements.c.document_id == document


def _basis(service: Service, connection: Connection, study: int, release: str) -> str:
    one = speaker(service, release)
    return lab_row(results_of(connection, study), one.settings).basis if one and one.reads == TABLE else ""
