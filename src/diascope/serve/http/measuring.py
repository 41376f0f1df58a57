"""What is measured: requests by route, and the state of the service when somebody looks. No label names a person."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from diascope.core.errors import DiascopeError
from diascope.serve.database.tables import instances, jobs, series, studies
from diascope.serve.service import Service

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds."""


class Measures:
    """The figures of one application, in a registry of its own.

    Args:
        service: Whose state is told.
    """

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "diascope_http_requests", "Requests", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "diascope_http_seconds", "Time to an answer", ("route",), buckets=BUCKETS, registry=self.registry
        )
        self.registry.register(_State(service))

    def written(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self.registry)


class _State(Collector):
    """Asked of the databases when somebody looks."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> list[GaugeMetricFamily]:
        up = GaugeMetricFamily("diascope_database_up", "Whether the index answers")
        try:
            found = self._counted()
        except DiascopeError:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *found]

    def _counted(self) -> list[GaugeMetricFamily]:
        archive = GaugeMetricFamily("diascope_archive_objects", "Objects in the archive", labels=["kind"])
        waiting = GaugeMetricFamily("diascope_jobs", "Jobs", labels=["kind", "state"])
        with self._service.database.reading() as connection:
            for name, table in (("studies", studies), ("series", series), ("instances", instances)):
                archive.add_metric([name], connection.execute(select(func.count()).select_from(table)).scalar() or 0)
            counted = select(jobs.c.kind, jobs.c.state, func.count()).group_by(jobs.c.kind, jobs.c.state)
            for kind, state, count in connection.execute(counted):
                waiting.add_metric([kind, state], count)
        free = GaugeMetricFamily("diascope_archive_free_bytes", "Space left for objects")
        if (left := self._service.archive.free_bytes()) is not None:
            free.add_metric([], left)
        return [archive, waiting, free]


class Measured:
    """ASGI middleware that counts requests by the pattern of their address, never by the address.

    Args:
        app: The application.
        measures: Where they are counted.
    """

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self.app, self.measures = app, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = _pattern(scope)
                self.measures.requests.labels(route, _method(scope), message["status"]).inc()
                self.measures.seconds.labels(route).observe(time.perf_counter() - begun)
            await send(message)

        await self.app(scope, receive, watched)


def _pattern(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "none")


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
