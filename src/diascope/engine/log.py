"""The log of a run: `log.jsonl` is cut back on a resume, `clock.jsonl` (time, memory) is not.

`decisions.jsonl` holds what was decided by the clock (changes of the schedule, the verdict on compilation). It is never
cut, so that a decision is obeyed however often the run is killed and resumed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diascope.core.errors import DiascopeError
from diascope.core.record import canonical_json, write_durably
from diascope.engine.devices import peak_memory_gb


class RunLog:
    """Appends lines; can be cut back to a step, so that a resumed run leaves the log of an uninterrupted one.

    Args:
        folder: Of the run.
        writes: False on all ranks but the first.
    """

    def __init__(self, folder: Path, writes: bool = True) -> None:
        self.path, self.clock, self.writes = folder / "log.jsonl", folder / "clock.jsonl", writes
        self.decisions = folder / "decisions.jsonl"
        self._window: dict[str, list[float]] = {}
        self._started = time.monotonic()
        self._mark = (0, self._started)

    def truncate(self, step: int, resumed: bool = True) -> None:
        """Drop every line after `step`; a kill meanwhile leaves the old log whole. A new run has decided nothing."""
        if not self.writes:
            return
        kept = [line for line in read_log(self.path) if line["step"] <= step] if step else []
        if not resumed:
            self.decisions.unlink(missing_ok=True)
        with _room(self.path):
            write_durably(self.path, "".join(canonical_json(line) + "\n" for line in kept).encode())

    def add(self, phase: str, loss: float) -> None:
        """Remember one loss for the next line."""
        self._window.setdefault(phase, []).append(loss)

    def window(self) -> dict[str, list[float]]:
        """Losses since the last line; part of a checkpoint."""
        return {key: list(value) for key, value in self._window.items()}

    def restore(self, window: Mapping[str, list[float]]) -> None:
        """Put a checkpoint's window back."""
        self._window = {key: list(value) for key, value in window.items()}

    def flush(self, step: int, rate: float) -> dict[str, float]:
        """Write the mean losses since the last line."""
        means = {phase: sum(losses) / len(losses) for phase, losses in sorted(self._window.items()) if losses}
        self._window.clear()
        self.event(step, "loss", {**means, "learning_rate": rate})
        self._append(
            self.clock,
            {"step": step, "seconds": round(time.monotonic() - self._started, 2), "peak_gb": peak_memory_gb()},
        )
        return means

    def pace(self, step: int) -> dict[str, float]:
        """Steps a second since this was last asked, and the most memory held so far (GB): of this run only."""
        now = time.monotonic()
        (before, then), self._mark = self._mark, (step, now)
        per_second = (step - before) / (now - then) if step > before and now > then else 0.0
        return {"steps_per_second": per_second, "peak_gb": peak_memory_gb()}

    def event(self, step: int, event: str, facts: Mapping[str, Any]) -> None:
        """Write one line."""
        self._append(self.path, {"step": step, "event": event, **facts})

    def decide(self, step: int, event: str, facts: Mapping[str, Any]) -> None:
        """Write one line, and keep it durably; a run that is killed and comes here again finds it kept."""
        if self.writes and not any((one["step"], one["event"]) == (step, event) for one in read_log(self.decisions)):
            self._append(self.decisions, {"step": step, "event": event, **facts})
            _make_durable(self.decisions)
        self.event(step, event, facts)

    def decided(self, step: int) -> list[dict[str, Any]]:
        """What was decided after a step, in order."""
        return [line for line in read_log(self.decisions) if line["step"] > step]

    def sync(self) -> None:
        """Make everything written durable."""
        if self.writes and self.path.exists():
            _make_durable(self.path)

    def close(self) -> None:
        """Make everything written durable."""
        self.sync()

    def _append(self, path: Path, content: Mapping[str, Any]) -> None:
        if self.writes:
            with _room(path), path.open("a", encoding="utf-8") as stream:
                stream.write(canonical_json(content) + "\n")


def _make_durable(path: Path) -> None:
    with path.open("ab") as stream:
        os.fsync(stream.fileno())


@contextmanager
def _room(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiascopeError(
            f"cannot write the log: {error}",
            given=str(path),
            todo="Free disk space, then resume with: diascope train PLAN --resume",
        ) from error


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last line that was cut off by a crash is left out."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found
