"""Workers: they take jobs from the queue, keep their leases, stop what was cancelled, and never end a job that is lost.

The same class runs in the service's own process and in `diascope worker`. Threads do the jobs, some for each lane; one
more is the heartbeat: it renews leases, and tells a job that was cancelled or lost to stop.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from diascope.core.errors import DataRefused, DiascopeError, Stopped, Unavailable, UnknownName
from diascope.serve.jobs.kinds import Kind, kind_of, names
from diascope.serve.jobs.queue import Job, LostLease
from diascope.serve.reading.warm import Warm
from diascope.serve.service import Service

BEAT = 1.0
"""Seconds between two looks whether a job is still to be done."""

IDLE = 1.0
"""Seconds after which an idle worker asks the queue again, also when nobody woke it (another host may have put it)."""

AFTER_TROUBLE = 2.0
"""Seconds before the next try when the database did not answer."""

ONE_AT_A_TIME = ("training", "explaining")
"""Lanes whose work fills the machine."""

log = logging.getLogger(__name__)


class Context:
    """What a job has besides the service: whether to go on, and how to end.

    Args:
        worker: Whose it is.
        job: The first of the jobs that it ends.
    """

    def __init__(self, worker: Worker, job: Job) -> None:
        self.worker, self.job = worker, job
        self.warm = worker.warm
        self.stopping = threading.Event()
        """Set when the job was cancelled or lost, or the worker ends."""
        self.held: dict[str, Job] = {job.id: job}
        """Those that it has to end."""
        self._dropped: set[str] = set()

    def check(self) -> None:
        """Go on only while the job is to be done.

        Raises:
            Stopped: When it was cancelled or lost, or the worker ends.
        """
        if self.stopping.is_set():
            raise Stopped("the job was stopped")

    def dropped(self, job: Job) -> None:
        """A job is not to be done any more: stop, unless others are done together with it."""
        self._dropped.add(job.id)
        if self.held.keys() <= self._dropped:
            self.stopping.set()

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Say how far it is."""
        self.worker.service.queue.progress(self.job, done, total, note)

    def more(self, field: str, most: int) -> list[Job]:
        """Take further jobs of this kind with the same value in a field of the payload; each must be ended."""
        found = self.worker.service.queue.claim_like(self.job, field, most)
        self.held |= {job.id: job for job in found}
        return found

    def done(
        self,
        job: Job,
        result: Mapping[str, Any],
        work: Callable[[Connection], Mapping[str, Any] | None] | None = None,
    ) -> None:
        """End a job; what follows from it is written in the same transaction.

        Raises:
            LostLease: When it is another's now, or was cancelled; nothing was written.
        """
        self.worker.service.queue.done(job, result, work)
        self.held.pop(job.id, None)
        self.worker.service.stirred.set()

    def lost(self, job: Job) -> None:
        """It was cancelled, or is another's: nothing of it was written."""
        self.held.pop(job.id, None)
        self.worker.service.queue.give_back(job)

    def failed(self, job: Job, error: DiascopeError, tries: int) -> str:
        """Try a job again later, or give it up; returns its state."""
        state = self.worker.service.queue.failed(job, error, tries)
        self.held.pop(job.id, None)
        return state


class Worker:
    """Does jobs.

    Args:
        service: Whose.
        threads: Jobs at a time that read, and as many that send; training and explaining are one at a time.
        kinds: What it does; None is everything.
    """

    def __init__(self, service: Service, threads: int = 1, kinds: Sequence[str] | None = None) -> None:
        self.service, self.count = service, threads
        self.kinds = tuple(names() if kinds is None else kinds)
        self.name = f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.warm = Warm(service, service.settings.warm_releases)
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()
        self._woken = threading.Condition()
        self._calls = 0
        self._contexts: set[Context] = set()
        self._renewed: dict[str, float] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to work, in threads of its own."""
        if not self.count:
            return
        for lane, kinds in self._lanes().items():
            for number in range(1 if lane in ONE_AT_A_TIME else self.count):
                self._thread(f"{lane}-{number}", partial(self._run, kinds))
        self._thread("worker-bell", self._listen)
        if "read" in self.kinds:
            threading.Thread(target=self.warm.prepare, name="worker-warming", daemon=True).start()
        threading.Thread(target=self._beating, name="worker-heart", daemon=True).start()

    def stop(self, seconds: float = 25.0) -> bool:
        """Take no more jobs, end those under way or give them back; whether all ended in time (G4)."""
        self._ended.set()
        with self._lock:
            for context in self._contexts:
                context.stopping.set()
        self.service.stirred.set()
        self._wake()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def step(self, kinds: Sequence[str] | None = None) -> bool:
        """Do one job (and those that are done together with it); False where none is ready.

        Raises:
            Unavailable: When the database does not answer.
        """
        job = self.service.queue.claim(self.name, self.kinds if kinds is None else kinds)
        if job is not None:
            self._do(job)
        return job is not None

    def beat(self) -> None:
        """Stop what is not to be done any more, and renew the leases of the rest.

        Raises:
            Unavailable: When the database does not answer.
        """
        with self._lock:
            held = [(context, job) for context in self._contexts for job in list(context.held.values())]
        if not held:
            return
        queue, now = self.service.queue, self.service.clock()
        standing = queue.stands([job for _, job in held])
        self._renewed = {job.id: self._renewed.get(job.id, now) for _, job in held}
        for context, job in held:
            if job.id not in standing:
                context.dropped(job)
            elif now >= self._renewed[job.id] + queue.lease / 3 and queue.renew(job):
                self._renewed[job.id] = now

    def _lanes(self) -> dict[str, tuple[str, ...]]:
        lanes: dict[str, tuple[str, ...]] = {}
        for name in self.kinds:
            lane = kind_of(name).lane
            lanes[lane] = (*lanes.get(lane, ()), name)
        return lanes

    def _thread(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, kinds: Sequence[str]) -> None:
        while not self._ended.is_set():
            calls = self._calls  # before the queue is asked: what is put in after that wakes us
            try:
                if self.step(kinds):
                    continue
                waits = self.service.queue.waits(kinds)
            except Unavailable:
                self._ended.wait(AFTER_TROUBLE)
                continue
            self._sleep(calls, IDLE if waits is None else min(IDLE, waits))

    def _listen(self) -> None:
        """Wake all threads when something was put into the queue; nobody else clears the event."""
        while not self._ended.is_set():
            self.service.stirred.wait()
            self.service.stirred.clear()
            self._wake()

    def _sleep(self, calls: int, seconds: float) -> None:
        with self._woken:
            self._woken.wait_for(lambda: calls != self._calls, seconds)

    def _wake(self) -> None:
        with self._woken:
            self._calls += 1
            self._woken.notify_all()

    def _beating(self) -> None:
        while any(thread.is_alive() for thread in self._threads):
            try:
                self.beat()
            except DiascopeError as error:  # leases last longer than a short absence of the database
                log.warning("heartbeat: %s", error.wrong)
            time.sleep(BEAT)

    def _do(self, job: Job) -> None:
        context = Context(self, job)
        with self._lock:
            self._contexts.add(context)
        if self._ended.is_set():
            context.stopping.set()
        try:
            self._tried(job, context)
            for left in list(context.held.values()):
                context.done(left, {})
        except LostLease:
            log.warning("a job of kind %s was lost or cancelled: nothing was written", job.kind)
            for left in list(context.held.values()):
                self.service.queue.give_back(left)
        except Unavailable as error:  # the leases run out, and somebody takes the jobs again
            log.warning("a job of kind %s: %s", job.kind, error.wrong)
        finally:
            with self._lock:
                self._contexts.discard(context)

    def _tried(self, job: Job, context: Context) -> None:
        try:
            kind = kind_of(job.kind)
        except UnknownName as error:
            context.failed(job, error, 1)
            return
        try:
            if job.attempt > kind.tries:
                raise _Fatal(f"it ended its worker {job.attempt - 1} times")
            kind.run(self.service, job, context)
        except LostLease:
            raise
        except DiascopeError as error:
            self._failed(kind, context, error)
        except Exception as error:  # an error of ours in one job must not end the worker
            where = traceback.extract_tb(error.__traceback__)[-1]  # its text may name a patient
            log.error("a job of kind %s: %s at %s:%s", job.kind, type(error).__name__, where.filename, where.lineno)
            self._failed(kind, context, DiascopeError(f"an error in the program: {type(error).__name__}"))

    def _failed(self, kind: Kind, context: Context, error: DiascopeError) -> None:
        """Every job that was not ended: tried again later, given up, or given back where it was stopped."""
        for job in list(context.held.values()):
            if isinstance(error, Stopped):
                self.service.queue.give_back(job)
                context.held.pop(job.id, None)
                continue
            last = isinstance(error, (DataRefused, _Fatal)) or job.attempt >= kind.tries
            if last and kind.gave_up is not None:
                kind.gave_up(self.service, job, context, error)
            else:
                context.failed(job, error, 1 if last else kind.tries)


class _Fatal(DiascopeError):
    """Something that another try does not mend."""
