"""What rules would do: facts of series from the index, and the dry run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from diascope.core.errors import UnknownName
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.rules.matching import Explained, Facts, explain
from diascope.serve.rules.rule import Rule

DAY = 86_400.0
AT_ONCE = 200
"""Series whose facts are read together."""


@dataclass(frozen=True)
class Asked:
    """What the rules say about one series.

    Args:
        series: Id of its row.
        study_uid: Of its study.
        series_uid: Its own.
        explained: One for each rule.
    """

    series: int
    study_uid: str
    series_uid: str
    explained: tuple[Explained, ...]

    def to_json(self) -> dict[str, Any]:
        """For the answer to a dry run."""
        said = [one.to_json() for one in self.explained]
        return {"study": self.study_uid, "series": self.series_uid, "rules": said}


def facts_of(connection: Connection, series_id: int) -> Facts:
    """What rules ask about a series.

    Raises:
        UnknownName: When there is no such series.
    """
    found = list(_facts(connection, [series_id]))
    if not found:
        raise UnknownName("series", str(series_id), ())
    return found[0][3]


def dry_run(connection: Connection, rules: Sequence[Rule], series_id: int) -> Asked:
    """What would match one series, and why not; nothing is done.

    Raises:
        UnknownName: When there is no such series.
    """
    found = _asked(connection, rules, [series_id])
    if not found:
        raise UnknownName("series", str(series_id), ())
    return found[0]


def dry_runs(
    connection: Connection, rules: Sequence[Rule], now: float, days: float, projects: Sequence[str] | None = None
) -> Iterator[Asked]:
    """The same for everything that arrived in the last days, newest first.

    Args:
        connection: For reading.
        rules: What is tried.
        now: Seconds since 1970.
        days: How far back.
        projects: Ids of those that may be seen; None is all.
    """
    query = select(series.c.id).join(studies, studies.c.id == series.c.study_id)
    query = query.where(~series.c.made, series.c.arrived >= now - days * DAY)
    if projects is not None:
        query = query.where(studies.c.project_id.in_(projects))
    ids = connection.execute(query.order_by(series.c.arrived.desc(), series.c.id.desc())).scalars().all()
    for start in range(0, len(ids), AT_ONCE):
        yield from _asked(connection, rules, ids[start : start + AT_ONCE])


def _asked(connection: Connection, rules: Sequence[Rule], ids: Sequence[int]) -> list[Asked]:
    found = {one[0]: one for one in _facts(connection, ids)}
    parts = [found[each] for each in ids if each in found]
    return [Asked(number, study, uid, tuple(explain(facts, rules))) for number, study, uid, facts in parts]


def _facts(connection: Connection, ids: Sequence[int]) -> Iterator[tuple[int, str, str, Facts]]:
    columns = (series, studies.c.uid.label("study_uid"), studies.c.project_id, studies.c.description.label("of_study"))
    query = select(*columns).join(studies, studies.c.id == series.c.study_id).where(series.c.id.in_(ids))
    rows = connection.execute(query).mappings().all()
    counted = select(instances.c.series_id, instances.c.sop_class, func.count().label("count"))
    counted = counted.where(instances.c.series_id.in_(ids)).group_by(instances.c.series_id, instances.c.sop_class)
    classes: dict[int, dict[str, int]] = {}
    for one in connection.execute(counted).all():
        classes.setdefault(one.series_id, {})[one.sop_class] = one[2]
    for row in rows:
        yield row["id"], row["study_uid"], row["uid"], _of(row, classes.get(row["id"], {}))


def _of(row: Mapping[Any, Any], classes: Mapping[str, int]) -> Facts:
    more = row["attributes"] or {}
    return Facts(
        modality=row["modality"],
        body_part=row["body_part"],
        description=row["description"],
        study_description=row["of_study"],
        thickness=_number(more.get("SliceThickness", "")),
        count=sum(classes.values()),
        sop_classes=tuple(sorted(classes)),
        peer=row["peer"],
        image_type=tuple(one.strip() for one in str(more.get("ImageType", "")).split("\\") if one.strip()),
        project=row["project_id"],
        manufacturer=str(more.get("Manufacturer", "")),
    )


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
