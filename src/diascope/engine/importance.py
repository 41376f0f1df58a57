"""Permutation importance of the columns of a table: what is lost when one says nothing any more (Breiman 2001)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core import registry
from diascope.core.case import Case
from diascope.core.figure import Bars
from diascope.core.finding import Measure
from diascope.core.plan import Plan
from diascope.engine.batch import Example, Row
from diascope.engine.building import input_specs
from diascope.engine.feeding import generator
from diascope.engine.preparing import prepared
from diascope.engine.reading import Reader
from diascope.engine.task import Statistic
from diascope.evidence.intervals import measures

SHUFFLES = 5
"""Times that a column is shuffled; the mean of them is taken."""
WORK = 3.0
"""Gflop, as models say what a row costs, that are spent on reading shuffled rows: ten seconds of following trees."""
RESAMPLES = 200
MOST_CASES = 500
SHOWN = 15
"""Columns that are drawn, the most important ones."""
NOTE = "with 95 % intervals by patient, on cases that were not trained on; the loss of"
SHUFFLING = 9
"""Key of the draws."""


@dataclass(frozen=True)
class Read:
    """Cases that were read once, to be read again with a column shuffled."""

    examples: tuple[Example, ...]
    truth: tuple[Mapping[str, Any], ...]
    patients: tuple[str, ...]


def importance(
    reader: Reader, plan: Plan, cases: Sequence[Case], root: Path, decision: Mapping[str, Any]
) -> tuple[Bars, ...]:
    """By how much the first headline metric falls when a column's values are dealt out anew among the cases.

    Two columns that say the same cover for each other: each alone then seems unimportant.

    Args:
        reader: Trained networks.
        plan: How cases are prepared.
        cases: With targets, that were not trained on.
        root: Folder that relative paths start at.
        decision: Calibration and operating point.

    Returns:
        A bar chart with 95 % intervals by patient; none where no table is read.
    """
    tables = {name: one["columns"] for name, one in plan["readings"].items() if one["kind"] == "table"}
    if not tables or not cases:
        return ()
    read = _read(cases[:: max(1, len(cases) // MOST_CASES)][:MOST_CASES], root, plan)
    shuffles = _shuffles(reader, plan, len(read.examples))
    before = _headline(reader, read, plan, decision, read.examples)
    sign = -1.0 if before.better == "lower" else 1.0
    found: dict[str, Measure] = {}
    for name, columns in tables.items():
        for place, column in enumerate(columns):
            after = [
                _headline(reader, read, plan, decision, _shuffled(read.examples, (name, place), plan.seed, number))
                for number in range(shuffles)
            ]
            # One column at a time: a statistic may hold all pairs of cases.
            lost = Statistic(column, _Loss(before, after, sign), counts=before.counts)
            found |= measures([lost], read.patients, resamples=RESAMPLES, seed=plan.seed)
    return (_bars(found, before.name),)


def _shuffles(reader: Reader, plan: Plan, cases: int) -> int:
    """As many as usual, or fewer where reading them all would take long: by what a row costs, never by the clock."""
    spec = next(iter(input_specs(plan).values()))
    row = registry.get("models", plan["model"]).cost(spec, plan["model_options"]).gflop
    columns = sum(len(one["columns"]) for one in plan["readings"].values() if one["kind"] == "table")
    return max(1, min(SHUFFLES, int(WORK / max(1e-12, row * columns * cases * len(reader.networks)))))


@dataclass(frozen=True)
class _Loss:
    """What a choice of cases loses: the metric before, minus its mean after."""

    before: Statistic
    after: Sequence[Statistic]
    sign: float

    def __call__(self, index: npt.NDArray[np.intp]) -> float:
        return self.sign * (self.before.of(index) - float(np.mean([one.of(index) for one in self.after])))


def _read(cases: Sequence[Case], root: Path, plan: Plan) -> Read:
    task = registry.get("tasks", plan.task)
    some = [prepared(case, root, plan) for case in cases]
    truth = tuple(task.encode(example.case, masks, plan.target) for example, masks in some)
    return Read(tuple(example for example, _ in some), truth, tuple(case.patient for case in cases))


def _headline(
    reader: Reader, read: Read, plan: Plan, decision: Mapping[str, Any], examples: Sequence[Example]
) -> Statistic:
    task = registry.get("tasks", plan.task)
    rows: list[Row] = [
        task.decide(task.observe(output, example, truth, plan), decision, plan)
        for output, example, truth in zip(reader.read_all(examples), examples, read.truth, strict=True)
    ]
    scores = task.score(rows, plan)
    found: Statistic = next(one for one in scores.statistics if one.name == scores.headline[0])
    return found


def _shuffled(examples: Sequence[Example], where: tuple[str, int], seed: int, number: int) -> list[Example]:
    name, place = where
    order = generator(seed, SHUFFLING, place, number).permutation(len(examples))
    values = [example.inputs[name][place] for example in examples]
    found = []
    for example, other in zip(examples, order, strict=True):
        row = example.inputs[name].copy()
        row[place] = values[other]
        found.append(replace(example, inputs={**example.inputs, name: row}))
    return found


def _bars(found: Mapping[str, Measure], metric: str) -> Bars:
    ranked = sorted(found, key=lambda column: -(found[column].value or 0.0))[:SHOWN]
    rest = len(found) - len(ranked)
    more = f" ({rest} columns that matter less are not shown)" if rest else ""
    return Bars(
        title="What the model looked at: loss when a column is shuffled",
        names=tuple(ranked),
        values=tuple(float(found[column].value or 0.0) for column in ranked),
        low=tuple(found[column].low for column in ranked),
        high=tuple(found[column].high for column in ranked),
        unit="",
        note=f"{NOTE}{more}: {metric}",
    )
