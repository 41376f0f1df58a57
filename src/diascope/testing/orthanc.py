"""Orthanc, Debian's, as the PACS of a test: DICOM, DICOMweb and its own REST API on free ports of loopback."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from diascope.testing.waiting import until

PLUGINS = Path("/usr/share/orthanc/plugins")


def orthanc_program() -> str | None:
    """Path of Orthanc, None where it or its DICOMweb plug-in is not installed."""
    found = shutil.which("Orthanc")
    return found if found and list(PLUGINS.glob("libOrthancDicomWeb*")) else None


@dataclass
class Orthanc:
    """One that runs.

    Args:
        url: Of its REST API, without a slash at its end.
        ae_title: Its own.
        port: Where it speaks DICOM.
        http: Client of its REST API.
        log: File that it writes to.
    """

    url: str
    ae_title: str
    port: int
    http: httpx.Client
    log: Path

    def get(self, path: str) -> Any:
        """JSON of an address of its REST API.

        Raises:
            httpx.HTTPStatusError: When it refuses.
        """
        return self.http.get(path).raise_for_status().json()

    def post(self, path: str, content: Any) -> Any:
        """What it answers to JSON, or to bytes.

        Raises:
            httpx.HTTPStatusError: When it refuses.
        """
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.http.post(path, content=body).raise_for_status().json()


@contextmanager
def orthanc(
    folder: Path,
    modalities: Mapping[str, tuple[str, str, int]] | None = None,
    servers: Mapping[str, Mapping[str, Any]] | None = None,
    ae_title: str = "ORTHANC",
    **settings: Any,
) -> Iterator[Orthanc]:
    """Start it, wait until it answers, and end it.

    Args:
        folder: For its database and log; made where it does not exist.
        modalities: Peers by name: AE title, host and port.
        servers: DICOMweb servers by name, as the plug-in's `Servers` has them (`Url`, `HttpHeaders`).
        ae_title: Its own.
        **settings: Further keys of its configuration.
    """
    program = orthanc_program()
    assert program is not None, "Orthanc is not installed"
    folder.mkdir(parents=True, exist_ok=True)
    (dicom_port, dicom_socket), (http_port, http_socket) = _free_port(), _free_port()
    configuration = {
        "Name": ae_title, "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "DicomAet": ae_title, "DicomPort": dicom_port, "DicomServerEnabled": True, "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True, "DicomAlwaysAllowEcho": True, "HttpPort": http_port, "HttpServerEnabled": True,
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "Plugins": [str(PLUGINS)],
        "DicomModalities": {name: list(peer) for name, peer in (modalities or {}).items()},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False, "Servers": dict(servers or {})},
        "Worklists": {"Enable": False}, "ConcurrentJobs": 2, **settings,
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(configuration), encoding="utf-8")
    log = folder / "orthanc.log"
    dicom_socket.close()
    http_socket.close()
    with log.open("wb") as output:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=output, stderr=output)
    url = f"http://127.0.0.1:{http_port}"
    with httpx.Client(base_url=url, timeout=60) as http:
        found = Orthanc(url, ae_title, dicom_port, http, log)
        try:
            until(lambda: _answers(found, process), 60)
            yield found
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _free_port() -> tuple[int, socket.socket]:
    """A port that nobody else gets while the socket is open."""
    found = socket.create_server(("127.0.0.1", 0))
    return found.getsockname()[1], found


def _answers(found: Orthanc, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, found.log.read_text(errors="replace")[-2000:]
    with suppress(httpx.HTTPError):
        found.get("/system")
        return True
    return False
