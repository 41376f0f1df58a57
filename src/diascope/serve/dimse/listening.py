"""Accepting connections: a thread that only accepts, and a thread for each connection until it asks for something.

Nothing that a stranger can delay is done in the thread that accepts: neither the TLS handshake nor the first bytes. A
connection that says nothing is closed after the ARTIM time (PS3.8 9.1.5); where too many wait, the oldest goes first.
"""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from diascope.serve.dimse.flowing import acknowledge_at_once

WAITING = 512
"""Connections that may be silent at a time."""


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens, and hands over connections that have begun to speak.

    Args:
        address: Host and port; port 0 is any free one.
        context: TLS, None without.
        artim: Seconds that a connection may be silent at first.
        welcome: What is done with a connection that speaks.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext | None,
        artim: float,
        welcome: Callable[[socket.socket, tuple[Any, ...]], None],
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._context, self._artim, self._welcome = context, artim, welcome
        self._silent: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__(address, socketserver.BaseRequestHandler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.settimeout(self._artim)
        oldest = None
        with self._lock:
            if len(self._silent) >= WAITING:
                oldest = next(iter(self._silent))
                del self._silent[oldest]
            self._silent[connection] = time.monotonic() + self._artim
        if oldest is not None:
            _shut(oldest)
        return connection, address

    def service_actions(self) -> None:
        now = time.monotonic()
        with self._lock:
            late = [connection for connection, limit in self._silent.items() if limit < now]
            for connection in late:
                del self._silent[connection]
        for connection in late:
            _shut(connection)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Wait until a connection speaks, then hand it over."""
        speaking = self._speaking(request)
        with self._lock:
            self._silent.pop(request, None)
        if speaking is None:
            request.close()
        else:
            self._welcome(speaking, client_address)

    def _speaking(self, connection: socket.socket) -> socket.socket | None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            acknowledge_at_once(connection)
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            if not poll.poll(self._artim * 1000) or not connection.recv(1, socket.MSG_PEEK):
                return None
            if self._context is None:
                return connection
            # Closed late by `service_actions`, where a handshake trickles.
            return self._context.wrap_socket(connection, server_side=True)
        except (OSError, ValueError):
            return None

    def server_close(self) -> None:
        super().server_close()
        with self._lock:
            silent, self._silent = list(self._silent), {}
        for connection in silent:
            _shut(connection)


def _shut(connection: socket.socket) -> None:
    """Wake whoever waits for it; that thread closes it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
