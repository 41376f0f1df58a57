"""The result that something is made of: which release said it, about which objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from diascope.core.errors import DataRefused
from diascope.serve.database.tables import results, studies
from diascope.serve.reading.question import Source, sources_of

if TYPE_CHECKING:
    from diascope.engine.batch import Example
    from diascope.stages.predict import Predictor


@dataclass(frozen=True)
class Subject:
    """A result that was answered.

    Args:
        result: Id.
        release: Label of the release that said it.
        seal: Of that release, as it was then.
        project: Id.
        answered: When, seconds since 1970.
        sources: The objects that were read.
    """

    result: str
    release: str
    seal: str
    project: str
    answered: float
    sources: tuple[Source, ...]


def subject(connection: Connection, result: str) -> Subject | str:
    """A result, or why nothing can be made of it."""
    query = select(results, studies.c.project_id).join(studies, studies.c.id == results.c.study_id)
    row = connection.execute(query.where(results.c.id == result)).first()
    if row is None:
        return "the result was deleted"
    if row.state != "answered":
        return f"the release said nothing: {row.reason}"
    sources = sources_of(connection, row.series_id, row.completed)
    return Subject(row.id, row.release, row.seal, row.project_id, row.answered, sources)


def seen_again(predictor: Predictor, one: Subject, folder: Path) -> Example:
    """The series of a result as the network saw it.

    Args:
        predictor: The release, for this thread alone.
        one: The result.
        folder: Its sources and nothing else.

    Raises:
        DataRefused: When the release is another one by now, or the series can't be read any more.
    """
    # With torch it takes seconds to import, and routes ask this module for less.
    from diascope.stages.predict import incoming

    release = predictor.opened.release
    if release.seal != one.seal:
        raise DataRefused(
            f"{release.label} is not the release any more that gave this result",
            given=release.seal[:16],
            todo="Let it read the series again",
        )
    cases = list(incoming(str(folder), predictor.opened))
    if len(cases) != 1:
        raise DataRefused("the series holds several images that could be meant", given=f"{len(cases)}")
    return predictor.prepared(cases[0], predictor.needs(cases[0])).example
