"""A DICOM node on a free port of this machine, and peers that talk to it with pynetdicom's own associations."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pynetdicom import AE, _config
from pynetdicom.association import Association

from diascope.core.record import write_durably
from diascope.serve.dimse.node import Node
from diascope.serve.dimse.peers import RIGHTS, Peer, PeerSettings, add_peer, all_peers, new_peer
from diascope.serve.incoming.receiving import Receiving
from diascope.serve.incoming.sweeping import sweep
from diascope.serve.service import Service
from diascope.testing.service import a_service

HOME = "127.0.0.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


@dataclass(frozen=True)
class Standing:
    """A node that listens."""

    service: Service
    node: Node

    @property
    def port(self) -> int:
        """Where."""
        return self.node.port


def a_peer(service: Service, title: str = "TESTER", rights: Collection[str] = RIGHTS, **settings: Any) -> Peer:
    """A peer on this machine that may do everything, unless told otherwise."""
    plain = {"ae_title": title, "addresses": (HOME,), **settings}
    return add_peer(service, new_peer(title, PeerSettings.model_validate(plain), frozenset(rights)), "test")


@contextmanager
def a_node(folder: Path, rights: Collection[str] = RIGHTS, **options: Any) -> Iterator[Standing]:
    """A node with one peer, `TESTER`.

    Args:
        folder: Of the workspace.
        rights: Of the peer.
        **options: `receiving`, options of the node, and settings of the service.
    """
    of_node = {name: options.pop(name) for name in ("associations", "artim", "idle") if name in options}
    receiving = options.pop("receiving", Receiving)
    folder.mkdir(exist_ok=True)
    with closing(a_service(folder, **options)) as service:
        a_peer(service, rights=rights)
        node = Node(service, receiving(service), **of_node)
        node.start()
        try:
            yield Standing(service, node)
        finally:
            node.stop(5.0)


@contextmanager
def asking(
    port: int, *contexts: tuple[str, Collection[str]], title: str = "TESTER", called: str = "DIASCOPE", **more: Any
) -> Iterator[Association]:
    """An association of pynetdicom's own, released at the end where it still stands.

    Args:
        port: Of the node.
        *contexts: SOP class and transfer syntaxes; CT and verification by default.
        title: What the peer calls itself.
        called: What it calls us.
        **more: For `AE.associate`.
    """
    _config.LOG_HANDLER_LEVEL = "none"
    entity = AE(title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    for name, syntaxes in contexts or ((CT, (EXPLICIT,)), ("1.2.840.10008.1.1", (EXPLICIT,))):
        entity.add_requested_context(name, list(syntaxes))
    association = entity.associate(HOME, port, ae_title=called, **more)
    connection = association.dul.socket.socket if association.dul.socket is not None else None
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        if connection is not None:  # pynetdicom leaves it open where the other side ended first
            connection.close()


def parsed(content: bytes) -> FileDataset:
    """The data set of a file."""
    return dcmread(BytesIO(content))


def stored(association: Association, content: bytes) -> int:
    """The status with which a file is answered."""
    return int(association.send_c_store(parsed(content)).Status)


def a_line(port: int, seconds: float = 10.0) -> socket.socket:
    """A bare connection."""
    return socket.create_connection((HOME, port), seconds)


def serving(folder: Path) -> None:
    """Serve a workspace until SIGTERM; says its port in a file. What a process of its own runs."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with closing(a_service(folder, time.time)) as service:
        if not all_peers(service):
            a_peer(service)
        sweep(service)
        node = Node(service, Receiving(service))
        node.start()
        write_durably(folder / "port", str(node.port).encode())
        ended.wait()
        node.stop()


@contextmanager
def a_server(folder: Path, *before: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A node in a process of its own, and its port; killed at the end where it still runs.

    Args:
        folder: Of the workspace.
        *before: What it runs under (`strace`, …).
    """
    folder.mkdir(exist_ok=True)
    (folder / "port").unlink(missing_ok=True)
    code = f"from pathlib import Path; from diascope.testing.dimse import serving; serving(Path({str(folder)!r}))"
    with subprocess.Popen([*before, sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        try:
            if not eventually(lambda: (folder / "port").exists() or process.poll() is not None, 60.0):
                raise TimeoutError("the server did not start")
            yield process, int((folder / "port").read_text())
        finally:
            process.kill()


def eventually(what: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether something comes true in time."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if what():
            return True
        time.sleep(0.01)
    return what()
