"""retrain: a training as a child process that gives way to everything else: reading goes first."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from diascope.core.errors import BadUsage, DataRefused, DiascopeError
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.service import Service

TRIES = 2
LANE = "training"
VERBS = ("check", "curate", "plan", "fit", "train", "evaluate", "pretrain", "compare")
OURS = ("--workspace", "-w", "--json", "--devices")
"""Options that are not the asker's to choose."""

LOOK = 0.5
"""Seconds between two looks whether it was cancelled."""

GRACE = 20.0
"""Seconds that a training has to save where it is."""

TELL = 5.0
"""Seconds between two notes of progress."""


def run(service: Service, job: Job, context: Context) -> None:
    """Run `diascope VERB …` of the payload (`verb`, `arguments`), and keep what it printed.

    Raises:
        BadUsage: When the verb or an option is none of those that may be asked for.
        DataRefused: When the data was refused, or it was used wrongly.
        DiascopeError: When it failed otherwise.
        Stopped: When it was cancelled.
    """
    command = _command(service, job)
    with tempfile.TemporaryFile() as out:
        with _child(command, out, service.settings.threads_for_training, service.workspace.root) as process:
            news = News(process.stderr)
            _wait(process, news, context)
        out.seek(0)
        said = _document(out.read())
    if process.returncode:
        error = said.get("error", {})
        kind = DataRefused if process.returncode in (2, 3) else DiascopeError
        raise kind(error.get("wrong") or f"it ended with code {process.returncode}", todo=error.get("todo", ""))
    context.done(job, {"said": {name: value for name, value in said.items() if not isinstance(value, dict)}})


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


def _command(service: Service, job: Job) -> list[str]:
    verb, arguments = job.payload.get("verb"), job.payload.get("arguments", [])
    if verb not in VERBS:
        raise BadUsage("no such verb can be run as a job", given=verb, todo=f"Choose of {', '.join(VERBS)}")
    for one in arguments:
        if not isinstance(one, str) or one.split("=")[0] in OURS or one.startswith("-w"):
            raise BadUsage("this option can't be given here", given=one)
    where = ["--workspace", str(service.workspace.root), "--json"]
    return [sys.executable, "-P", "-m", "diascope", verb, *where, *arguments]


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
