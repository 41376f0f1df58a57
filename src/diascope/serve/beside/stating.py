"""From a job `state` to a row of `statements`: what a release says of a text or a row, and what led to it.

Not available is never negative (G2): what a release refuses is kept with the reason.
"""

from __future__ import annotations

import copy
import hashlib
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, true

from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import DataRefused, DiascopeError, UnknownName
from diascope.core.finding import Findings
from diascope.engine.room import bounded
from diascope.serve.audit import Event
from diascope.serve.beside.asking import SPANS
from diascope.serve.beside.documents import row_of, words_of
from diascope.serve.beside.marking import FILE, reason_of
from diascope.serve.beside.rows import LabRow, lab_row, results_of
from diascope.serve.beside.speakers import TABLE, TEXT
from diascope.serve.database.beside_tables import documents, statements
from diascope.serve.database.tables import studies
from diascope.serve.jobs.queue import Job
from diascope.serve.reading.served import must_be_served
from diascope.serve.service import Service

if TYPE_CHECKING:
    from torch import nn

    from diascope.engine.batch import Example
    from diascope.serve.beside.attributing import Attributed
    from diascope.serve.jobs.worker import Context
    from diascope.stages.predict import Predictor


@dataclass(frozen=True)
class Stated:
    """What a release says.

    Args:
        seal: Of the release; "" where it could not be opened.
        basis: SHA-256 of what was read; "" where nothing could be.
        findings: None where it is not available.
        led: Explainer, attributions, and why there are none.
        reason: Why it is not available; "" where it is.
    """

    seal: str = ""
    basis: str = ""
    findings: Findings | None = None
    led: tuple[str, Sequence[Mapping[str, Any]], str] = ("", (), "")
    reason: str = ""


@dataclass(frozen=True)
class About:
    """What is read.

    Args:
        study: Id of its row.
        document: Row of the text; None where laboratory results are read.
        results: Laboratory results of the study.
    """

    study: int
    document: RowMapping | None
    results: Sequence[RowMapping] = field(default=(), repr=False)


@dataclass(frozen=True)
class Heard:
    """What a release said, with what its explanation needs once it is free for others again.

    Args:
        findings: The record.
        example: The case as the network saw it.
        row: The row that it is made of; None of a text.
    """

    findings: Findings
    example: Example = field(repr=False)
    row: LabRow | None


def state(service: Service, context: Context, job: Job) -> None:
    """Let a release read a text or laboratory results, and keep what it says with what led to it.

    Raises:
        DiascopeError: When another try may help.
    """
    with service.database.reading() as connection:
        about = _about(connection, job.payload)
    if about is None:
        context.done(job, {"skipped": "what was to be read was deleted"})
        return
    context.check()
    try:
        made = _stated(service, context, job, about)
    except (DataRefused, UnknownName) as error:
        made = Stated(reason=reason_of(error))
    _end(service, context, job, made)


def give_up(service: Service, context: Context, job: Job, error: DiascopeError) -> None:
    """Say that it is not available."""
    _end(service, context, job, Stated(reason=error.wrong))


def _about(connection: Connection, payload: Mapping[str, Any]) -> About | None:
    study = connection.execute(select(studies.c.id).where(studies.c.uid == payload["study"])).scalar()
    if study is None:
        return None
    if payload["document"] is None:
        return About(study, None, results_of(connection, study))
    row = row_of(connection, payload["document"], true())
    return About(study, row) if row is not None and row["study_id"] == study else None


def _stated(service: Service, context: Context, job: Job, about: About) -> Stated:
    words = words_of(service, about.document) if about.document is not None else None
    with context.warm.open(job.payload["release"]) as predictor:
        seal, plan = predictor.opened.release.seal, predictor.opened.plan
        settings = _settings(predictor, TABLE if words is None else TEXT)
        row = lab_row(about.results, settings) if words is None else None
        basis = row.basis if row is not None else hashlib.sha256((words or "").encode()).hexdigest()
        try:
            heard = _heard(predictor, row, words or "", job.payload)
        except DataRefused as error:
            return Stated(seal, basis, reason=reason_of(error))
        # One member speaks for an ensemble; with its own copy whoever reads with the release need not wait.
        network = copy.deepcopy(predictor.ready.reader.networks[0])
    led = _led(context, network, heard, plan)
    return Stated(seal, basis, heard.findings, (led.explainer, led.items, led.unexplained))


def _settings(predictor: Predictor, kind: str) -> Mapping[str, Any]:
    """Of the only reading of the release.

    Raises:
        DataRefused: When it reads something else.
    """
    plan = predictor.opened.plan
    readings: Mapping[str, Mapping[str, Any]] = plan["readings"]
    alone = next(iter(readings.values()), None) if len(readings) == 1 and not plan["image_inputs"] else None
    if alone is None or alone["kind"] != kind or plan.target.kind == SPANS:
        what = "laboratory results" if kind == TABLE else "texts"
        raise DataRefused(f"{predictor.opened.release.label} says nothing of {what}")
    return alone


def _heard(predictor: Predictor, row: LabRow | None, words: str, payload: Mapping[str, Any]) -> Heard:
    """What the release says: a text is read from a file in a private folder, as any text that it reads."""
    # With torch it takes seconds to import, and the service listens before.
    from diascope.reports.answers import Answers, Asked
    from diascope.sources.studies.unseen import Incoming

    name, label = next(iter(predictor.opened.plan["readings"])), payload["document"] or payload["study"]
    ref: FileRef | TableRef = FileRef(format="text", paths=(FILE,), kind="text")
    if row is not None:
        ref = TableRef(values=dict(row.values), units=dict(row.units))
    with tempfile.TemporaryDirectory(prefix="diascope-state-") as folder:
        (Path(folder) / FILE).write_bytes(words.encode())
        one = Incoming(Case(id=label, patient=label, patient_known=False, inputs={name: ref}), Path(folder))
        with bounded("reading what lies beside the pictures"):
            prepared = predictor.prepared(one, predictor.needs(one))
            said = predictor.said(prepared, predictor.ready.reader.read(prepared.example)).findings
        notes = (*predictor.ready.notes, *(row.notes if row is not None else ()))
        asked = Asked(one.case, one.root, one.root, notes)
        answers = Answers(predictor.opened, predictor.ready.words)
        findings = answers.record(asked, said, {}, ({}, answers.remarks(asked, {})))
    if row is None and not _same(prepared.example.inputs[name], words):
        raise DataRefused("the release read other characters than those that are kept")
    return Heard(findings, prepared.example, row)


def _same(codes: Any, words: str) -> bool:
    """Whether what was read is the beginning of the text as it is kept: a word would else be another one."""
    letters: list[int] = codes[codes > 0].tolist()
    return letters == [ord(one) for one in words[: len(letters)]]


def _led(context: Context, network: nn.Module, heard: Heard, plan: Any) -> Attributed:
    from diascope.serve.beside.attributing import attributed

    def look(done: int, total: int) -> None:
        context.check()
        context.progress(done, total, "comparing with randomised weights")

    context.check()
    with bounded("explaining what lies beside the pictures"):
        return attributed(network, heard.example, plan, (heard.findings.findings, heard.row), look)


def _end(service: Service, context: Context, job: Job, made: Stated) -> None:
    """Keep it in the transaction that ends the job: in the place of what was said of the very same before."""
    payload, findings = job.payload, made.findings
    explainer, items, unexplained = made.led
    condition = "unavailable" if findings is None else "answered"
    row: dict[str, Any] = {"id": uuid.uuid4().hex, "release": payload["release"], "seal": made.seal}
    row |= {"document_id": payload["document"], "basis": made.basis, "state": condition, "reason": made.reason}
    row |= {"findings": findings.to_json() if findings is not None else {}, "explainer": explainer}
    row |= {"attributions": [dict(one) for one in items], "unexplained": unexplained, "at": service.clock()}

    def work(connection: Connection) -> dict[str, Any]:
        there = select(studies.c.id).where(studies.c.uid == payload["study"]).with_for_update()
        study = connection.execute(there).scalar()
        if study is None or not _still(connection, payload["document"]):
            return {"skipped": "what was to be read was deleted"}
        if findings is not None:
            must_be_served(connection, payload["release"])
        connection.execute(delete(statements).where(_replaced(study, row)))
        connection.execute(insert(statements).values(**row, study_id=study))
        detail = {"release": payload["release"], "state": condition, "document": payload["document"] or ""}
        detail["explained"] = str(sum(bool(one["passed"]) for one in items))
        service.audit.append(
            connection, Event("statement.made", "service", payload["study"], "success", job.project, detail=detail)
        )
        return {"statement": row["id"], "state": condition}

    context.done(job, {}, work)


def _still(connection: Connection, document: str | None) -> bool:
    if document is None:
        return True
    return connection.execute(select(documents.c.id).where(documents.c.id == document)).first() is not None


def _replaced(study: int, row: Mapping[str, Any]) -> Any:
    """What the same release said of the same, and of what it could not read."""
    same = (statements.c.study_id == study) & (statements.c.release == row["release"])
    same &= statements.c.document_id.is_not_distinct_from(row["document_id"])
    return same & statements.c.basis.in_(sorted({row["basis"], ""}))
