"""Vectors of results that were answered before any were kept: made when somebody first looks for similar cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection, select

from diascope.core.errors import DataRefused, DoesNotFit, Stopped
from diascope.engine.room import bounded
from diascope.serve.database.explaining_tables import features
from diascope.serve.database.tables import results
from diascope.serve.explaining.asking import lacking
from diascope.serve.explaining.subject import Subject, seen_again, subject
from diascope.serve.explaining.vectors import MOST, keep_features
from diascope.serve.jobs.queue import Job
from diascope.serve.reading.materialising import laid_out
from diascope.serve.service import Service

if TYPE_CHECKING:
    from diascope.serve.jobs.worker import Context
    from diascope.stages.predict import Predictor

AT_ONCE = 10
"""Results that are read again before others get their turn: somebody may wait for an explanation."""


def describe(service: Service, context: Context, job: Job) -> None:
    """Make the vectors that a release's results lack, a few at a time; the job is given back until none is left.

    Raises:
        Stopped: When others are to have their turn.
        NotServed: When the release was withdrawn.
    """
    release, seal = job.payload["release"], job.payload["seal"]
    with service.database.reading() as connection:
        wanted = lacking(connection, release, seal, min(AT_ONCE, MOST))
        found = [one for result in wanted if isinstance(one := subject(connection, result), Subject)]
    for one in found:
        context.check()
        with context.warm.open(release) as predictor:
            vector = _vector(service, predictor, one)
        service.database.change(lambda connection, one=one, vector=vector: _kept(connection, one, vector))  # type: ignore[misc]
    if len(wanted) == AT_ONCE:
        raise Stopped("others have their turn")
    context.done(job, {"described": len(found)})


def _vector(service: Service, predictor: Predictor, one: Subject) -> np.ndarray:
    """The vector of a result; empty where its series can't be read any more."""
    try:
        with laid_out(service, one.sources) as folder, bounded(f"reading result {one.result}"):
            return predictor.ready.reader.read(seen_again(predictor, one, folder)).features
    except (DataRefused, DoesNotFit):
        return np.zeros(0, np.float32)


def _kept(connection: Connection, one: Subject, vector: np.ndarray) -> None:
    there = select(results.c.id).where(results.c.id == one.result).with_for_update()
    known = select(features.c.result_id).where(features.c.result_id == one.result)
    if connection.execute(there).first() is not None and connection.execute(known).first() is None:
        keep_features(connection, one.result, (one.release, one.seal), vector, one.answered)
