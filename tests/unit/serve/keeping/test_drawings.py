"""What readers drew is data as any: not swept, in the back-up, gone with its study."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from diascope.serve.database import room_tables, tables
from diascope.serve.incoming.deleting import delete_study
from diascope.serve.incoming.named import TABLES
from diascope.serve.incoming.sweeping import sweep
from diascope.serve.jobs.worker import Worker
from diascope.serve.keeping.backup import back_up
from diascope.serve.keeping.restoring import restore
from diascope.serve.keeping.snapshots import take
from diascope.serve.service import FIRST_PROJECT, Service, service_folder
from diascope.serve.settings import read_settings
from diascope.store.workspace import Workspace
from diascope.testing.objects import an_object, uids
from diascope.testing.postgres import VARIABLE
from diascope.testing.reading import arrive, become_complete, work_off
from diascope.testing.service import a_service

VOXELS = zlib.compress(bytes(range(256)))


def with_a_drawing(service: Service, number: int = 1) -> str:
    """A study with a drawing; the drawing's key."""
    arrive(service, [an_object(number)])
    stored = service.archive.put(VOXELS)
    with service.database.reading() as connection:
        of = connection.execute(select(tables.series).where(tables.series.c.uid == uids(number)[1])).one()
    row = {"id": f"d{number}", "series_id": of.id, "revision": 1, "reader": "ada", "labels": {"1": "liver"}}
    row |= {"shape": [1, 16, 16], "key": stored.key, "sha256": stored.sha256, "at": 0.0}
    service.database.change(lambda connection: connection.execute(insert(room_tables.drawings).values(**row)))
    return stored.key


def opened(folder: Path, **given: Any) -> Service:
    (service_folder(Workspace(folder)) / "settings.toml").write_text(
        f"keys = {json.dumps(str(folder.parent / 'keys.json'))}\nkeep_free_gb = 0.0\n"
    )
    return Service.open(Workspace(folder), read_settings(folder / "service", given))


def test_every_table_that_names_objects_of_the_archive_is_known() -> None:
    """A table of keys that nobody asks would be swept: lost data."""
    named = {table.name for table in tables.index.tables.values() if {"key", "sha256"} <= set(table.columns.keys())}
    assert named == {table.name for table in TABLES}


@pytest.mark.parametrize("sealed", [False, True])
def test_a_drawing_is_not_swept_and_one_without_a_row_is(tmp_path: Path, sealed: bool) -> None:
    service = a_service(tmp_path, encrypt=sealed)
    kept, lost = with_a_drawing(service), service.archive.put(b"nobody's").key
    if not service.database.is_sqlite:
        pytest.skip("others may write: what is young stays")
    assert sweep(service) == 1
    assert service.archive.read(kept) == VOXELS
    assert lost not in set(service.archive.keys())


def test_a_drawing_goes_with_its_study_and_no_other(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    with_a_drawing(service, 1)
    other = with_a_drawing(service, 2)
    deleted = delete_study(service, uids(1)[0], "user:ada")
    assert len(deleted.keys) == 2
    assert len(list(service.archive.keys())) == 2
    assert service.archive.read(other) == VOXELS
    with service.database.reading() as connection:
        assert connection.execute(select(room_tables.drawings.c.id)).scalars().all() == ["d2"]


def test_the_job_that_deletes_knows_them_too(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    with_a_drawing(service)
    become_complete(service)
    payload = {"study": uids(1)[0]}
    service.database.change(lambda connection: service.queue.put(connection, "delete", payload, project=FIRST_PROJECT))
    work_off(service, Worker(service))
    assert list(service.archive.keys()) == []


@pytest.mark.skipif(VARIABLE in os.environ, reason="about files of SQLite")
def test_a_drawing_is_in_the_back_up_and_in_what_is_restored(tmp_path: Path) -> None:
    service = opened(tmp_path / "w")
    key = with_a_drawing(service)
    made = back_up(tmp_path / "w", tmp_path / "b")
    assert (made["objects"], made["missing"]) == (2, [])
    service.archive.delete(key)
    assert back_up(tmp_path / "w", tmp_path / "b", incremental=True)["missing"] == [], "the back-up has it"
    service.close()
    (tmp_path / "keys.json").chmod(0o600)
    restored = restore(tmp_path / "b", tmp_path / "n")
    assert (restored.objects, restored.indexed, restored.aside) == (2, 0, [])
    again = Service.open(Workspace(tmp_path / "n"), read_settings(tmp_path / "n" / "service", {}))
    assert again.archive.read(key) == VOXELS
    assert sweep(again) == 0
    again.close()


@pytest.mark.skipif(VARIABLE in os.environ, reason="about files of SQLite")
def test_a_database_from_before_there_were_drawings_is_backed_up(tmp_path: Path) -> None:
    service = opened(tmp_path / "w")
    arrive(service, [an_object(1)])
    service.database.change(lambda connection: room_tables.drawings.drop(connection))
    service.close()
    names = take(f"sqlite:///{tmp_path / 'w' / 'service' / 'index.sqlite'}", tmp_path / "copy.sqlite", objects=True)
    assert len(names) == 1
