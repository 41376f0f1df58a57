"""What is scored where there are folds: who reads which case, and by what it is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.case import Case, Dataset, Label, Target
from diascope.core.evaluation import Evaluation
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Example, Output
from diascope.engine.scoring import Observed
from diascope.engine.task import Audit, Scores, Statistic
from diascope.stages.evaluate import Watch, _audited, _scored
from diascope.testing import a_case

TARGET = Target(
    name="label",
    kind="category",
    columns=("label",),
    labels=(Label(name="a", value=0), Label(name="b", value=1)),
    positive="b",
)
RULE = Choice(value={"name": "youden"}, kind="rule", reason="")
WEIGHTS = Choice(value=[1.0, 1.0], kind="rule", reason="")
LOSS = Choice(value="cross_entropy", kind="rule", reason="")
NETWORKS = ["first", "second", "third"]


@dataclass
class Heard:
    """Stands for `Watch`: notes who read what, and answers with noise about the truth."""

    dataset: Dataset
    plan: Plan = field(
        default_factory=lambda: Plan(
            dataset="d",
            task="classification",
            target=TARGET,
            seed=0,
            choices={"operating_point": RULE, "class_weights": WEIGHTS, "loss": LOSS},
        )
    )
    read_by: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def tell(self, facts: object) -> None:
        """Nobody listens."""

    def reader(self, networks: Sequence[str]) -> str:
        return f"reader of {' and '.join(networks)}"

    def read(self, networks: Sequence[str], cases: Sequence[Case], name: str, gated: bool = True) -> list[Observed]:
        self.read_by.append((list(networks), [case.id for case in cases]))
        rng = np.random.default_rng(len(self.read_by))
        found = []
        for case in cases:
            truth = int(case.targets["label"] == "b")
            row = {"case": case.id, "patient": case.patient, "class": truth}
            row["logits"] = [0.0, float(2 * truth - 1 + rng.normal())]
            found.append(Observed(Example(case, {}, {}), Output(np.zeros(2, np.float32)), row))
        return found


def a_dataset(tested: int = 0) -> Dataset:
    """30 patients in three folds, and perhaps some outside."""
    inside = [a_case(number, split="train") for number in range(30)]
    outside = [a_case(30 + number, split="test") for number in range(tested)]
    folds = tuple(tuple(case.patient for case in inside[fold::3]) for fold in range(3))
    return Dataset(name="d", source="s", root="/", task="classification", target=TARGET,
                   cases=(*inside, *outside), folds=folds)  # fmt: skip


def scored(watch: Heard) -> Any:
    return _scored(cast(Watch, watch), NETWORKS)


def test_every_case_is_read_once_by_the_network_that_had_not_seen_it() -> None:
    watch = Heard(a_dataset())
    made = scored(watch)
    assert [networks for networks, _ in watch.read_by] == [["first"], ["second"], ["third"]]
    for fold, (_, read) in enumerate(watch.read_by):
        assert {case.patient for case in watch.dataset.cases if case.id in read} == set(watch.dataset.folds[fold])
    assert [case.id for case in made.cases] == [row["case"] for row in made.rows]


def test_figures_rest_on_the_decisions_of_the_folds_and_pictures_on_the_same() -> None:
    watch = Heard(a_dataset())
    made = scored(watch)
    assert len(made.by_fold) == 3
    assert all(decision != made.decision for decision in made.by_fold)
    assert "30 training cases of 30 patients" in made.decision["fitted_on"]["en"]
    for fold, decision in enumerate(made.by_fold):
        for case in watch.dataset.cases[fold::3]:
            assert made.by_case[case.id] == (f"reader of {NETWORKS[fold]}", decision)


def test_a_test_part_outside_of_the_folds_is_read_by_all_and_decided_as_predict_does() -> None:
    watch = Heard(a_dataset(tested=8))
    made = scored(watch)
    assert watch.read_by[-1] == (NETWORKS, [f"case{number}" for number in range(30, 38)])
    assert len(made.rows) == len(made.cases) == 8
    assert made.by_fold == ()
    assert made.by_case == {}
    assert "30 training cases" in made.decision["fitted_on"]["en"]
    assert "the test part" in made.decision["fitted_on"]["en"]


class Auditing:
    """A task that blocks whatever it sees, and says what that was."""

    def decide(self, row: Any, decision: Any, plan: Plan) -> Any:
        return row

    def score(self, rows: Sequence[Any], plan: Plan) -> Scores:
        def audit(training: Sequence[Any]) -> Audit:
            said = tuple(",".join(row["case"] for row in some) for some in (rows, training))
            return Audit((Statistic("seen", len),), ("seen",), blocks=said)

        return Scores((), (), np.zeros(len(rows)), audit=audit)


@pytest.mark.parametrize("tested", [0, 8])
def test_an_audit_sees_the_first_network_beside_what_it_was_trained_on(
    tested: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Heard(a_dataset(tested))
    made = scored(watch)
    monkeypatch.setattr(registry, "get", lambda family, name: Auditing())
    plain = Evaluation(
        dataset="d", part="test", task="t", release="r", cases=1, patients=1, metrics={}, headline=(), decision={}
    )
    found = _audited(cast(Watch, watch), plain, made, NETWORKS)
    held = range(30, 38) if tested else range(0, 30, 3)
    assert found.blocks[0] == ",".join(f"case{number}" for number in held)
    assert found.blocks[1] == ",".join(f"case{number}" for number in range(2, 30, 3))  # neither tested nor watched
    assert watch.read_by[-1][0] == ["first"]
    assert found.metrics["seen"].value == len(held)
    assert found.headline == ("seen",)


def test_a_network_that_was_made_elsewhere_reads_every_fold_and_is_recalibrated_by_the_others() -> None:
    watch = Heard(a_dataset())
    watch.plan = watch.plan.with_choice("origin", {"name": "theirs"}, "by hand", "made elsewhere")
    found = _scored(cast(Watch, watch), ["theirs"])
    assert [networks for networks, _ in watch.read_by] == [["theirs"]] * 3
    assert sorted(case for _, cases in watch.read_by for case in cases) == sorted(case.id for case in found.cases)
    assert len(found.by_fold) == 3
    assert "learnt nothing here" in found.decision["fitted_on"]["en"]
    assert {reader for reader, _ in found.by_case.values()} == {"reader of theirs"}
