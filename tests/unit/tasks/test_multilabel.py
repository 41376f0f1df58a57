"""Several labels: what counts in loss and figures, each label's own decision, and when nothing is said of one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from diascope.core.case import Case, Label, Target
from diascope.core.errors import BadUsage
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.building import build_network
from diascope.evidence.comparison import compare
from diascope.evidence.intervals import measures
from diascope.tasks.multilabel import TASK
from diascope.testing import a_case

NAMES = ("effusion", "mass", "hernia")
PLENTY = {"effusion": [60, 40, 0], "mass": [30, 70, 5], "hernia": [20, 80, 0]}
nan = float("nan")


def a_target(names: tuple[str, ...] = NAMES) -> Target:
    labels = tuple(Label(name=name, value=place) for place, name in enumerate(names))
    return Target(name="findings", kind="labels", columns=names, labels=labels)


def a_plan(**changes: Any) -> Plan:
    plain: dict[str, Any] = {
        "model": "resnet",
        "model_options": {"depth": [1] * 4, "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1]] * 5 + [[1, 2, 2]]},
        "image_inputs": ["image"],
        "readings": {},
        "channels": {"image": 1},
        "intensity": {"image": {"rule": "grey"}},
        "patch": [1, 8, 8],
        "spacing": [1.0, 1.0, 1.0],
        "dropout": 0.1,
        "loss": "binary_cross_entropy",
        "positive_weights": [1.0, 1.5, 2.0],
        "label_smoothing": 0.0,
        "label_counts": PLENTY,
        "uncertain": "ignore",
        "fewest_cases": 10,
        "mixup": 0.0,
        "operating_point": {"name": "youden"},
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in {**plain, **changes}.items()}
    return Plan(dataset="d", task="multilabel", target=a_target(), seed=0, choices=choices)


def labelled(number: int, *said: object) -> Case:
    return a_case(number, targets=dict(zip(NAMES, said, strict=True)))


def rows(plan: Plan, count: int = 120, scale: float = 4.0, seed: int = 3) -> list[Row]:
    """Rows whose logits know something; a tenth of the labels is not said, a tenth of those of `mass` is uncertain."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        truth = (rng.random(3) < (0.5, 0.3, 0.2)).astype(float)
        logits = scale * (truth - 0.5 + rng.normal(0, 0.6, 3))
        codes = np.where(rng.random(3) < 0.1, nan, truth).astype(np.float32)
        codes[1] = -1 if rng.random() < 0.1 else codes[1]
        example = Example(a_case(number, patient=f"p{number // 2}"), {}, {})
        found.append(TASK.observe(Output(logits.astype(np.float32)), example, {"labels": codes}, plan))
    return found


def decided(plan: Plan, **how: Any) -> tuple[list[Row], dict[str, Any]]:
    seen = rows(plan, **how)
    decision = TASK.fit_decision(seen, plan)
    return [TASK.decide(row, decision, plan) for row in seen], decision


def values(plan: Plan, seen: list[Row]) -> dict[str, float]:
    return {one.name: one.of(np.arange(len(seen))) for one in TASK.score(seen, plan).statistics}


def test_a_case_is_encoded_by_what_its_columns_say() -> None:
    found = TASK.encode(labelled(0, 1, "uncertain", None), {}, a_target())["labels"]
    np.testing.assert_array_equal(found, np.array([1, -1, nan], np.float32))
    assert TASK.encode(labelled(0, 0, True, "perhaps"), {}, a_target())["labels"].tolist()[:2] == [0.0, 1.0]


def test_it_claims_several_columns_of_presence_and_nothing_else() -> None:
    category = Target(name="label", kind="category", columns=("label",))
    assert TASK.claim([category, a_target(), a_target(("mass",))]) == (a_target(),)


def test_a_case_is_of_every_stratum_whose_label_it_has() -> None:
    assert TASK.stratum(labelled(0, 1, "uncertain", 1), a_target()) == ("with effusion", "with hernia")
    assert TASK.stratum(labelled(0, 0, None, 0), a_target()) == ("without a label",)


def test_labels_that_nothing_can_be_learnt_of_refuse_and_odd_values_are_said() -> None:
    few = [labelled(number, number % 2, 1, None) for number in range(18)]
    (problem,) = TASK.problems(few, a_target())
    assert (problem.severity, problem.check) == ("refuse", "target")
    enough = [labelled(number, number % 2, 1, None) for number in range(20)]
    assert TASK.problems(enough, a_target()) == []
    (odd,) = TASK.problems([*enough, labelled(20, 1, "perhaps", 0)], a_target())
    assert (odd.severity, odd.cases, odd.exclude) == ("warn", ("case20",), ())


def test_what_is_rare_weighs_more_but_does_not_rule() -> None:
    counts = {"effusion": (50, 50, 0), "mass": (10, 90, 0), "hernia": (1, 5000, 0)}
    facts = Fingerprint.model_construct(inputs={}, strata={"with mass": 40}, label_counts=counts)
    assert TASK.choices(facts, a_target())["positive_weights"].value == [1.0, 3.0, 10.0]


@pytest.mark.parametrize("mixup", [0.0, 0.2])
def test_the_loss_falls_and_what_is_not_known_does_not_count(mixup: float) -> None:
    plan = a_plan(mixup=mixup)
    torch.manual_seed(0)
    network = build_network(plan).train()
    (phase,) = TASK.phases(plan)
    images = torch.randn((8, 1, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    codes = torch.full((8, 3), nan)
    codes[:, 0] = torch.arange(8) % 2
    codes[0, 2] = -1
    images[codes[:, 0] == 1, :, :, :4] += 2
    optimiser = torch.optim.AdamW(phase.parameters(network), lr=3e-3)
    losses = []
    for step in range(50):
        optimiser.zero_grad()
        loss = phase.loss(network, Batch({"image": images}, {"labels": codes}, (), step))
        loss.backward()
        if not mixup:
            assert not network.head.weight.grad[1:].any()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


class Says(torch.nn.Module):
    """A network that says the same of every case."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor([logits]))

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.logits.expand(len(inputs["image"]), -1)


@pytest.mark.parametrize(("uncertain", "pulled"), [("ignore", 0), ("positive", -1), ("negative", 1)])
def test_an_uncertain_label_counts_as_the_plan_says(uncertain: str, pulled: int) -> None:
    plan = a_plan(uncertain=uncertain)
    network = Says([0.0, 0.0, 0.0])
    batch = Batch({"image": torch.zeros(1, 1, 1, 8, 8)}, {"labels": torch.tensor([[1.0, -1.0, nan]])}, (), 0)
    TASK.phases(plan)[0].loss(network, batch).backward()
    assert torch.sign(network.logits.grad).tolist() == [[-1, pulled, 0]]
    seen = values(plan, decided(plan)[0])
    assert seen["auroc/mass"] > 0.5
    assert TASK.figures(*decided(plan)[:1], plan, decided(plan)[1])[-1].rows[1][3] > 0


def test_another_word_for_uncertain_is_refused() -> None:
    with pytest.raises(BadUsage, match=r"uncertain.*maybe.*ignore, positive, negative"):
        TASK.phases(a_plan(uncertain="maybe"))


def test_each_label_is_calibrated_and_decided_by_itself() -> None:
    plan = a_plan()
    _, decision = decided(plan, count=400, scale=12.0)
    assert json.loads(json.dumps(decision)) == decision
    assert set(decision["labels"]) == set(NAMES)
    assert all(one["temperature"] > 2 for one in decision["labels"].values())
    assert len({one["point"]["threshold"] for one in decision["labels"].values()}) == 3
    # What training counted twice as much is said less often again, by log 2 of its odds.
    few = TASK.fit_decision(rows(plan, 6), plan)["labels"]["hernia"]
    assert few["offset"] == pytest.approx(-np.log(2.0))
    assert TASK.fit_decision(rows(plan, 6), a_plan(loss=None))["labels"]["hernia"]["offset"] == pytest.approx(0)


def test_what_is_not_said_changes_no_figure_of_a_label() -> None:
    plan = a_plan()
    seen, decision = decided(plan)
    known = [row for row in seen if row["labels"][0] is not None]
    assert len(known) < len(seen)
    names = [name for name in values(plan, seen) if name.endswith("/effusion")]
    assert len(names) == 6
    assert {name: values(plan, seen)[name] for name in names} == {name: values(plan, known)[name] for name in names}
    kept = TASK.fit_decision(known, plan)["labels"]["effusion"]
    assert kept == decision["labels"]["effusion"]


def test_means_are_over_labels_with_enough_patients_and_undefined_where_one_is() -> None:
    plan = a_plan()
    seen, decision = decided(plan)
    found = values(plan, seen)
    assert found["auroc"] == pytest.approx(np.mean([found[f"auroc/{name}"] for name in NAMES]))
    rare = [{**row, "labels": [*row["labels"][:2], int(number < 3)]} for number, row in enumerate(seen)]
    found = values(plan, rare)
    assert found["auroc"] == pytest.approx(np.mean([found["auroc/effusion"], found["auroc/mass"]]))
    table = TASK.figures(rare, plan, decision)[-1]
    assert "too few to measure" in table.rows[2][-1]
    assert "2 of 3 labels" in table.note
    few = [{**row, "labels": [None, None, int(number < 3)]} for number, row in enumerate(seen)]
    found = values(plan, few)
    assert found["auroc"] == found["auroc/hernia"]
    assert not np.isnan(found["auroc"])
    auroc = next(one for one in TASK.score(rare, plan).statistics if one.name == "auroc")
    alone = np.flatnonzero([row["labels"][1] == 0 for row in rare])
    assert np.isnan(auroc.of(alone))


def test_intervals_know_patients_and_too_few_is_said() -> None:
    plan = a_plan()
    seen, _ = decided(plan)
    patients = [row["patient"] for row in seen]
    rare = [{**row, "labels": [*row["labels"][:2], int(number < 6)]} for number, row in enumerate(seen)]
    found = measures(TASK.score(rare, plan).statistics, patients, resamples=60)
    for name in ("auroc", "auroc/mass", "average_precision/mass", "sensitivity/mass", "ece/effusion"):
        assert found[name].low <= found[name].value < found[name].high, name
    assert found["auroc/hernia"].note == "too few: 3 patients in class hernia"
    assert found["auroc/hernia"].low is None


def test_two_models_are_compared_by_delong_where_every_case_is_known() -> None:
    plan = a_plan()
    one, other = (
        [{**row, "labels": [int(value == 1) for value in row["labels"][:1]] + row["labels"][1:]} for row in seen]
        for seen in (decided(plan)[0], decided(plan, scale=0.5)[0])
    )
    patients = [row["patient"] for row in one]
    found = compare(*(TASK.score(seen, plan).statistics for seen in (one, other)), patients, resamples=60)
    assert found["auroc/effusion"].method == "paired clustered DeLong"
    assert found["auroc/mass"].method == "paired cluster bootstrap"
    assert found["auroc"].difference.value == pytest.approx(0, abs=1e-9)


def test_a_label_with_too_few_training_cases_abstains_and_is_not_measured() -> None:
    plan = a_plan(label_counts={**PLENTY, "hernia": [3, 97, 0]})
    seen, decision = decided(plan)
    output = Output(np.array([2.0, -2.0, 5.0], np.float32))
    findings = TASK.decode(output, Example(a_case(), {}, {}), decision, plan).findings
    assert [one.status for one in findings] == ["present", "absent", "abstained"]
    assert findings[2].reason == "not available, because training had 3 cases with it, and 10 are needed"
    assert not findings[2].measures
    found = values(plan, seen)
    assert "auroc/hernia" not in found
    assert found["auroc"] == pytest.approx(np.mean([found["auroc/effusion"], found["auroc/mass"]]))
    assert "nothing is said of it: training had 3 cases" in TASK.figures(seen, plan, decision)[-1].rows[2][-1]
    assert (
        TASK.decode(output, Example(a_case(), {}, {}), decision, a_plan(fewest_cases=3)).findings[2].status == "present"
    )
    # Uncertain cases that count as present are cases to learn from.
    some = a_plan(label_counts={**PLENTY, "hernia": [3, 97, 8]}, uncertain="positive")
    assert TASK.decode(output, Example(a_case(), {}, {}), decision, some).findings[2].status == "present"


def test_findings_say_probability_rule_and_operating_point() -> None:
    plan = a_plan()
    _, decision = decided(plan)
    findings = TASK.decode(Output(np.array([3.0, -3.0, 0.0])), Example(a_case(), {}, {}), decision, plan).findings
    assert [one.concept for one in findings] == list(NAMES)
    for one in findings:
        threshold = one.operating_point
        assert threshold.of == one.concept
        assert (one.measures["probability"].value >= threshold.value) == (one.status == "present")
        assert "Youden" in one.rule


def test_figures_count_cases_with_each_label_and_what_is_said_of_them() -> None:
    plan = a_plan()
    seen, decision = decided(plan)
    *curves, matrix, table = TASK.figures(seen, plan, decision)
    assert [one.title for one in curves] == ["ROC curve", "Precision and recall", "Reliability"]
    present = [sum(row["labels"][label] == 1 for row in seen) for label in range(3)]
    assert list(matrix.sizes[:3]) == present
    for label in range(3):
        hits = sum(row["labels"][label] == 1 and row["call"][label] == 1 for row in seen)
        assert matrix.counts[label][label] == hits
    assert [row[1] for row in table.rows] == present
    assert all(sum(row[1:5]) == len(seen) for row in table.rows)


def test_the_case_with_the_worst_error_comes_first() -> None:
    plan = a_plan()
    seen, _ = decided(plan)
    seen[7] = {**seen[7], "labels": [1, 0, 0], "probability": [0.9, 0.01, 0.999]}
    seen[9] = {**seen[9], "labels": [None, "uncertain", None]}
    scores = TASK.score(seen, plan).per_case
    assert int(np.nanargmin(scores)) == 7
    assert np.isnan(scores[9])


def test_no_case_and_one_case_are_fine() -> None:
    plan = a_plan()
    for count in (0, 1):
        seen, decision = decided(plan, count=count)
        assert all(np.isnan(value) or 0 <= value <= 1 for value in values(plan, seen).values())
        assert TASK.figures(seen, plan, decision)
