"""command: a verb of the command line as a child process that gives way to everything else: reading goes first."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection

from diascope.core.errors import DataRefused, DiascopeError
from diascope.serve import nouns, verbs
from diascope.serve.audit import Event
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.service import FIRST_PROJECT, Service

TRIES = 2
LANE = "training"

LOOK = 0.5
"""Seconds between two looks whether it was cancelled."""

GRACE = 20.0
"""Seconds that a training has to save where it is."""

TELL = 5.0
"""Seconds between two notes of progress."""

LONGEST = 64 << 10
"""Characters of what a child printed that are kept with its job."""


def run(service: Service, job: Job, context: Context) -> None:
    """Run `diascope VERB …` of the payload (see `serve/verbs.py`), and keep what it printed.

    Raises:
        BadUsage: When the verb or an option is none of those that may be asked for.
        DataRefused: When the data was refused, or it was used wrongly.
        DiascopeError: When it failed otherwise.
        Stopped: When it was cancelled.
    """
    with _alone(service, job, context):
        if job.attempt == 1:  # later on, what is nobody's is of the attempt before
            service.database.change(lambda at: nouns.claim(at, service, FIRST_PROJECT, nouns.COMMAND_LINE))
        try:
            said = _ran(service, job, context)
        except DiascopeError:
            service.database.change(lambda at: _claimed(service, at, job))
            raise
        context.done(job, {"said": _kept(service, said)}, lambda at: _claimed(service, at, job))


def _ran(service: Service, job: Job, context: Context) -> dict[str, Any]:
    out = {"out": f"{job.payload['verb']}-{job.id[:12]}"}
    payload = {**job.payload, **out}
    command = _command(service, payload, job.project)
    if verbs.VERBS[job.payload["verb"]].out:
        (service.workspace.root / "exports" / out["out"]).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryDirectory(prefix="diascope-command-") as folder:
        with _child(command, printed, service.settings.threads_for_training, Path(folder)) as process:
            news = News(process.stderr)
            _wait(process, news, context)
        printed.seek(0)
        said = _document(printed.read())
    refused = process.returncode == 3 and "refused" in said  # `check` found reasons to refuse: that is its answer
    if process.returncode and not refused:
        error = said.get("error", {})
        kind = DataRefused if process.returncode in (2, 3) else DiascopeError
        wrong = error.get("wrong") or f"it ended with code {process.returncode}"
        raise kind(wrong.replace(f"{service.workspace.root}/", ""), todo=error.get("todo", ""))
    return said


def _claimed(service: Service, connection: Connection, job: Job) -> Mapping[str, Any]:
    """Whose is what was made: the job's project."""
    made = [{"kind": one.kind, "name": one.name} for one in nouns.claim(connection, service, job.project, job.by)]
    detail = {"job": job.id, "verb": str(job.payload["verb"]), "made": len(made)}
    event = Event("command.ran", job.by, f"job:{job.id}", project=job.project, detail=detail)
    service.audit.append(connection, event)
    return {"made": made}


def _kept(service: Service, said: Mapping[str, Any]) -> dict[str, Any]:
    """What was printed, without paths of this machine; what is long is in the files that were made."""
    root, kept, room = f"{service.workspace.root}/", dict[str, Any](), LONGEST
    for name, value in said.items():
        text = json.dumps(value, ensure_ascii=False).replace(json.dumps(root)[1:-1], "")
        if len(text) <= room:
            kept[name], room = json.loads(text), room - len(text)
    return kept


@contextlib.contextmanager
def _alone(service: Service, job: Job, context: Context) -> Iterator[None]:
    """One such job at a time in a workspace, so that what was made is known to be this one's; the file says which.

    Raises:
        Stopped: When it was cancelled while it waited.
    """
    with (service.root / nouns.ALONE).open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                context.check()
                context.stopping.wait(LOOK)
        lock.truncate(0)
        lock.write(job.id)
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


def _command(service: Service, payload: Mapping[str, Any], project: str) -> list[str]:
    words = verbs.command(payload, service, project)
    return [sys.executable, "-P", "-m", "diascope", *words]


class News:
    """What a child says about its progress, read in a thread so that it never waits for us.

    Args:
        stream: Lines of JSON, and others.
    """

    def __init__(self, stream: IO[bytes] | None) -> None:
        self.done, self.total, self.note = 0, 0, ""
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes] | None) -> None:
        for line in stream or ():
            self.heard(line)

    def heard(self, line: bytes) -> None:
        """Take one line; what is no news is passed over."""
        try:
            facts = json.loads(line)
        except ValueError:
            return
        if not isinstance(facts, dict):
            return
        if isinstance(facts.get("total"), int):
            done = facts.get("done", facts.get("step", 0))
            self.done, self.total = (done if isinstance(done, int) else 0), facts["total"]
            self.note = str(facts.get("what", facts.get("event", "")))[:200]
        elif facts.get("event") == "phase":
            self.note = str(facts.get("message", ""))[:200]


@contextlib.contextmanager
def _child(command: Sequence[str], out: IO[bytes], threads: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    caps = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    environment = {**os.environ, **caps, "DIASCOPE_EVENTS": "json"}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, env=environment, cwd=folder,
        start_new_session=True,
    )  # fmt: skip
    try:
        _give_way(process.pid)
        yield process
    finally:
        _end(process)
        if process.stderr is not None:
            process.stderr.close()


def _give_way(pid: int) -> None:
    """The lowest priority: it gets what nobody else wants. Threads and children that it makes inherit it."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, pid, 19)
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def _wait(process: subprocess.Popen[bytes], news: News, context: Context) -> None:
    told, last = 0.0, (0, 0, "")
    while process.poll() is None:
        context.check()
        now, state = time.monotonic(), (news.done, news.total, news.note)
        if state != last and now - told >= TELL:
            context.progress(*state)
            told, last = now, state
        context.stopping.wait(LOOK)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C first: a training saves where it is; then the whole group of processes."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _document(content: bytes) -> dict[str, Any]:
    """The document that `--json` prints; empty where it is none."""
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
