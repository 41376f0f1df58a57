"""G2, K4: what is taken away is said to be missing, never that nothing was found; it comes back unaided."""

from __future__ import annotations

import shutil
import time

import pytest
from sqlalchemy import update

from diascope.core.errors import Unavailable
from diascope.serve.database.tables import audit, instances, result_objects, results, series
from diascope.serve.incoming.completing import Completing, read_again
from diascope.serve.jobs.worker import Worker
from diascope.serve.reading import answering
from diascope.serve.reading.served import put_into_service, withdraw
from diascope.testing.reading import (
    FLAT,
    SOLID,
    a_rule,
    a_signed_release,
    a_volume,
    arrive,
    become_complete,
    rows_of,
    series_of,
    work_off,
)  # fmt: skip
from diascope.testing.service import a_service
from diascope.testing.waiting import until


def a_reading_service(folder, label=SOLID, **changes):
    service = a_service(folder)
    a_signed_release(service, label, **changes)
    a_rule(service, label)
    arrive(service, a_volume(1))
    become_complete(service)
    return service


def asked_again(service):
    number = series_of(service, 1).id
    assert service.database.change(lambda connection: read_again(connection, service.queue, number, service.clock()))


def not_available(service, words):
    """The newest result says why there is none, negates nothing, and the archive still gives everything."""
    row = rows_of(service, results, results.c.superseded.is_(None))[-1]
    assert row.state == "unavailable"
    assert words in row.reason
    for finding in row.findings["findings"]:
        assert finding["status"] == "abstained"
        assert finding["reason"].startswith("not available, because ")
        assert words in finding["reason"]
    assert rows_of(service, result_objects, result_objects.c.result_id == row.id) == []
    for one in rows_of(service, instances):
        assert len(service.archive.read(one.key, one.sha256)) == one.size
    event = rows_of(service, audit, audit.c.action == "prediction.made")[-1]
    assert (event.object, event.outcome) == (row.id, "failure")
    return row


def answered(service):
    return rows_of(service, results, results.c.superseded.is_(None))[-1].state == "answered"


def taken_away(service, folder):
    shutil.move(folder, service.root / "away")
    yield f"no release named '{SOLID}'"
    shutil.move(service.root / "away", folder)


def without_its_weights(service, folder):
    weights = folder / "weights-0.safetensors"
    weights.rename(service.root / "away")
    yield "the files of organs@1 are not those of its index"
    (service.root / "away").rename(weights)


def changed(service, folder):
    weights = folder / "weights-0.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    yield "weights-0.safetensors of release organs@1 was changed"
    weights.write_bytes(content)


def withdrawn(service, folder):
    now = service.clock()
    service.database.change(lambda connection: withdraw(connection, SOLID, "misses effusions", "user:li", now))
    yield "organs@1 was withdrawn: misses effusions"
    service.database.change(lambda connection: put_into_service(connection, SOLID, "user:li", now))


@pytest.mark.parametrize("take", [taken_away, without_its_weights, changed, withdrawn])
@pytest.mark.parametrize("warm", [False, True])
def test_a_release_that_is_taken_away_is_said_to_be_missing_and_comes_back_unaided(take, warm, tmp_path):
    """G2, K4: also where the release lies ready in memory: the very next run stops."""
    service = a_reading_service(tmp_path)
    worker = Worker(service)
    if warm:
        work_off(service, worker)
        assert answered(service)
        asked_again(service)
    steps = take(service, service.workspace.releases / SOLID)
    words = next(steps)
    work_off(service, worker)
    not_available(service, words)
    assert next(steps, None) is None
    asked_again(service)
    work_off(service, worker)
    assert answered(service)


def test_a_release_withdrawn_while_it_reads_gives_no_answer(tmp_path, monkeypatch):
    """K4: a result that is being made is not written any more."""
    service, whole = a_reading_service(tmp_path), answering.objects

    def meanwhile(*given):
        service.database.change(lambda connection: withdraw(connection, SOLID, "wrong side", "user:li", 1.0))
        return whole(*given)

    monkeypatch.setattr(answering, "objects", meanwhile)
    work_off(service)
    not_available(service, "wrong side")
    assert sorted(service.archive.keys()) == sorted(one.key for one in rows_of(service, instances)), "nothing is left"


def test_a_candidate_reads_nothing(tmp_path):
    service = a_reading_service(tmp_path, signed_by=None)
    work_off(service)
    not_available(service, "nobody signed it")


def test_what_a_release_was_not_made_for_is_refused_and_seen(tmp_path):
    """F13, G2: a volume of CT, asked of a release for radiographs."""
    service = a_reading_service(tmp_path, FLAT)
    work_off(service)
    row = not_available(service, "xray")
    assert row.seal, "the release was asked"
    assert len(row.findings["findings"]) == 2, "every concept abstains"


def test_data_that_was_changed_on_the_disk_is_not_read(tmp_path):
    service = a_reading_service(tmp_path)
    one = rows_of(service, instances)[3]
    path = service.root / "archive" / one.key
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    work_off(service)
    path.write_bytes(content)
    row = not_available(service, "")
    assert "phantom" not in row.reason.lower()


def test_a_database_that_goes_away_stops_nothing_for_good(tmp_path, monkeypatch):
    """G2: workers wait, the archive reads, and everything goes on when it is there again."""
    service = a_service(tmp_path, time.time, quiet_seconds=0)
    a_signed_release(service)
    a_rule(service)
    arrive(service, a_volume(1))
    keys = [one.key for one in rows_of(service, instances)]
    monkeypatch.setattr("diascope.serve.jobs.worker.AFTER_TROUBLE", 0.05)
    worker = Worker(service)

    def away(*_):
        asked.append(1)
        raise Unavailable("the database does not answer")

    asked: list[int] = []
    with monkeypatch.context() as gone:
        gone.setattr(service.database, "change", away)
        gone.setattr(service.database, "reading", away)
        worker.start()
        until(lambda: len(asked) > 5)
        assert all(service.archive.read(key) for key in keys)
    assert Completing(service).sweep() == 1
    until(lambda: rows_of(service, results) != [])
    assert worker.stop()
    assert answered(service)


def test_after_the_last_try_it_says_that_it_is_not_available(tmp_path, monkeypatch):
    """G2: errors that may pass are tried again; then the result says so, and is no silence."""
    service = a_reading_service(tmp_path)

    def broken(*_):
        raise RuntimeError("Zyxwolf^Quentin")

    monkeypatch.setattr("diascope.serve.reading.answering.hear", broken)
    for _ in range(8):
        work_off(service)
        service.clock.forward(60)
    row = not_available(service, "an error in the program: RuntimeError")
    assert "Zyxwolf" not in str(row)


def test_a_late_slice_supersedes_at_once_and_is_read_again(tmp_path):
    service = a_reading_service(tmp_path)
    work_off(service)
    arrive(service, a_volume(1, [8]))
    become_complete(service)
    (old,) = rows_of(service, results)
    assert old.superseded is not None, "what is stale is not shown while the next answer is made (G2)"
    work_off(service)
    (new,) = rows_of(service, results, results.c.superseded.is_(None))
    assert (new.revision, old.revision) == (2, 1)
    assert [len(one.findings["inputs"]["image"]) for one in (old, new)] == [8, 9]
    assert new.id != old.id


def test_a_series_that_was_superseded_before_it_was_read_is_not_read(tmp_path):
    service = a_reading_service(tmp_path)
    Worker(service).step()  # routed
    service.database.change(lambda connection: connection.execute(update(series).values(revision=2)))
    work_off(service)
    assert rows_of(service, results) == []
