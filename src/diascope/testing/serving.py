"""A web application on a port of its own, in a thread or in a process that a test may kill."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from diascope.serve.dicomweb.multipart import written
from diascope.serve.http.app import application
from diascope.serve.http.routing import routers
from diascope.serve.incoming.sweeping import sweep
from diascope.testing.service import a_service
from diascope.testing.waiting import until
from diascope.testing.web import Site

BOUNDARY = "a-boundary-of-the-tests"
STOW_TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


def stow_body(objects: Iterable[bytes]) -> bytes:
    """A body for STOW-RS, with the content type `STOW_TYPE`."""
    return b"".join(written((("application/dicom", [content]) for content in objects), BOUNDARY))


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """An application on loopback, in a thread; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


@dataclass
class Process:
    """A service in a process of its own.

    Args:
        process: To be killed.
        url: Where it listens.
        token: Of a steward's program.
    """

    process: subprocess.Popen[str]
    url: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """That say who asks."""
        return {"Authorization": f"Bearer {self.token}"}


@contextmanager
def a_process(folder: Path) -> Iterator[Process]:
    """The service of a folder, started again and again; it is killed at the end."""
    command = [sys.executable, "-m", "diascope.testing.serving", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield Process(process, said["url"], said["token"])
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def steward_token(site: Site) -> str:
    """A token of a new steward, with all that a steward may do by token."""
    browser = site.with_token(site.user("steward"), "steward")
    return browser.headers["Authorization"].removeprefix("Bearer ")


def main() -> None:
    """Serve the folder that is the first argument; says where in one line of JSON."""
    service = a_service(Path(sys.argv[1]), time.time)
    site = Site(service, application(service, routers()))
    sweep(service)
    with served(site.app) as url:
        sys.stdout.write(json.dumps({"url": url, "token": steward_token(site)}) + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
