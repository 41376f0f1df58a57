"""From rows of the index to answers: what counts, and of whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, select

from diascope.core.case import Target
from diascope.core.errors import DiascopeError
from diascope.core.evaluation import Release
from diascope.core.finding import Finding
from diascope.serve.database.labelling_tables import annotations as given
from diascope.serve.database.labelling_tables import labellings
from diascope.serve.database.tables import feedback, readings, results, series, studies, users
from diascope.serve.feedback.answers import AnnotationOf, ReadingOf, StatementOf, Where, Who
from diascope.serve.nouns import path_of
from diascope.serve.outgoing.copies import other_uid
from diascope.serve.service import Service

DIGITS = 8
"""Of a series in the name of its case."""


@dataclass(frozen=True)
class Wanted:
    """Which answers are turned into label changes.

    Args:
        project: Id.
        release: Label; "" is every release.
        labelling: Name; "" is every labelling.
        since: Seconds since 1970; None is from the beginning.
    """

    project: str
    release: str = ""
    labelling: str = ""
    since: float | None = None

    @property
    def readings(self) -> bool:
        """Whether readings are meant: whoever names a labelling alone means that."""
        return bool(self.release) or not self.labelling

    @property
    def annotations(self) -> bool:
        """Whether answers on the label pages are meant."""
        return bool(self.labelling) or not self.release


@dataclass
class Collecting:
    """Looks answers up.

    Args:
        service: Whose index.
        wanted: Which.
    """

    service: Service
    wanted: Wanted
    _targets: dict[tuple[str, str], Target | None] = field(default_factory=dict)

    def readings(self) -> Iterator[ReadingOf]:
        """Of results that no later revision supersedes, the oldest first."""
        if not self.wanted.readings:
            return
        for row in self._rows(_of_result(readings, (readings.c.at, readings.c.id)), readings.c.at):
            yield ReadingOf(
                where=self._where(row),
                who=_who(row),
                result=row["result"],
                release=row["release"],
                target=self._target(row),
                findings=[Finding.model_validate(one) for one in row["findings"].get("findings", ())],
                verdict=row["verdict"],
                reason=row["reason"],
                amended=row["amended"] or {},
                added=row["added"] or (),
            )

    def statements(self) -> Iterator[StatementOf]:
        """Labels that were stated after a reading, the oldest first."""
        if not self.wanted.readings:
            return
        query = _of_result(feedback, (feedback.c.at, feedback.c.id))
        for row in self._rows(query, feedback.c.at):
            yield StatementOf(self._where(row), _who(row), row["release"], self._target(row), row["labels"])

    def annotations(self) -> Iterator[AnnotationOf]:
        """Answers on the label pages about series as they are now, the oldest first."""
        if not self.wanted.annotations:
            return
        named = (
            labellings.c.name.label("labelling"), labellings.c.asks, labellings.c.labels, labellings.c.exclusive,
            *_WHERE,
        )  # fmt: skip
        query = select(given.c.id, given.c.reader.label("author"), given.c.at, given.c.answer,
                       given.c.unsure, users.c.name.label("by"), *named)  # fmt: skip
        query = query.join(labellings, labellings.c.id == given.c.labelling_id)
        query = query.join(series, series.c.id == given.c.series_id)
        query = query.join(studies, studies.c.id == series.c.study_id)
        query = query.join(users, users.c.id == given.c.reader, isouter=True)
        query = query.where(series.c.revision == given.c.revision)
        if self.wanted.labelling:
            query = query.where(labellings.c.name == self.wanted.labelling)
        for row in self._rows(query.order_by(given.c.at, given.c.id), given.c.at, of_result=False):
            yield AnnotationOf(
                where=self._where(row),
                who=_who(row),
                labelling=row["labelling"],
                asks=row["asks"],
                labels=row["labels"],
                exclusive=row["exclusive"],
                answer=row["answer"],
                unsure=row["unsure"],
            )

    def _rows(self, query: Select[Any], at: ColumnElement[float], of_result: bool = True) -> Sequence[RowMapping]:
        query = query.where(studies.c.project_id == self.wanted.project)
        if of_result and self.wanted.release:
            query = query.where(results.c.release == self.wanted.release)
        if self.wanted.since is not None:
            query = query.where(at >= self.wanted.since)
        with self.service.database.reading() as connection:
            return connection.execute(query).mappings().all()

    def _where(self, row: RowMapping) -> Where:
        digits = other_uid(self.service, row["series_uid"])[-DIGITS:]
        return Where(row["series"], f"{row['patient']}-{digits}", row["patient"])

    def _target(self, row: RowMapping) -> Target | None:
        """What the release learnt; None where it is not here any more as it was."""
        key = (row["release"], row["seal"])
        if key not in self._targets:
            self._targets[key] = self._looked_up(*key)
        return self._targets[key]

    def _looked_up(self, label: str, seal: str) -> Target | None:
        try:
            release = Release.read(path_of(self.service.workspace, "releases", label) / "release.json")
        except DiascopeError:
            return None
        return release.target if release.seal == seal else None


_WHERE = (series.c.id.label("series"), series.c.uid.label("series_uid"), studies.c.patient)


def _of_result(table: Any, order: Sequence[Any]) -> Select[Any]:
    """Rows of readings or statements, with the result that they are of."""
    person = readings.c.reader if table is readings else feedback.c.author
    own = [table.c.id, person.label("author"), table.c.at, users.c.name.label("by")]
    own += [feedback.c.labels] if table is feedback else []
    said = (readings.c.verdict, readings.c.reason, readings.c.amended, readings.c.added)
    columns = (
        *own,
        *said,
        results.c.id.label("result"),
        results.c.release,
        results.c.seal,
        results.c.findings,
        *_WHERE,
    )
    query = select(*columns).select_from(table)
    query = query.join(readings, readings.c.id == feedback.c.reading_id) if table is feedback else query
    query = query.join(results, results.c.id == readings.c.result_id)
    query = query.join(series, series.c.id == results.c.series_id).join(studies, studies.c.id == series.c.study_id)
    query = query.join(users, users.c.id == person, isouter=True)
    current = results.c.superseded.is_(None) & (results.c.revision == series.c.revision)
    return query.where(current).order_by(*order)


def _who(row: RowMapping) -> Who:
    return Who(row["id"], row["by"] or row["author"], row["at"])
