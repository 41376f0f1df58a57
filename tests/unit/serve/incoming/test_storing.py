"""The order in which an object becomes known, many senders at once, deletion, and what a crash leaves."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from diascope.core.errors import StorageFull
from diascope.serve.database.identity_tables import orders, people
from diascope.serve.database.tables import audit, changes, instances, series, studies
from diascope.serve.incoming.deleting import NoStudy, delete_study
from diascope.serve.incoming.receiving import Origin, Receiving, Refused
from diascope.serve.incoming.sweeping import sweep
from diascope.serve.service import Service
from diascope.store.archive import LOOK_EVERY
from diascope.testing.objects import ROOT, an_object
from diascope.testing.postgres import VARIABLE
from diascope.testing.service import a_service

ORIGIN = Origin("peer:CT1", "10.0.0.7", "default", "peer-1")

ON_SQLITE = pytest.mark.skipif(VARIABLE in os.environ, reason="about files of SQLite")


def sent(receiving: Receiving, content: bytes) -> str:
    draft = receiving.service.archive.draft()
    draft.write(content)
    return receiving.receive(draft, ORIGIN).status


def counted(service: Service, *tables: Any) -> list[int]:
    with service.database.reading() as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def identified(service: Service) -> list[int]:
    with service.identities.database.reading() as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (orders, people)]


def kept(service: Service) -> list[bytes]:
    return list(map(service.archive.read, service.archive.keys()))


def files(service: Service) -> list[Path]:
    return [path for path in (service.root / "archive").rglob("*") if path.is_file()]


def all_at_once(count: int, work: Callable[[int], None]) -> None:
    """Run `work(k)` in so many threads, and raise what one of them raised."""
    failures: list[BaseException] = []
    gate = threading.Barrier(count)

    def one(number: int) -> None:
        try:
            gate.wait(60)
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not any(thread.is_alive() for thread in threads)
    if failures:
        raise failures[0]


def test_file_then_identity_then_index_then_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A2: fsync(file), rename, fsync(folder), identity, index: all before the answer, in this order."""
    service = a_service(tmp_path)
    receiving = Receiving(service)
    sent(receiving, an_object(1))  # folders and the like
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(handle: int) -> None:
        steps.append("fsync folder" if Path(f"/proc/self/fd/{handle}").resolve().is_dir() else "fsync file")
        fsync(handle)

    def renamed(source: Any, target: Any) -> None:
        steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    for engine, name in ((service.database.engine, "index"), (service.identities.database.engine, "identity")):
        event.listen(engine, "commit", lambda _, name=name: steps.append(name))
    sent(receiving, an_object(2))
    wanted = ["fsync file", "rename", "fsync folder", "identity", "index"]
    assert [step for step in steps if step in wanted][-5:] == wanted
    assert steps[-1] == "index"
    service.close()


STRACED = """
import os, sys
from pathlib import Path
from diascope.serve.incoming.receiving import Origin, Receiving
from diascope.testing.objects import an_object
from diascope.testing.service import a_service
service = a_service(Path(sys.argv[1]))
receiving = Receiving(service)
for number in range(1, 6):
    draft = service.archive.draft()
    draft.write(an_object(number))
    receiving.receive(draft, Origin("peer:CT1", "", "default"))
    os.write(1, b"ACKNOWLEDGED")
service.close()
"""


@ON_SQLITE
@pytest.mark.external
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_kernel_sees_the_same_order(tmp_path: Path) -> None:
    """A2: what strace sees before each acknowledgement."""
    trace = tmp_path / "trace"
    calls = "fsync,fdatasync,rename,renameat,renameat2,write"
    command = ["strace", "-f", "-y", "-o", str(trace), "-e", f"trace={calls}", sys.executable, "-c", STRACED]
    subprocess.run([*command, str(tmp_path / "root")], check=True, capture_output=True, timeout=300)
    last: dict[str, int] = {}
    acknowledged = 0
    for number, line in enumerate(trace.read_text(errors="replace").splitlines()):
        if "ACKNOWLEDGED" in line:
            acknowledged += 1
            order = [last[one] for one in ("file", "rename", "folder", "identity", "index")]
            assert order == sorted(order), last
            last.clear()
        elif call := _call(line):
            last[call] = number
    assert acknowledged == 5


def _call(line: str) -> str:
    """Which step of the order a line of strace is, or ""."""
    if re.search(r"rename\w*\(.*archive/drafts/", line):
        return "rename"
    found = re.search(r"f(?:data)?sync\(\d+<([^>]*)>", line)
    if not found:
        return ""
    path = found[1]
    if "archive/drafts/" in path:
        return "file"
    if re.search(r"archive/[0-9a-f]{2}/[0-9a-f]{2}$", path):
        return "folder"
    return next(
        (name for name, part in (("identity", "identities.sqlite"), ("index", "index.sqlite")) if part in path), ""
    )


def test_twenty_senders_of_one_study(tmp_path: Path) -> None:
    """A7: 20 uploaders send one study 5 times: exact counts, no failure, no deadlock."""
    service = a_service(tmp_path)
    receiving = Receiving(service)
    study = [an_object(1, 1 + number % 2, number) for number in range(1, 5)]
    statuses: list[str] = []

    def work(number: int) -> None:
        for turn in range(5):
            for place in range(len(study)):
                statuses.append(sent(receiving, study[(place + number + turn) % len(study)]))

    all_at_once(20, work)
    assert counted(service, studies, series, instances, changes) == [1, 2, 4, 4]
    assert (len(statuses), statuses.count("stored"), statuses.count("same")) == (400, 4, 396)
    assert (len(files(service)), identified(service)) == (4, [1, 1])
    with service.database.reading() as connection:
        query = select(func.count()).where(audit.c.action == "instance.stored")
        assert connection.execute(query).scalar_one() == 400
    assert service.audit.verify().first_bad is None
    service.close()


def test_many_studies_at_once(tmp_path: Path) -> None:
    """A7: 10 uploaders with studies of their own; each row is there once, none is crossed."""
    service = a_service(tmp_path)
    receiving = Receiving(service)
    all_at_once(10, lambda k: [sent(receiving, an_object(k + 1, 1, n)) for n in range(1, 6)] and None)
    assert counted(service, studies, series, instances, changes) == [10, 10, 50, 50]
    with service.database.reading() as connection:
        query = select(studies.c.uid, series.c.uid, instances.c.uid).join_from(studies, series).join(instances)
        assert all(
            one.startswith(f"{study}.") and two.startswith(f"{one}.") for study, one, two in connection.execute(query)
        )
    service.close()


def test_two_patients_race_for_one_study(tmp_path: Path) -> None:
    """K1: one of them wins; nothing of the others is in it."""
    service = a_service(tmp_path)
    receiving = Receiving(service)
    won: list[int] = []

    def work(number: int) -> None:
        try:
            sent(receiving, an_object(1, 1, number + 1, PatientID=f"N{number}"))
            won.append(number)
        except Refused as error:
            assert error.reason == "mismatch"  # noqa: PT017

    all_at_once(8, work)
    assert len(won) == 1
    assert counted(service, studies, instances) == [1, 1]
    assert service.identities.of([f"{ROOT}.1"])[f"{ROOT}.1"].number == f"N{won[0]}"
    assert (len(files(service)), identified(service)) == (1, [1, 1])
    service.close()


def test_senders_and_deleters(tmp_path: Path) -> None:
    """A7: 5 uploaders that also delete: what is left is whole, in the index, in the archive and in the identities."""
    service = a_service(tmp_path)
    receiving = Receiving(service)

    def work(number: int) -> None:
        for turn in range(4):
            sent(receiving, an_object(1, 1, number + 1))
            sent(receiving, an_object(2 + number, 1, 1, PatientID="shared"))
            if (turn + number) % 2:
                for uid in (f"{ROOT}.1", f"{ROOT}.{2 + number}"):
                    with contextlib.suppress(NoStudy):
                        delete_study(service, uid, "user:li")

    all_at_once(5, work)
    kept = [*counted(service, instances), len(files(service))]
    assert kept[0] == kept[1]
    with service.database.reading() as connection:
        there = set(connection.execute(select(studies.c.uid)).scalars())
        stored, deleted = (
            connection.execute(select(func.count()).where(changes.c.kind == kind)).scalar_one()
            for kind in ("instance_stored", "study_deleted")
        )
    assert set(service.identities.of([f"{ROOT}.{k}" for k in range(1, 10)])) == there
    assert stored >= kept[0]
    assert deleted > 0
    assert sweep(service) == 0
    assert service.audit.verify().first_bad is None
    service.close()


def test_a_deleted_study_leaves_a_tombstone_and_nothing_else(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    receiving = Receiving(service)
    sent(receiving, an_object(1, 1, 1))
    sent(receiving, an_object(1, 2, 1))
    sent(receiving, an_object(2, 1, 1, PatientID="P1"))
    deleted = delete_study(service, f"{ROOT}.1", "user:li", "10.0.0.9", "request")
    assert len(deleted.keys) == 2
    assert counted(service, studies, series, instances) == [1, 1, 1]
    assert (len(files(service)), identified(service)) == (1, [1, 1])  # the patient has another study
    with service.database.reading() as connection:
        (last,) = connection.execute(select(audit).order_by(audit.c.sequence.desc()).limit(1))
        (tombstone,) = connection.execute(select(changes).where(changes.c.kind == "study_deleted"))
    assert (last.action, last.object, last.detail) == (
        "study.deleted", f"{ROOT}.1", {"objects": 2, "reason": "request"},
    )  # fmt: skip
    assert tombstone.study_uid == f"{ROOT}.1"
    with pytest.raises(NoStudy):
        delete_study(service, f"{ROOT}.1", "user:li")
    delete_study(service, f"{ROOT}.2", "user:li")
    assert (files(service), identified(service)) == ([], [0, 0])
    assert sent(receiving, an_object(1, 1, 1)) == "stored"
    service.close()


@ON_SQLITE
@pytest.mark.parametrize("crashed", ["before the rename", "before the identity", "before the index"])
def test_what_a_crash_leaves_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crashed: str) -> None:
    """A1: nothing of an object that was not acknowledged is left, and all of what was."""
    service = a_service(tmp_path)
    receiving = Receiving(service)
    sent(receiving, an_object(1))

    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Receiving, "_drop_unless_indexed", lambda *_: None)
        if crashed == "before the rename":
            patched.setattr("diascope.store.archive.Draft.drop", lambda _: None)
            patched.setattr(os, "rename", crash)
        elif crashed == "before the identity":
            patched.setattr(service.identities, "keep", crash)
        else:
            patched.setattr(service.audit, "append", crash)
            patched.setattr(service.audit, "append_all", crash, raising=False)
        with pytest.raises(KeyboardInterrupt):
            sent(receiving, an_object(2))
    assert len(files(service)) == 2
    service.close()
    service = a_service(tmp_path)
    assert sweep(service) == (2 if crashed == "before the index" else 1)
    assert (len(files(service)), identified(service), counted(service, instances)) == (1, [1, 1], [1])
    assert sent(Receiving(service), an_object(2)) == "stored"
    service.close()


def test_no_room_is_said_and_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A9: a full disk of the archive or of the index refuses, leaves nothing, and needs no restart."""
    service = a_service(tmp_path)
    receiving = Receiving(service)

    def full(*_: Any) -> None:
        raise StorageFull("no room is left")

    for target, name in ((service.archive._place, "commit"), (service.database, "change")):
        with monkeypatch.context() as patched:
            patched.setattr(target, name, full)
            with pytest.raises(Refused) as caught:
                sent(receiving, an_object(1))
        assert caught.value.reason == "out_of_resources"
        if service.database.is_sqlite:
            assert (files(service), counted(service, instances)) == ([], [0])
    assert sent(receiving, an_object(1)) == "stored"
    service.close()


def test_a_quota_is_kept(tmp_path: Path) -> None:
    """A9: what would go beyond the quota is refused; what is there is read on."""
    service = a_service(tmp_path, quota_gb=2000e-9)
    receiving = Receiving(service)
    sent(receiving, an_object(1))
    with pytest.raises(Refused) as caught:
        sent(receiving, an_object(2))
    assert caught.value.reason == "out_of_resources"
    assert "quota of 2e-06 GB" in caught.value.wrong
    assert kept(service) == [an_object(1)]
    service.close()


def test_the_disk_is_never_filled(tmp_path: Path) -> None:
    """A9: below `keep_free_gb` no draft is begun, so that the databases have room; what is there is read on."""
    service = a_service(tmp_path)
    receiving = Receiving(service)
    sent(receiving, an_object(1))
    service.archive.keep_free = 1e18
    with pytest.raises(StorageFull, match="GB are left on the archive's disk"):
        sent(receiving, an_object(2))
    assert kept(service) == [an_object(1)]
    service.archive.keep_free = 0.0
    with service.archive.draft() as draft:
        service.archive.keep_free = 1e18
        draft.write(bytes(1 << 20))
        with pytest.raises(StorageFull):
            draft.write(bytes(LOOK_EVERY))
    assert len(files(service)) == 1
    service.close()
