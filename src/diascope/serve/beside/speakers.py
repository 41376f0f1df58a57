"""Which releases say something of a text or of laboratory results, and how they are asked: nothing here needs torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from diascope.core.errors import DiascopeError
from diascope.core.evaluation import Release
from diascope.core.plan import Plan
from diascope.serve import nouns
from diascope.serve.beside.asking import SPANS
from diascope.serve.beside.rows import LabRow, lab_row, results_of
from diascope.serve.database.beside_tables import statements
from diascope.serve.database.tables import served
from diascope.serve.reading.served import WITHDRAWN
from diascope.serve.service import Service
from diascope.store.releases import INDEX

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
        """Whether it may know the language of a text; where one of the two is not known it is asked, and may refuse."""
        own = str(self.settings.get("language", ""))
        return not own or not language or own.partition("-")[0] == language.partition("-")[0]

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
    gone = select(served.c.release).where(served.c.state == WITHDRAWN)
    withdrawn = set(connection.execute(gone).scalars())
    labels = [label for label in nouns.names(service.workspace, "releases") if label not in withdrawn]
    found = [speaker(service, label) for label in labels]
    return [one for one in found if one is not None and one.reads == reads]


def speaker(service: Service, label: str) -> Speaker | None:
    """A release of these by its name, whether it is in service or not; None where it is none, or can't be read."""
    folder = service.workspace.releases / label
    try:
        release = Release.read(folder / INDEX)
        plan = Plan.read(folder / "plan.json")
    except DiascopeError:  # the page of the models says what is wrong with it
        return None
    readings: Mapping[str, Mapping[str, Any]] = plan["readings"]
    if not release.signed_by or release.label != label or plan["image_inputs"] or len(readings) != 1:
        return None
    (settings,) = readings.values()
    if settings["kind"] == TEXT and release.target.kind != SPANS:
        return Speaker(label, "text", settings)
    return Speaker(label, "table", settings) if settings["kind"] == TABLE else None


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


def _about(document: str | None) -> Any:
    return statements.c.document_id.is_(None) if document is None else statements.c.document_id == document


def _basis(service: Service, connection: Connection, study: int, release: str) -> str:
    one = speaker(service, release)
    return lab_row(results_of(connection, study), one.settings).basis if one and one.reads == TABLE else ""
