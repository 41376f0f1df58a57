"""Loss, calibration, decisions and findings of classification on small pictures made here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from diascope.core.case import Label, Target
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.building import build_network
from diascope.evidence.comparison import compare
from diascope.evidence.intervals import measures
from diascope.tasks.classification import TASK
from diascope.testing import a_case

NAMES = ("benign", "malignant", "normal")


def a_plan(classes: int = 2, **changes: Any) -> Plan:
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
        "loss": "cross_entropy",
        "class_weights": [1.0] * classes,
        "label_smoothing": 0.0,
        "mixup": 0.2,
        "operating_point": {"name": "youden"},
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in {**plain, **changes}.items()}
    labels = tuple(Label(name=name, value=number) for number, name in enumerate(NAMES[:classes]))
    target = Target(name="diagnosis", kind="category", columns=("diagnosis",), labels=labels, positive="malignant")
    return Plan(dataset="d", task="classification", target=target, seed=0, choices=choices)


def rows(plan: Plan, count: int = 60, scale: float = 6.0, noise: float = 2.0, only: int | None = None) -> list[Row]:
    """Rows with logits that know something, as over-confident as `scale`."""
    rng = np.random.default_rng(1)
    classes = len(plan.target.labels)
    found = []
    for number in range(count):
        truth = number % classes if only is None else only
        logits = scale * (np.eye(classes)[truth] + rng.normal(0, noise / 2, classes))
        example = Example(a_case(number), {}, {})
        found.append(TASK.observe(Output(logits.astype(np.float32)), example, {"class": np.array(truth)}, plan))
    return found


@pytest.mark.parametrize("mixup", [0.0, 0.2])
def test_the_loss_is_finite_and_falls(mixup: float) -> None:
    plan = a_plan(mixup=mixup)
    torch.manual_seed(0)
    network = build_network(plan).train()
    (phase,) = TASK.phases(plan)
    images = torch.randn((8, 1, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    truth = torch.arange(8) % 2
    images[truth == 1, :, :, :4] += 2
    optimiser = torch.optim.AdamW(phase.parameters(network), lr=3e-3)
    losses = []
    for step in range(50):
        optimiser.zero_grad()
        loss = phase.loss(network, Batch({"image": images}, {"class": truth}, (), step))
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


class Remembers(torch.nn.Module):
    """A network that keeps what it was shown."""

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        self.shown = inputs["image"]
        return torch.zeros((len(self.shown), 2), requires_grad=True)


def mixed(images: torch.Tensor, step: int, draws: int = 0) -> torch.Tensor:
    """What the network sees of some images, after `draws` other numbers were drawn in this process."""
    torch.rand(draws)
    (phase,) = TASK.phases(a_plan())
    network = Remembers().train()
    phase.loss(network, Batch({"image": images}, {"class": torch.zeros(len(images), dtype=torch.long)}, (), step))
    return network.shown


@pytest.mark.parametrize("slices", [2, 4])
def test_processes_mix_the_same_pairs_as_one(slices: int) -> None:
    images = torch.eye(8)[:, None, None, None]
    whole = mixed(images, step=3)
    parts = [mixed(part, step=3, draws=7 * number) for number, part in enumerate(images.chunk(slices))]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(whole, images)
    assert not torch.equal(mixed(images, step=4), whole)


def test_an_odd_last_picture_stays_as_it_is() -> None:
    images = torch.eye(3)[:, None, None, None]
    shown = mixed(images, step=3)
    assert torch.equal(shown[2], images[2])
    assert (shown[:2, 0, 0, 0, :2] > 0).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_blank_picture_and_a_batch_of_any_size_survive(count: int) -> None:
    network = build_network(a_plan()).train()
    (phase,) = TASK.phases(a_plan())
    target = torch.ones(count, dtype=torch.int64)
    loss = phase.loss(network, Batch({"image": torch.zeros((count, 1, 1, 8, 8))}, {"class": target}, (), 0))
    assert bool(torch.isfinite(loss))


@pytest.mark.parametrize("classes", [2, 3])
def test_calibration_brings_over_confident_probabilities_back(classes: int) -> None:
    plan = a_plan(classes)
    seen = rows(plan, 300)
    decision = TASK.fit_decision(seen, plan)
    assert decision["temperature"] > 1.5

    def brier(decided: list[Row]) -> float:
        return float(np.mean([(1 - row["probability"][row["class"]]) ** 2 for row in decided]))

    plain = [TASK.decide(row, {**decision, "temperature": 1.0}, plan) for row in seen]
    fitted = [TASK.decide(row, decision, plan) for row in seen]
    assert brier(fitted) < brier(plain)
    assert all(sum(row["probability"]) == pytest.approx(1) for row in fitted)
    assert [np.argmax(row["probability"]) for row in fitted] == [np.argmax(row["probability"]) for row in plain]


def test_the_operating_point_decides_and_not_one_half() -> None:
    plan = a_plan(operating_point={"name": "sensitivity_at_least", "value": 0.95})
    seen = rows(plan, 200)
    decision = TASK.fit_decision(seen, plan)
    decided = [TASK.decide(row, decision, plan) for row in seen]
    ill = [row for row in decided if row["class"] == 1]
    assert np.mean([row["call"] == 1 for row in ill]) >= 0.95
    threshold = decision["point"]["threshold"]
    assert all((row["call"] == 1) == (row["probability"][1] >= threshold) for row in decided)


def test_a_decision_is_json_and_can_be_used_again() -> None:
    import json

    plan = a_plan()
    seen = rows(plan)
    decision = TASK.fit_decision(seen, plan)
    again = json.loads(json.dumps(decision))
    assert [TASK.decide(row, again, plan) for row in seen] == [TASK.decide(row, decision, plan) for row in seen]


@pytest.mark.parametrize("classes", [2, 3])
def test_every_statistic_can_be_computed_on_any_choice_of_cases(classes: int) -> None:
    plan = a_plan(classes)
    seen = rows(plan)
    decided = [TASK.decide(row, TASK.fit_decision(seen, plan), plan) for row in seen]
    scores = TASK.score(decided, plan)
    names = {one.name for one in scores.statistics}
    assert set(scores.headline) <= names
    assert {"auroc", "accuracy", "brier", "ece", "mcc", "cohen_kappa", "sensitivity", "npv", "f1"} <= names
    assert ("auroc/benign" in names) is (classes == 3)
    everything = np.arange(len(decided))
    for one in scores.statistics:
        assert np.isfinite(one.of(everything)), one.name
        assert isinstance(one.of(np.array([0, 0, 3])), float)
    assert scores.per_case.shape == (60,)
    assert TASK.figures(decided, plan, TASK.fit_decision(seen, plan))


def decided_rows(plan: Plan, truths: list[int], seed: int = 0) -> list[Row]:
    """One row a patient, with logits that know something."""
    rng = np.random.default_rng(seed)
    classes = len(plan.target.labels)
    said = 2 * np.eye(classes)[truths] + rng.normal(0, 1.5, (len(truths), classes))
    plain = [{"case": str(n), "patient": str(n), "logits": list(map(float, said[n])), "class": truths[n]}
             for n in range(len(truths))]  # fmt: skip
    decision = TASK.fit_decision(plain, plan)
    return [TASK.decide(row, decision, plan) for row in plain]


@pytest.mark.parametrize("classes", [2, 3])
def test_two_models_are_compared_by_delong_for_auroc_of_each_class_and_by_the_bootstrap_else(classes: int) -> None:
    plan, truths = a_plan(classes), [n % classes for n in range(60)]
    one, other = (TASK.score(decided_rows(plan, truths, seed), plan).statistics for seed in (1, 2))
    found = compare(one, other, [str(n) for n in range(60)], resamples=50)
    exact = {name for name, row in found.items() if row.method == "paired clustered DeLong"}
    assert exact == ({"auroc"} if classes == 2 else {f"auroc/{name}" for name in NAMES})
    row = found[min(exact)]
    assert row.difference.low is not None
    assert row.p is not None
    assert found["accuracy"].method == "paired cluster bootstrap"


def test_a_class_of_few_patients_leaves_no_mean_over_classes_an_interval() -> None:
    plan = a_plan(3)
    scores = TASK.score(decided_rows(plan, [0] * 20 + [1] * 18 + [2] * 2), plan)
    found = measures(scores.statistics, [str(n) for n in range(40)], resamples=200)
    for name in ("auroc", "average_precision", "brier", "sensitivity", "specificity", "f1", "accuracy", "mcc"):
        assert found[name].value is not None, name
        assert (found[name].low, found[name].note) == (None, "too few: 2 patients in class normal"), name
    assert found["auroc/normal"].note == "too few: 2 patients in class normal"
    assert found["auroc/benign"].low is not None


def test_a_mean_over_classes_is_undefined_where_one_of_them_is_missing() -> None:
    plan = a_plan(3)
    truths = [n % 3 for n in range(30)]
    two = np.array([n for n in range(30) if truths[n] != 2])
    for one in TASK.score(decided_rows(plan, truths), plan).statistics:
        if one.name in ("auroc", "brier", "sensitivity", "f1", "balanced_accuracy"):
            assert np.isnan(one.of(two)), one.name
            assert np.isfinite(one.of(np.arange(30))), one.name


@pytest.mark.parametrize("classes", [2, 3])
def test_a_validation_part_of_one_class_breaks_nothing(classes: int) -> None:
    plan = a_plan(classes)
    seen = rows(plan, 9, only=0)
    decision = TASK.fit_decision(seen, plan)
    decided = [TASK.decide(row, decision, plan) for row in seen]
    scores = {one.name: one.of(np.arange(9)) for one in TASK.score(decided, plan).statistics}
    assert np.isnan(scores["auroc"])
    assert TASK.figures(decided, plan, decision)
    if classes == 2:
        assert not decision["point"]["sound"]


def test_findings_name_every_class_once_and_exactly_one_is_present() -> None:
    for classes in (2, 3):
        plan = a_plan(classes)
        decision = TASK.fit_decision(rows(plan), plan)
        output = Output(np.array([0.1, 3.0, -1.0][:classes], np.float32))
        findings = TASK.decode(output, Example(a_case(), {}, {}), decision, plan).findings
        assert [finding.concept for finding in findings] == list(NAMES[:classes])
        assert sum(finding.status == "present" for finding in findings) == 1
        values = [finding.measures["probability"].value for finding in findings]
        assert sum(value or 0.0 for value in values) == pytest.approx(1, abs=1e-5)
        assert all(finding.rule for finding in findings)


def test_missing_and_undeclared_labels_are_left_out_and_named() -> None:
    target = a_plan().target
    cases = [a_case(n, targets={"diagnosis": name}) for n, name in enumerate(["benign", "malignant", "odd", None])]
    found = {problem.title: problem.exclude for problem in TASK.problems(cases, target)}
    assert found == {"1 cases without a label": ("case3",), "1 cases with an undeclared label": ("case2",)}
    assert TASK.encode(cases[1], {}, target)["class"] == 1
    assert TASK.encode(cases[3], {}, target) == {}


def test_rare_classes_weigh_more_but_do_not_rule() -> None:
    facts = Fingerprint(
        dataset="d", cases=110, patients=110, inputs={}, strata={"benign": 100, "malignant": 10}, bytes_decoded=0,
        seconds_per_case=0.0,
    )  # fmt: skip
    common, rare = TASK.choices(facts, a_plan().target)["class_weights"].value
    assert 1 < rare / common < 10
    assert (100 * common + 10 * rare) / 110 == pytest.approx(1, abs=1e-3)


def test_of_many_classes_the_rare_ones_weigh_more_in_the_decision_and_not_in_the_probability() -> None:
    plan = a_plan(3)
    row: Row = {"case": "a", "patient": "a", "logits": [0.0, 0.0, float(np.log(1.5))], "class": 0}
    decision = {"temperature": 1.0, "offsets": [0.0, 0.0, 0.0]}
    decided = TASK.decide(row, {**decision, "weights": [2.0, 1.0, 1.0]}, plan)
    assert decided["probability"] == pytest.approx([2 / 7, 2 / 7, 3 / 7])
    assert decided["call"] == 0
    assert TASK.decide(row, decision, plan)["call"] == 2
