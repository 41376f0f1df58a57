"""Objects of a result written anew once a reader has decided: they say who reviewed it, when and how (K2).

They are other objects, with UIDs of their own; what was sent before stays what it was, and the new report names the
earlier one as its predecessor. Nothing is asked of the release again: masks and pictures are those of the first time,
but for what the reader drew, and for what the reader said is not there: that has no segment any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from diascope.core.finding import Findings
from diascope.core.result import Made, first_uid
from diascope.formats.dicomio.scwriting import picture_of
from diascope.serve.audit import Event
from diascope.serve.database.tables import instances, result_objects, results, series, studies
from diascope.serve.incoming.storing import Arrival
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.outgoing.parcel import Parcel
from diascope.serve.outgoing.told import told
from diascope.serve.reading.keeping import OBJECTS, discard, forget, index, send_again
from diascope.serve.reading.materialising import materialised
from diascope.serve.reading.question import Question, Source
from diascope.serve.reading.redrawing import Drawing, absent_of, drawings_of, redrawn
from diascope.serve.reading.writing import objects, printed
from diascope.serve.service import Service

NOTHING_LEFT = "a reader said that nothing of it is there; what was sent before is at the peer"


@dataclass(frozen=True)
class Written:
    """A result that was written.

    Args:
        question: What it answers; its sources are those that the findings name.
        objects: Kind to the object that the archive has.
        first: The SEG as it was written before any review; later ones may show what a reader drew.
        drawings: What the latest reader drew.
        absent: Names of the findings that the latest reader said are not there.
    """

    question: Question
    objects: Mapping[str, Source]
    first: Source | None = None
    drawings: tuple[Drawing, ...] = ()
    absent: tuple[str, ...] = ()


def write_anew(service: Service, context: Context, job: Job) -> None:
    """Write the objects of a result with its latest review, and send them where the earlier ones were sent.

    Raises:
        DiascopeError: When they can't be written; another try may help.
    """
    with service.database.reading() as connection:
        found = _looked_up(connection, job)
    if isinstance(found, str):
        context.done(job, {"skipped": found})
        return
    said = told(service, Parcel(job.payload["result"], "sr", found.question.study_uid))
    context.check()
    with materialised(service, found.question) as folder:
        drawn = redrawn(service, found.drawings, folder)
        changed = replace(said.made, redrawn=drawn, removed=found.absent)
        made = _with_parts(service, found, said.findings, changed)
        arrivals = objects(service, found.question, said.findings, made, folder).arrivals
    kept: list[str] = []

    def work(connection: Connection) -> Mapping[str, Any]:
        kept.clear()  # it may run twice
        if why := _why_not(connection, job.payload["result"], arrivals):
            return {"skipped": why}
        index(service, connection, job.payload["result"], arrivals)
        detail = {"objects": sorted(arrivals), "review": made.state.partition(" by ")[0]}
        gone = ("seg",) if found.absent and "seg" in found.objects and "seg" not in arrivals else ()
        if gone:
            forget(service, connection, job.payload["result"], "seg", NOTHING_LEFT)
            detail["removed"] = ["seg"]
        send_again(service, connection, job.payload["result"], [one for one in OBJECTS if one not in gone], job.by)
        service.audit.append(connection, _event(job, detail))
        kept.extend(arrivals)
        return {"objects": sorted(arrivals)}

    try:
        context.done(job, {}, work)
    finally:
        if not kept:
            discard(service, arrivals)


def _looked_up(connection: Connection, job: Job) -> Written | str:
    """The result of a job as it was written, or why there is nothing to write."""
    name = job.payload["result"]
    columns = (
        results, series.c.uid.label("series_uid"), studies.c.uid.label("study_uid"), studies.c.project_id,
        studies.c.date,
    )  # fmt: skip
    joined = select(*columns).join(series, series.c.id == results.c.series_id)
    row = connection.execute(
        joined.join(studies, studies.c.id == results.c.study_id).where(results.c.id == name)
    ).first()
    if row is None:
        return "the result was deleted"
    there = select(result_objects.c.kind, instances.c.uid, instances.c.key, instances.c.sha256).join(
        instances, instances.c.uid == result_objects.c.instance_uid
    )
    kept = {one.kind: Source(*one[1:]) for one in connection.execute(there.where(result_objects.c.result_id == name))}
    if not kept:
        return "nothing was written of the result"
    read = {uid for uids in row.findings["inputs"].values() for uid in uids}
    of_series = select(instances.c.uid, instances.c.key, instances.c.sha256).where(
        instances.c.series_id == row.series_id
    )
    sources = tuple(Source(*one) for one in connection.execute(of_series.order_by(instances.c.id)) if one.uid in read)
    question = Question(
        job=job,
        series=row.series_id,
        series_uid=row.series_uid,
        study=row.study_id,
        study_uid=row.study_uid,
        project=row.project_id,
        date=row.date,
        revision=row.revision,
        completed=row.completed,
        release=row.release,
        rule=row.rule,
        sends={"": tuple(kept)},  # what was written is written again, whoever gets it
        sources=sources,
    )
    drawn = drawings_of(connection, name, row.series_id, row.revision)
    return Written(question, kept, _first(connection, row), drawn, absent_of(connection, name))


def _first(connection: Connection, row: Any) -> Source | None:
    query = select(instances.c.uid, instances.c.key, instances.c.sha256)
    query = query.join(series, series.c.id == instances.c.series_id)
    mine = (instances.c.uid == first_uid(row.id, "seg")) & (series.c.study_id == row.study_id) & series.c.made
    found = connection.execute(query.where(mine)).first()
    return Source(*found) if found is not None else None


def _with_parts(service: Service, found: Written, findings: Findings, made: Made) -> Made:
    """What made the result, with its mask, picture and report, as they were first written."""
    seg, sc = found.first or found.objects.get("seg"), found.objects.get("sc")
    content = service.archive.read(seg.key, seg.sha256) if seg is not None else None
    picture = picture_of(service.archive.read(sc.key, sc.sha256), findings, made) if sc is not None else None
    whole = replace(made, segmentation=content, picture=picture)
    if "pdf" not in found.objects:
        return whole
    return replace(whole, report=printed(service, found.question, findings, whole))


def _why_not(connection: Connection, result: str, arrivals: Mapping[str, Arrival]) -> str:
    """Why what was written is not kept; "" where it is."""
    state = connection.execute(select(results.c.superseded).where(results.c.id == result).with_for_update()).first()
    if state is None:
        return "the result was deleted"
    if state.superseded is not None:
        return "a later revision supersedes it"
    known = select(result_objects.c.instance_uid).where(result_objects.c.result_id == result)
    uids = set(connection.execute(known).scalars())
    return "it was written already" if uids >= {one.facts["sop_uid"] for one in arrivals.values()} else ""


def _event(job: Job, detail: Mapping[str, Any]) -> Event:
    return Event("result.rewritten", "service", job.payload["result"], project=job.project, detail=detail)
