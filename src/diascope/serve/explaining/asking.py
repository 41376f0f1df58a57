"""How maps and similar cases are asked for: keys of jobs, their place in the queue. Nothing here needs torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection, select

from diascope.serve.database.explaining_tables import features
from diascope.serve.database.tables import results

PRIORITY = -10
"""Of the queue; what reads goes before it also where one worker does both."""

FOR_SIGNALS = ("occlusion", "integrated_gradients")
"""Explainers of pictures that explain recordings too: they ask for no feature maps with two axes of places."""

FILLING = -20
"""Of the queue for vectors of earlier results; nobody waits for them."""


def key_of(result: str, finding: str, explainer: str) -> str:
    """The key of the job: the same explanation is made once."""
    digest = hashlib.sha256(f"{finding}\n{explainer}".encode()).hexdigest()[:32]
    return f"explain:{result}:{digest}"


def lacking(connection: Connection, release: str, seal: str, most: int) -> Sequence[str]:
    """Ids of answered results of a release that have no vector, the newest first."""
    query = select(results.c.id).join(features, features.c.result_id == results.c.id, isouter=True)
    query = query.where(results.c.release == release, results.c.seal == seal, results.c.state == "answered")
    query = query.where(results.c.superseded.is_(None), features.c.result_id.is_(None))
    return connection.execute(query.order_by(results.c.answered.desc()).limit(most)).scalars().all()


def key_of_gap(release: str, newest: str) -> str:
    """The key of the job: the same gap is filled once."""
    return f"describe:{hashlib.sha256(release.encode()).hexdigest()[:16]}:{newest}"
