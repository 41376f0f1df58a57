"""Reading labelled cases: each with what the network said and the row that is kept for scoring; deciding them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.core import registry
from diascope.core.case import Case
from diascope.core.plan import Plan
from diascope.engine.batch import Example, Output, Row
from diascope.engine.preparing import prepared, truth_of
from diascope.engine.reading import Reader

Decision = dict[str, Any]


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
    size = 1 if reader.windowed else plan["read_batch"]
    for start in range(0, len(cases), size):
        some = [prepared(case, root, plan) for case in cases[start : start + size]]
        outputs = reader.read_all([example for example, _ in some])
        for (example, masks), output in zip(some, outputs, strict=True):
            yield Observed(example, output, task.observe(output, example, truth_of(example, masks, plan), plan))
        if each is not None:
            each(min(start + size, len(cases)), len(cases))


def cross_decided(folds: Sequence[Sequence[Row]], plan: Plan) -> tuple[list[list[Row]], tuple[Decision, ...]]:
    """Out-of-fold rows, decided by what the rows of the other folds say.

    No case is decided by calibration or a threshold that its own truth took part in. Each of these decisions rests on
    nearly all of the cases that the released one is fitted on, hence is close to it.

    Args:
        folds: Rows of each fold, read by the network that had not seen it.
        plan: Of the task.

    Returns:
        The decided rows and the decision of each fold.
    """
    task = registry.get("tasks", plan.task)
    decisions = []
    for number in range(len(folds)):
        others = [row for other, rows in enumerate(folds) if other != number for row in rows]
        decisions.append(task.fit_decision(others, plan))
    decided = [
        [task.decide(row, decision, plan) for row in rows] for rows, decision in zip(folds, decisions, strict=True)
    ]
    return decided, tuple(decisions)


def is_fitted(decision: Mapping[str, Any]) -> bool:
    """Whether anything in a decision depends on cases; a rule in words alone does not."""
    return bool(set(decision) - {"rule"})


def fitted_on(cases: Sequence[Case], networks: int, tested: bool) -> dict[str, str]:
    """On whose readings a decision was fitted, in words by language.

    Args:
        cases: That it was fitted on.
        networks: How many networks took turns (folds); 0 where all cases were read as `predict` reads.
        tested: Whether a test part outside of the folds was measured.
    """
    patients, number = len({case.patient for case in cases}), len(cases)
    if not networks:
        return {
            "en": f"{number} validation cases of {patients} patients, read as predict reads",
            "zh-CN": f"{patients} 位患者的 {number} 个验证病例，读取方式与 predict 相同",
        }
    where = ("predict, and the test part,", "predict 以及测试部分") if tested else ("predict", "predict")
    return {
        "en": f"{number} training cases of {patients} patients, each read by the one of {networks} networks that had "
        f"not seen that patient. {where[0]} use{'' if tested else 's'} the mean of all {networks} networks, which no "
        "case here could be read by: its probabilities may be a little more timid than these",
        "zh-CN": f"{patients} 位患者的 {number} 个训练病例，每例由 {networks} 个网络中未见过该患者的一个读取。"
        f"{where[1]}使用全部 {networks} 个网络的平均，此处没有病例能由它读取：其概率可能比这些略为保守",
    }
