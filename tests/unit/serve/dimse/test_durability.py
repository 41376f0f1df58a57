"""Acknowledged means durable: processes killed, disks full, and the order that the kernel sees."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from diascope.serve.audit import Audit
from diascope.serve.database.tables import audit, instances
from diascope.serve.incoming.sweeping import sweep
from diascope.testing.dimse import a_node, a_server, asking, eventually, parsed, stored
from diascope.testing.objects import an_object
from diascope.testing.service import a_service


def send_until_killed(folder: Path, contents: list[bytes], acknowledged: set[str], seconds: float) -> None:
    """Send what is not acknowledged yet, and kill the server after a time."""
    with a_server(folder) as (process, port):
        killer = threading.Timer(seconds, process.kill)
        killer.start()
        with asking(port) as peer:
            for content in contents:
                dataset = parsed(content)
                if dataset.SOPInstanceUID in acknowledged:
                    continue
                if not peer.is_established:
                    break
                answer = peer.send_c_store(dataset)
                if answer.get("Status") == 0:
                    acknowledged.add(str(dataset.SOPInstanceUID))
                elif "Status" not in answer:
                    break
        killer.join()


def survive(folder: Path, count: int, kills: int) -> None:
    """A1 and D4, with so many objects and kills."""
    moment = random.Random(3)
    contents = [an_object(1 + number % 3, 1, number + 1) for number in range(count)]
    acknowledged: set[str] = set()
    for _ in range(kills):
        send_until_killed(folder, contents, acknowledged, moment.uniform(0.05, 0.03 * count / kills))
    with a_server(folder) as (process, port), asking(port) as peer:
        for content in contents:  # it starts again without a hand, and takes the rest; what it had is "same"
            assert stored(peer, content) == 0
        peer.release()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    for name in ("index.sqlite", "identities.sqlite"):
        with closing(sqlite3.connect(folder / "service" / name)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with closing(a_service(folder, time.time)) as service:
        assert sweep(service) == 0
        with service.database.reading() as connection:
            kept = {row.uid: row for row in connection.execute(select(instances))}
            told = set(connection.execute(select(audit.c.object).where(audit.c.action == "instance.stored")).scalars())
        assert acknowledged <= set(kept)
        assert len(kept) == count
        assert acknowledged <= told
        for row in kept.values():
            assert hashlib.sha256(service.archive.read(row.key)).hexdigest() == row.sha256
        assert set(service.archive.keys()) == {row.key for row in kept.values()}
        assert isinstance(service.audit, Audit)
        assert service.audit.verify().first_bad is None


@pytest.mark.slow
def test_killed_three_times(tmp_path: Path) -> None:
    """A1, D4: kill -9 while objects arrive: all that was acknowledged is there, whole, and in the audit trail."""
    survive(tmp_path / "workspace", 60, 3)


@pytest.mark.nightly
def test_killed_twenty_times(tmp_path: Path) -> None:
    """A1, D4: the whole rows: 1,000 objects, 20 kills."""
    survive(tmp_path / "workspace", 1000, 20)


def test_terminated_while_objects_arrive(tmp_path: Path) -> None:
    """G4: SIGTERM with an association open: the process ends within 30 s, and what was acknowledged is there."""
    folder = tmp_path / "workspace"
    with a_server(folder) as (process, port), asking(port) as peer:
        assert stored(peer, an_object(1)) == 0
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert time.monotonic() - start < 30
        assert eventually(lambda: not peer.is_established)
    with closing(a_service(folder, time.time)) as service, service.database.reading() as connection:
        assert len(connection.execute(select(instances.c.uid)).all()) == 1


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A9: a full disk is 0xA700; reading goes on, and objects are taken again when there is room, without restart."""
    write, full = os.write, threading.Event()

    def limited(handle: int, content: bytes) -> int:
        if full.is_set() and "drafts" in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, content)

    with a_node(tmp_path) as standing, asking(standing.port) as peer:
        monkeypatch.setattr(os, "write", limited)
        assert stored(peer, an_object(1)) == 0
        full.set()
        assert stored(peer, an_object(2)) == 0xA700
        with standing.service.database.reading() as connection:
            (key,) = connection.execute(select(instances.c.key)).scalars()
        assert standing.service.archive.read(key)
        full.clear()
        assert stored(peer, an_object(2)) == 0


@pytest.mark.external
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_small_file_system(tmp_path: Path) -> None:
    """A9: a file system of 6 MB as the store, of which 20 MB are sent; room is freed, and it takes objects again."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with a_node(tmp_path / "workspace", archive=str(small / "archive")) as standing:
            ballast = small / "ballast"
            ballast.write_bytes(bytes(3_000_000))
            pixels = bytes(512 * 512 * 2)
            statuses = []
            with asking(standing.port) as peer:
                for number in range(1, 41):
                    dataset = parsed(an_object(1, 1, number))
                    dataset.Rows, dataset.Columns, dataset.PixelData = 512, 512, pixels
                    statuses.append(int(peer.send_c_store(dataset).Status))
                assert set(statuses) == {0, 0xA700}
                ballast.unlink()
                assert stored(peer, an_object(2)) == 0
            with standing.service.database.reading() as connection:
                rows = connection.execute(select(instances.c.key, instances.c.sha256)).all()
            assert len(rows) == statuses.count(0) + 1
            assert standing.service.archive.scrub([(row.key, row.sha256) for row in rows]) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.external
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_kernel_sees_everything_before_the_answer(tmp_path: Path) -> None:
    """A2 for C-STORE-RSP: fsync(file), rename, fsync(folder), both commits, and only then the answer on the socket."""
    trace = tmp_path / "trace"
    calls = "trace=fsync,fdatasync,rename,renameat,renameat2,sendto"
    strace = ("strace", "-f", "-y", "-o", str(trace), "-e", calls)
    with a_server(tmp_path / "workspace", *strace) as (_, port), asking(port) as peer:
        for number in (1, 2, 3):
            assert stored(peer, an_object(number)) == 0
    steps: list[str] = []
    answers = 0
    for line in trace.read_text(errors="replace").splitlines():
        step = _step(line)
        if step != "answer":
            steps.append(step)
            continue
        answers += 1
        order = [len(steps) - 1 - steps[::-1].index(one) for one in ("file", "rename", "folder", "identity", "index")]
        assert order == sorted(order), steps
        steps.clear()
    assert answers == 3


def _step(line: str) -> str:
    if re.search(r'sendto\(\d+<[^>]*>, "\\4\\0', line):  # a P-DATA-TF of the server is an answer
        return "answer"
    if re.search(r"rename\w*\(.*archive/drafts/", line):
        return "rename"
    synced = re.search(r"f(?:data)?sync\(\d+<([^>]*)>", line)
    path = synced[1] if synced else ""
    if "archive/drafts/" in path:
        return "file"
    if re.search(r"archive/[0-9a-f]{2}/[0-9a-f]{2}$", path):
        return "folder"
    known = (("identity", "identities.sqlite"), ("index", "index.sqlite"))
    return next((name for name, part in known if part in path), "")
