"""Strangers, slow clients, cut connections: the node goes on, and nothing is left of them."""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select

from diascope.serve.database.tables import instances
from diascope.serve.dimse import listening
from diascope.testing.dimse import Standing, a_line, a_node, asking, eventually, parsed, stored
from diascope.testing.objects import an_object

BASELINE = 6
"""Threads and descriptors that may come and go by themselves: the decoder's children, the pool of the database."""


def count(standing: Standing) -> int:
    with standing.service.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(instances)).scalar_one()


def ended(line: socket.socket, seconds: float = 5.0) -> bool:
    """Whether the other side closed a connection in time."""
    line.settimeout(seconds)
    try:
        while line.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def recorded(port: int, content: bytes) -> bytes:
    """What a whole association with one object sends, up to its release."""
    sent = bytearray()

    with socket.socket() as relay:
        relay.bind(("127.0.0.1", 0))
        relay.listen()
        relay.settimeout(10)

        def run() -> None:
            client, _ = relay.accept()
            with client, a_line(port) as server:
                answers = threading.Thread(target=_pump, args=(server, client, None))
                answers.start()
                _pump(client, server, sent)
                server.shutdown(socket.SHUT_RDWR)
                answers.join(10)

        thread = threading.Thread(target=run)
        thread.start()
        with asking(relay.getsockname()[1]) as peer:
            assert stored(peer, content) == 0
        thread.join(10)
    return bytes(sent)


def _pump(source: socket.socket, target: socket.socket, copy: bytearray | None) -> None:
    try:
        while chunk := source.recv(65536):
            if copy is not None:
                copy += chunk
            target.sendall(chunk)
    except OSError:
        pass


def replayed(port: int, content: bytes, upto: int) -> None:
    """The same bytes, cut off."""
    with a_line(port) as line:
        try:
            line.sendall(content[:upto])
        except OSError:
            return
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_silent_connections_end_and_others_are_served(tmp_path: Path) -> None:
    """C9: 500 half-open associations; a good client is served in 2 s, and all of them end by themselves."""
    with a_node(tmp_path, artim=1.5) as standing, ExitStack() as lines:
        before = threading.active_count()
        silent = [lines.enter_context(a_line(standing.port)) for _ in range(400)]
        begun = [lines.enter_context(a_line(standing.port)) for _ in range(100)]
        for line in begun:
            line.sendall(b"\x01\x00\x00\x00\x01\x00\x00\x01")  # the head of an A-ASSOCIATE-RQ that never comes
        start = time.monotonic()
        with asking(standing.port) as peer:
            assert stored(peer, an_object(1)) == 0
        assert time.monotonic() - start < 2.0
        assert all(ended(line) for line in silent + begun)
        assert eventually(lambda: threading.active_count() <= before + BASELINE)


def test_the_oldest_of_too_many_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "WAITING", 4)
    with a_node(tmp_path, artim=30.0) as standing, ExitStack() as lines:
        silent = [lines.enter_context(a_line(standing.port)) for _ in range(6)]
        assert ended(silent[0])
        assert ended(silent[1])
        with asking(standing.port) as peer:
            assert peer.send_c_echo().Status == 0


def test_an_idle_association_ends(tmp_path: Path) -> None:
    """C9: an association without messages ends after the idle time."""
    with a_node(tmp_path, idle=0.5) as standing, asking(standing.port) as peer:
        assert peer.send_c_echo().Status == 0
        assert eventually(lambda: not peer.is_established, 5.0)
        assert eventually(lambda: standing.node.associations() == 0)


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x01\x00\xff\xff\xff\xff" + bytes(100),
        b"\x04\x00\x00\x00\x00\x04" + bytes(4),
        b"\x01\x00\x00\x00\x00\x04\x00\x01\x00\x00",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        bytes(64),
    ],
)
def test_nonsense_ends_the_connection(tmp_path: Path, said: bytes) -> None:
    """B1 for the upper layer: what is no association ends, and the next client is served."""
    with a_node(tmp_path, artim=1.0) as standing:
        with a_line(standing.port) as line:
            line.sendall(said)
            assert ended(line)
        with asking(standing.port) as peer:
            assert peer.send_c_echo().Status == 0


def cut_at_random(tmp_path: Path, times: int) -> None:
    with a_node(tmp_path, artim=2.0, idle=2.0) as standing:
        content = recorded(standing.port, an_object(1))
        random_number = random.Random(5)
        whole = count(standing)
        threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
        for _ in range(times):
            replayed(standing.port, content, random_number.randrange(1, len(content)))
        assert eventually(lambda: standing.node.associations() == 0, 60.0)
        assert eventually(lambda: threading.active_count() <= threads + BASELINE, 60.0)
        assert eventually(lambda: len(os.listdir("/proc/self/fd")) <= descriptors + 4 * BASELINE, 60.0)
        assert count(standing) == whole == 1
        drafts = [path for path in standing.service.root.rglob("*") if path.is_file() and "drafts" in path.parts]
        assert drafts == []
        assert list(standing.service.archive.keys()) == [only_key(standing)]


def only_key(standing: Standing) -> str:
    with standing.service.database.reading() as connection:
        return str(connection.execute(select(instances.c.key)).scalar_one())


def test_cut_connections_leave_nothing(tmp_path: Path) -> None:
    """A11: TCP is cut at random offsets: no partial instance, threads and descriptors back to where they were."""
    cut_at_random(tmp_path, 25)


@pytest.mark.nightly
def test_500_cut_connections_leave_nothing(tmp_path: Path) -> None:
    """A11: the whole row."""
    cut_at_random(tmp_path, 500)


def test_an_abort_within_an_object(tmp_path: Path) -> None:
    """A11: an A-ABORT in the middle of a data set ends the association, and nothing is kept."""
    with a_node(tmp_path) as standing:
        content = recorded(standing.port, an_object(1))
        upto = content.rindex(b"\x04\x00", 0, len(content) - 400)
        with a_line(standing.port) as line:
            line.sendall(content[: upto + 12 + 300])
            line.sendall(b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00")
            line.shutdown(socket.SHUT_WR)
            assert ended(line)
        assert eventually(lambda: standing.node.associations() == 0)
        assert count(standing) == 1
        assert parsed(an_object(1)).SOPInstanceUID
