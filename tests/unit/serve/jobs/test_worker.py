"""Workers: leases, cancelling, errors, ending."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from diascope.core.errors import DataRefused, DiascopeError, UnknownName
from diascope.serve.database.tables import audit, changes, instances, jobs, results, studies
from diascope.serve.jobs import worker as working
from diascope.serve.jobs.kinds import Kind, command, kind_of, names
from diascope.serve.jobs.worker import Worker
from diascope.testing.objects import uids
from diascope.testing.reading import (
    FLAT,
    a_film,
    a_rule,
    a_signed_release,
    arrive,
    become_complete,
    rows_of,
    work_off,
)  # fmt: skip
from diascope.testing.service import a_service
from diascope.testing.waiting import until


def put(service, kind="stub", payload=None, **more):
    return service.database.change(lambda connection: service.queue.put(connection, kind, payload or {}, **more))


def job_of(service, name):
    (row,) = rows_of(service, jobs, jobs.c.id == name)
    return row


def doing(monkeypatch, run, tries=3, lane="reading", gave_up=None):
    """A kind of job for a test."""
    kind = Kind("stub", run, tries, lane, gave_up)
    monkeypatch.setattr(working, "kind_of", lambda name: kind if name == "stub" else kind_of(name))


def stubs(service):
    return work_off(service, Worker(service, kinds=["stub"]))


def test_every_kind_has_what_a_worker_needs():
    assert {"delete", "pull", "read", "command", "route", "send"} <= set(names())
    for name in names():
        kind = kind_of(name)
        assert callable(kind.run)
        assert kind.tries >= 1
        assert kind.lane in ("reading", "sending", "training", "explaining")
    with pytest.raises(UnknownName):
        kind_of("../x")


def test_a_job_that_says_nothing_is_done(tmp_path, monkeypatch):
    service = a_service(tmp_path)
    doing(monkeypatch, lambda service, job, context: context.progress(1, 2, "half"))
    name = put(service)
    assert stubs(service) == 1
    row = job_of(service, name)
    assert (row.state, row.result, row.progress) == ("done", {}, {"done": 1, "total": 2, "note": "half"})


@pytest.mark.parametrize(
    ("error", "tries", "wrong"),
    [
        (DiascopeError("away"), 3, "away"),
        (DataRefused("broken"), 1, "broken"),
        (ValueError("Zyxwolf^Quentin"), 3, "an error in the program: ValueError"),
    ],
)
def test_what_fails_is_tried_as_often_as_it_helps(error, tries, wrong, tmp_path, monkeypatch, caplog):
    service, tried = a_service(tmp_path), []

    def run(service, job, context):
        tried.append(job.attempt)
        raise error

    doing(monkeypatch, run)
    name = put(service)
    for _ in range(6):
        stubs(service)
        service.clock.forward(100)
    assert tried == list(range(1, tries + 1))
    row = job_of(service, name)
    assert (row.state, row.error["wrong"]) == ("failed", wrong)
    assert "Zyxwolf" not in caplog.text
    assert "Zyxwolf" not in str(row)


def test_a_kind_that_nobody_knows_fails(tmp_path):
    service = a_service(tmp_path)
    name = put(service, "magic")
    assert not Worker(service).step(), "it is nobody's"
    assert Worker(service, kinds=["magic"]).step()
    assert job_of(service, name).state == "failed"


def test_a_job_that_ends_its_worker_each_time_is_given_up(tmp_path, monkeypatch):
    service, said = a_service(tmp_path), []

    def gave_up(service, job, context, error):
        said.append(error.wrong)
        context.failed(job, error, 1)

    doing(monkeypatch, lambda *_: said.append("run"), tries=2, gave_up=gave_up)
    put(service)
    for _ in range(2):
        assert service.queue.claim("dead") is not None
        service.clock.forward(service.queue.lease + 1)
    stubs(service)
    assert said == ["it ended its worker 2 times"]


def test_a_cancelled_job_is_stopped_by_the_heartbeat(tmp_path, monkeypatch):
    service, began = a_service(tmp_path, time.time), threading.Event()

    def run(service, job, context):
        began.set()
        assert context.stopping.wait(30)
        context.check()

    doing(monkeypatch, run)
    monkeypatch.setattr(working, "BEAT", 0.02)
    worker = Worker(service, kinds=["stub"])
    worker.start()
    name = put(service)
    service.stirred.set()
    assert began.wait(30)
    service.database.change(lambda connection: service.queue.cancel(connection, name))
    until(lambda: job_of(service, name).state == "cancelled")
    assert worker.stop()


def test_the_heartbeat_renews_what_takes_long(tmp_path, monkeypatch):
    service = a_service(tmp_path)
    worker = Worker(service)

    def run(service, job, context):
        for _ in range(4):
            worker.beat()
            service.clock.forward(service.queue.lease / 2)
            worker.beat()
            assert service.queue.claim("other", ["stub"]) is None

    doing(monkeypatch, run)
    name = put(service)
    worker.kinds = (*worker.kinds, "stub")
    assert worker.step()
    assert job_of(service, name).state == "done"


def test_a_service_that_ends_gives_long_jobs_back(tmp_path, monkeypatch):
    """G4: what is under way is stopped, waits again and has lost no try."""
    service, began = a_service(tmp_path, time.time), threading.Event()

    def run(service, job, context):
        began.set()
        assert context.stopping.wait(30)
        context.check()

    doing(monkeypatch, run)
    worker = Worker(service, kinds=["stub"])
    worker.start()
    name = put(service)
    service.stirred.set()
    assert began.wait(30)
    assert worker.stop(20)
    row = job_of(service, name)
    assert (row.state, row.attempts) == ("queued", 0)


def test_reading_waits_for_no_training_and_no_peer(tmp_path, monkeypatch):
    service, free, seen = a_service(tmp_path, time.time), threading.Event(), []
    lanes = {"long": "training", "slow": "sending", "quick": "reading"}

    def run(service, job, context):
        if job.kind != "quick":
            assert free.wait(30)
        seen.append(job.kind)

    monkeypatch.setattr(working, "kind_of", lambda name: Kind(name, run, 1, lanes[name]))
    for kind in lanes:
        put(service, kind)
    worker = Worker(service, kinds=list(lanes))
    worker.start()
    until(lambda: seen == ["quick"])
    free.set()
    until(lambda: len(seen) == 3)
    assert worker.stop()


def test_a_job_is_begun_as_soon_as_it_is_put(tmp_path, monkeypatch):
    """No polling stands between the completion of a series and its answer."""
    service, begun = a_service(tmp_path, time.time), threading.Event()
    monkeypatch.setattr(working, "IDLE", 30.0)
    doing(monkeypatch, lambda *_: begun.set())
    worker = Worker(service, kinds=["stub"])
    worker.start()
    for _ in range(5):
        begun.clear()
        put(service)
        service.stirred.set()
        assert begun.wait(10), "it was asleep"
    assert worker.stop()


def test_a_study_is_deleted_with_everything_that_was_made_of_it(tmp_path):
    service = a_service(tmp_path)
    a_signed_release(service, FLAT)
    a_rule(service, FLAT)
    for number in (1, 2):
        arrive(service, a_film(number))
    become_complete(service)
    work_off(service)
    put(service, "delete", {"study": uids(1)[0]}, by="user:li")
    put(service, "delete", {"study": "1.2.3"}, by="user:li")
    work_off(service)
    assert [one.uid for one in rows_of(service, studies)] == [uids(2)[0]]
    assert len(rows_of(service, results)) == 1
    assert set(service.archive.keys()) == {one.key for one in rows_of(service, instances)}
    assert service.identities.of([uids(1)[0]]) == {}
    assert len(rows_of(service, changes, changes.c.kind == "study_deleted")) == 1
    (event,) = rows_of(service, audit, audit.c.action == "study.deleted")
    assert (event.actor, event.object, event.detail["instances"]) == ("user:li", uids(1)[0], 2)


CHILD = """
import json, os, sys, time
print(json.dumps({"event": "phase", "message": "looking"}), file=sys.stderr, flush=True)
print("no news", file=sys.stderr, flush=True)
print(json.dumps({"event": "train", "step": 3, "total": 9}), file=sys.stderr, flush=True)
facts = {"nice": os.getpriority(os.PRIO_PROCESS, 0), "idle": os.sched_getscheduler(0) == os.SCHED_IDLE,
         "threads": os.environ["OMP_NUM_THREADS"], "events": os.environ["DIASCOPE_EVENTS"], "big": {"a": 1}}
print(json.dumps(facts))
sys.stdout.flush()
if sys.argv[1] == "long":
    time.sleep(600)
if sys.argv[1] == "bad":
    sys.exit(3)
"""


def a_training(monkeypatch, what):
    monkeypatch.setattr(command, "_command", lambda *_: [sys.executable, "-c", CHILD, what])
    monkeypatch.setattr(command, "TELL", 0.0)
    monkeypatch.setattr(command, "LOOK", 0.02)


def test_a_training_gives_way_and_its_document_is_kept(tmp_path, monkeypatch):
    service = a_service(tmp_path, threads_for_training=2)
    a_training(monkeypatch, "short")
    name = put(service, "command", {"verb": "fit"})
    work_off(service)
    said = job_of(service, name).result["said"]
    assert said == {"nice": 19, "idle": True, "threads": "2", "events": "json", "big": {"a": 1}}


def test_a_training_that_refuses_its_data_is_not_tried_again(tmp_path, monkeypatch):
    service = a_service(tmp_path)
    a_training(monkeypatch, "bad")
    name = put(service, "command", {"verb": "fit"})
    work_off(service)
    row = job_of(service, name)
    assert (row.state, row.attempts) == ("failed", 1)


def test_a_training_shows_its_progress_and_can_be_cancelled(tmp_path, monkeypatch):
    service = a_service(tmp_path, time.time)
    a_training(monkeypatch, "long")
    monkeypatch.setattr(command, "GRACE", 5.0)
    monkeypatch.setattr(working, "BEAT", 0.02)
    worker = Worker(service, kinds=["command"])
    worker.start()
    name = put(service, "command", {"verb": "fit"})
    service.stirred.set()
    until(lambda: (job_of(service, name).progress or {}).get("total") == 9)
    assert job_of(service, name).progress == {"done": 3, "total": 9, "note": "train"}
    service.database.change(lambda connection: service.queue.cancel(connection, name))
    until(lambda: job_of(service, name).state == "cancelled")
    assert worker.stop()
