"""Restarting over a large archive: it listens at once, and what a crash left is swept beside the requests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import insert

from diascope.serve.database.tables import instances, series, studies
from diascope.serve.incoming.sweeping import sweep
from diascope.serve.service import FIRST_PROJECT, Service, service_folder
from diascope.serve.settings import read_settings
from diascope.store.archive import Archive
from diascope.store.places import OBJECTS_A_FOLDER
from diascope.store.workspace import Workspace
from diascope.testing.dimse import eventually
from diascope.testing.postgres import VARIABLE

pytestmark = pytest.mark.skipif(VARIABLE in os.environ, reason="SQLite's own way to restart")


def filled(folder: Path, count: int) -> list[Path]:
    """A workspace with so many indexed instances, and three objects that no row names."""
    workspace = Workspace(folder)
    root = service_folder(workspace)
    (root / "settings.toml").write_text(f'keys = "{folder / "keys.json"}"\nkeep_free_gb = 0.0\nworkers = 1\n')
    service = Service.open(workspace, read_settings(root, {}))
    row: dict[str, Any] = {"attributes": {}, "created": 1.0, "changed": 1.0, "project_id": FIRST_PROJECT}
    per_study = 100
    groups = range(count // per_study)

    def work(connection: Any) -> None:
        connection.execute(insert(studies), [{**row, "id": n + 1, "uid": f"1.{n}", "patient": "p"} for n in groups])
        one = {"attributes": {}, "arrived": 1.0, "completed": 2.0, "revision": 1}
        connection.execute(insert(series), [{**one, "id": n + 1, "study_id": n + 1, "uid": f"1.{n}.1"} for n in groups])
        plain = {"sop_class": "1.2", "syntax": "1.2", "attributes": {}, "size": 4, "sha256": "0" * 64, "received": 1.0}
        for start in range(0, count, 10_000):
            some = range(start, min(start + 10_000, count))
            rows = [{**plain, "series_id": n // per_study + 1, "uid": f"1.2.{n}", "key": key(n)} for n in some]
            connection.execute(insert(instances), rows)

    service.database.change(work)
    service.close()
    strays = [root / "archive" / key(count + number) for number in range(3)]
    for number in range(count + 3):
        path = root / "archive" / key(number)
        if number % OBJECTS_A_FOLDER == 0 or number >= count:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(b"DICM")
    return strays


def key(number: int) -> str:
    shard = number // OBJECTS_A_FOLDER
    return f"{shard >> 8:02x}/{shard & 255:02x}/{number:032x}"


def serving(folder: Path) -> tuple[subprocess.Popen[str], str, dict[str, float]]:
    """A service in a process of its own; its address, and seconds until it listened, by the clock and of a core."""
    began = time.monotonic()
    command = [sys.executable, "-m", "diascope", "serve", "--workspace", str(folder), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--dicom-port", "0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if line.startswith("}"):
            break
    used = psutil.Process(process.pid).cpu_times()
    spent = {"wall": time.monotonic() - began, "core": used.user + used.system}
    return process, json.loads(said)["web"], spent


def is_ready(web: str) -> bool:
    with urllib.request.urlopen(f"{web}/health/ready", timeout=5) as answer:
        return bool(json.loads(answer.read())["ready"])


def test_what_listens_needs_no_torch_yet() -> None:
    """A15: torch and its like take seconds to import; the first reading does it."""
    heavy = ("torch", "lightning_fabric", "pandas", "sklearn", "highdicom", "SimpleITK")
    work = "import sys, diascope.serve.running as r; r.routers(); print([one for one in {} if one in sys.modules])"
    work = work.format(heavy)
    said = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.strip() == "[]"


def restarted(folder: Path, count: int, clock: str) -> None:
    strays = filled(folder, count)
    process, web, _ = serving(folder)
    process.kill()
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()
    process, web, spent = serving(folder)
    try:
        assert is_ready(web)
        assert spent[clock] <= 10.0, spent
        assert eventually(lambda: not any(path.exists() for path in strays), 60)
        assert len(list(Archive(folder / "service" / "archive").keys())) == count
    finally:
        process.terminate()
        assert process.wait(60) in (0, -signal.SIGTERM)  # uvicorn raises the signal again once it has drained
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.slow
def test_a_restart_is_quick(tmp_path: Path) -> None:
    """A15, short: 2,000 instances, and 10 s of a core, which others use too; what a crash left is swept afterwards."""
    restarted(tmp_path / "w", 2000, "core")


@pytest.mark.nightly
def test_a_restart_over_a_large_archive_is_quick(tmp_path: Path) -> None:
    """A15: 100,000 instances indexed: ready within 10 s after kill -9, no full scan on the request path."""
    restarted(tmp_path / "w", 100_000, "wall")


def test_what_arrives_while_it_is_swept_stays(tmp_path: Path) -> None:
    """A1: an object that is kept and has no row yet is younger than the process, and is not touched."""
    filled(tmp_path / "w", 100)
    service = Service.open(Workspace(tmp_path / "w"), read_settings(tmp_path / "w" / "service", {}))
    began = time.monotonic() - 3600  # the process has run for an hour
    fresh = service.archive.put(b"just kept").key
    assert sweep(service, time.monotonic() - began) == 0
    assert service.archive.read(fresh) == b"just kept"
    assert sweep(service, 0.0) == 4
    service.close()
