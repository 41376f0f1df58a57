"""Back-up while the service receives, and restore on a clean box."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from diascope import cli
from diascope.core.errors import BadUsage, DiascopeError, Tampered
from diascope.serve.database.tables import instances, sessions, studies, users
from diascope.serve.incoming.deleting import delete_study
from diascope.serve.incoming.sweeping import SWEEPING, sweep
from diascope.serve.keeping import snapshots
from diascope.serve.keeping.backup import back_up
from diascope.serve.keeping.manifest import manifest_of
from diascope.serve.keeping.restoring import restore
from diascope.serve.service import HELD, Service, service_folder
from diascope.serve.settings import read_settings
from diascope.store.workspace import Workspace
from diascope.testing.objects import an_object, uids
from diascope.testing.postgres import VARIABLE
from diascope.testing.reading import arrive
from diascope.testing.service import an_address, events

ON_SQLITE = pytest.mark.skipif(VARIABLE in os.environ, reason="about files of SQLite")


def opened(folder: Path, keys: Path | None = None, **settings: Any) -> Service:
    """A service with migrated databases, as `diascope serve` opens it."""
    workspace = Workspace(folder)
    content = {"keys": str(keys or folder.parent / f"{folder.name}.keys.json"), "keep_free_gb": 0.0, **settings}
    content |= elsewhere(folder)
    lines = [f"{name} = {json.dumps(value)}" for name, value in content.items()]
    (service_folder(workspace) / "settings.toml").write_text("\n".join(lines))
    return Service.open(workspace, read_settings(service_folder(workspace), {}))


def elsewhere(folder: Path) -> dict[str, str]:
    """Addresses of the databases where the tests run on PostgreSQL."""
    if VARIABLE not in os.environ:
        return {}
    return {name: an_address(folder.with_suffix(".pg"), name) for name in ("database", "identities")}


def reopened(folder: Path, **given: Any) -> Service:
    return Service.open(Workspace(folder), read_settings(folder / "service", {**elsewhere(folder), **given}))


def put_back(source: Path, to: Path, **given: Any) -> Any:
    return restore(source, to, **{**elsewhere(to), **given})


def objects(service: Service) -> dict[str, bytes]:
    """Key to bytes of everything that a row names; each is compared with its hash."""
    with service.database.reading() as connection:
        rows = connection.execute(select(instances.c.key, instances.c.sha256)).all()
    return {row.key: service.archive.read(row.key, row.sha256) for row in rows}


def uids_of(service: Service) -> set[str]:
    with service.database.reading() as connection:
        return set(connection.execute(select(instances.c.uid)).scalars())


def test_what_is_restored_is_what_was_backed_up(tmp_path: Path) -> None:
    """A13: objects, names, audit, settings and releases, bit for bit; no session comes to life again."""
    service = opened(tmp_path / "w", encrypt=True)
    for number in (1, 2):
        arrive(service, [an_object(number, 1, n) for n in (1, 2)])
    (service.workspace.releases / "m@1").mkdir()
    (service.workspace.releases / "m@1" / "weights").write_bytes(b"\1\2\3")
    user = {"id": "u", "name": "li", "role": "reader", "created": 0.0}
    session = {"digest": "d", "user_id": "u", "csrf": "c", "address": "", "created": 0.0, "used": 0.0}
    service.database.change(lambda connection: connection.execute(insert(users).values(**user)))
    service.database.change(lambda connection: connection.execute(insert(sessions).values(**session)))
    service.audit.anchor()
    made = back_up(tmp_path / "w", tmp_path / "b")
    assert (made["objects"], made["copied"], made["missing"], made["with_keys"]) == (4, 4, [], False)
    restored = put_back(tmp_path / "b", tmp_path / "n")
    assert (restored.objects, restored.there, restored.indexed, restored.aside) == (4, 0, 0, [])
    again = reopened(tmp_path / "n")
    assert objects(again) == objects(service)
    assert {path.read_bytes() for path in (tmp_path / "n" / "service" / "archive").rglob("*.s")} == {
        path.read_bytes() for path in (tmp_path / "w" / "service" / "archive").rglob("*.s")
    }
    assert again.identities.of([uids(1)[0]])[uids(1)[0]].name == "Phantom^1"
    assert again.audit.verify().first_bad is None
    assert (again.workspace.releases / "m@1" / "weights").read_bytes() == b"\1\2\3"
    assert again.settings.encrypt
    with again.database.reading() as connection:
        assert connection.execute(select(sessions)).all() == []
    assert [one["action"] for one in events(service)][-1] == "backup.made"
    assert [one["action"] for one in events(again)][-1] == "backup.restored"
    again.close()
    service.close()


def test_while_objects_arrive_and_studies_are_deleted(tmp_path: Path) -> None:
    """A13: backed up under load; what was acknowledged before is in it, and every row has its object and its name."""
    service = opened(tmp_path / "w")
    arrive(service, [an_object(number) for number in range(1, 6)])
    before, stop, failures = uids_of(service), threading.Event(), []

    def load() -> None:
        number = 100
        while not stop.is_set():
            try:
                arrive(service, [an_object(number, 1, n) for n in (1, 2)])
                if number % 2:
                    delete_study(service, uids(number - 1)[0], "user:li")
            except BaseException as error:
                failures.append(error)
                return
            number += 1

    loading = threading.Thread(target=load)
    loading.start()
    try:
        for round_ in range(3):
            made = back_up(tmp_path / "w", tmp_path / "b", incremental=round_ > 0)
            assert made["missing"] == []
    finally:
        stop.set()
        loading.join(60)
    assert failures == []
    restored = put_back(tmp_path / "b", tmp_path / "n")
    assert restored.aside == []
    again = reopened(tmp_path / "n")
    assert before <= uids_of(again)
    assert len(objects(again)) == restored.objects
    with again.database.reading() as connection:
        known = set(connection.execute(select(studies.c.uid)).scalars())
    assert set(again.identities.of(sorted(known))) == known
    assert again.audit.verify().first_bad is None
    again.close()
    service.close()


def test_a_study_that_is_deleted_meanwhile_makes_another_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = opened(tmp_path / "w")
    arrive(service, [an_object(1), an_object(2)])
    real, rounds = snapshots.take, []

    def take(url: str, target: Path, objects: bool) -> list[str]:
        found = real(url, target, objects)
        rounds.append(objects)
        if len(rounds) == 1:
            delete_study(service, uids(1)[0], "user:li")
        return found

    monkeypatch.setattr("diascope.serve.keeping.backup.take", take)
    made = back_up(tmp_path / "w", tmp_path / "b")
    assert (made["objects"], made["missing"], rounds) == (1, [], [True, False, True, False])
    service.close()


def test_an_object_that_is_lost_is_told_and_the_others_are_backed_up(tmp_path: Path) -> None:
    service = opened(tmp_path / "w")
    arrive(service, [an_object(1), an_object(2)])
    lost = next(iter(service.archive.keys()))
    service.archive.delete(lost)
    made = back_up(tmp_path / "w", tmp_path / "b")
    assert (made["objects"], made["missing"]) == (1, [lost])
    assert put_back(tmp_path / "b", tmp_path / "n").missing == [lost]
    service.close()


def test_an_increment_copies_what_is_new_and_forgets_what_was_deleted(tmp_path: Path) -> None:
    service = opened(tmp_path / "w")
    arrive(service, [an_object(1), an_object(2)])
    assert back_up(tmp_path / "w", tmp_path / "b", incremental=True)["copied"] == 2
    arrive(service, [an_object(3)])
    delete_study(service, uids(1)[0], "user:li")
    made = back_up(tmp_path / "w", tmp_path / "b", incremental=True)
    assert (made["objects"], made["copied"]) == (2, 1)
    assert len([path for path in (tmp_path / "b" / "objects").rglob("*") if path.is_file()]) == 2
    assert len(list((tmp_path / "b").glob("state-*"))) == 1
    put_back(tmp_path / "b", tmp_path / "n")
    again = reopened(tmp_path / "n")
    assert uids_of(again) == uids_of(service)
    again.close()
    service.close()


def test_a_back_up_that_fails_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = opened(tmp_path / "w")
    arrive(service, [an_object(1)])
    back_up(tmp_path / "w", tmp_path / "b")

    def broken(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("diascope.serve.keeping.backup._copy_nouns", broken)
    with pytest.raises(OSError, match="No space"):
        back_up(tmp_path / "w", tmp_path / "b", incremental=True)
    assert len(list((tmp_path / "b").glob("state-*"))) == 1
    assert put_back(tmp_path / "b", tmp_path / "n").objects == 1
    service.close()


def test_keys_are_not_in_it_unless_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service = opened(tmp_path / "w")
    arrive(service, [an_object(1)])
    ring = tmp_path / "w.keys.json"
    secret = json.loads(ring.read_text())["keys"][0]["secret"]
    service.close()
    assert cli.run(["backup", str(tmp_path / "b"), "--workspace", str(tmp_path / "w")]) == 0
    assert "THE KEYS ARE NOT IN THIS BACK-UP" in capsys.readouterr().err
    assert not any(
        secret in path.read_bytes().decode("latin-1") for path in (tmp_path / "b").rglob("*") if path.is_file()
    )
    assert cli.run(["backup", str(tmp_path / "k"), "--workspace", str(tmp_path / "w"), "--with-keys"]) == 0
    assert "THE KEYS ARE IN THIS BACK-UP" in capsys.readouterr().err
    assert {stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "b", *tmp_path.glob("b/*/")]} == {0o700}
    ring.rename(tmp_path / "elsewhere.json")
    words = ["restore", str(tmp_path / "b"), "--workspace", str(tmp_path / "n")]
    words += [word for name, value in elsewhere(tmp_path / "n").items() for word in (f"--{name}", value)]
    assert cli.run(words) == 2
    said = capsys.readouterr().err
    assert manifest_of(tmp_path / "b").keys[0] in said
    assert str(ring) in said
    assert not (tmp_path / "n").exists()
    assert cli.run([*words, "--keys", str(tmp_path / "elsewhere.json")]) == 0
    assert stat.S_IMODE(ring.stat().st_mode) == 0o600
    ring.unlink()
    assert put_back(tmp_path / "k", tmp_path / "m").keys == str(ring)


def test_other_keys_are_refused(tmp_path: Path) -> None:
    service = opened(tmp_path / "w")
    back_up(tmp_path / "w", tmp_path / "b")
    service.close()
    other = opened(tmp_path / "other")
    other.close()
    (tmp_path / "w.keys.json").unlink()
    with pytest.raises(BadUsage, match=r"not the keys of the back-up: it needs [0-9a-f]{16}"):
        put_back(tmp_path / "b", tmp_path / "n", keys=tmp_path / "other.keys.json")
    assert not (tmp_path / "w.keys.json").exists()


@pytest.mark.parametrize("what", ["an object", "the index", "the manifest", "the list", "a release"])
def test_a_flipped_byte_is_noticed(tmp_path: Path, what: str) -> None:
    service = opened(tmp_path / "w")
    arrive(service, [an_object(1)])
    (service.workspace.releases / "weights").write_bytes(b"x" * 100)
    service.close()
    back_up(tmp_path / "w", tmp_path / "b")
    state = tmp_path / "b" / manifest_of(tmp_path / "b").state
    path = {
        "an object": next(path for path in (tmp_path / "b" / "objects").rglob("*") if path.is_file()),
        "the index": next(state.glob("index.*")),
        "the manifest": tmp_path / "b" / "manifest.json",
        "the list": state / "objects.jsonl",
        "a release": state / "workspace" / "releases" / "weights",
    }[what]
    content = bytearray(path.read_bytes())
    place = content.index(b'"version"') + 13 if what == "the manifest" else len(content) // 2
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(Tampered, match="is not what was"):
        put_back(tmp_path / "b", tmp_path / "n")
    if (tmp_path / "n").exists():
        with pytest.raises(BadUsage, match="restored in part only"):
            reopened(tmp_path / "n")


def test_folders_that_are_not_fit_are_refused(tmp_path: Path) -> None:
    service = opened(tmp_path / "w")
    service.close()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    for to, incremental, words in (
        (tmp_path / "full", False, "not empty"),
        (tmp_path / "full", True, "no back-up to continue"),
        (tmp_path / "w" / "backup", False, "outside of the workspace"),
        (tmp_path, True, "outside of the workspace"),
    ):
        with pytest.raises(BadUsage, match=words):
            back_up(tmp_path / "w", to, incremental)
    with pytest.raises(BadUsage, match="no service"):
        back_up(tmp_path / "none", tmp_path / "b")
    assert not (tmp_path / "none").exists()
    with pytest.raises(BadUsage, match="no back-up"):
        restore(tmp_path / "full", tmp_path / "n")
    back_up(tmp_path / "w", tmp_path / "b")
    with pytest.raises(BadUsage, match="not empty"):
        restore(tmp_path / "b", tmp_path / "full")


def test_what_was_acknowledged_after_the_back_up_is_indexed_and_not_swept(tmp_path: Path) -> None:
    """An older database is restored beside an archive that went on: its objects get their rows before a sweep."""
    shared = tmp_path / "shared"
    service = opened(tmp_path / "w", archive=str(shared))
    arrive(service, [an_object(1)])
    back_up(tmp_path / "w", tmp_path / "b")
    arrive(service, [an_object(1, 1, 2), an_object(2)])
    expected = uids_of(service)
    stray = service.archive.put(b"no DICOM at all").key
    service.close()
    made = put_back(tmp_path / "b", tmp_path / "n")
    assert (made.objects, made.there, made.indexed, made.aside) == (0, 1, 2, [stray])
    assert (tmp_path / "n" / "service" / "unindexed" / stray.replace("/", "-")).read_bytes() == b"no DICOM at all"
    again = reopened(tmp_path / "n")
    assert uids_of(again) == expected
    assert again.identities.of([uids(2)[0]])[uids(2)[0]].name == "Phantom^2"
    assert not (again.root / HELD).exists()
    assert again.audit.verify().first_bad is None
    sweep(again)
    assert set(objects(again).values()) == {an_object(1), an_object(1, 1, 2), an_object(2)}
    again.close()


def test_sweeping_is_held_until_the_archive_was_gone_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = opened(tmp_path / "w", archive=str(tmp_path / "shared"))
    back_up(tmp_path / "w", tmp_path / "b")
    arrive(service, [an_object(1)])
    service.close()

    def broken(*_: Any) -> None:
        raise DiascopeError("the decoder is gone")

    monkeypatch.setattr("diascope.serve.keeping.restoring._index_the_others", broken)
    with pytest.raises(DiascopeError, match="decoder is gone"):
        put_back(tmp_path / "b", tmp_path / "n")
    again = reopened(tmp_path / "n")
    assert sweep(again) == 0
    assert "nothing is swept" in again.troubles[SWEEPING]
    assert len(list(again.archive.keys())) == 1
    again.close()


def test_a_damaged_object_of_the_archive_is_mended(tmp_path: Path) -> None:
    service = opened(tmp_path / "w", archive=str(tmp_path / "shared"))
    arrive(service, [an_object(1)])
    back_up(tmp_path / "w", tmp_path / "b")
    (key,) = service.archive.keys()
    (tmp_path / "shared" / key).write_bytes(b"damaged")
    service.close()
    assert put_back(tmp_path / "b", tmp_path / "n").objects == 1
    again = reopened(tmp_path / "n")
    assert objects(again) == {key: an_object(1)}
    again.close()


@ON_SQLITE
def test_a_database_of_another_version_is_not_touched(tmp_path: Path) -> None:
    service = opened(tmp_path / "w")
    service.close()
    path = tmp_path / "w" / "service" / "index.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(BadUsage, match="another version"):
        back_up(tmp_path / "w", tmp_path / "b")
    assert not list((tmp_path / "b").glob("state-*"))


def test_without_pg_dump_the_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    with pytest.raises(DiascopeError) as caught:
        snapshots.take("postgresql://li:secret@db:5432/d", tmp_path / "index.dump", True)
    assert "pg_dump --format=custom --file=index.dump postgresql://li@db:5432/d" in caught.value.todo
    assert "secret" not in str(caught.value)
