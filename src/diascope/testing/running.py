"""`diascope serve` as its user starts it: a process of its own, on free ports, with a token to ask it with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from diascope.serve.access import tokens, users
from diascope.serve.access.matrix import Caller
from diascope.serve.access.operations import OPERATIONS, SESSION_ONLY
from diascope.serve.access.users import HOST
from diascope.serve.dimse.peers import PeerSettings, add_peer, new_peer
from diascope.serve.rules.keeping import add
from diascope.serve.rules.rule import Rule
from diascope.serve.service import FIRST_PROJECT, Service, service_folder
from diascope.serve.settings import Settings
from diascope.store.workspace import Workspace
from diascope.testing.waiting import until

START = 120.0
"""Seconds that it may take to listen."""


@dataclass
class Served:
    """A service that runs.

    Args:
        process: Its own.
        web: Address.
        dicom_port: Of the node.
        http: Client with the token of a service account that may do all that a token may.
        log: What it printed.
    """

    process: subprocess.Popen[bytes]
    web: str
    dicom_port: int
    http: httpx.Client
    log: Path

    def items(self, noun: str, **query: Any) -> list[dict[str, Any]]:
        """A page of a noun."""
        found: list[dict[str, Any]] = self.http.get(f"/api/v1/{noun}", params=query).raise_for_status().json()["items"]
        return found

    def stop(self, seconds: float = 40.0) -> float:
        """Ask it to end (SIGTERM); returns how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(seconds)
        return time.monotonic() - began


def prepare(workspace: Path, peers: Mapping[str, PeerSettings], rules: list[Rule], **settings: Any) -> str:
    """Settings, peers, rules and a token of a service that does not run yet; returns the token."""
    place = Workspace(workspace)
    plain: dict[str, Any] = {"port": 0, "dicom_port": 0, "keys": str(workspace / "keys.json"), "quiet_seconds": 0.5}
    chosen = {**plain, **settings}
    lines = [f"{key} = {json.dumps(value)}" for key, value in chosen.items()]
    (service_folder(place) / "settings.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    service = Service.open(place, Settings.model_validate(chosen))
    try:
        for name, peer in peers.items():
            add_peer(service, new_peer(name, peer, frozenset({"store"})), HOST.actor)
        service.database.change(lambda connection: [add(connection, rule, service.clock()) for rule in rules])
        account = users.create(service, "program", "service", HOST, projects=[FIRST_PROJECT])[0]
        owner = Caller(account.id, account.name, account.role, frozenset({FIRST_PROJECT}))
        scopes = [one.name for one in OPERATIONS.values() if one.answers["service"] != "-"]
        return tokens.issue(service, owner, "test", sorted(set(scopes) - SESSION_ONLY), days=1)[1]
    finally:
        service.close()


@contextmanager
def served(workspace: Path, token: str) -> Iterator[Served]:
    """Start it, wait until it listens, and end it."""
    log = workspace / "served.log"
    command = [sys.executable, "-m", "diascope", "serve", "--workspace", str(workspace), "--json"]
    with log.open("wb") as output:
        environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")}
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        places = _places(log, process)
        port = int(places["dicom"].rpartition(":")[2])
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=places["web"], headers=headers, timeout=60) as http:
            yield Served(process, places["web"], port, http, log)
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(40)
        process.kill()
        process.wait()


def _places(log: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    def said() -> dict[str, Any] | None:
        text = log.read_text(encoding="utf-8", errors="replace")
        if process.poll() is not None:
            raise AssertionError(f"the service ended: {text[-2000:]}")
        try:
            found: dict[str, Any] = json.loads(text[text.index("{") :])
        except ValueError:
            return None
        return found

    return until(said, START) or {}
