"""What a crash leaves is removed after the service has started: drafts, objects and identities that no row names.

After a back-up was restored the archive may hold objects that were acknowledged later: nothing is swept
until `keeping/restoring.py` has gone through them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select

from diascope.serve.database.identity_tables import orders
from diascope.serve.database.tables import studies
from diascope.serve.incoming.deleting import forget_absent
from diascope.serve.incoming.named import named
from diascope.serve.service import HELD, Service

BATCH = 500

OTHERS_MAY_WRITE = 3600.0
"""Seconds that an object may wait for its row where other hosts write into the same archive."""


SWEEPING = "sweeping"
"""Part of the service's state."""


def sweep(service: Service, older_than: float = 0.0) -> int:
    """Remove drafts that nobody finished, objects and identities whose transaction never happened.

    Args:
        service: Whose.
        older_than: Seconds before now; 0 where nobody else writes yet.

    Returns:
        How many were removed.

    Raises:
        DiascopeError: When the archive does not answer, or is not this database's; nothing is then removed.
    """
    if (service.root / HELD).exists():
        service.troubles[SWEEPING] = "nothing is swept: the restored archive was not gone through to its end"
        return 0

    def known(keys: Sequence[str]) -> set[str]:
        with service.database.reading() as connection:
            return named(connection, keys)

    removed = service.archive.sweep(known, older_than if service.database.is_sqlite else OTHERS_MAY_WRITE)
    absent = [uid for uids in _identified(service) for uid in _absent(service, uids)]
    return removed + sum(forget_absent(service, uid) for uid in absent)


def _identified(service: Service) -> Iterator[Sequence[str]]:
    """UIDs of studies that have an identity, in batches."""
    last = ""
    while True:
        query = select(orders.c.study_uid).where(orders.c.study_uid > last).order_by(orders.c.study_uid).limit(BATCH)
        with service.identities.database.reading() as connection:
            uids = list(connection.execute(query).scalars())
        if not uids:
            return
        yield uids
        last = uids[-1]


def _absent(service: Service, uids: Sequence[str]) -> list[str]:
    with service.database.reading() as connection:
        there = set(connection.execute(select(studies.c.uid).where(studies.c.uid.in_(uids))).scalars())
    return [uid for uid in uids if uid not in there]
