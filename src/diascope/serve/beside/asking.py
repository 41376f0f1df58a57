"""Which releases mark texts, and how they are asked: nothing here needs torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from diascope.core.errors import DiascopeError
from diascope.core.evaluation import Release
from diascope.core.plan import Plan
from diascope.serve import nouns
from diascope.serve.database.beside_tables import marks
from diascope.serve.reading.served import withdrawn
from diascope.serve.service import Service
from diascope.store.releases import INDEX

SPANS = "spans"
"""Kind of target of a release that marks texts."""


@dataclass(frozen=True)
class OneReading:
    """A signed release with one reading: a text, a row of a table.

    Args:
        release: Its index.
        plan: Of it.
        settings: Of that reading.
    """

    release: Release = field(repr=False)
    plan: Plan = field(repr=False)
    settings: Mapping[str, Any] = field(repr=False)


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
        """Whether it may know the language of a text."""
        return may_know(self.language, language)


def may_know(own: str, language: str) -> bool:
    """Whether a release may know the language of a text; where one of both is not known it is asked, and may refuse."""
    return not own or not language or own.partition("-")[0] == language.partition("-")[0]


def in_service(service: Service, connection: Connection) -> list[OneReading]:
    """Every release in service that has one reading, by name; one that can't be read says nothing."""
    gone = withdrawn(connection)
    labels = [label for label in nouns.names(service.workspace, "releases") if label not in gone]
    return [one for one in (one_reading(service, label) for label in labels) if one is not None]


def one_reading(service: Service, label: str) -> OneReading | None:
    """A release by its name, whether it is in service or not; None where it is none of these, or can't be read."""
    folder = service.workspace.releases / label
    try:
        release = Release.read(folder / INDEX)
        if not release.signed_by or release.label != label:
            return None
        plan = Plan.read(folder / "plan.json")
    except DiascopeError:  # the page of the models says what is wrong with it
        return None
    readings: Mapping[str, Mapping[str, Any]] = plan["readings"]
    return OneReading(release, plan, next(iter(readings.values()))) if len(readings) == 1 else None


def markers(service: Service, connection: Connection) -> list[Marker]:
    """Every release of entities in service, by name."""
    known = in_service(service, connection)
    return [
        Marker(one.release.label, one.release.seal, str(one.settings.get("language", "")))
        for one in known
        if one.release.target.kind == SPANS
    ]


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
