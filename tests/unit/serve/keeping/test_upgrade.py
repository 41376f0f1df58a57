"""Workspaces of earlier versions are opened by this one; keys are rotated; the process tells how it was started."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from diascope import cli
from diascope.core.errors import BadUsage
from diascope.formats.dicomio.spawning import unsecret
from diascope.privacy.keys import KeyRing
from diascope.privacy.sealing import Sealer
from diascope.serve.database.identity_tables import orders, people
from diascope.serve.database.tables import deliveries, instances, jobs, peers, readings, results, rules, studies, users
from diascope.serve.http.app import application
from diascope.serve.http.routing import routers
from diascope.serve.identities import Identities
from diascope.serve.keeping.backup import back_up
from diascope.serve.keeping.hardening import names_password, weaknesses
from diascope.serve.keeping.house import House
from diascope.serve.keeping.restoring import restore
from diascope.serve.keeping.rotating import rotate_keys
from diascope.serve.service import Service
from diascope.serve.settings import read_settings
from diascope.store.workspace import Workspace
from diascope.testing.objects import an_object, uids
from diascope.testing.postgres import VARIABLE
from diascope.testing.reading import arrive
from diascope.testing.service import events
from diascope.testing.web import Site

SAVED = sorted((Path(__file__).resolve().parents[3] / "data").glob("service-*"))

pytestmark = pytest.mark.skipif(VARIABLE in os.environ, reason="about saved SQLite files")


def a_copy(saved: Path, folder: Path) -> Path:
    """A saved workspace with its keys, which Git does not keep to their owner."""
    shutil.copytree(saved, folder / "w")
    keys = folder / "keys.json"
    (folder / "w" / "keys.json").rename(keys)
    keys.chmod(0o600)
    settings = folder / "w" / "service" / "settings.toml"
    settings.write_text(f'{settings.read_text()}keys = "{keys}"\n')
    return folder / "w"


def opened(folder: Path) -> Service:
    return Service.open(Workspace(folder), read_settings(folder / "service", {"encrypt": True}))


def everything_is_there(service: Service) -> None:
    with service.database.reading() as connection:
        rows = connection.execute(select(instances.c.uid, instances.c.key, instances.c.sha256)).all()
        counts = {table.name: len(connection.execute(select(table)).all()) for table in (studies, users, peers, rules)}
        assert connection.execute(select(readings.c.verdict)).scalars().all() == ["accept"]
        assert connection.execute(select(deliveries.c.state)).scalars().all() == ["sent"]
    wanted = {uids(*one)[2]: an_object(*one) for one in ((1, 1, 1), (1, 1, 2), (2, 1, 1), (3, 1, 1))}
    assert {row.uid: service.archive.read(row.key, row.sha256) for row in rows} == wanted
    assert counts == {"studies": 3, "users": 1, "peers": 1, "rules": 1}
    for number in (1, 2, 3):
        assert service.identities.of([uids(number)[0]])[uids(number)[0]].name == f"Phantom^{number}"
        assert len(service.identities.find("name", f"phantom^{number}")) == 1
    assert service.audit.verify().first_bad is None
    assert service.settings.ae_title == "SAVED"


@pytest.mark.parametrize("saved", SAVED, ids=lambda path: path.name)
def test_a_saved_workspace_is_opened_and_everything_is_there(tmp_path: Path, saved: Path) -> None:
    """A13: upgrade from every earlier version's saved data directory; then backed up and restored."""
    folder = a_copy(saved, tmp_path)
    service = opened(folder)
    everything_is_there(service)
    arrive(service, [an_object(4)])
    service.close()
    back_up(folder, tmp_path / "b")
    assert restore(tmp_path / "b", tmp_path / "n").objects == 5
    again = Service.open(Workspace(tmp_path / "n"), read_settings(tmp_path / "n" / "service", {"encrypt": True}))
    assert again.identities.of([uids(4)[0]])[uids(4)[0]].name == "Phantom^4"
    assert again.audit.verify().first_bad is None
    again.close()


def test_there_is_a_saved_workspace() -> None:
    assert [path.name for path in SAVED] == ["service-1"]


@pytest.mark.parametrize("name", ["index", "identities"])
def test_a_newer_database_is_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A13: downgrade refuses clearly, and changes nothing."""
    folder = a_copy(SAVED[0], tmp_path)
    path = folder / "service" / f"{name}.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(BadUsage, match=r"newer version of diascope.*revision 9999"):
        opened(folder)
    assert cli.run(["serve", "--workspace", str(folder)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "made by a newer version" in said


def test_jobs_go_on_after_the_upgrade_and_old_results_are_read(tmp_path: Path) -> None:
    """G5: the job of a process that was killed and the one that waited are done; an old result names its release."""
    service = opened(a_copy(SAVED[0], tmp_path))
    assert service.queue.recover() == 1
    done = []
    while (job := service.queue.claim("new", ["echo"])) is not None:
        service.queue.done(job, {"answered": True})
        done.append(job.attempt)
    assert sorted(done) == [1, 2]
    with service.database.reading() as connection:
        assert set(connection.execute(select(jobs.c.state)).scalars()) <= {"done", "queued"}
        row = connection.execute(select(results)).one()
    assert (row.release, row.findings["conclusion"], row.superseded) == ("nodules@1", "positive", None)
    service.close()


def test_a_new_key_seals_what_is_there_and_the_old_one_opens_objects(tmp_path: Path) -> None:
    """Rotation while the service runs: nothing is unreadable, and the running one takes the new key."""
    folder = a_copy(SAVED[0], tmp_path)
    running = opened(folder)
    before = running.keys.current
    made = rotate_keys(folder)
    assert made["resealed"] == 6  # three people, three studies
    arrive(running, [an_object(5)])  # still with the old key
    everything_is_there_but(running, 5)
    House(running).once()
    assert running.keys.current == made["key"] != before
    arrive(running, [an_object(6)])
    sealer = Sealer(KeyRing.open(tmp_path / "keys.json"), "identities")
    with running.identities.database.reading() as connection:
        sealed = dict(connection.execute(select(orders.c.study_uid, orders.c.sealed)).all())
        assert len(connection.execute(select(people)).all()) == 5
    assert {uid: sealer.is_current(one) for uid, one in sealed.items()} == {
        **{uids(number)[0]: True for number in (1, 2, 3, 6)},
        uids(5)[0]: False,
    }
    assert [one["object"] for one in events(running, "keys.rotated", "keys.resealed")] == [made["key"]] * 2
    running.close()
    assert cli.run(["keys", "rotate", "--workspace", str(folder)]) == 0
    again = opened(folder)
    assert isinstance(again.identities, Identities)
    everything_is_there_but(again, 5, 6)
    again.close()


def everything_is_there_but(service: Service, *more: int) -> None:
    for number in (1, 2, 3, *more):
        assert service.identities.of([uids(number)[0]])[uids(number)[0]].name == f"Phantom^{number}"
    with service.database.reading() as connection:
        rows = connection.execute(select(instances.c.key, instances.c.sha256)).all()
    assert len([service.archive.read(row.key, row.sha256) for row in rows]) == 4 + len(more)
    assert service.audit.verify().first_bad is None


def test_keys_that_are_not_there_are_not_made_anew(tmp_path: Path) -> None:
    folder = a_copy(SAVED[0], tmp_path)
    (tmp_path / "keys.json").unlink()
    with pytest.raises(BadUsage, match="keys of this service are not there"):
        rotate_keys(folder)
    with pytest.raises(BadUsage, match="keys of this service are not there"):
        back_up(folder, tmp_path / "b")
    with pytest.raises(BadUsage, match="keys of this service are not there"):
        opened(folder)
    assert cli.run(["audit", "verify", "--workspace", str(folder)]) == 2
    assert not (tmp_path / "keys.json").exists()


def test_how_the_process_was_started_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C12: not as root, umask 077, read-only code, no password on the command line: told, not refused."""
    from diascope.serve.keeping import hardening

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(hardening, "_umask", lambda: 0o022)
    monkeypatch.setattr(hardening, "_command_line", lambda: ["diascope", "--database=postgresql://a:b@c/d"])
    said = weaknesses()
    assert [words in one for words, one in zip(("as root", "022, not 077", "a password"), said, strict=True)] == [
        True
    ] * 3
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(hardening, "_umask", lambda: 0o077)
    monkeypatch.setattr(hardening, "_command_line", lambda: ["diascope", "--database", "postgresql://a@c/d"])
    assert weaknesses() == []
    monkeypatch.setattr(os, "access", lambda *_: True)
    assert len(weaknesses()) == 1
    folder = a_copy(SAVED[0], tmp_path)
    service = opened(folder)
    answer = Site(service, application(service, routers())).someone("administrator").get("/api/v1/system").json()
    assert answer["weaknesses"] == weaknesses()
    service.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells it in /proc")
def test_serving_makes_files_for_its_owner_alone(tmp_path: Path) -> None:
    """C12: whatever the umask was."""
    from diascope.cli.serving import opened as by_command
    from diascope.serve.keeping import hardening

    before = os.umask(0o022)
    try:
        assert hardening._umask() == 0o022
        by_command(tmp_path / "w", keys=tmp_path / "keys.json").close()
        assert hardening._umask() == 0o077
        made = [path for path in (tmp_path / "w" / "service").rglob("*") if path.suffix in {".sqlite", ".lock"}]
        assert made
        assert {path.stat().st_mode & 0o077 for path in made} == {0}
    finally:
        os.umask(before)


def test_children_that_read_foreign_bytes_have_no_secrets() -> None:
    """C12: secrets are not in their environment."""
    given = {"PATH": "/bin", "PGPASSWORD": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "x", "HOME": "/"}
    assert unsecret(given) == {"PATH": "/bin", "HOME": "/"}


@pytest.mark.parametrize(
    ("address", "has_one"),
    [("postgresql://li:sesame@db/d", True), ("postgresql://li@db/d", False), ("sqlite:///a:b@c", False), ("x", False)],
)
def test_a_password_on_the_command_line_is_warned_of(address: str, has_one: bool) -> None:
    assert names_password(address) is has_one
