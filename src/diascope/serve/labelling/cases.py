"""What a labelling asks about, and what was answered: the rows that everything else in this folder is computed from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, exists, select

from diascope.serve.database.labelling_tables import annotations as answers
from diascope.serve.database.labelling_tables import labellings
from diascope.serve.database.tables import instances, series, studies, users
from diascope.serve.viewing.signals import is_recording


@dataclass(frozen=True)
class Given:
    """What a reader answered about a series; the newest of that reader, about the series as it is now.

    Args:
        id: Of the annotation.
        series: Id of the row of the series.
        reader: Id of the user.
        answer: As the table has it.
        unsure: The reader can't tell.
        at: Seconds since 1970.
        patient: Pseudonym.
    """

    id: str
    series: int
    reader: str
    answer: Mapping[str, Any]
    unsure: bool
    at: float
    patient: str


def labelling_row(connection: Connection, labelling: str) -> RowMapping | None:
    """A labelling with `author`: name of whoever made it; None where there is none."""
    query = select(labellings, users.c.name.label("author"))
    query = query.join(users, users.c.id == labellings.c.by, isouter=True)
    return connection.execute(query.where(labellings.c.id == labelling)).mappings().first()


def fitting(labelling: RowMapping) -> Select[Any]:
    """The series that a labelling asks about: complete ones of its project and modality that we did not make.

    Recordings are left out: nothing on the label pages can draw on them.

    Columns: those of `series` that say which it is, with `study`, `patient`, `date` of its study.
    """
    columns = (series.c.id, series.c.uid, series.c.revision, series.c.modality, series.c.description)
    of_study = (studies.c.uid.label("study"), studies.c.patient, studies.c.date)
    query = select(*columns, *of_study).join(studies, studies.c.id == series.c.study_id)
    query = query.where(studies.c.project_id == labelling["project_id"])
    recorded = exists().where(instances.c.series_id == series.c.id, is_recording())
    query = query.where(series.c.completed.is_not(None), series.c.made.is_(False), ~recorded)
    return query.where(series.c.modality == labelling["modality"]) if labelling["modality"] else query


def answered(connection: Connection, labelling: RowMapping) -> list[Given]:
    """What counts of the answers: the newest of each reader about each series that fits, the earliest first.

    What was said of an earlier revision of a series does not count: the reader has not seen all of it.
    """
    fits = fitting(labelling).subquery()
    columns = (answers.c.id, answers.c.series_id, answers.c.reader, answers.c.answer)
    query = select(*columns, answers.c.unsure, answers.c.at, fits.c.patient)
    query = query.join(fits, fits.c.id == answers.c.series_id)
    query = query.where(answers.c.labelling_id == labelling["id"], answers.c.revision == fits.c.revision)
    found: dict[tuple[int, str], Given] = {}
    for row in connection.execute(query.order_by(answers.c.at, answers.c.id)):
        found.pop((row.series_id, row.reader), None)  # the newest takes its own place in the order
        found[row.series_id, row.reader] = Given(*row)
    return list(found.values())


def read_by(connection: Connection, labelling: RowMapping, reader: str) -> set[int]:
    """Ids of the series that a reader answered about, as they are now."""
    return {one.series for one in answered(connection, labelling) if one.reader == reader}


def is_twice(labelling: RowMapping, number: int) -> bool:
    """Whether a series is one that two readers are asked about: by a hash, so that it is nobody's choice.

    Args:
        labelling: Its row.
        number: Id of the row of the series.
    """
    digest = hashlib.sha256(f"{labelling['id']}:{number}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < float(labelling["twice"])
