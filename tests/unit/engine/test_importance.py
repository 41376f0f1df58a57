"""Importance of columns: what matters falls, what does not stays, and folds are scored together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.core.case import Case, Label, TableRef, Target
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Example, Output
from diascope.engine.importance import SHUFFLES, Asked, Read, _shuffles, importance

LABELS = (Label(name="a", value=0), Label(name="b", value=1))
TARGET = Target(name="y", kind="category", columns=("y",), labels=LABELS, positive="b")
DECISION = {"temperature": 1.0, "point": {"threshold": 0.5}}


def a_plan() -> Plan:
    fields: dict[str, Any] = {
        "image_inputs": [], "readings": {"table": {"kind": "table", "columns": ["noise", "marker"]}}, "model": "linear",
        "model_options": {}, "class_weights": [1.0, 1.0], "patch": [1, 1, 1],
    }  # fmt: skip
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in fields.items()}
    return Plan(dataset="d", task="classification", target=TARGET, seed=0, choices=choices)


class ReadsTheMarker:
    """A reader whose answer is the second column, with a sign of its own."""

    networks = ("one",)

    def __init__(self, sign: float) -> None:
        self.sign = sign

    def read_all(self, examples: Iterable[Example], under: bool = True) -> Iterator[Output]:
        for example in examples:
            yield Output(np.array([0.0, self.sign * float(example.inputs["table"][1])], np.float32))


def cases(count: int, sign: float, seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        ill = number % 2
        values = {"noise": rng.normal(), "marker": sign * (2 * ill - 1 + rng.normal())}
        name = f"{seed}-{number}"
        found.append(Case(id=name, patient=name, inputs={"table": TableRef(values=values)}, targets={"y": "ab"[ill]}))
    return found


def test_what_the_answer_rests_on_matters_and_nothing_else_does() -> None:
    (bars,) = importance([Asked(ReadsTheMarker(1.0), cases(80, 1.0, 0), DECISION)], a_plan(), Path())  # type: ignore[arg-type]
    assert bars.names == ("marker", "noise")
    assert bars.values[0] > 0.2
    assert float(bars.low[0] or 0) > 0.1
    assert bars.values[1] == 0
    assert bars.note.endswith("the loss of: auroc")


def test_folds_are_read_by_their_own_network_and_scored_together() -> None:
    parts = [Asked(ReadsTheMarker(sign), cases(15, sign, seed), DECISION) for seed, sign in enumerate((1.0, -1.0))]
    (bars,) = importance(parts, a_plan(), Path())  # type: ignore[arg-type]
    assert bars.values[0] > 0.2
    assert bars.low[0] is not None  # 30 patients together; 15 alone would have no interval


def test_where_a_row_is_dear_it_is_shuffled_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(ReadsTheMarker(1.0), cases(40, 1.0, 0), DECISION)  # type: ignore[arg-type]
    some = [Read(asked, (Example(asked.cases[0], {}, {}),) * 40, ())]
    assert _shuffles(some, a_plan()) == SHUFFLES
    monkeypatch.setattr("diascope.engine.importance.WORK", 1e-9)
    assert _shuffles(some, a_plan()) == 1


def test_without_a_table_there_is_nothing_to_shuffle() -> None:
    plan = a_plan().with_choice("readings", {}, "rule", "")
    assert importance([Asked(ReadsTheMarker(1.0), cases(4, 1.0, 0), DECISION)], plan, Path()) == ()  # type: ignore[arg-type]
