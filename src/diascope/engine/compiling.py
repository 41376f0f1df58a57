"""torch.compile on trial: first steps without it, the next with it; it stays only where it is faster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from torch import nn

EAGER = range(8, 20)
"""Steps that are timed without compilation; those before fill caches."""
COMPILED = range(24, 40)
"""Steps that are timed with it; those between compile."""
GAIN = 0.97
"""Share of the eager time below which compiled steps are worth their warm-up."""


@dataclass
class Trial:
    """Decides within the first 40 steps of a run.

    Args:
        wanted: Whether the plan asks for torch.compile.
        verdict: What was decided before (from a checkpoint, or the log beyond it).
    """

    wanted: bool
    verdict: bool | None = None
    _took: dict[int, float] = field(default_factory=dict)

    @property
    def undecided(self) -> bool:
        """Whether the verdict is still to come: what is computed now cannot be computed again in the same way."""
        return self.wanted and self.verdict is None

    def switch(self, step: int) -> None:
        """Choose how this step is computed; the same step of a resumed run is computed in the same way."""
        if self.wanted:
            on = step >= EAGER.stop and (step < COMPILED.stop or self.verdict is not False)
            torch.compiler.set_stance("default" if on else "force_eager")

    def seen(self, step: int, seconds: float) -> Mapping[str, Any] | None:
        """Remember what a step took; after the last of the trial, what it showed.

        Returns:
            `faster` and the two medians in ms, for the log; None at every other step. What was decided before holds.
        """
        if not self.wanted or step >= COMPILED.stop:
            return None
        self._took[step] = seconds
        if step != COMPILED.stop - 1:
            return None
        eager, compiled = self._median(EAGER), self._median(COMPILED)
        if self.verdict is None:
            # A run that was resumed in the middle has nothing to compare with, and keeps to the plan.
            self.verdict = eager is None or compiled is None or compiled < GAIN * eager
        return {"faster": self.verdict, "eager_ms": _ms(eager), "compiled_ms": _ms(compiled)}

    def _median(self, steps: Sequence[int]) -> float | None:
        took = [self._took[step] for step in steps if step in self._took]
        return median(took) if took else None


def words(facts: Mapping[str, Any]) -> str:
    """What a trial showed, for people."""
    kept = "kept" if facts["faster"] else "dropped"
    return f"torch.compile is {kept}: a step takes {facts['compiled_ms']} ms with it, {facts['eager_ms']} ms without"


@contextmanager
def own_stance() -> Iterator[None]:
    """Whatever is switched inside ends with it: the stance belongs to the whole process."""
    try:
        yield
    finally:
        torch.compiler.set_stance("default")


def compile_encoders(network: nn.Module) -> None:
    """Compile every encoder in place (`torch.compile`) when it is first called; state names stay as they are."""
    for module in network.modules():
        if getattr(module, "gives", None) is not None:
            module.compile()


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)
