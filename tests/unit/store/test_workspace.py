from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from diascope.core.errors import UnknownName, WorkspaceBusy
from diascope.store.files import file_sha256
from diascope.store.workspace import Workspace, free_name

HOLD = """
import sys
from pathlib import Path
from diascope.store.workspace import Workspace
with Workspace(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_named_and_the_lock_ends_with_it(tmp_path: Path) -> None:
    process = holder(tmp_path)
    with pytest.raises(WorkspaceBusy, match=f"in use by process {process.pid}"), Workspace(tmp_path).locked():
        pass
    process.kill()
    process.communicate()
    with Workspace(tmp_path).locked():
        assert (tmp_path / ".lock").read_text()


def test_a_lock_is_released_after_an_error(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(KeyError), workspace.locked():
        raise KeyError
    with workspace.locked():
        pass


def test_of_the_processes_of_one_job_the_first_one_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace(tmp_path).locked():
        monkeypatch.setenv("RANK", "1")
        with Workspace(tmp_path).locked():
            pass
        monkeypatch.setenv("RANK", "0")
        with pytest.raises(WorkspaceBusy), Workspace(tmp_path).locked():
            pass


def test_a_noun_is_found_by_name_path_or_unique_beginning(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name in ("films@1", "films@2", "skin@1"):
        (workspace.releases / name).mkdir()
    assert workspace.find("releases", "films@1").name == "films@1"
    assert workspace.find("releases", "sk").name == "skin@1"
    assert workspace.find("releases", str(workspace.releases / "films@2")).name == "films@2"
    with pytest.raises(UnknownName, match="films@1, films@2"):
        workspace.find("releases", "films")
    with pytest.raises(UnknownName, match="skin@1"):
        workspace.find("releases", "skim@1")


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    assert free_name(tmp_path, "a", ".json") == "a"
    (tmp_path / "a.json").touch()
    (tmp_path / "a-2.json").touch()
    assert free_name(tmp_path, "a", ".json") == "a-3"


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
