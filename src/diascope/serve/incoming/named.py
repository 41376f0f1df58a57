"""Which objects of the archive belong to a row: instances that arrived or were made, masks that readers drew, texts.

Whoever removes, backs up or looks for objects asks here: what no row names is the remainder of a crash, and is swept.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from diascope.serve.database.beside_tables import documents
from diascope.serve.database.room_tables import drawings
from diascope.serve.database.tables import instances, series

TABLES = (instances, drawings, documents)
"""Each has a column `key` (name in the archive), and a `series_id` or, where it is of the whole study, a `study_id`."""


def named(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Of these keys, those that a row names."""
    found: set[str] = set()
    for table in TABLES:
        found |= set(connection.execute(select(table.c.key).where(table.c.key.in_(keys))).scalars())
    return found


def keys_of_study(connection: Connection, study: int) -> list[str]:
    """Keys of all that hangs on a study, by the id of its row."""
    found: list[str] = []
    for table in TABLES:
        query, of = select(table.c.key), table.c.get("study_id")
        if of is None:
            query, of = query.join(series, series.c.id == table.c.series_id), series.c.study_id
        found += connection.execute(query.where(of == study)).scalars()
    return found
