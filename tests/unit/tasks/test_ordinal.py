"""Ordered grades: which names are an order, networks that know it, the median grade."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diascope.core.case import Label, Target
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Row
from diascope.sources import Listing, Request
from diascope.stages.check import choose_target
from diascope.tasks.ordinal import TASK, OrderedNetwork


def a_target(*names: str) -> Target:
    labels = tuple(Label(name=name, value=number) for number, name in enumerate(sorted(names)))
    return Target(name="grade", kind="category", columns=("grade",), labels=labels)


@pytest.mark.parametrize(
    "names",
    [
        ("0", "1", "2"),
        ("0", "0.5", "1", "10"),
        ("T1", "T2", "T10"),
        ("grade 1", "grade 2", "grade 3"),
        ("I", "II", "III", "IV"),
        ("none", "mild", "moderate", "severe"),
        ("low", "medium", "high"),
        ("Stage IV", "Stage I", "Stage II"),
    ],
)
def test_names_that_are_an_order(names: tuple[str, ...]) -> None:
    (claimed,) = TASK.claim([a_target(*names)])
    wanted = names if names[0] != "Stage IV" else ("Stage I", "Stage II", "Stage IV")
    assert tuple(label.name for label in claimed.labels) == wanted
    assert [label.value for label in claimed.labels] == list(range(len(names)))
    assert claimed.ordered


@pytest.mark.parametrize("names", [("cat", "dog", "cow"), ("0", "1"), ("mild", "1", "2"), ("T1a", "T1b", "T2")])
def test_names_that_are_none(names: tuple[str, ...]) -> None:
    assert TASK.claim([a_target(*names)]) == ()


def test_it_is_meant_only_when_it_is_named(tmp_path: Any) -> None:
    listing = Listing(tmp_path, (), (a_target("0", "1", "2"),))
    assert choose_target(listing, Request(location="x"))[0] == "classification"
    assert choose_target(listing, Request(location="x", task="ordinal"))[1].ordered


def a_plan() -> Plan:
    (target,) = TASK.claim([a_target("0", "1", "2", "3")])
    fields = {"class_weights": [1.0] * 4, "loss": "cross_entropy", "operating_point": {"name": "median"}}
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in fields.items()}
    return Plan(dataset="d", task="ordinal", target=target, seed=0, choices=choices)


class Identity(nn.Module):
    channels = (2,)

    def forward(self, values: Tensor) -> Tensor:
        return values


def test_one_score_moves_all_grades_the_same_way() -> None:
    torch.manual_seed(0)
    network = OrderedNetwork({"table": Identity()}, 4)
    shares = network({"table": torch.randn(50, 2) * 5}).exp().detach()
    torch.testing.assert_close(shares.sum(1), torch.ones(50), atol=1e-4, rtol=0)
    above = shares.flip(1).cumsum(1).flip(1)[:, 1:]
    assert bool((above.diff(dim=1) <= 1e-6).all())
    # Who is likelier to lie above one grade is so for every grade.
    ranked = above[above[:, 0].argsort()]
    assert bool((ranked.diff(dim=0) >= -1e-6).all())
    assert float(ranked[-1, 2] - ranked[0, 2]) > 0.1


def rows(truth: np.ndarray, sure: float) -> list[Row]:
    said = np.full((len(truth), 4), np.log((1 - sure) / 3))
    said[np.arange(len(truth)), truth] = np.log(sure)
    return [
        {"case": f"c{n}", "patient": f"p{n}", "logits": list(map(float, line)), "class": int(value)}
        for n, (line, value) in enumerate(zip(said, truth, strict=True))
    ]


def test_the_call_is_the_median_grade() -> None:
    decision = {"temperature": 1.0}
    for shares, call in (([0.3, 0.3, 0.4, 0.0], 1), ([0.1, 0.1, 0.1, 0.7], 3), ([0.9, 0.1, 0.0, 0.0], 0)):
        logits = list(np.log(np.maximum(shares, 1e-9)))
        assert TASK.decide({"logits": logits, "class": 0}, decision, a_plan())["call"] == call


def test_a_near_miss_weighs_less_than_a_far_one() -> None:
    truth = np.tile([0, 1, 2, 3], 10)
    plan = a_plan()

    def kappa(shift: int) -> float:
        some = rows(truth, 0.9)
        decision = TASK.fit_decision(some, plan)
        assert "weights" not in decision
        decided = [TASK.decide(row, decision, plan) for row in some]
        wrong = [{**row, "call": min(3, row["call"] + shift) if row["class"] == 0 else row["call"]} for row in decided]
        scores = TASK.score(wrong, plan)
        assert scores.headline[0] == "quadratic_kappa"
        return next(one for one in scores.statistics if one.name == "quadratic_kappa").of(np.arange(40))

    assert kappa(0) == pytest.approx(1.0)
    assert 1 > kappa(1) > kappa(3)
