"""How far a labelling is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from diascope.serve.database.tables import users
from diascope.serve.labelling.cases import Given, fitting, is_twice


@dataclass(frozen=True)
class OfReader:
    """What one reader did.

    Args:
        reader: Name.
        labelled: Series.
        unsure: Of those, how many the reader could not tell.
    """

    reader: str
    labelled: int
    unsure: int


@dataclass(frozen=True)
class Progress:
    """How far a labelling is.

    Args:
        fit: Series that fit.
        labelled: That at least one reader labelled.
        twice: That two or more did.
        wanted_twice: That two readers are asked about.
        wanted_done: Of those, how many two or more labelled.
        unsure: That somebody could not tell.
        readers: By reader, the busiest first.
    """

    fit: int
    labelled: int
    twice: int
    wanted_twice: int
    wanted_done: int
    unsure: int
    readers: Sequence[OfReader]


def progress(connection: Connection, labelling: RowMapping, given: Sequence[Given]) -> Progress:
    """How far a labelling is.

    Args:
        connection: For reading.
        labelling: Its row.
        given: What counts of the answers.
    """
    there = fitting(labelling).subquery()
    ids = connection.execute(select(there.c.id)).scalars().all()
    times = Counter(one.series for one in given)
    labelled, unsure = Counter(one.reader for one in given), Counter(one.reader for one in given if one.unsure)
    names = names_of(connection, labelled)
    wanted = [one for one in ids if is_twice(labelling, one)]
    readers = [OfReader(names[reader], many, unsure[reader]) for reader, many in labelled.items()]
    return Progress(
        fit=len(ids),
        labelled=len(times),
        twice=sum(many > 1 for many in times.values()),
        wanted_twice=len(wanted),
        wanted_done=sum(times[one] > 1 for one in wanted),
        unsure=len({one.series for one in given if one.unsure}),
        readers=sorted(readers, key=lambda one: (-one.labelled, one.reader)),
    )


def names_of(connection: Connection, readers: Mapping[str, object] | Sequence[str]) -> dict[str, str]:
    """Id to name of users; of those who are gone the id."""
    query = select(users.c.id, users.c.name).where(users.c.id.in_(sorted(readers)))
    known = {row.id: row.name for row in connection.execute(query)}
    return {one: known.get(one, one) for one in readers}
