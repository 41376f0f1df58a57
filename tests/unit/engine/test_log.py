from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from diascope.core.errors import DiascopeError
from diascope.engine.log import RunLog, read_log


def a_log(folder: Path, writes: bool = True) -> RunLog:
    log = RunLog(folder, writes)
    log.truncate(0)
    for step in (2, 4, 6):
        log.add("network", float(step))
        log.add("network", step + 1.0)
        log.flush(step, 0.1)
    return log


def test_lines_hold_means_since_the_last_line(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    assert [line["network"] for line in read_log(log.path)] == [2.5, 4.5, 6.5]
    assert {"step", "seconds", "peak_gb"} == set(read_log(log.clock)[0])


def test_time_is_kept_out_of_what_must_be_equal(tmp_path: Path) -> None:
    one, other = a_log(tmp_path / "a"), a_log(tmp_path / "b")
    assert one.path.read_bytes() == other.path.read_bytes()


def test_it_can_be_cut_back_to_a_step(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    log.truncate(4)
    assert [line["step"] for line in read_log(log.path)] == [2, 4]


def test_a_line_that_was_cut_off_is_left_out_and_cut_away(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    with log.path.open("ab") as stream:
        stream.write(b'{"step": 8, "ev')
    assert [line["step"] for line in read_log(log.path)] == [2, 4, 6]
    log.truncate(6)
    log.event(8, "loss", {})
    assert [line["step"] for line in read_log(log.path)] == [2, 4, 6, 8]


def test_an_interrupted_cut_leaves_the_old_log_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = a_log(tmp_path)
    before = log.path.read_bytes()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        log.truncate(2)
    assert log.path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_window_survives_a_checkpoint(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    log.add("network", 8.0)
    kept = log.window()
    other = RunLog(tmp_path)
    other.restore(kept)
    other.add("network", 10.0)
    assert other.flush(8, 0.1) == {"network": 9.0}
    assert kept == {"network": [8.0]}


def test_other_ranks_write_nothing(tmp_path: Path) -> None:
    a_log(tmp_path / "rank-1", writes=False).sync()
    assert not (tmp_path / "rank-1").exists()


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = a_log(tmp_path)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DiascopeError, match="No space left"):
        log.event(8, "loss", {})


def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    assert read_log(tmp_path / "log.jsonl") == []
