"""The queue: none lost, none doubled, one worker a job."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from diascope.core.errors import Conflict, DiascopeError, UnknownName
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import changes, index, jobs
from diascope.serve.jobs.queue import FIRST_WAIT, LONGEST_WAIT, Job, LostLease, Queue
from diascope.testing.service import Clock

WRONG = DiascopeError("it failed", given="3", todo="Mend it")


def a_queue(folder: Path, clock: Any = None) -> Queue:
    return Queue(Database.open(f"sqlite:///{folder / 'index.sqlite'}", index, migrate=False), clock or Clock())


def put(queue: Queue, kind: str = "read", payload: dict[str, Any] | None = None, **more: Any) -> str:
    return queue.database.change(lambda connection: queue.put(connection, kind, payload or {}, **more))


def row_of(queue: Queue, job_id: str) -> Any:
    with queue.database.reading() as connection:
        return connection.execute(select(jobs).where(jobs.c.id == job_id)).one()


def claimed(queue: Queue, worker: str = "w") -> Job:
    job = queue.claim(worker)
    assert job is not None
    return job


def test_a_job_that_is_put_is_claimed_once_and_done(tmp_path):
    queue = a_queue(tmp_path)
    made = put(queue, payload={"series": 3}, project="p", by="user:li")
    job = claimed(queue)
    assert (job.id, job.kind, job.payload, job.project, job.by, job.attempt) == (
        made, "read", {"series": 3}, "p", "user:li", 1,
    )  # fmt: skip
    assert queue.claim("other") is None
    queue.done(job, {"result": "r"}, lambda connection: {"more": 1})
    row = row_of(queue, made)
    assert (row.state, row.result, row.error, row.lease) == ("done", {"result": "r", "more": 1}, None, None)
    assert queue.claim("other") is None


def test_the_same_key_is_the_same_job_also_after_it_ended(tmp_path):
    queue = a_queue(tmp_path)
    first = put(queue, key="read:1:1")
    assert put(queue, key="read:1:1") == first
    queue.done(claimed(queue), {})
    assert put(queue, key="read:1:1") == first
    assert queue.claim("w") is None


def test_higher_goes_first_then_who_waits_longest(tmp_path):
    clock = Clock()
    queue = a_queue(tmp_path, clock)
    names = {}
    for name, priority in (("a", 0), ("b", 10), ("c", 0), ("d", 10)):
        names[put(queue, priority=priority)] = name
        clock.forward(1)
    assert [names[claimed(queue).id] for _ in range(4)] == ["b", "d", "a", "c"]


def test_a_worker_takes_only_its_kinds(tmp_path):
    queue = a_queue(tmp_path)
    put(queue, "retrain", priority=99)
    made = put(queue, "read")
    found = queue.claim("w", ["read", "route"])
    assert found is not None
    assert found.id == made
    assert queue.claim("w", ["read", "route"]) is None
    assert queue.waits(["read"]) is None
    assert queue.waits() == 0


def test_jobs_of_the_same_release_are_taken_together(tmp_path):
    queue = a_queue(tmp_path)
    first = put(queue, payload={"release": "a@1"}, priority=1)
    put(queue, payload={"release": "b@1"})
    others = {put(queue, payload={"release": "a@1"}) for _ in range(3)}
    job = claimed(queue)
    assert job.id == first
    assert queue.claim_like(job, "release", 0) == []
    two = queue.claim_like(job, "release", 2)
    (last,) = queue.claim_like(job, "release", 9)
    assert {one.id for one in (*two, last)} == others
    assert all(one.worker == "w" and one.attempt == 1 for one in two)


def test_what_fails_is_tried_again_later_and_later(tmp_path):
    clock = Clock()
    queue = a_queue(tmp_path, clock)
    made, waits = put(queue), []
    for _ in range(11):
        state = queue.failed(claimed(queue), WRONG, tries=12)
        assert state == "queued"
        assert queue.claim("w") is None, "not before its time"
        waits.append(row_of(queue, made).ready - clock())
        assert queue.waits() == pytest.approx(waits[-1])
        clock.forward(waits[-1])
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT
    assert queue.failed(claimed(queue), WRONG, tries=12) == "failed"
    assert row_of(queue, made).error == {"wrong": "it failed", "given": "3", "todo": "Mend it"}
    clock.forward(1e9)
    assert queue.claim("w") is None


def test_a_job_of_a_dead_worker_is_taken_over_when_its_lease_ran_out(tmp_path):
    clock = Clock()
    queue = a_queue(tmp_path, clock)
    put(queue)
    first = claimed(queue, "dead")
    clock.forward(queue.lease - 1)
    assert queue.claim("other") is None
    clock.forward(2)
    second = claimed(queue, "other")
    assert (second.id, second.attempt) == (first.id, 2)


def test_who_renews_keeps_it(tmp_path):
    clock = Clock()
    queue = a_queue(tmp_path, clock)
    put(queue)
    job = claimed(queue)
    for _ in range(5):
        clock.forward(queue.lease - 1)
        assert queue.renew(job)
        assert queue.stands([job]) == {job.id}
    assert queue.claim("other") is None


def test_who_lost_the_lease_writes_nothing(tmp_path):
    clock = Clock()
    queue = a_queue(tmp_path, clock)
    put(queue)
    slow = claimed(queue, "same name")
    clock.forward(queue.lease + 1)
    quick = claimed(queue, "same name")
    change = insert(changes).values(kind="written", study_uid="1", series_uid="", instance_uid="", at=0)
    with pytest.raises(LostLease):
        queue.done(slow, {"by": "slow"}, lambda connection: connection.execute(change) and None)
    assert not queue.renew(slow)
    assert queue.stands([quick]) == {quick.id}
    assert queue.stands([slow]) == set()
    assert queue.failed(slow, WRONG) == "lost"
    assert queue.give_back(slow) == "lost"
    queue.progress(slow, 1, 2)
    assert row_of(queue, slow.id).progress is None
    with queue.database.reading() as connection:
        assert connection.execute(select(changes)).all() == []
    queue.done(quick, {"by": "quick"})
    assert row_of(queue, slow.id).result == {"by": "quick"}


def test_what_follows_is_not_written_where_the_job_cannot_end(tmp_path):
    queue = a_queue(tmp_path)
    made = put(queue)
    job = claimed(queue)

    def work(connection: Any) -> None:
        connection.execute(insert(changes).values(kind="x", study_uid="1", series_uid="", instance_uid="", at=0))
        raise WRONG

    with pytest.raises(DiascopeError, match="it failed"):
        queue.done(job, {}, work)
    assert row_of(queue, made).state == "running"
    with queue.database.reading() as connection:
        assert connection.execute(select(changes)).all() == []


def test_a_waiting_job_is_cancelled_at_once(tmp_path):
    queue = a_queue(tmp_path)
    made = put(queue)
    assert queue.database.change(lambda connection: queue.cancel(connection, made)) == "cancelled"
    assert queue.claim("w") is None
    with pytest.raises(Conflict):
        queue.database.change(lambda connection: queue.cancel(connection, made))
    with pytest.raises(UnknownName):
        queue.database.change(lambda connection: queue.cancel(connection, "none"))


def test_a_running_job_is_told_to_stop_and_gives_nothing(tmp_path):
    clock = Clock()
    queue = a_queue(tmp_path, clock)
    made, waiting = put(queue), put(queue)
    job = claimed(queue)
    assert queue.database.change(lambda connection: queue.cancel(connection, made)) == "cancelling"
    assert queue.stands([job]) == set()
    assert not queue.renew(job)
    with pytest.raises(LostLease):
        queue.done(job, {})
    assert queue.failed(job, WRONG) == "cancelled"
    assert row_of(queue, made).state == "cancelled"
    assert claimed(queue).id == waiting


def test_a_cancelled_job_of_a_dead_worker_ends_and_the_next_one_is_given(tmp_path):
    clock = Clock()
    queue = a_queue(tmp_path, clock)
    made, waiting = put(queue, priority=1), put(queue)
    claimed(queue, "dead")
    queue.database.change(lambda connection: queue.cancel(connection, made))
    clock.forward(queue.lease + 1)
    assert claimed(queue, "other").id == waiting
    assert row_of(queue, made).state == "cancelled"


def test_what_is_given_back_has_lost_no_try(tmp_path):
    queue = a_queue(tmp_path)
    put(queue)
    assert queue.give_back(claimed(queue)) == "queued"
    job = claimed(queue)
    assert job.attempt == 1
    queue.database.change(lambda connection: queue.cancel(connection, job.id))
    assert queue.give_back(job) == "cancelled"


def test_after_a_crash_on_sqlite_everything_waits_again(tmp_path):
    queue = a_queue(tmp_path)
    for _ in range(3):
        put(queue)
    dead = [claimed(queue, "dead") for _ in range(2)]
    assert queue.recover() == 2
    assert {claimed(queue, "new").id for _ in range(3)} >= {job.id for job in dead}


def test_many_threads_do_every_job_once(tmp_path):
    queue = a_queue(tmp_path, time.time)
    for number in range(60):
        put(queue, payload={"number": number})
    done: list[int] = []

    def work(name: str) -> None:
        while (job := queue.claim(name)) is not None:
            number = job.payload["number"]
            row = {"kind": f"n{number}", "study_uid": "1", "series_uid": "", "instance_uid": "", "at": 0}
            queue.done(job, {}, lambda connection, row=row: connection.execute(insert(changes).values(**row)) and None)
            done.append(number)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with queue.database.reading() as connection:
        written = connection.execute(select(changes.c.kind)).scalars().all()
    assert sorted(done) == list(range(60))
    assert sorted(written) == sorted(f"n{number}" for number in range(60))


KILLED = """
import random, sys, time
from sqlalchemy import insert
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import changes, index
from diascope.serve.jobs.queue import LostLease, Queue
queue = Queue(Database.open(sys.argv[1], index, migrate=False), lease=0.5)
while True:
    job = queue.claim(sys.argv[2])
    if job is None:
        time.sleep(0.005)
        continue
    print(job.payload["number"], flush=True)
    row = {"kind": str(job.payload["number"]), "study_uid": "1", "series_uid": "", "instance_uid": "", "at": 0}
    time.sleep(random.random() / 100)
    try:
        queue.done(job, {}, lambda connection: connection.execute(insert(changes).values(**row)) and None)
    except LostLease:
        pass
"""


def killed_while_working(folder: Path, count: int, kills: int, seconds: float) -> list[str]:
    """Kill workers at random moments until every job is done; what they wrote."""
    url = f"sqlite:///{folder / 'index.sqlite'}"
    queue = a_queue(folder, time.time)
    for number in range(count):
        put(queue, payload={"number": number})
    chance, until = random.Random(0), time.monotonic() + seconds
    for kill in range(kills + 1):
        with subprocess.Popen([sys.executable, "-c", KILLED, url, f"w{kill}"], stdout=subprocess.PIPE) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()  # it is in the middle of a job
            for _ in range(chance.randrange(3)):
                worker.stdout.readline()
            if kill == kills:
                threading.Thread(target=worker.stdout.read, daemon=True).start()
                while left(queue) and time.monotonic() < until:
                    time.sleep(0.02)
            os.kill(worker.pid, signal.SIGKILL)
    with queue.database.reading() as connection:
        return list(connection.execute(select(changes.c.kind)).scalars())


def left(queue: Queue) -> int:
    with queue.database.reading() as connection:
        return len(connection.execute(select(jobs.c.id).where(jobs.c.state != "done")).all())


def test_killed_workers_lose_no_job_and_double_none(tmp_path):
    """A1: kill -9 of the process that does the jobs, in the middle of them."""
    written = killed_while_working(tmp_path, 30, 2, 60)
    assert sorted(written, key=int) == [str(number) for number in range(30)]


@pytest.mark.nightly
def test_twenty_killed_workers_lose_no_job_and_double_none(tmp_path):
    """A1: the same, twenty times."""
    written = killed_while_working(tmp_path, 400, 20, 300)
    assert sorted(written, key=int) == [str(number) for number in range(400)]
