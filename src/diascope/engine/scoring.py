"""Reading labelled cases: each with what the network said and the row that is kept for scoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.core import registry
from diascope.core.case import Case
from diascope.core.plan import Plan
from diascope.engine.batch import Example, Output, Row
from diascope.engine.preparing import prepared
from diascope.engine.reading import Reader


@dataclass(frozen=True)
class Observed:
    """One labelled case that was read."""

    example: Example
    output: Output
    row: Row


def observe(
    reader: Reader, cases: Sequence[Case], root: Path, plan: Plan, each: Callable[[int, int], None] | None = None
) -> Iterator[Observed]:
    """Read labelled cases one (or one batch) after the other; no pixels are kept.

    Args:
        reader: Trained networks.
        cases: With targets.
        root: Folder that relative paths start at.
        plan: How cases are prepared.
        each: Told how many of how many are done.
    """
    task = registry.get("tasks", plan.task)
    size = 1 if reader.output == "dense" else plan["read_batch"]
    for start in range(0, len(cases), size):
        some = [prepared(case, root, plan) for case in cases[start : start + size]]
        outputs = reader.read_all([example for example, _ in some])
        for (example, masks), output in zip(some, outputs, strict=True):
            truth: Mapping[str, Any] = task.encode(example.case, masks, plan.target)
            yield Observed(example, output, task.observe(output, example, truth, plan))
        if each is not None:
            each(min(start + size, len(cases)), len(cases))
