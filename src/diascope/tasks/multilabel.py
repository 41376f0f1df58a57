"""Multi-label classification: several labels for each case, of which any may be present, uncertain or not said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.case import Case, Label, Target
from diascope.core.figure import Figure
from diascope.core.finding import Finding, Measure
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.presence import CODES, FEWEST_CASES, LABELS, UNCERTAIN, made_of_uncertain, presence
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.network import VectorNetwork
from diascope.engine.task import Phase, Prediction, Scores
from diascope.evidence.operating_point import Rule
from diascope.models import Gives
from diascope.tasks.labels.deciding import fit_label, in_order, said_of, threshold_of
from diascope.tasks.labels.figures import figures
from diascope.tasks.labels.knowing import Answers, codes_of, not_learnt, presences, truth_of
from diascope.tasks.labels.scoring import likelihood, statistics
from diascope.tasks.mixing import with_mixup

HEAVIEST = 10.0
"""Times that a present label counts in training, at most: one that is nearly never there must not rule."""
OWN_RULES = {
    "en": "Each label is called present from an operating point of its own on.",
    "zh-CN": "每个标签按各自的工作点判为存在。",
}


class Multilabel:
    """K labels by K logits; each is calibrated and has an operating point of its own."""

    summary = "several labels for each case, each present or absent, with calibrated probabilities"
    needs: Gives = "vector"
    writes = ("findings", "picture")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(target for target in targets if target.kind == LABELS and len(target.columns) > 1)

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        found = []
        strange = tuple(case.id for case in cases if any(_is_strange(case, name) for name in target.columns))
        if strange:
            found.append(
                Problem(
                    check="target",
                    severity="warn",
                    title=f"{len(strange)} cases with a label that is neither present, absent nor uncertain",
                    detail="Such a label counts as not said; the others of the case are learnt from.",
                    cases=strange,
                )
            )
        said = [[presence(case.targets.get(name)) for case in cases] for name in target.columns]
        if all(min(one.count(1), one.count(0)) < FEWEST_CASES for one in said):
            found.append(
                Problem(
                    check="target",
                    severity="refuse",
                    title=f"no label is present in {FEWEST_CASES} cases and absent in {FEWEST_CASES}",
                    detail="Nothing that is learnt from fewer could be relied on. Bring more cases, or other labels.",
                )
            )
        return found

    def stratum(self, case: Case, target: Target) -> tuple[str, ...]:
        # Not called as the labels are: that one of many is rare is no reason to fit a network for each fold.
        names = zip(target.labels, target.columns, strict=True)
        found = tuple(f"with {label.name}" for label, name in names if presence(case.targets.get(name)) == 1)
        return found or ("without a label",)

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        counts = {name: list(fingerprint.label_counts.get(name, (0, 0, 0))) for name in target.columns}
        cases = sum(fingerprint.strata.values())
        flat = all(one.dimensions == 2 for one in fingerprint.inputs.values())
        few = flat and cases < 2000
        return {
            "whole": Choice(value=True, kind="fixed", reason="the whole input is seen at once"),
            "model": Choice(
                value="resnet", kind="rule", reason="residual network: the strongest from scratch on small sets"
            ),
            "loss": Choice(
                value="binary_cross_entropy", kind="fixed", reason="each label by itself; what is not known is left out"
            ),
            "label_counts": Choice(
                value=counts, kind="measured", reason="training cases in which each is present, absent, uncertain"
            ),
            "positive_weights": Choice(
                value=[_weight(*known[:2]) for known in counts.values()],
                kind="rule",
                reason=f"square root of absent to present cases, at most {HEAVIEST:g}",
            ),
            "uncertain": Choice(
                value="ignore", kind="fixed", reason="who could not tell says nothing; or positive, or negative"
            ),
            "fewest_cases": Choice(
                value=FEWEST_CASES, kind="fixed", reason="with fewer training cases nothing is said of a label"
            ),
            "answer": Choice(
                value={LABELS: True, UNCERTAIN: "ignore"},
                kind="fixed",
                reason="an estimator answers each label by itself",
            ),
            "label_smoothing": Choice(value=0.05, kind="fixed", reason="labels made by people are not certain"),
            "mixup": Choice(
                value=0.2 if few else 0.0,
                kind="rule",
                reason="few pictures: pairs are mixed (beta 0.2)" if few else "many cases, or no pictures",
            ),
            "foreground": Choice(value=0.0, kind="fixed", reason="no patches"),
            "learning_rate": Choice(value=1e-3 if flat else 3e-3, kind="rule", reason="AdamW with cosine decay"),
            "augment": Choice(
                value="strong" if few else "light" if flat else "mirrored",
                kind="rule",
                reason=f"{cases} training cases, {'pictures' if flat else 'no pictures'}",
            ),
            "operating_point": Choice(
                value={"name": "youden"}, kind="rule", reason="of each label; chosen on validation, then locked"
            ),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        return {LABELS: codes_of(case, target)}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        return VectorNetwork(encoders, len(plan.target.labels), plan["dropout"])

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (Phase("network", _parameters, partial(_loss, plan=plan, made=made_of_uncertain(plan["uncertain"]))),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        return {
            "case": example.case.id,
            "patient": example.case.patient,
            "logits": [float(value) for value in output.values],
            "labels": presences(truth[LABELS]),
        }

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        number = len(plan.target.labels)
        logits = np.array([row["logits"] for row in rows], dtype=np.float64).reshape(len(rows), number)
        truth, rule = truth_of(rows, plan), Rule.from_json(plan["operating_point"])
        # What is fitted at once has no loss of ours, and knows no weights.
        weights = plan["positive_weights"] if plan["loss"] else [1.0] * number
        decided = {
            label.name: fit_label(logits[:, place], truth[:, place], weights[place], rule)
            for place, label in enumerate(plan.target.labels)
        }
        return {LABELS: decided, "cases": len(rows), "rule": OWN_RULES}

    def as_said(self, plan: Plan) -> dict[str, Any]:
        plain = {"offset": 0.0, "temperature": 1.0, "point": {"threshold": 0.5}}
        return {LABELS: {label.name: plain for label in plan.target.labels}}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        probability, call = said_of(row["logits"], in_order(decision, plan))
        return {**row, "probability": probability, "call": call}

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        answers, labels = Answers.of(rows, plan), _answered(plan)
        headline = ("auroc", "average_precision", "sensitivity", "specificity")
        return Scores(tuple(statistics(answers, labels)), headline, likelihood(answers, labels))

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        return figures(Answers.of(rows, plan), _answered(plan), in_order(decision, plan), not_learnt(plan))

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        decisions, why_not = in_order(decision, plan), not_learnt(plan)
        probability, calls = said_of([float(value) for value in output.values], decisions)
        findings = []
        for label, said, call, one in zip(plan.target.labels, probability, calls, decisions, strict=True):
            if label.name in why_not:
                reason = f"not available, because {why_not[label.name]}"
                findings.append(Finding(concept=label.name, code=label.code, status="abstained", reason=reason))
            else:
                findings.append(_finding(label, said, call, one))
        return Prediction(tuple(findings))


def _is_strange(case: Case, column: str) -> bool:
    value = case.targets.get(column)
    return value is not None and presence(value) is None


def _weight(present: int, absent: int) -> float:
    """How much more a present label counts than an absent one: rare ones count more, but do not rule."""
    ratio = float(np.sqrt(max(absent, 1) / max(present, 1)))
    return round(min(max(ratio, 1 / HEAVIEST), HEAVIEST), 4)


def _answered(plan: Plan) -> list[int]:
    """Places of the labels of which something is said."""
    silent = not_learnt(plan)
    return [place for place, label in enumerate(plan.target.labels) if label.name not in silent]


def _parameters(network: nn.Module) -> Iterable[nn.Parameter]:
    return network.parameters()


def _loss(network: nn.Module, batch: Batch, plan: Plan, made: float) -> Tensor:
    codes = batch.target[LABELS].float()
    inputs, target = with_mixup(network, batch, codes.masked_fill(codes == CODES[UNCERTAIN], made), plan)
    options = {"positive_weights": plan["positive_weights"], "label_smoothing": plan["label_smoothing"]}
    loss: Tensor = registry.get("losses", plan["loss"])(network(inputs), target, options)
    return loss


def _finding(label: Label, said: float, call: int, decision: Mapping[str, Any]) -> Finding:
    status: Literal["present", "absent"] = "present" if call else "absent"
    return Finding(
        concept=label.name,
        code=label.code,
        status=status,
        measures={"probability": Measure(value=round(said, 6), note="calibrated on cases not trained on")},
        rule=str(decision["rule"]["en"]),
        operating_point=threshold_of(label.name, decision),
    )


TASK = Multilabel()
