from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from diascope.core.errors import DiascopeError
from diascope.privacy.pseudonym import KEY_VARIABLE, key_file, pseudonym


def test_equal_values_of_one_kind_get_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "key"))
    name = pseudonym("4711", "patient")
    assert re.fullmatch(r"patient-[0-9a-f]{16}", name)
    assert pseudonym("4711", "patient") == name
    assert pseudonym("4712", "patient") != name
    assert pseudonym("4711", "study")[-16:] != name[-16:]
    assert name[-16:] != hashlib.sha256(b"patient\x004711").hexdigest()[:16]


def test_another_process_gives_the_same_name_and_another_key_another(tmp_path: Path) -> None:
    code = "from diascope.privacy.pseudonym import pseudonym; import sys; sys.stdout.write(pseudonym('1', 'patient'))"

    def name(key: str) -> str:
        environment = {**os.environ, KEY_VARIABLE: str(tmp_path / key)}
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True
        ).stdout.decode()

    assert name("a") == name("a") != name("b")


def test_the_key_is_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    pseudonym("1", "patient")
    assert key_file() == tmp_path / "diascope" / "pseudonym.key"
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    assert [path.name for path in key_file().parent.iterdir()] == ["pseudonym.key"]


def test_a_key_of_the_wrong_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_bytes(b"short")
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "key"))
    with pytest.raises(DiascopeError, match="5 bytes instead of 32"):
        pseudonym("1", "patient")


def test_a_key_that_cannot_be_made_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "file" / "key"))
    with pytest.raises(DiascopeError, match=KEY_VARIABLE):
        pseudonym("1", "patient")
