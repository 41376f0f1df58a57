"""Makes `tests/data/service-1/`: a small saved workspace of the service's first version.

    PYTHONPATH=src python tests/data/make_service.py

Every later version must open it as it is (RELIABILITY A13). It is made anew only until the first migration is frozen;
after that a new version gets a folder of its own (`service-2`), beside this one.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import insert, select

from diascope.serve.database.tables import deliveries, peers, readings, results, rules, series
from diascope.serve.incoming.completing import Completing
from diascope.serve.incoming.receiving import Receiving
from diascope.serve.incoming.storing import Origin
from diascope.serve.service import FIRST_PROJECT, Service, service_folder
from diascope.serve.settings import read_settings
from diascope.store.workspace import Workspace
from diascope.testing.objects import an_object
from diascope.testing.service import Clock, a_user

HERE = Path(__file__).parent / "service-1"
SETTINGS = """\
ae_title = "SAVED"
quiet_seconds = 2.0
keep_free_gb = 0.0
"""
OBJECTS = ((1, 1, 1), (1, 1, 2), (2, 1, 1), (3, 1, 1))
"""Study, series, instance; the last one is sealed."""
FINDINGS = {"conclusion": "positive", "probability": 0.83}


def main() -> int:
    """Make it anew; returns an exit code."""
    shutil.rmtree(HERE, ignore_errors=True)
    workspace, clock = Workspace(HERE), Clock(1_750_000_000.0)
    root = service_folder(workspace)
    (root / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    (root / "id").write_text("0123456789abcdef", encoding="utf-8")
    for sealed in (False, True):
        settings = read_settings(root, {"keys": HERE / "keys.json", "encrypt": sealed})
        service = Service.open(workspace, settings, clock)
        take(service, OBJECTS[3:] if sealed else OBJECTS[:3])
        if not sealed:
            fill(service, clock)
        service.close()
    tidy(root)
    size = sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file())
    sys.stdout.write(f"{HERE}: {size / 1000:.0f} kB\n")
    return 0


def take(service: Service, objects: tuple[tuple[int, int, int], ...]) -> None:
    """Receive objects as a protocol does."""
    receiving = Receiving(service)
    for one in objects:
        draft = service.archive.draft()
        draft.write(an_object(*one))
        receiving.receive(draft, Origin("peer:CT1", "10.0.0.7", FIRST_PROJECT, "peer-1"))


def fill(service: Service, clock: Clock) -> None:
    """A user, a rule, a result that was read, jobs: one runs in a process that was killed, one waits."""
    clock.forward(3)
    Completing(service).sweep()
    reader = a_user(service, "li")
    with service.database.reading() as connection:
        row = connection.execute(select(series).order_by(series.c.id)).mappings().first()
    assert row is not None
    now = clock()
    result = {
        "id": "r1", "study_id": row["study_id"], "series_id": row["id"], "revision": 1, "release": "nodules@1",
        "seal": "0" * 64, "state": "answered", "findings": FINDINGS, "completed": now, "answered": now,
    }  # fmt: skip
    peer = {"id": "p1", "name": "PACS", "kind": "dimse", "rights": [], "project_id": FIRST_PROJECT, "created": now}
    peer["settings"] = {"ae_title": "PACS", "host": "127.0.0.1", "port": 104}
    reading = {"id": "d1", "result_id": "r1", "reader": reader.id, "verdict": "accept", "shown": {}, "at": now}
    rule = {"id": "u1", "name": "all", "position": 1, "enabled": False, "created": now, "changed": now}
    rule["body"] = {"name": "all", "release": "nodules@1"}
    sent = {"result_id": "r1", "kind": "sr", "peer_id": "p1", "state": "sent", "at": now}
    rows = ((results, result), (peers, peer), (readings, reading), (rules, rule), (deliveries, sent))

    def work(connection: object) -> None:
        for table, values in rows:
            connection.execute(insert(table).values(**values))  # type: ignore[attr-defined]

    service.database.change(work)
    service.database.change(lambda connection: service.queue.put(connection, "echo", {"peer": "p1"}, key="first"))
    assert service.queue.claim("killed:1", ["echo"]) is not None
    service.database.change(lambda connection: service.queue.put(connection, "echo", {"peer": "p1"}, key="second"))


def tidy(root: Path) -> None:
    """Small databases of one file each, and no empty folders' worth of drafts."""
    for name in ("index", "identities"):
        with closing(sqlite3.connect(root / f"{name}.sqlite")) as database:
            database.execute("PRAGMA journal_mode=DELETE").close()
            database.execute("VACUUM").close()
    (root / "service.lock").unlink()
    (HERE / ".keys.json.lock").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
