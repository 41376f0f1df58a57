"""Cases spread over child processes that may die without taking the survey with them.

Plain children (`python -m`) instead of `multiprocessing`: its spawn method runs the user's script again, and fails in
one that has no `if __name__ == "__main__"`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

from diascope.core.case import Case, Target
from diascope.core.errors import DiascopeError
from diascope.planning.surveying.facts import CaseFacts
from diascope.planning.surveying.reading import facts_of

Result = CaseFacts | str
MOST_DEATHS = 20
"""After so many killed children the survey stops: the machine is at fault, not the data."""
CHUNK = 32
"""Cases that a child is given at a time."""


def facts_in_children(
    cases: Sequence[Case], root: Path, target: Target | None, workers: int
) -> Iterator[tuple[int, Result]]:
    """Index of a case and its facts (or why it could not be read), in the order in which they are ready.

    A case whose child was killed while reading it is tried once more, alone; when that child is killed too, this is
    its reason. The others are read by a new child.

    Raises:
        DiascopeError: When children cannot be started, or too many were killed.
    """
    crew = _Crew(cases, root, target, workers)
    try:
        while crew.busy():
            crew.hand_out()
            for child in crew.ready():
                try:
                    answer = child.take()
                except (EOFError, OSError):
                    yield from crew.bury(child)
                else:
                    yield answer
    finally:
        for child in crew.children:
            child.stop()


class _Crew:
    """The children, and the cases that none of them has been given yet."""

    def __init__(self, cases: Sequence[Case], root: Path, target: Target | None, workers: int) -> None:
        self.cases, self.root, self.target, self.workers = cases, root, target, workers
        size = max(1, min(CHUNK, len(cases) // (4 * workers)))
        starts = range(0, len(cases), size)
        self.waiting = deque(list(range(start, min(start + size, len(cases)))) for start in starts)
        self.children: list[_Child] = []
        self.suspects: set[int] = set()
        self.deaths = 0

    def busy(self) -> bool:
        return bool(self.waiting) or any(child.pending for child in self.children)

    def hand_out(self) -> None:
        while self.waiting and len(self.children) < self.workers:
            self.children.append(_Child(self.root, self.target))
        for child in self.children:
            if self.waiting and not child.pending:
                child.give(self.waiting.popleft(), self.cases)

    def ready(self) -> list[_Child]:
        """Children that have answered, or died."""
        ready = wait([child.pipe for child in self.children if child.pending])
        return [child for child in self.children if child.pipe in ready]

    def bury(self, child: _Child) -> Iterator[tuple[int, Result]]:
        """Take a dead child's cases back; name the one it was reading when that has happened before."""
        self.deaths += 1
        self.children.remove(child)
        how = child.how_it_ended()
        if self.deaths > MOST_DEATHS:
            raise DiascopeError(
                f"{self.deaths} processes that read files ended early, the last one {how}",
                todo="Free some memory, or use fewer workers",
            )
        suspect = child.pending.popleft()
        if child.pending:
            self.waiting.appendleft(list(child.pending))
        if suspect in self.suspects:
            yield suspect, f"the process that read it was {how}, twice; perhaps it needs too much memory"
        else:
            self.suspects.add(suspect)
            self.waiting.appendleft([suspect])


class _Child:
    """One reading process and the indices of the cases that it still has to answer."""

    def __init__(self, root: Path, target: Target | None) -> None:
        self.pipe, theirs = Pipe()
        self.pending: deque[int] = deque()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-P", "-m", __name__, str(theirs.fileno())]
        self.process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        try:
            self.pipe.send((root, target))
            self.pipe.recv()
        except (EOFError, OSError) as error:
            self.stop()
            raise DiascopeError(
                "a process for reading files could not be started", todo="See the message above, or use --workers 1"
            ) from error

    def give(self, indices: Sequence[int], cases: Sequence[Case]) -> None:
        self.pending.extend(indices)
        try:
            self.pipe.send([cases[index] for index in indices])
        except OSError:
            return  # it died: `take` meets the end of the pipe and says so

    def take(self) -> tuple[int, Result]:
        answer = self.pipe.recv()
        if isinstance(answer, DiascopeError):
            raise answer
        return self.pending.popleft(), answer

    def how_it_ended(self) -> str:
        self.pipe.close()
        code = self.process.wait()
        return f"killed by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with code {code}"

    def stop(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.wait()


def _serve(pipe: Connection) -> None:
    """What a child does: answer case by case until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then stops its children
    try:
        root, target = pipe.recv()
        pipe.send("ready")
        while True:
            for case in pipe.recv():
                try:
                    pipe.send(facts_of(case, root, target))
                except DiascopeError as error:
                    pipe.send(DiascopeError(str(error)))
    except (EOFError, OSError):
        return  # the parent has gone


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))
