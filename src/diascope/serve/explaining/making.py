"""From a job `explain` to the row of an explanation, written once, in the transaction that ends the job."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from diascope.core.errors import DataRefused
from diascope.engine.batch import Example
from diascope.engine.room import bounded
from diascope.serve.audit import Event
from diascope.serve.database.explaining_tables import explanations
from diascope.serve.database.tables import results
from diascope.serve.explaining import signals
from diascope.serve.explaining.mapping import Map, mapped, output_of, why_not
from diascope.serve.explaining.subject import Subject, seen_again, subject
from diascope.serve.jobs.queue import Job
from diascope.serve.reading.materialising import laid_out
from diascope.serve.service import Service

if TYPE_CHECKING:
    from torch import nn

    from diascope.serve.jobs.worker import Context


def make(service: Service, context: Context, job: Job) -> None:
    """Make the map that a job asks for, and keep it with the outcome of its check.

    Raises:
        DataRefused: When there is none of such a finding; says why.
        DiascopeError: When another try may help.
    """
    with service.database.reading() as connection:
        found = subject(connection, job.payload["result"])
    if isinstance(found, str):
        raise DataRefused(found)
    network, example, output, lies = _opened(service, context, found, job.payload["finding"])
    setting = (job.payload["explainer"], output)

    def look(done: int, total: int) -> None:
        context.check()
        context.progress(done, total, "comparing with randomised weights")

    context.check()
    with bounded(f"explaining result {found.result}"):
        if lies is None:
            made = mapped(network, example, setting, look)
        else:
            made = signals.mapped(network, example, setting, lies, look)
    context.done(job, {}, lambda connection: _kept(service, connection, job, made))


def _opened(
    service: Service, context: Context, one: Subject, finding: str
) -> tuple[nn.Module, Example, int, signals.Traced | None]:
    """A network of the release for this job alone, the case as it saw it, and which of its outputs is meant.

    Of a recording also where the map is to lie. The release is held only while the case is prepared: whoever reads
    with it need not wait for the map.
    """
    with laid_out(service, one.sources) as folder, context.warm.open(one.release) as predictor:
        plan = predictor.opened.plan
        # One member speaks for an ensemble: maps of several need not agree, and their mean would be nobody's.
        network = predictor.ready.reader.networks[0]
        recorded = signals.signal_input(plan)
        if reason := why_not(network, plan) if recorded is None else signals.why_not(network):
            raise DataRefused(reason)
        output = output_of(finding, plan)
        with bounded(f"reading result {one.result}"):
            example = seen_again(predictor, one, folder)
            lies = None if recorded is None else signals.traced(recorded, example, folder, plan)
            return copy.deepcopy(network), example, output, lies


def _kept(service: Service, connection: Connection, job: Job, made: Map) -> Mapping[str, Any]:
    payload = job.payload
    there = select(results.c.id).where(results.c.id == payload["result"]).with_for_update()
    if connection.execute(there).first() is None:
        return {"skipped": "the result was deleted"}
    same = (explanations.c.result_id == payload["result"]) & (explanations.c.finding == payload["finding"])
    same &= explanations.c.explainer == payload["explainer"]
    if (known := connection.execute(select(explanations.c.id).where(same)).scalar()) is not None:
        return {"explanation": known, "again": True}
    row = {
        "id": uuid.uuid4().hex,
        "result_id": payload["result"],
        "finding": payload["finding"],
        "explainer": payload["explainer"],
        "similarity": made.sanity.similarity,
        "limit": made.sanity.limit,
        "passed": made.sanity.passed,
        "shape": list(made.shape),
        "voxels": made.packed,
        "job_id": job.id,
        "at": service.clock(),
    }
    connection.execute(insert(explanations).values(**row))
    detail = {"explainer": payload["explainer"], "passed": made.sanity.passed, "explanation": row["id"]}
    event = Event("explanation.made", "service", payload["result"], "success", job.project, detail=detail)
    service.audit.append(connection, event)
    return {"explanation": row["id"], "passed": made.sanity.passed}
