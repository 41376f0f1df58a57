"""From a job `mark` to a row of `marks`: what a release of entities finds in a text, or why nothing could be asked."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, true

from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import DataRefused, DiascopeError, OutOfScope, UnknownName
from diascope.core.finding import Finding
from diascope.engine.room import bounded
from diascope.serve.audit import Event
from diascope.serve.beside.asking import SPANS
from diascope.serve.beside.documents import row_of, words_of
from diascope.serve.database.beside_tables import documents, marks
from diascope.serve.jobs.queue import Job
from diascope.serve.service import Service

if TYPE_CHECKING:
    from diascope.serve.jobs.worker import Context
    from diascope.stages.predict import Predictor

FILE = "document.txt"


@dataclass(frozen=True)
class Marked:
    """What a release says of a text.

    Args:
        seal: Of the release; "" where it could not be opened.
        spans: `label`, `start`, `stop`, `probability`.
        reason: Why it is not available; "" where it is.
    """

    seal: str
    spans: Sequence[Mapping[str, Any]] = ()
    reason: str = ""


def mark(service: Service, context: Context, job: Job) -> None:
    """Let a release mark a text, and keep what it found; what it refuses is kept as not available, with the reason.

    Raises:
        DiascopeError: When another try may help.
    """
    with service.database.reading() as connection:
        row = row_of(connection, job.payload["document"], true())
    if row is None:
        context.done(job, {"skipped": "the text was deleted"})
        return
    context.check()
    try:
        made = _marked(service, context, job, row)
    except (DataRefused, UnknownName) as error:
        made = Marked("", reason=reason_of(error))
    _end(service, context, job, made)


def give_up(service: Service, context: Context, job: Job, error: DiascopeError) -> None:
    """Say that it is not available: nothing was marked is not that nothing was found (G2)."""
    _end(service, context, job, Marked("", reason=error.wrong))


def reason_of(error: DiascopeError) -> str:
    """Why a release says nothing, in one line and without any word of the text."""
    return "; ".join(error.reasons) if isinstance(error, OutOfScope) else error.wrong


def _marked(service: Service, context: Context, job: Job, row: RowMapping) -> Marked:
    words = words_of(service, row)
    with context.warm.open(job.payload["release"]) as predictor:
        seal = predictor.opened.release.seal
        if predictor.opened.plan.target.kind != SPANS:
            raise DataRefused(f"{job.payload['release']} marks no texts")
        try:
            findings = _said(predictor, words)
        except DataRefused as error:
            return Marked(seal, reason=reason_of(error))
    return Marked(seal, _spans(findings, words))


def _said(predictor: Predictor, words: str) -> Sequence[Finding]:
    """What a release finds in a text: read from a file in a private folder, as any text that it reads."""
    # With torch it takes seconds to import, and routes import what stands beside this.
    from diascope.sources.studies.unseen import Incoming

    name = next(iter(predictor.opened.plan["readings"]))
    inputs: dict[str, FileRef | TableRef] = {name: FileRef(format="text", paths=(FILE,), kind="text")}
    with tempfile.TemporaryDirectory(prefix="diascope-mark-") as folder:
        (Path(folder) / FILE).write_bytes(words.encode())
        one = Incoming(Case(id="document", patient="document", patient_known=False, inputs=inputs), Path(folder))
        with bounded("reading a text"):
            prepared = predictor.prepared(one, predictor.needs(one))
            return predictor.said(prepared, predictor.ready.reader.read(prepared.example)).findings


def _spans(findings: Sequence[Finding], words: str) -> list[dict[str, Any]]:
    """Those that are said to be there, in the order of the text.

    Raises:
        DataRefused: When what was read is not the text as it is kept: a span would lie on other words.
    """
    spans = []
    for one in findings:
        if one.status != "present" or one.span is None:
            continue
        if words[one.span.start : one.span.stop] != one.span.text:
            raise DataRefused("the release read other characters than those that are kept")
        sure = one.measures.get("confidence")
        place = {"label": one.concept, "start": one.span.start, "stop": one.span.stop}
        spans.append({**place, "probability": sure.value if sure is not None else None})
    return sorted(spans, key=lambda span: (span["start"], span["stop"], span["label"]))


def _end(service: Service, context: Context, job: Job, made: Marked) -> None:
    """Keep it in the transaction that ends the job: in the place of what was not available before."""
    document, release = job.payload["document"], job.payload["release"]
    state = "unavailable" if made.reason else "answered"
    row = {"id": uuid.uuid4().hex, "document_id": document, "release": release, "seal": made.seal, "state": state}
    row |= {"reason": made.reason, "spans": [dict(one) for one in made.spans], "at": service.clock()}

    def work(connection: Connection) -> dict[str, Any]:
        there = select(documents.c.id).where(documents.c.id == document).with_for_update()
        if connection.execute(there).first() is None:
            return {"skipped": "the text was deleted"}
        mine = (marks.c.document_id == document) & (marks.c.release == release)
        connection.execute(delete(marks).where(mine))
        connection.execute(insert(marks).values(**row))
        detail = {"release": release, "state": state, "spans": len(made.spans)}
        event = Event("document.marked", "service", document, "success", job.project, detail=detail)
        service.audit.append(connection, event)
        return {"mark": row["id"], "state": state}

    context.done(job, {}, work)
