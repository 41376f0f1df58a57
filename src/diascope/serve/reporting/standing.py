"""What counts of a study: the results that no later revision supersedes, each with the newest reading of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from diascope.core.finding import Finding
from diascope.serve.database.tables import instances, readings, results, series, users


@dataclass(frozen=True)
class Standing:
    """A result that counts.

    Args:
        result: Its row, with the series' `uid` and `modality`.
        findings: What the release said.
        reading: The newest row, with the reader's `name` and `display`; None where nobody has read it.
        side: `L` or `R` where the headers of all images of its series say it; "" where they do not, or disagree.
    """

    result: RowMapping
    findings: tuple[Finding, ...]
    reading: RowMapping | None
    side: str = ""

    @property
    def is_answered(self) -> bool:
        """Whether there is something to read: a result that is not available says nothing to decide about."""
        return bool(self.result["state"] == "answered")

    @property
    def is_unanswered(self) -> bool:
        """Whether nobody has read it who should."""
        return self.is_answered and self.reading is None

    @property
    def verdict(self) -> str:
        """Of the newest reading; "" without one."""
        return "" if self.reading is None else str(self.reading["verdict"])

    @property
    def amended(self) -> Mapping[str, Any]:
        """Name of a finding to what the reader says is right instead."""
        given = None if self.reading is None else self.reading["amended"]
        return given if isinstance(given, Mapping) else {}

    @property
    def added(self) -> Sequence[Mapping[str, Any]]:
        """What the reader found and the release did not."""
        return [] if self.reading is None else self.reading["added"] or []


def standing(connection: Connection, study: int) -> list[Standing]:
    """The results of a study that count, by series and release.

    Args:
        connection: To the index.
        study: Id of the row.
    """
    named = (series.c.uid.label("series_uid"), series.c.modality.label("modality"))
    query = select(results, *named).join(series, series.c.id == results.c.series_id)
    mine = (results.c.study_id == study) & results.c.superseded.is_(None)
    order = (series.c.number, series.c.id, results.c.release, results.c.id)
    rows = connection.execute(query.where(mine).order_by(*order)).mappings().all()
    newest = newest_readings(connection, [row["id"] for row in rows])
    sides = _sides(connection, {row["series_id"] for row in rows})
    return [Standing(row, _findings(row), newest.get(row["id"]), sides.get(row["series_id"], "")) for row in rows]


def newest_readings(connection: Connection, ids: Sequence[str]) -> dict[str, RowMapping]:
    """Id of a result to the newest reading of it, with the reader's `name` and `display`.

    Args:
        connection: To the index.
        ids: Of results.
    """
    by = (users.c.name, users.c.display)
    query = select(readings, *by).join(users, users.c.id == readings.c.reader, isouter=True)
    rows = connection.execute(query.where(readings.c.result_id.in_(ids)).order_by(readings.c.at, readings.c.id))
    return {row["result_id"]: row for row in rows.mappings()}


def _sides(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """Id of a series to the side that every image of it says: its own (0020,0062), else that of its series (0020,0060).

    Where a volume or a finding lies is no proof: the middle of the pictures is not the middle of the patient.
    """
    image, whole = (
        one.c.attributes[name].as_string() for one, name in ((instances, "ImageLaterality"), (series, "Laterality"))
    )
    query = select(series.c.id, image, whole).join(instances, instances.c.series_id == series.c.id)
    said: dict[int, set[str]] = {}
    for number, *values in connection.execute(query.where(series.c.id.in_(ids)).distinct()):
        said.setdefault(number, set()).update([one for one in values if one] or [""])
    return {number: one for number, (one, *more) in said.items() if not more and one in ("L", "R")}


def _findings(row: RowMapping) -> tuple[Finding, ...]:
    return tuple(Finding.model_validate(one) for one in row["findings"].get("findings", ()))
