"""Which output is explained: the one that was asked for, else what is said most strongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diascope.core.case import Label, Target
from diascope.core.errors import UnknownName
from diascope.core.plan import Plan
from diascope.engine.batch import Example
from diascope.stages.explain import explain_cases, said_most
from diascope.testing import a_case
from diascope.testing.releases import a_plan

NAMES = ("mass", "nodule", "hernia")
LABELS = Target(
    name="findings",
    kind="labels",
    columns=NAMES,
    labels=tuple(Label(name=name, value=place) for place, name in enumerate(NAMES)),
)
FIELDS: dict[str, Any] = {
    "label_counts": {name: [50, 50, 0] for name in NAMES},
    "uncertain": "ignore",
    "fewest_cases": 10,
}


class Says(torch.nn.Module):
    """A network that says the same of every case."""

    output = "vector"

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor([logits])

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.logits.expand(len(inputs["image"]), -1)


def a_decision(*thresholds: float) -> dict[str, Any]:
    points = {
        name: {"offset": 0.0, "temperature": 1.0, "point": {"threshold": threshold}, "rule": {"en": ""}}
        for name, threshold in zip(NAMES, thresholds, strict=True)
    }
    return {"labels": points}


def said(plan: Plan, logits: tuple[float, ...], decision: dict[str, Any] | None) -> list[int]:
    example = Example(a_case(), {"image": np.zeros((1, 1, 4, 4), np.float32)}, {})
    return said_most(Says(*logits), [example, example], plan, decision)


def test_the_most_probable_label_of_those_that_are_called_present() -> None:
    plan = a_plan(LABELS, **FIELDS)
    assert said(plan, (0.0, 1.0, -1.0), None) == [1, 1]
    assert said(plan, (0.0, 1.0, -1.0), a_decision(0.4, 0.9, 0.4)) == [0, 0]
    assert said(plan, (0.0, 1.0, -1.0), a_decision(0.9, 0.9, 0.9)) == [1, 1]
    silent = a_plan(LABELS, **{**FIELDS, "label_counts": {**FIELDS["label_counts"], "nodule": [2, 98, 0]}})
    assert said(silent, (0.0, 1.0, -1.0), a_decision(0.9, 0.1, 0.9)) == [0, 0]


def test_a_class_is_explained_as_it_was_called() -> None:
    decision = {"temperature": 1.0, "offsets": [3.0, 0.0], "rule": {"en": ""}}
    assert said(a_plan(), (0.0, 1.0), decision) == [0, 0]
    assert said(a_plan(), (0.0, 1.0), None) == [1, 1]


def test_a_label_that_does_not_exist_is_refused_by_its_name() -> None:
    with pytest.raises(UnknownName, match=r"no label named 'mas'.*Did you mean 'mass'"):
        explain_cases(Says(0.0), a_plan(LABELS, **FIELDS), [], Path(), label="mas")
