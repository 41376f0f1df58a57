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
class Asked:
    """Cases that were not trained on, and who reads and decides them: of folds, each has its own."""

    reader: Reader
    cases: Sequence[Case]
    decision: Mapping[str, Any]


@dataclass(frozen=True)
class Read:
    """Cases of one reader, prepared once, to be read again with a column shuffled."""

    asked: Asked
    examples: tuple[Example, ...]
    truth: tuple[Mapping[str, Any], ...]


def importance(parts: Sequence[Asked], plan: Plan, root: Path) -> tuple[Bars, ...]:
    """By how much the first headline metric falls when a column's values are dealt out anew among the cases.

    Two columns that say the same cover for each other: each alone then seems unimportant.

    Args:
        parts: Cases with targets; values are dealt out within a part, and all parts are scored together.
        plan: How cases are prepared.
        root: Folder that relative paths start at.

    Returns:
        A bar chart with 95 % intervals by patient; none where no table is read.
    """
    tables = {name: one["columns"] for name, one in plan["readings"].items() if one["kind"] == "table"}
    if not tables or not any(part.cases for part in parts):
        return ()
    every = max(1, sum(len(part.cases) for part in parts) // MOST_CASES)
    some = [_read(replace(part, cases=part.cases[::every]), root, plan) for part in parts]
    patients = [case.patient for read in some for case in read.asked.cases]
    shuffles = _shuffles(some, plan)
    before = _headline(some, plan, [read.examples for read in some])
    sign = -1.0 if before.better == "lower" else 1.0
    found: dict[str, Measure] = {}
    for name, columns in tables.items():
        for place, column in enumerate(columns):
            after = [_headline(some, plan, _dealt(some, (name, place), plan.seed, n)) for n in range(shuffles)]
            # One column at a time: a statistic may hold all pairs of cases.
            lost = Statistic(column, _Loss(before, after, sign), counts=before.counts)
            found |= measures([lost], patients, resamples=RESAMPLES, seed=plan.seed)
    return (_bars(found, before.name),)


def _shuffles(some: Sequence[Read], plan: Plan) -> int:
    """As many as usual, or fewer where reading them all would take long: by what a row costs, never by the clock."""
    spec = next(iter(input_specs(plan).values()))
    row = registry.get("models", plan["model"]).cost(spec, plan["model_options"]).gflop
    columns = sum(len(one["columns"]) for one in plan["readings"].values() if one["kind"] == "table")
    rows = sum(len(read.examples) * len(read.asked.reader.networks) for read in some)
    return max(1, min(SHUFFLES, int(WORK / max(1e-12, row * columns * rows))))


@dataclass(frozen=True)
class _Loss:
    """What a choice of cases loses: the metric before, minus its mean after."""

    before: Statistic
    after: Sequence[Statistic]
    sign: float

    def __call__(self, index: npt.NDArray[np.intp]) -> float:
        return self.sign * (self.before.of(index) - float(np.mean([one.of(index) for one in self.after])))


def _read(asked: Asked, root: Path, plan: Plan) -> Read:
    task = registry.get("tasks", plan.task)
    some = [prepared(case, root, plan) for case in asked.cases]
    truth = tuple(task.encode(example.case, masks, plan.target) for example, masks in some)
    return Read(asked, tuple(example for example, _ in some), truth)


def _headline(some: Sequence[Read], plan: Plan, examples: Sequence[Sequence[Example]]) -> Statistic:
    task = registry.get("tasks", plan.task)
    rows: list[Row] = [
        task.decide(task.observe(output, example, truth, plan), read.asked.decision, plan)
        for read, shown in zip(some, examples, strict=True)
        for output, example, truth in zip(
            read.asked.reader.read_all(shown, under=False), shown, read.truth, strict=True
        )
    ]
    scores = task.score(rows, plan)
    found: Statistic = next(one for one in scores.statistics if one.name == scores.headline[0])
    return found


def _dealt(some: Sequence[Read], where: tuple[str, int], seed: int, number: int) -> list[list[Example]]:
    """The examples of each part with one column dealt out anew among them."""
    name, place = where
    parts = []
    for part, read in enumerate(some):
        order = generator(seed, SHUFFLING, place, number, part).permutation(len(read.examples))
        values = [example.inputs[name][place] for example in read.examples]
        found = []
        for example, other in zip(read.examples, order, strict=True):
            row = example.inputs[name].copy()
            row[place] = values[other]
            found.append(replace(example, inputs={**example.inputs, name: row}))
        parts.append(found)
    return parts


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
