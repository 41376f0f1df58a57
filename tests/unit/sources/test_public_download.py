"""Getting one file over HTTP, against a server on this machine."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from diascope.core.errors import DiascopeError
from diascope.engine.progress import silent
from diascope.sources.publicsets import download as module
from diascope.sources.publicsets.download import LOST, download

CONTENT = bytes(range(256)) * 2000


class Server(ThreadingHTTPServer):
    """Serves `content` and remembers what it was asked.

    Args:
        ranges: Whether it understands `Range`.
        cuts: After how many bytes each of the first answers breaks off.
        answers: Status codes of the first answers, instead of a file.
    """

    daemon_threads = True

    def __init__(self, ranges: bool = True, cuts: tuple[int, ...] = (), answers: tuple[int, ...] = ()) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges, self.cuts, self.answers = ranges, list(cuts), list(answers)
        self.content, self.asked = CONTENT, []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/some.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        if self.server.answers:
            self.send_error(self.server.answers.pop(0))
            return
        content, start = self.server.content, 0
        if wanted and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = self.server.cuts.pop(0) if self.server.cuts else len(content)
        self.wfile.write(content[start : max(start, end)])
        self.close_connection = True


@contextmanager
def serving(**options: Any) -> Iterator[Server]:
    with Server(**options) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITS", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_file_arrives_and_its_progress_is_told(tmp_path: Path) -> None:
    told: list[Mapping[str, Any]] = []
    with serving() as server:
        download(server.url, tmp_path / "x.part", told.append)
    assert (tmp_path / "x.part").read_bytes() == CONTENT
    assert told[-1] == {"event": "progress", "what": "fetching x, MB", "done": 1, "total": 1}


def test_what_was_cut_is_gone_on_with(tmp_path: Path) -> None:
    told: list[Mapping[str, Any]] = []
    with serving(cuts=(200_000, 300_000, 400_000)) as server:
        download(server.url, tmp_path / "x.part", told.append)
    assert (tmp_path / "x.part").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=200000-", "bytes=300000-", "bytes=400000-"]
    assert "the connection was cut after 200000 of 512000 bytes" in str(told)


def test_the_part_of_an_earlier_process_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT[:100_000])
    with serving() as server:
        download(server.url, tmp_path / "x.part", silent)
    assert (tmp_path / "x.part").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == ["bytes=100000-"]


def test_a_server_that_knows_no_ranges_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(b"?" * 100_000)
    with serving(ranges=False) as server:
        download(server.url, tmp_path / "x.part", silent)
    assert (tmp_path / "x.part").read_bytes() == CONTENT


def test_a_part_that_is_whole_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT)
    with serving() as server:
        download(server.url, tmp_path / "x.part", silent)
    assert (tmp_path / "x.part").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_part_that_is_longer_than_the_file_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT + b"more")
    with serving() as server:
        download(server.url, tmp_path / "x.part", silent)
    assert (tmp_path / "x.part").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(tmp_path: Path) -> None:
    with serving(answers=(503, 429)) as server:
        download(server.url, tmp_path / "x.part", silent)
    assert (tmp_path / "x.part").read_bytes() == CONTENT
    with serving(answers=(404,)) as server, pytest.raises(LOST, match="404"):
        download(server.url, tmp_path / "y.part", silent)
    assert len(server.asked) == 1


def test_a_line_that_never_carries_anything_is_given_up(tmp_path: Path) -> None:
    with serving(answers=(503,) * 9) as server, pytest.raises(LOST, match="503"):
        download(server.url, tmp_path / "x.part", silent)
    assert len(server.asked) == 3


def test_no_room_on_the_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 600_000}))
    with serving() as server:
        with pytest.raises(DiascopeError, match=r"full.*DIASCOPE_CACHE"):
            download(server.url, tmp_path / "x.part", silent, room=2)
        assert not (tmp_path / "x.part").exists()
        download(server.url, tmp_path / "x.part", silent, room=1)
