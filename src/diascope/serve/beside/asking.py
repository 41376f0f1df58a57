"""Which releases mark texts, and how they are asked: nothing here needs torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, select

from diascope.core.errors import DiascopeError
from diascope.core.evaluation import Release
from diascope.core.plan import Plan
from diascope.serve import nouns
from diascope.serve.database.beside_tables import marks
from diascope.serve.database.tables import served
from diascope.serve.reading.served import WITHDRAWN
from diascope.serve.service import Service
from diascope.store.releases import INDEX

SPANS = "spans"
"""Kind of target of a release that marks texts."""


@dataclass(frozen=True)
class Marker:
    """A release in service that marks texts.

    Args:
        label: `name@version`.
        seal: Of it, as it is now.
        language: Of the texts that it learnt from; "" where its plan does not say.
    """

    label: str
    seal: str
    language: str

    def reads(self, language: str) -> bool:
        """Whether it may know the language of a text; where one of the two is not known it is asked, and may refuse."""
        return not self.language or not language or self.language.partition("-")[0] == language.partition("-")[0]


def markers(service: Service, connection: Connection) -> list[Marker]:
    """Every release of entities in service, by name; one that can't be read marks nothing."""
    gone = select(served.c.release).where(served.c.state == WITHDRAWN)
    withdrawn = set(connection.execute(gone).scalars())
    found = []
    for label in nouns.names(service.workspace, "releases"):
        if label not in withdrawn and (one := _marker(service, label)) is not None:
            found.append(one)
    return found


def _marker(service: Service, label: str) -> Marker | None:
    folder = service.workspace.releases / label
    try:
        release = Release.read(folder / INDEX)
        if release.target.kind != SPANS or not release.signed_by or release.label != label:
            return None
        readings = Plan.read(folder / "plan.json")["readings"]
    except DiascopeError:  # the page of the models says what is wrong with it
        return None
    if len(readings) != 1:
        return None
    (settings,) = readings.values()
    return Marker(label, release.seal, str(settings.get("language", "")))


def ask(service: Service, connection: Connection, document: str, release: str, project: str, by: str) -> str:
    """Put a job `mark` into the queue, in the caller's transaction; the same while one is under way.

    Args:
        service: Whose.
        connection: Of the transaction.
        document: Id of the text.
        release: Label.
        project: Of the study.
        by: Who asks.

    Returns:
        Id of the job.
    """
    known = select(marks.c.at).where(marks.c.document_id == document, marks.c.release == release)
    # What was not available may be asked for again: a later question has another key.
    last = connection.execute(known).scalar()
    digest = hashlib.sha256(f"{release}\n{last}".encode()).hexdigest()[:32]
    payload = {"document": document, "release": release}
    return service.queue.put(connection, "mark", payload, key=f"mark:{document}:{digest}", project=project, by=by)
