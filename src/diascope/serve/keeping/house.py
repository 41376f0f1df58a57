"""What the running service does beside its work: what a crash left, what has expired, what is kept long enough."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy import Connection, delete

from diascope.core.errors import DiascopeError
from diascope.serve.access.limits import drop_old
from diascope.serve.access.logins import drop_expired
from diascope.serve.database.tables import idempotent
from diascope.serve.http.idempotency import KEPT
from diascope.serve.incoming import uploading
from diascope.serve.incoming.sweeping import SWEEPING, sweep
from diascope.serve.keeping.retention import Retention
from diascope.serve.service import Service

log = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between heads of the audit trail kept outside, and expired rows dropped."""

MARGIN = 1.0
"""Seconds: the clock of a file may be that much behind."""


class House:
    """Keeps one service. Made before anything listens.

    Args:
        service: Opened.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._began = time.monotonic()
        self._swept = False
        self._retention = Retention(service)

    def run(self, stopping: threading.Event) -> None:
        """Until the service stops."""
        while True:
            self.once()
            if stopping.wait(EVERY):
                return

    def once(self) -> None:
        """Everything once. What fails is told in the log, hinders nothing else, and may succeed the next time."""
        service = self.service
        steps: dict[str, Callable[[], object]] = {
            SWEEPING: self._sweep,
            "audit": service.audit.anchor,
            "sessions": lambda: drop_expired(service),
            "attempts": lambda: service.database.change(lambda connection: drop_old(connection, service.clock())),
            "answers": lambda: service.database.change(self._drop_answers),
            "keys": service.keys.reload,
            "retention": self._retention.sweep,
            "shelf": service.shelf.drop_idle,
        }
        for name, step in steps.items():
            try:
                step()
            except DiascopeError as error:
                log.warning("housekeeping: %s: %s", name, error.wrong)
                service.troubles[name] = error.wrong
            else:
                if name != SWEEPING:
                    service.troubles.pop(name, None)

    def _sweep(self) -> None:
        """After the start, beside the requests: only what is older than this process can be a crash's."""
        if self._swept:
            return
        age = time.monotonic() - self._began + MARGIN
        sweep(self.service, age)
        uploading.sweep(self.service, age)
        self._swept = True

    def _drop_answers(self, connection: Connection) -> None:
        connection.execute(delete(idempotent).where(idempotent.c.at < self.service.clock() - KEPT))
