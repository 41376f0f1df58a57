from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from diascope.core.errors import BadUsage, DiascopeError, StorageFailed, StorageFull, Tampered
from diascope.privacy.keys import KeyRing
from diascope.privacy.sealing import Sealer
from diascope.store.archive import Archive, ObjectMissing

PLACES = ["folder", "sealed folder", "memory", "sealed memory"]
LARGE = bytes(range(256)) * 9000
"""2.3 MB: three chunks."""


def an_archive(folder: Path, kind: str = "folder") -> Archive:
    sealer = Sealer(KeyRing.open(folder / "keys.json"), "archive") if "sealed" in kind else None
    return Archive(f"memory://{uuid4().hex}/objects" if "memory" in kind else folder / "archive", sealer)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "archive").rglob("*") if path.is_file())


def failing_at(call: str, code: int, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> list[int]:
    """Let a call of the operating system fail so many times; returns what was called."""
    calls: list[int] = []
    real: Callable[..., object] = getattr(os, call)

    def instead(*words: object) -> object:
        calls.append(1)
        if len(calls) <= times:
            raise OSError(code, os.strerror(code))
        return real(*words)

    monkeypatch.setattr(os, call, instead)
    return calls


@pytest.mark.parametrize("kind", PLACES)
def test_what_is_kept_is_read_again_in_every_way(tmp_path: Path, kind: str) -> None:
    archive = an_archive(tmp_path, kind)
    with archive.draft() as draft:
        draft.write(LARGE[:1000])
        draft.write(LARGE[1000:])
        assert draft.path.read_bytes() == LARGE
        plain, stored = draft.path, draft.keep()
    assert not plain.exists()
    assert (stored.size, stored.sha256) == (len(LARGE), sha256(LARGE).hexdigest())
    assert archive.read(stored.key, stored.sha256) == LARGE
    assert [len(chunk) for chunk in archive.stream(stored.key)] == [1 << 20, 1 << 20, len(LARGE) - (2 << 20)]
    with archive.local(stored.key) as path:
        assert path.read_bytes() == LARGE
    assert list(archive.keys()) == [stored.key]
    assert archive.sweep(lambda keys: set(keys), 0) == 0
    archive.delete(stored.key)
    archive.delete(stored.key)
    assert list(archive.keys()) == []
    with pytest.raises(ObjectMissing):
        archive.read(stored.key)
    with pytest.raises(ObjectMissing), archive.local(stored.key):
        pass


@pytest.mark.parametrize("kind", PLACES)
def test_an_empty_object_is_one(tmp_path: Path, kind: str) -> None:
    archive = an_archive(tmp_path, kind)
    assert archive.read(archive.put(b"").key) == b""


@pytest.mark.parametrize("kind", PLACES)
def test_a_draft_that_is_not_kept_leaves_nothing(tmp_path: Path, kind: str) -> None:
    archive = an_archive(tmp_path, kind)
    with archive.draft() as draft:
        draft.write(b"x")
        path = draft.path
    assert not path.exists()
    assert list(archive.keys()) == []
    with pytest.raises(DiascopeError, match="kept or dropped"):
        draft.write(b"y")
    with pytest.raises(DiascopeError, match="kept or dropped"):
        draft.keep()


def test_names_are_the_servers_own_and_nobody_else_may_read(tmp_path: Path) -> None:
    archive = an_archive(tmp_path)
    stored = archive.put(b"x")
    assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{32}", stored.key)
    for path in (tmp_path / "archive").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "/etc/passwd", "ab/cd/../../x", "ab/cd/" + "0" * 32 + "\n", "", "a" * 70]
)
def test_what_is_no_key_becomes_no_path(tmp_path: Path, key: str) -> None:
    """B5: nothing but names of our own making is looked for."""
    archive = an_archive(tmp_path)
    for use in (archive.read, archive.delete, archive.stream, lambda key: archive.local(key).__enter__()):
        with pytest.raises(BadUsage):
            use(key)


def test_the_order_is_file_rename_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A2: in another order a power cut may take what was acknowledged."""
    archive, order = an_archive(tmp_path), []
    fsync, rename = os.fsync, os.rename

    def seen_fsync(handle: int) -> None:
        found = Path(os.readlink(f"/proc/self/fd/{handle}"))
        order.append(("fsync", "file" if found.is_file() else found.relative_to(tmp_path / "archive").as_posix()))
        fsync(handle)

    def seen_rename(old: Path, new: Path) -> None:
        order.append(("rename", ""))
        rename(old, new)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "rename", seen_rename)
    first, second = archive.put(b"x").key, archive.put(b"y").key
    outer, shard = first.split("/")[0], first.rpartition("/")[0]
    assert shard == second.rpartition("/")[0]
    kept = [("rename", ""), ("fsync", shard)]
    # The folders that the first object made are durable before it is there.
    assert order == [("fsync", "file"), ("fsync", "."), ("fsync", outer), *kept, ("fsync", "file"), *kept]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("call", ["write", "fsync", "rename", "open"])
def test_a_full_disk_refuses_one_object_and_takes_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """A9: no restart, nothing half-kept, and reading goes on."""
    archive = an_archive(tmp_path)
    before = archive.put(b"before")
    failing_at(call, code, monkeypatch)
    with pytest.raises(StorageFull):
        archive.put(b"too much")
    assert archive.degraded == ""
    assert archive.read(before.key) == b"before"
    after = archive.put(b"after")
    assert set(archive.keys()) == {before.key, after.key}
    assert len(files(tmp_path)) == 2


@pytest.mark.external
def test_a_real_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """A9: 4 MB of tmpfs as store; full while drafts are written; room is made, and it takes objects again."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is missing")
    place = tmp_path / "small"
    place.mkdir()
    program = f"""
import sys
from pathlib import Path
from diascope.core.errors import StorageFull
from diascope.store.archive import Archive
archive, kept = Archive(Path({str(place)!r})), []
try:
    for _ in range(100):
        kept.append(archive.put(bytes([len(kept)]) * 300_000))
    sys.exit("never full")
except StorageFull:
    pass
assert len(kept) > 8 and archive.degraded == "", archive.degraded
assert [archive.read(one.key, one.sha256)[0] for one in kept] == list(range(len(kept)))
assert set(archive.keys()) == {{one.key for one in kept}} and not list(archive._place.staging.iterdir())
archive.delete(kept.pop().key)
kept.append(archive.put(b"x" * 300_000))
assert archive.scrub((one.key, one.sha256) for one in kept) == []
"""
    script = f'mount -t tmpfs -o size=4m none "{place}" || exit 99; exec "{sys.executable}" -c "$0"'
    for mapped in ([], ["-r"]):
        words = ["unshare", *mapped, "-m", "sh", "-c", script, program]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        if ran.returncode == 0:
            return
        if ran.returncode != 99 and "unshare" not in ran.stderr:
            pytest.fail(ran.stderr)
    pytest.skip("this user may not mount a tmpfs")


@pytest.mark.parametrize("kind", ["folder", "sealed folder"])
def test_a_failed_fsync_keeps_nothing_and_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A10: after EIO the kernel may have dropped the pages; the next fsync says "success" and means nothing."""
    archive = an_archive(tmp_path, kind)
    before = archive.put(b"before")
    calls = failing_at("fsync", errno.EIO, monkeypatch)
    with archive.draft() as draft:
        draft.write(b"lost")
        with pytest.raises(StorageFailed):
            draft.keep()
        with pytest.raises(DiascopeError, match="kept or dropped"):
            draft.keep()
    assert len(calls) == 1
    assert "EIO" in archive.degraded
    with pytest.raises(StorageFailed, match="nothing is kept any more"):
        archive.put(b"the disk would say success now")
    assert len(calls) == 1
    assert list(archive.keys()) == [before.key]
    assert len(files(tmp_path)) == 1
    assert archive.read(before.key) == b"before"


def test_an_early_fsync_that_fails_keeps_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A10: `keep` does not try it again."""
    archive = an_archive(tmp_path)
    calls = failing_at("fsync", errno.EIO, monkeypatch)
    with archive.draft() as draft:
        draft.write(b"lost")
        with pytest.raises(StorageFailed):
            draft.flush()
        with pytest.raises(DiascopeError, match="kept or dropped"):
            draft.keep()
    assert len(calls) == 1
    assert "EIO" in archive.degraded
    assert files(tmp_path) == []


def test_what_was_flushed_early_is_kept_whole(tmp_path: Path) -> None:
    for kind in ("folder", "sealed folder"):
        archive = an_archive(tmp_path / kind, kind)
        with archive.draft() as draft:
            draft.write(b"one")
            draft.flush()
            draft.write(b"two")
            stored = draft.keep()
        assert archive.read(stored.key, stored.sha256) == b"onetwo"


def test_an_fsync_of_the_folder_that_fails_keeps_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A10: the object was renamed already, and is taken away again."""
    archive = an_archive(tmp_path)
    before = archive.put(b"before")
    real, calls = os.fsync, []

    def instead(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fsync", instead)
    with pytest.raises(StorageFailed):
        archive.put(b"lost")
    assert archive.degraded
    assert list(archive.keys()) == [before.key]


def test_too_many_open_files_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = an_archive(tmp_path)
    failing_at("open", errno.EMFILE, monkeypatch)
    with pytest.raises(StorageFailed):
        archive.put(b"x")
    assert archive.degraded == ""
    archive.put(b"x")


def test_a_sealed_draft_leaves_no_file_when_its_second_one_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = an_archive(tmp_path, "sealed folder")
    real, calls = os.open, []

    def instead(path: object, *words: int) -> int:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", instead)
    with pytest.raises(StorageFull):
        archive.draft()
    assert files(tmp_path) == []


def test_a_sealed_archive_shows_nothing(tmp_path: Path) -> None:
    archive = an_archive(tmp_path, "sealed folder")
    with archive.draft() as draft:
        draft.write(b"CANARY-4711" * 1000)
        draft.keep()
    found = files(tmp_path)
    assert len(found) == 1
    assert b"CANARY" not in found[0].read_bytes()


@pytest.mark.parametrize("kind", ["folder", "sealed folder"])
def test_scrub_finds_every_object_that_was_changed(tmp_path: Path, kind: str) -> None:
    """A12: one byte flipped in each of 100 objects; 20 sound ones are not blamed; reading gives an error."""
    archive = an_archive(tmp_path, kind)
    stored = [archive.put(os.urandom(300 + number)) for number in range(120)]
    for number, one in enumerate(stored[:100]):
        path = tmp_path / "archive" / one.key
        content = bytearray(path.read_bytes())
        content[(number * 37) % len(content)] ^= 1 << (number % 8)
        path.write_bytes(content)
    assert archive.scrub((one.key, one.sha256) for one in stored) == [one.key for one in stored[:100]]
    for one in stored[:100]:
        with pytest.raises(Tampered):
            archive.read(one.key, one.sha256)
        with pytest.raises(Tampered), archive.local(one.key, one.sha256):
            pass
        if "sealed" in kind:
            with pytest.raises(Tampered):
                archive.read(one.key)
    (tmp_path / "archive" / stored[110].key).unlink()
    assert archive.scrub([(stored[110].key, stored[110].sha256)]) == [stored[110].key]


def test_objects_cannot_change_places(tmp_path: Path) -> None:
    """A12: sealed bytes open under their own name alone."""
    archive = an_archive(tmp_path, "sealed folder")
    one, two = archive.put(b"one"), archive.put(b"two")
    os.replace(tmp_path / "archive" / one.key, tmp_path / "archive" / two.key)
    with pytest.raises(Tampered):
        archive.read(two.key)


def test_sealing_may_begin_later_and_keys_may_change(tmp_path: Path) -> None:
    plain = an_archive(tmp_path)
    before = plain.put(b"before")
    ring = KeyRing.open(tmp_path / "keys.json")
    archive = Archive(tmp_path / "archive", Sealer(ring, "archive"))
    sealed = archive.put(b"sealed")
    ring.rotate()
    later = archive.put(b"later")
    again = an_archive(tmp_path, "sealed folder")
    assert [again.read(one.key, one.sha256) for one in (before, sealed, later)] == [b"before", b"sealed", b"later"]
    with pytest.raises(DiascopeError, match="is sealed"):
        plain.read(sealed.key)


def test_plain_copies_may_lie_elsewhere(tmp_path: Path) -> None:
    sealer = Sealer(KeyRing.open(tmp_path / "keys.json"), "archive")
    archive = Archive(tmp_path / "archive", sealer, drafts=tmp_path / "memory")
    with archive.draft() as draft:
        draft.write(b"x")
        assert draft.path.parent == tmp_path / "memory"
        key = draft.keep().key
    with archive.local(key) as path:
        assert path.parent == tmp_path / "memory"
    assert list((tmp_path / "memory").iterdir()) == []


@pytest.mark.parametrize("kind", PLACES)
def test_sweep_removes_what_no_row_names_and_spares_the_young(tmp_path: Path, kind: str) -> None:
    archive = an_archive(tmp_path, kind)
    kept, lost = archive.put(b"kept"), archive.put(b"lost")
    (archive._place.staging / "00ff").write_bytes(b"of a process that was killed")
    known = {kept.key}
    assert archive.sweep(lambda keys: known & set(keys), older_than=3600) == 0
    assert archive.sweep(lambda keys: known & set(keys), older_than=0) == 2
    assert list(archive.keys()) == [kept.key]
    assert list(archive._place.staging.iterdir()) == []
    with pytest.raises(ObjectMissing):
        archive.read(lost.key)


def test_sweep_does_not_empty_an_archive_for_a_database_that_is_not_its_own(tmp_path: Path) -> None:
    archive = an_archive(tmp_path)
    for _ in range(201):
        archive.put(b"x")
    with pytest.raises(DiascopeError, match="does not belong"):
        archive.sweep(lambda keys: set(), older_than=0)
    assert len(list(archive.keys())) == 201


def test_threads_share_an_archive(tmp_path: Path) -> None:
    archive, stored = an_archive(tmp_path, "sealed folder"), []

    def work(number: int) -> None:
        stored.extend((archive.put(b"%d-%d" % (number, turn)), b"%d-%d" % (number, turn)) for turn in range(160))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({one.key for one, _ in stored}) == 640
    assert len({one.key.rpartition("/")[0] for one, _ in stored}) == 2
    assert all(archive.read(one.key) == content for one, content in stored)


def test_free_room_is_told_where_it_is_known(tmp_path: Path) -> None:
    free = an_archive(tmp_path).free_bytes()
    assert free is not None
    assert 0 < free <= shutil.disk_usage(tmp_path).total
    assert an_archive(tmp_path, "memory").free_bytes() is None


def test_a_store_that_does_not_answer_is_an_error_and_degrades_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = an_archive(tmp_path, "memory")

    def silent(*_: object) -> None:
        raise ConnectionResetError("peer")

    monkeypatch.setattr(archive._place._files, "put_file", silent)  # type: ignore[attr-defined]
    with pytest.raises(StorageFailed, match="ConnectionResetError"):
        archive.put(b"x")
    monkeypatch.undo()
    assert archive.degraded == ""
    assert archive.read(archive.put(b"x").key) == b"x"


def test_an_unknown_kind_of_store_is_refused() -> None:
    with pytest.raises(BadUsage, match="no such kind of store"):
        Archive("nosuch://bucket")
