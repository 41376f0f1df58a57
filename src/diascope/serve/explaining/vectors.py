"""What the encoder of a release made of each series, kept in 16 bits, and which of them lie near each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, insert, select

from diascope.serve.database.explaining_tables import features
from diascope.serve.database.tables import results, studies

KEPT = np.dtype("<f2")
MOST = 50_000
"""Results that one is compared with, the newest first: a product of matrices of at most that many rows."""
AT_ONCE = 2000
"""Rows that are read together."""


@dataclass(frozen=True)
class Neighbour:
    """An earlier result.

    Args:
        result: Id.
        similarity: Cosine of the angle between the vectors, -1 to 1.
    """

    result: str
    similarity: float


def keep_features(
    connection: Connection, result: str, release: tuple[str, str], vector: npt.NDArray[np.floating], answered: float
) -> None:
    """Keep the vector of a result, in the caller's transaction.

    Args:
        connection: Of the transaction.
        result: Id.
        release: Label and seal.
        vector: (D,); empty where the network has none, which is kept too: nobody need ask again.
        answered: When, seconds since 1970.
    """
    length = float(np.linalg.norm(vector.astype(np.float64)))
    usable = vector.size > 0 and np.isfinite(length) and length > 0
    kept = (vector / length).astype(KEPT) if usable else np.zeros(0, KEPT)
    row = {"result_id": result, "release": release[0], "seal": release[1], "length": kept.size, "at": answered}
    connection.execute(insert(features).values(**row, vector=kept.tobytes()))


def vector_of(connection: Connection, result: str) -> npt.NDArray[np.float32] | None:
    """The vector of a result (D,), empty where the network has none; None where none was kept yet."""
    row = connection.execute(select(features.c.vector).where(features.c.result_id == result)).first()
    return None if row is None else np.frombuffer(row.vector, KEPT).astype(np.float32)


def nearest(
    connection: Connection, result: str, vector: npt.NDArray[np.float32], within: ColumnElement[bool], most: int
) -> list[Neighbour]:
    """The earlier results of the same release that are most like one; of a study the nearest one only.

    Args:
        connection: To the index.
        result: Id of that one.
        vector: Of it.
        within: Condition on studies: those that whoever asks may see.
        most: How many.

    Returns:
        The nearest first; superseded results, and those of the same study, are left out.
    """
    own = select(results.c.study_id, features.c.release, features.c.seal, features.c.at)
    own = own.join(features, features.c.result_id == results.c.id).where(results.c.id == result)
    mine = connection.execute(own).one()
    query = select(features.c.result_id, results.c.study_id, features.c.vector)
    query = query.join(results, results.c.id == features.c.result_id).join(studies, studies.c.id == results.c.study_id)
    query = query.where(features.c.release == mine.release, features.c.seal == mine.seal, features.c.at <= mine.at)
    query = query.where(results.c.superseded.is_(None), results.c.study_id != mine.study_id, within)
    query = query.where(features.c.length == vector.size).order_by(features.c.at.desc()).limit(MOST)
    found: dict[int, Neighbour] = {}
    for rows in connection.execute(query).partitions(AT_ONCE):
        table = np.frombuffer(b"".join(vector for _, _, vector in rows), KEPT).reshape(len(rows), -1)
        alike = table.astype(np.float32) @ vector
        floor = min(one.similarity for one in found.values()) if len(found) == most else -np.inf
        # Most rows are less alike than those that were found before: they cost no more than the product.
        for place in np.flatnonzero(alike > floor).tolist():
            _put(found, rows[place].study_id, Neighbour(rows[place].result_id, float(np.clip(alike[place], -1, 1))))
        found = dict(sorted(found.items(), key=lambda pair: -pair[1].similarity)[:most])
    return list(found.values())


def _put(found: dict[int, Neighbour], study: int, one: Neighbour) -> None:
    if study not in found or found[study].similarity < one.similarity:
        found[study] = one
