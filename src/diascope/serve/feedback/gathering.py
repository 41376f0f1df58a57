"""feedback: the verb. What readers answered becomes a folder of the workspace that can be learnt from."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, delete, insert

from diascope.core.errors import DataRefused
from diascope.core.feedback import Feedback, LabelChange
from diascope.serve.audit import Event
from diascope.serve.database.tables import nouns
from diascope.serve.feedback.collecting import Collecting, Wanted
from diascope.serve.feedback.judging import Judged, of_annotation, of_reading, of_statement
from diascope.serve.feedback.masks import values_of
from diascope.serve.feedback.settling import Settled, settled
from diascope.serve.feedback.writing import CHANGES, Tell, Writing, write_changes
from diascope.serve.service import Service

FOLDER = "feedback"
"""Of the workspace."""
RECORD = "feedback.json"


@dataclass(frozen=True)
class Gathering:
    """What is asked for.

    Args:
        wanted: Which answers.
        by: Who asks.
        newest: Whether the newest answer counts where people disagree.
    """

    wanted: Wanted
    by: str
    newest: bool = False


def gather(service: Service, asked: Gathering, tell: Tell) -> tuple[Feedback, Path]:
    """Turn answers into label changes, and write them with their images.

    Args:
        service: Whose answers.
        asked: Which of them.
        tell: Told how many cases of how many are done; may raise, to stop.

    Returns:
        The record, and the folder that it lies in.

    Raises:
        DataRefused: When nobody has answered anything, or answers can't be put into one folder.
        DiascopeError: When the disk or the archive fails.
    """
    collecting = Collecting(service, asked.wanted)
    readings, annotations = list(collecting.readings()), list(collecting.annotations())
    judged = [one for reading in readings for one in of_reading(reading)]
    judged += [one for annotation in annotations for one in of_annotation(annotation)]
    judged += [one for statement in collecting.statements() for one in of_statement(statement)]
    judged.sort(key=lambda one: (one.at, one.change.of))
    if not judged:
        raise DataRefused(
            "nobody has answered anything here yet",
            given=f"project {asked.wanted.project}",
            todo="Read studies or label them in the reading room first",
        )
    name = _name(service, asked.wanted)
    folder = service.workspace.root / FOLDER / name
    partial = folder.with_name(f".{name}.partial")
    partial.mkdir(parents=True, mode=0o700)
    try:
        writing = Writing(service, partial, values_of(readings, annotations))
        found = settled(judged, asked.newest)
        rows = writing.write(found, tell)
        writing.beyond(judged)
        record = _record(service, (name, asked), (judged, found), writing, len(rows))
        write_changes(partial / CHANGES, record.changes)
        record.write(partial / RECORD)
        # The row first: a folder without one would be taken for what somebody made on the command line.
        service.database.change(lambda connection: _belongs(connection, service, record))
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return record, folder


def _record(
    service: Service, asked: tuple[str, Gathering], said: tuple[Sequence[Judged], Settled], writing: Writing, cases: int
) -> Feedback:
    (name, gathering), (judged, found) = asked, said
    return Feedback(
        name=name,
        project=gathering.wanted.project,
        created=datetime.fromtimestamp(service.clock(), UTC).isoformat(timespec="seconds"),
        by=gathering.by,
        changes=tuple(_with_file(one, writing) for one in judged),
        disagreements=found.disagreements,
        cases=cases,
        columns=found.columns,
        labels=dict(writing.values) if "mask" in found.columns.values() else {},
        left=dict(writing.left),
        notes=found.notes,
    )


def _belongs(connection: Connection, service: Service, record: Feedback) -> None:
    """Write down whose it is, and who made it."""
    same = (nouns.c.kind == FOLDER) & (nouns.c.name == record.name)
    connection.execute(delete(nouns).where(same))
    row = {"kind": FOLDER, "name": record.name, "project_id": record.project, "by": record.by}
    connection.execute(insert(nouns).values(**row, created=service.clock()))
    detail = {"changes": len(record.changes), "cases": record.cases, "disagreements": len(record.disagreements)}
    event = Event("feedback.gathered", record.by, f"feedback:{record.name}", project=record.project, detail=detail)
    service.audit.append(connection, event)


def _with_file(one: Judged, writing: Writing) -> LabelChange:
    file = writing.files.get(id(one), "")
    return one.change.model_copy(update={"file": file}) if file else one.change


def _name(service: Service, wanted: Wanted) -> str:
    """Day and number, and what was asked for: `2026-11-22-1`, `2026-11-22-2-chest`."""
    day = datetime.fromtimestamp(service.clock(), UTC).strftime("%Y-%m-%d")
    folder = service.workspace.root / FOLDER
    taken = {one.name.lstrip(".") for one in folder.iterdir()} if folder.is_dir() else set()
    number = 1 + sum(one.startswith(f"{day}-") for one in taken)
    about = "".join(each if each.isalnum() else "-" for each in (wanted.release or wanted.labelling)).strip("-")[:60]
    while (name := "-".join(filter(None, (day, str(number), about)))) in taken:
        number += 1
    return name
