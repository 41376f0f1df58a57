"""`diascope worker`: the jobs of a service that runs elsewhere, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from diascope.core.errors import BadUsage
from diascope.serve.jobs.worker import Worker
from diascope.serve.service import Service


def work(service: Service, ready: Callable[[], None]) -> None:
    """Do jobs until SIGTERM or SIGINT; those under way end or are given back.

    Args:
        service: Opened on the same database and archive as the one that takes studies.
        ready: Told once it works.

    Raises:
        BadUsage: On SQLite, which has one writer, or with no jobs at a time.
    """
    if service.database.is_sqlite:
        raise BadUsage(
            "a worker of its own needs PostgreSQL: SQLite has one writer",
            todo="Give --database postgresql://…; on SQLite the service works by itself (--workers)",
        )
    if not service.settings.workers:
        raise BadUsage("a worker with no jobs at a time does nothing", given="--workers 0")
    worker, ended = Worker(service, service.settings.workers), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    worker.start()
    ready()
    ended.wait()
    worker.stop()
