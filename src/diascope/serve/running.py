"""The service, running: the web server, the DICOM node, the workers and the sweeps, started and stopped in order."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from diascope.core.errors import BadUsage, DiascopeError
from diascope.serve.dimse.node import Node
from diascope.serve.exposure import refuse_exposure
from diascope.serve.http.app import application
from diascope.serve.http.routing import routers
from diascope.serve.incoming.completing import Completing
from diascope.serve.incoming.receiving import Receiving
from diascope.serve.jobs.worker import Worker
from diascope.serve.keeping.house import House
from diascope.serve.service import Service
from diascope.serve.viewing.series import viewing_decoder

DRAIN = 15
"""Seconds that requests have to end in when the service stops (G4)."""


@dataclass(frozen=True)
class Places:
    """Where the service listens.

    Args:
        web: Address for a browser.
        dicom: AE title, host and port.
    """

    web: str
    dicom: str


class Running:
    """A service that serves until it is stopped.

    Args:
        service: Opened.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.receiving = Receiving(service)
        self.node = Node(service, self.receiving)
        self.completing = Completing(service)
        self.worker = Worker(service, service.settings.workers)
        self._stopping = threading.Event()
        self._house = House(service)
        self._keeper = threading.Thread(
            target=self._house.run, args=(self._stopping,), name="housekeeping", daemon=True
        )

    def run(self, ready: Callable[[Places], None]) -> None:
        """Serve until SIGTERM or SIGINT; then drain and stop.

        Args:
            ready: Told where, once everything listens.

        Raises:
            BadUsage: When it may not listen there, or the port is taken.
        """
        refuse_exposure(self.service)
        listening = self._listening()
        with contextlib.closing(listening):
            if self.service.database.is_sqlite:
                self.service.queue.recover()
            server = _Server(self._settings())
            server.ready = lambda: self._listens(ready, self._places(listening))
            try:
                self.node.start()
                self.completing.start()
                self._keeper.start()
                server.run(sockets=[listening])
            finally:
                self.stop()

    def _listens(self, ready: Callable[[Places], None], places: Places) -> None:
        ready(places)
        # The kinds of jobs bring torch with them, which takes seconds: what is sent meanwhile is taken (A15).
        threading.Thread(target=self._start_worker, name="worker-starting", daemon=True).start()

    def _start_worker(self) -> None:
        with contextlib.suppress(DiascopeError):  # the first who looks tries again, and is told
            viewing_decoder().refill()
        self.worker.start()
        # What was imported stays: looking through all of it again and again for garbage took 20 ms at a time.
        gc.collect()
        gc.freeze()

    def stop(self) -> None:
        """Take nothing more, end what is under way, and give everything back."""
        self._stopping.set()
        self.node.stop()
        self.completing.stop()
        self.worker.stop()
        if self._keeper.is_alive():
            self._keeper.join(DRAIN)

    def _listening(self) -> socket.socket:
        settings = self.service.settings
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        found = socket.socket(family)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((settings.host, settings.port))
        except OSError as error:
            found.close()
            raise BadUsage(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", todo="Choose another --port"
            ) from error
        return found

    def _settings(self) -> uvicorn.Config:
        settings = self.service.settings
        tls = {}
        if settings.certificate is not None:
            tls = {"ssl_certfile": str(settings.certificate), "ssl_keyfile": str(settings.certificate_key)}
        app = application(self.service, routers())
        app.state.receiving = self.receiving
        return uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # addresses carry what was searched for; the audit trail has who asked for what
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=DRAIN,
            limit_concurrency=256,
            **tls,  # type: ignore[arg-type]
        )

    def _places(self, listening: socket.socket) -> Places:
        settings = self.service.settings
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        scheme = "https" if settings.certificate else "http"
        return Places(f"{scheme}://{shown}:{port}", f"{settings.ae_title}@{settings.dicom_host}:{self.node.port}")


class _Server(uvicorn.Server):
    """Says when it listens."""

    ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()
