from __future__ import annotations

import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from diascope.core.errors import DiascopeError, Tampered, UnknownName
from diascope.privacy.keys import KeyRing


def test_a_ring_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "apart" / "keys.json"
    ring = KeyRing.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(ring.key(ring.current)) == 32
    again = KeyRing.open(path)
    assert (again.current, again.key(again.current)) == (ring.current, ring.key(ring.current))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_ring_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    KeyRing.open(tmp_path / "keys.json")
    (tmp_path / "keys.json").chmod(mode)
    with pytest.raises(DiascopeError, match="others than its owner"):
        KeyRing.open(tmp_path / "keys.json")


def test_rotation_adds_a_key_and_keeps_what_hashes_are_made_with(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys.json")
    first, hashes = ring.current, ring.derived("words")
    second = ring.rotate()
    assert ring.current == second != first
    assert ring.key(first) != ring.key(second)
    assert ring.derived("words") == hashes
    assert ring.derived("words", second) != hashes
    assert ring.derived("other") != hashes
    assert KeyRing.open(tmp_path / "keys.json").current == second


def test_a_key_that_another_process_added_is_found(tmp_path: Path) -> None:
    running, other = KeyRing.open(tmp_path / "keys.json"), KeyRing.open(tmp_path / "keys.json")
    added = other.rotate()
    assert running.current != added
    assert running.key(added) == other.key(added)
    assert running.current == added


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="0123456789abcdef"):
        KeyRing.open(tmp_path / "keys.json").key("0123456789abcdef")


def test_derivation_is_hkdf_of_rfc_5869(tmp_path: Path) -> None:
    """Known answer: OpenSSL's HKDF, key of 32 bytes 0..31, no salt, info `words`, SHA-256."""
    path = tmp_path / "keys.json"
    ring = KeyRing.open(path)
    content = json.loads(path.read_text())
    content["keys"][0]["secret"] = bytes(range(32)).hex()
    path.write_text(json.dumps(content))
    ring = KeyRing.open(path)
    assert ring.derived("words").hex() == "c335bcf62fed812d3bd8ff118f49bfa3322da0eccf66df752c6b0a14d454f466"


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(current="00" * 8),
        lambda content: content["keys"][0].update(secret="00"),
        lambda content: content["keys"][0].update(secret="no hex"),
        lambda content: content["keys"].append(content["keys"][0]),
        lambda content: content.update(schema_version=99),
        lambda content: content.pop("keys"),
    ],
)
def test_a_broken_ring_is_refused_and_shows_no_secret(tmp_path: Path, change) -> None:
    path = tmp_path / "keys.json"
    KeyRing.open(path)
    content = json.loads(path.read_text())
    secret = content["keys"][0]["secret"]
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(Tampered) as caught:
        KeyRing.open(path)
    chain, error = [], caught.value
    while error is not None:
        chain.append(str(error))
        error = error.__cause__
    assert secret not in "".join(chain)


def test_no_text_of_a_ring_shows_a_secret(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys.json")
    secret = ring.key(ring.current).hex()
    for shown in (repr(ring), str(ring), repr(ring._ring), str(ring._ring), repr(ring._ring.keys)):
        assert secret not in shown


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiascopeError, match="cannot read or make"):
        KeyRing.open(tmp_path / "file" / "keys.json")


def _opened(path: str, answers) -> None:
    answers.put(KeyRing.open(Path(path)).current)


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    racing = [context.Process(target=_opened, args=(str(tmp_path / "keys.json"), answers)) for _ in range(4)]
    for one in racing:
        one.start()
    found = {answers.get(timeout=30) for _ in racing}
    for one in racing:
        one.join(30)
    assert len(found) == 1
    assert not [name for name in os.listdir(tmp_path) if name not in {"keys.json", ".keys.json.lock"}]
