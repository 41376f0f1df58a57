"""Whether there is room for what arrives: the disk's, and the quota."""

from __future__ import annotations

import threading
import time

from sqlalchemy import func, select

from diascope.core.errors import StorageFull
from diascope.serve.database.tables import instances
from diascope.serve.service import Service

COUNTED = 5.0
"""Seconds that a sum over all objects is good for; what is taken meanwhile is added to it."""

SHARE = 20
"""A sum that takes long is good for so many times as long: counting never takes more than a twentieth."""


class Room:
    """Room of one service; several threads may use it.

    Args:
        service: Whose archive and quota.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._used, self._until = 0, 0.0

    def check(self, size: int) -> None:
        """Look before an object is kept.

        Args:
            size: Of the object, bytes.

        Raises:
            StorageFull: When it would go beyond the quota, or the disk is to be left as it is.
            Unavailable: When the index does not answer.
        """
        self._service.archive.check_room()
        quota = self._service.settings.quota_gb
        if quota is not None and self._counted() + size > quota * 1e9:
            raise StorageFull(
                f"the archive holds its quota of {quota:g} GB", todo="Delete studies, or raise quota_gb and start again"
            )

    def taken(self, size: int) -> None:
        """Add what was just kept, bytes."""
        with self._lock:
            self._used += size

    def _counted(self) -> int:
        with self._lock:
            began = time.monotonic()
            if began >= self._until:
                with self._service.database.reading() as connection:
                    self._used = int(connection.execute(select(func.sum(instances.c.size))).scalar_one() or 0)
                ended = time.monotonic()
                self._until = ended + max(COUNTED, SHARE * (ended - began))
            return self._used
