"""Pace: keeps a run within its time by changing the number of steps, in the open."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

OVERRUN = 1.10
"""A run that would take this much longer than promised is shortened."""
UNDERRUN = 0.92
"""A run whose steps became faster, by compilation or because what slowed them has ended, and that would end this much
earlier, is lengthened."""
SPOILED = 0.6
"""Of the time that the plan's probe measured for a step: a run with steps as short as this is lengthened beyond the
plan, as something else must have kept the machine busy then."""
FILLED = 0.95
"""Of the time left: what a lengthened run may fill. Validation and checkpoints are not in the steps that were timed."""
AHEAD = 0.6
"""Share of the steps after which a run is not lengthened any more: the learning rate has fallen by then."""
FIRST_LOOK = 40
WARM_STEPS = 8
"""Steps left out of the measurement: caches and compilation."""


@dataclass
class Pace:
    """Watches the clock of one run.

    Args:
        seconds: What the loop may take, validation included; None: never changes anything.
        cap: Most steps that make sense.
        used: Seconds that the run took before it was stopped and resumed.
        planned: Steps of the plan: a run that was shortened below may come back to them.
        step_planned: Seconds that the probe measured for a step; 0 where it did not.
    """

    seconds: float | None
    cap: int = 10**9
    used: float = 0.0
    planned: int = 0
    step_planned: float = 0.0
    _began: float = field(default_factory=lambda: time.monotonic())
    _marks: list[tuple[int, float]] = field(default_factory=list)
    _faster: bool = False

    def elapsed(self) -> float:
        """Seconds that the run has taken so far, without steps that a kill undid."""
        return self.used + time.monotonic() - self._began

    def forget(self) -> None:
        """From here on the steps take another time than was planned with; they are measured anew."""
        self._faster = True
        self._marks.clear()

    def propose(self, step: int, total: int) -> tuple[int, str] | None:
        """A new total of steps with its reason, or None to go on as planned."""
        if self.seconds is None or step >= total:
            return None
        now = time.monotonic()
        self._marks.append((step, now))
        done = len(self._marks)
        look = min(FIRST_LOOK, max(WARM_STEPS + 4, total // 10))
        if done < look or (done != look and done % max(1, total // 20)):
            return None
        each = self._each(look)
        expected = self.elapsed() + each * (total - step)
        fits = step + max(1, int((self.seconds - self.elapsed()) / each))
        if expected > OVERRUN * self.seconds and fits < total:
            return max(step + 1, fits), f"{each * 1000:.0f} ms a step is slower than planned"
        return self._longer(step, total, each)

    def _each(self, look: int) -> float:
        """Seconds of a step: the mean of the later half of those that were timed, or of `look` where that is more.

        What slowed the first steps may have ended, and one look alone would lengthen what the next one shortens.
        """
        last = len(self._marks) - 1
        (old_step, old), (step, now) = self._marks[max(WARM_STEPS, last - max(look, last // 2))], self._marks[last]
        return (now - old) / (step - old_step)

    def _longer(self, step: int, total: int, each: float) -> tuple[int, str] | None:
        """A larger total where the steps were fast enough for it.

        The same plan gives the same bytes twice: only what was not known when it was made may lengthen a run, or what
        was taken from it while something else slowed it down.
        """
        unforeseen = self._faster or each < SPOILED * self.step_planned
        most = self.cap if unforeseen else min(self.cap, self.planned)
        if self.seconds is None or total >= most or step >= AHEAD * total:
            return None
        left = self.seconds - self.elapsed()
        more = min(step + int(FILLED * left / max(each, 1e-9)), most)
        if self.elapsed() + each * (total - step) < UNDERRUN * self.seconds and more > total:
            return more, f"{each * 1000:.0f} ms a step is faster than {'planned' if unforeseen else 'before'}"
        return None
