"""What each input of several is worth: the same network with inputs left out, on the same cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from diascope.core import registry
from diascope.core.figure import Grid
from diascope.core.plan import Plan
from diascope.engine.batch import Example, Row
from diascope.engine.importance import Asked
from diascope.engine.network import PRESENT
from diascope.engine.preparing import prepared
from diascope.engine.task import Statistic
from diascope.evidence.comparison import compare
from diascope.evidence.intervals import measures

RESAMPLES = 500
MOST_CASES = 1000


def ablation(asked: Asked, plan: Plan, root: Path) -> tuple[Grid, ...]:
    """The first headline metric with all inputs, without each, and with each alone, and the paired differences.

    Nothing is trained again: training left inputs out at random, so the network knows how to do without. Only cases
    that have every input are read, so that all rows of the table speak of the same cases.

    Args:
        asked: Trained networks, cases with targets that they were not trained on, calibration and operating point.
        plan: How cases are prepared.
        root: Folder that relative paths start at.

    Returns:
        One table with 95 % intervals by patient; none where one input is read.
    """
    names = sorted([*(["image"] if plan["image_inputs"] else []), *plan["readings"]])
    if len(names) < 2:
        return ()
    cases = asked.cases
    some = [prepared(case, root, plan) for case in cases[:: max(1, len(cases) // MOST_CASES)][:MOST_CASES]]
    whole = [(example, masks) for example, masks in some if example.inputs[PRESENT].all()]
    if not whole:
        return ()
    task = registry.get("tasks", plan.task)
    truth = [task.encode(example.case, masks, plan.target) for example, masks in whole]
    patients = [example.case.patient for example, _ in whole]

    def headline(kept: Sequence[str]) -> Statistic:
        examples = [_only(example, names, kept) for example, _ in whole]
        rows: list[Row] = [
            task.decide(task.observe(output, example, true, plan), asked.decision, plan)
            for output, example, true in zip(asked.reader.read_all(examples), examples, truth, strict=True)
        ]
        scores = task.score(rows, plan)
        found: Statistic = next(one for one in scores.statistics if one.name == scores.headline[0])
        return found

    everything = headline(names)
    lines = [_line("all", everything, None, patients)]
    for words, kept in _choices(names).items():
        lines.append(_line(words, headline(kept), everything, patients))
    return (
        Grid(
            title="What each input is worth",
            columns=(
                "inputs",
                everything.name,
                "95 % interval",
                "difference to all",
                "95 % interval of the difference",
            ),
            rows=tuple(lines),
            note=f"the same network, read with inputs left out, on the {len(whole)} cases that have every input",
        ),
    )


def _choices(names: Sequence[str]) -> dict[str, list[str]]:
    """Words to the inputs that are kept: each alone, and with more than two all but one."""
    alone = {f"{name} alone": [name] for name in names}
    without = {f"without {name}": [one for one in names if one != name] for name in names} if len(names) > 2 else {}
    return {**without, **alone}


def _only(example: Example, names: Sequence[str], kept: Sequence[str]) -> Example:
    present = np.array([name in kept for name in names], np.float32)
    return replace(example, inputs={**example.inputs, PRESENT: present})


def _line(
    words: str, one: Statistic, other: Statistic | None, patients: Sequence[str]
) -> tuple[str | float | int | None, ...]:
    value = measures([one], patients, resamples=RESAMPLES)[one.name]
    interval = _interval(value.low, value.high)
    if other is None:
        return words, _rounded(value.value), interval, None, ""
    found = compare([one], [other], patients, resamples=RESAMPLES)[one.name].difference
    return words, _rounded(value.value), interval, _rounded(found.value), _interval(found.low, found.high)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _interval(low: float | None, high: float | None) -> str:
    return "too few" if low is None or high is None else f"{low:.3f} to {high:.3f}"
