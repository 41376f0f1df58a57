"""What is known of series before a reader labels them: vectors and probabilities of the guide, else descriptors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from diascope.serve.database.explaining_tables import features
from diascope.serve.database.labelling_tables import descriptors
from diascope.serve.database.tables import results
from diascope.serve.labelling.choosing import Floats
from diascope.serve.labelling.describing import KEPT
from diascope.serve.labelling.guessing import of_probabilities
from diascope.serve.labelling.picturing import LENGTH, MADE_BY

AT_ONCE = 500
"""Ids in one query."""


@dataclass(frozen=True)
class Known:
    """What is known of some series.

    Args:
        vectors: Id of the row to what it looks like, of length 1; all of one kind.
        uncertainty: Id of the row to how unsure the guide is, 0 to 1; empty without a guide.
    """

    vectors: Mapping[int, Floats] = field(default_factory=dict)
    uncertainty: Mapping[int, float] = field(default_factory=dict)


def known(connection: Connection, release: str, wanted: Sequence[int]) -> Known:
    """What is known of series.

    Vectors are of the guide or descriptors, whichever there are more of, for two kinds can't be compared; the guide's
    where there are as many. Its probabilities count in any case.

    Args:
        connection: For reading.
        release: The guide; "" is none.
        wanted: Ids of the rows of series.
    """
    plain = _descriptors(connection, wanted)
    if not release:
        return Known(plain)
    guided, unsure = _of_guide(connection, release, wanted)
    return Known(guided if len(guided) >= len(plain) and guided else plain, unsure)


def _descriptors(connection: Connection, wanted: Sequence[int]) -> dict[int, Floats]:
    found: dict[int, Floats] = {}
    for some in _parts(wanted):
        mine = descriptors.c.series_id.in_(some) & (descriptors.c.made_by == MADE_BY)
        for number, vector in connection.execute(select(descriptors.c.series_id, descriptors.c.vector).where(mine)):
            if len(vector) == LENGTH * KEPT.itemsize:
                found[number] = _unit(vector)
    return found


def _of_guide(
    connection: Connection, release: str, wanted: Sequence[int]
) -> tuple[dict[int, Floats], dict[int, float]]:
    vectors: dict[int, Floats] = {}
    unsure: dict[int, float] = {}
    query = select(results.c.series_id, results.c.findings, features.c.vector)
    query = query.join(features, features.c.result_id == results.c.id, isouter=True)
    query = query.where(results.c.release == release, results.c.state == "answered", results.c.superseded.is_(None))
    for some in _parts(wanted):
        for number, findings, vector in connection.execute(query.where(results.c.series_id.in_(some))):
            value = of_probabilities(list(_probabilities(findings)))
            if value is not None:
                unsure[number] = value
            if vector:
                vectors[number] = _unit(vector)
    return _of_one_length(vectors), unsure


def _of_one_length(vectors: Mapping[int, Floats]) -> dict[int, Floats]:
    """Those of the commonest length: a release that was built anew under its name may give others."""
    counts = Counter(one.size for one in vectors.values())
    if not counts:
        return {}
    length = max(counts, key=lambda one: (counts[one], one))
    return {number: one for number, one in vectors.items() if one.size == length}


def _probabilities(findings: Mapping[str, Any]) -> Iterator[float]:
    for one in findings.get("findings", ()):
        value = (one.get("measures", {}).get("probability") or {}).get("value")
        if isinstance(value, int | float):
            yield float(value)


def _parts(wanted: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(wanted), AT_ONCE):
        yield wanted[start : start + AT_ONCE]


def _unit(vector: bytes) -> Floats:
    row = np.frombuffer(vector, KEPT).astype(np.float32)
    return row / max(float(np.linalg.norm(row)), 1e-12)
