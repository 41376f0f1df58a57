"""The next series for a reader: chosen among all that wait, and laid before this reader alone for a while.

A hand-out is a row (`handed`), for several processes may hand out at once, and the time that an answer took counts from
it. The choice is computed before the transaction, which then only looks who has what: nobody waits for a fit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, delete, insert, select

from diascope.serve.database.labelling_tables import handed, labellings
from diascope.serve.labelling.cases import Given, answered, fitting, is_twice
from diascope.serve.labelling.choosing import Choice, Reason, ranked
from diascope.serve.labelling.guessing import said, uncertainties
from diascope.serve.labelling.known import Known, known

HELD = 15 * 60.0
"""Seconds that a series that was handed out is given to nobody else."""
LONGEST = 8 * 3600.0
"""Seconds after which an answer is no answer to a hand-out: somebody's working day."""
MOST = 2000
"""Series that are compared at once, and labelled ones that they are compared with: a choice takes a fraction of a
second. Of more, a fixed sample (by a hash) is looked at until it is labelled."""


@dataclass(frozen=True)
class Waiting:
    """What a reader may be asked about.

    Args:
        second: Ids of series that another reader labelled and that two are asked about, the longest waiting first.
        fresh: Ids of series that nobody labelled.
        given: All answers that count.
    """

    second: Sequence[int]
    fresh: Sequence[int]
    given: Sequence[Given]


def waiting(connection: Connection, labelling: RowMapping, reader: str, skipped: Collection[str] = ()) -> Waiting:
    """What a reader has not labelled.

    Args:
        connection: For reading.
        labelling: Its row.
        reader: Id of the user.
        skipped: Series Instance UIDs that the reader does not want now.
    """
    query = fitting(labelling)
    there = {row["id"]: row["uid"] for row in connection.execute(query).mappings()}
    given = answered(connection, labelling)
    readers: dict[int, list[str]] = {}
    for one in given:
        readers.setdefault(one.series, []).append(one.reader)
    free = {number for number, uid in there.items() if uid not in skipped and reader not in readers.get(number, ())}
    once = [one for one in readers if one in free and len(readers[one]) == 1]
    second = [one for one in once if is_twice(labelling, one)]
    fresh = sorted(one for one in free if one not in readers)
    return Waiting(second, fresh, given)


def order(connection: Connection, labelling: RowMapping, found: Waiting, held: Iterable[int]) -> list[Choice]:
    """What waits for a reader, the best first.

    Args:
        connection: For reading.
        labelling: Its row.
        found: What waits.
        held: Ids of series that lie before somebody now.
    """
    second = [Choice(one, Reason("second"), 2.0) for one in found.second]
    fresh = _sampled(labelling["id"], found.fresh)
    done = [one.series for one in found.given][-MOST:]
    seen = {*done, *held}
    facts = known(connection, labelling["release"], [*fresh, *sorted(seen - set(fresh))])
    unsure = facts.uncertainty or _learnt(labelling, found.given, facts, fresh)
    return [*second, *ranked(fresh, facts.vectors, seen, unsure)]


def _learnt(labelling: RowMapping, given: Sequence[Given], facts: Known, fresh: Sequence[int]) -> dict[int, float]:
    labelled = [(one.series, holds) for one in given if not one.unsure and (holds := said(one.answer)) is not None]
    exclusive = labelling["exclusive"] and labelling["asks"] == "classes"
    return uncertainties(labelling["labels"], exclusive, labelled[-MOST:], facts.vectors, fresh)


def _sampled(labelling: str, fresh: Sequence[int]) -> list[int]:
    if len(fresh) <= MOST:
        return list(fresh)
    return sorted(fresh, key=lambda one: hashlib.sha256(f"{labelling}/{one}".encode()).digest())[:MOST]


def held_by_others(connection: Connection, labelling: str, reader: str, now: float) -> set[int]:
    """Ids of the series that lie before other readers now."""
    mine = (handed.c.labelling_id == labelling) & (handed.c.reader != reader) & (handed.c.at > now - HELD)
    return set(connection.execute(select(handed.c.series_id).where(mine)).scalars())


def hand_out(
    connection: Connection, labelling: str, reader: str, choices: Sequence[Choice], now: float
) -> tuple[Choice, float] | None:
    """Lay the best free series before a reader, in the caller's transaction; what lay there before is given back.

    Args:
        connection: Of the transaction.
        labelling: Id.
        reader: Id of the user.
        choices: The best first; one that the reader chose has the reason `chosen` and is not refused for being held.
        now: Seconds since 1970.

    Returns:
        The choice, and since when it lies there: asking again changes nothing. None where none is free.
    """
    # On PostgreSQL two who ask at once wait for each other here; SQLite has one writer anyway.
    connection.execute(select(labellings.c.id).where(labellings.c.id == labelling).with_for_update())
    others = held_by_others(connection, labelling, reader, now)
    free = [one for one in choices if one.series not in others or one.reason.kind == "chosen"]
    mine = (handed.c.labelling_id == labelling) & (handed.c.reader == reader)
    had = {row.series_id: row.at for row in connection.execute(select(handed).where(mine)) if now - row.at <= LONGEST}
    connection.execute(delete(handed).where(mine))
    if not free:
        return None
    best = next((one for one in free if one.series in had), free[0])
    since = had.get(best.series, now)
    row = {"labelling_id": labelling, "series_id": best.series, "reader": reader}
    connection.execute(insert(handed).values(**row, at=since))
    return best, since


def take_back(connection: Connection, labelling: str, reader: str, number: int, now: float) -> float | None:
    """End a hand-out in the caller's transaction: the series is answered.

    Returns:
        Seconds since it was handed out; None where it was not, or too long ago.
    """
    mine = (handed.c.labelling_id == labelling) & (handed.c.reader == reader) & (handed.c.series_id == number)
    at = connection.execute(select(handed.c.at).where(mine)).scalar()
    connection.execute(delete(handed).where(mine))
    return None if at is None or now - at > LONGEST else max(0.0, float(now - at))
