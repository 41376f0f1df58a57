"""Classification: one class for each case, with a calibrated probability."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.case import Case, Label, Target
from diascope.core.figure import Figure, Grid, Matrix
from diascope.core.finding import Finding, Measure, Threshold
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.network import VectorNetwork
from diascope.engine.task import Phase, Prediction, Scores, Statistic
from diascope.evidence.calibration import fit_offsets, fit_temperature, probabilities
from diascope.evidence.delong import Ranking
from diascope.evidence.operating_point import Rule, choose
from diascope.models import Gives
from diascope.tasks.binary import Question, one_or_others, own_interval, share_interval
from diascope.tasks.curves import precision_recall_chart, reliability_chart, roc_chart
from diascope.tasks.mixing import mixes, with_mixup

PROBABILITY = ("auroc", "average_precision", "brier", "ece", "calibration_slope")
CALL = ("accuracy", "balanced_accuracy", "mcc", "cohen_kappa")
ONE_AGAINST_REST = ("sensitivity", "specificity", "ppv", "npv", "f1")
LARGEST = {
    "en": "the class with the largest probability, where rarer classes weigh more",
    "zh-CN": "概率最大的类别，较少见的类别权重更高",
}
Floats = npt.NDArray[np.float64]


class Classification:
    """One of K classes; the loss is cross-entropy, the probabilities are calibrated by class and temperature."""

    summary = "one class for each case, with a calibrated probability"
    needs: Gives = "vector"
    writes = ("findings", "picture")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(target for target in targets if target.kind == "category" and len(target.labels) > 1)

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        known = {label.name for label in target.labels}
        missing = [case.id for case in cases if case.targets.get(target.columns[0]) is None]
        strange = [case.id for case in cases if _name(case, target) not in known and case.id not in set(missing)]
        found = []
        for cases_found, title in ((missing, "cases without a label"), (strange, "cases with an undeclared label")):
            if cases_found:
                found.append(
                    Problem(
                        check="target",
                        severity="warn",
                        title=f"{len(cases_found)} {title}",
                        detail="They are left out: nothing can be learnt from them here.",
                        cases=tuple(cases_found),
                        exclude=tuple(cases_found),
                    )
                )
        return found

    def stratum(self, case: Case, target: Target) -> str:
        return _name(case, target)

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        counts = {label.name: fingerprint.strata.get(label.name, 0) for label in target.labels}
        rarest, commonest = min(counts.values()), max(counts.values())
        weights = _weights(list(counts.values()))
        balance = f"classes have {rarest} to {commonest} training cases"
        flat = all(one.dimensions == 2 for one in fingerprint.inputs.values())
        few = flat and sum(counts.values()) < 2000  # few volumes cannot also learn to undo strong deformation
        deep = any(one.dimensions == 3 for one in fingerprint.inputs.values())
        cases, kind = f"{sum(counts.values())} training cases", "pictures" if flat else "volumes" if deep else "rows"
        return {
            "whole": Choice(value=True, kind="fixed", reason="the whole image is seen at once"),
            "model": Choice(
                value="resnet", kind="rule", reason="residual network: the strongest from scratch on small sets"
            ),
            "loss": Choice(
                value="cross_entropy",
                kind="rule",
                reason=f"{balance}; weighted by the square root of the inverse frequency",
            ),
            "class_weights": Choice(value=weights, kind="rule", reason=balance),
            "label_smoothing": Choice(value=0.05, kind="fixed", reason="labels made by people are not certain"),
            "mixup": Choice(
                value=0.2 if few else 0.0,
                kind="rule",
                reason="few pictures: pairs are mixed (beta 0.2)" if few else "many cases, or no pictures",
            ),
            "foreground": Choice(value=0.0, kind="fixed", reason="no patches"),
            "learning_rate": Choice(
                value=1e-3 if flat else 3e-3,
                kind="rule",
                reason="AdamW with cosine decay from scratch" + ("; volumes: a short schedule" if deep else ""),
            ),
            "augment": Choice(
                value="strong" if few else "light" if flat else "mirrored", kind="rule", reason=f"{cases}, {kind}"
            ),
            "operating_point": Choice(
                value={"name": "youden"},
                kind="rule",
                reason="weighs both errors alike; chosen on validation, then locked",
            ),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        number = {label.name: label.value for label in target.labels}.get(_name(case, target))
        return {} if number is None else {"class": np.array(number, dtype=np.int64)}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        return VectorNetwork(encoders, len(plan.target.labels), plan["dropout"])

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (Phase("network", lambda network: network.parameters(), partial(_loss, plan=plan)),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        return {
            "case": example.case.id,
            "patient": example.case.patient,
            "logits": [float(value) for value in output.values],
            "class": int(truth["class"]),
        }

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        logits, truth = _logits(rows), _truth(rows)
        unweighted = "loss" in plan.choices and not plan["loss"]  # what is fitted at once knows no class weights
        offsets = fit_offsets(logits, truth, None if unweighted else plan["class_weights"])
        temperature = fit_temperature(logits + offsets, truth)
        decision: dict[str, Any] = {
            "offsets": [float(value) for value in offsets],
            "temperature": temperature.value,
            "calibration": temperature.to_json(),
            "cases": len(rows),
        }
        if len(plan.target.labels) != 2:
            return {**decision, "rule": LARGEST, "weights": plan["class_weights"]}
        positive = _positive(plan.target)
        said = probabilities(logits + offsets, temperature.value)[:, positive]
        point = choose(truth == positive, said, Rule.from_json(plan["operating_point"]))
        return {**decision, "point": point.to_json(), "rule": point.words}

    def as_said(self, plan: Plan) -> dict[str, Any]:
        return {"temperature": 1.0}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        said = probabilities(np.array([row["logits"]]) + decision.get("offsets", 0.0), decision["temperature"])[0]
        call = int(np.argmax(said * decision.get("weights", 1.0)))
        if "point" in decision:
            positive = _positive(plan.target)
            call = positive if said[positive] >= decision["point"]["threshold"] else 1 - positive
        return {**row, "probability": [float(value) for value in said], "call": call}

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        truth, said = _truth(rows), _probability(rows)
        calls = np.array([row["call"] for row in rows])
        labels = plan.target.labels
        binary = len(labels) == 2
        statistics = [_call_statistic(name, truth, calls, labels) for name in CALL]
        chosen = [_positive(plan.target)] if binary else [label.value for label in labels]
        for name in PROBABILITY:
            statistics += _per_class(name, truth, said, chosen, labels, binary)
        for name in ONE_AGAINST_REST:
            statistics += _per_class(name, truth, _one_hot(calls, len(labels)), chosen, labels, binary)
        right = said[np.arange(len(rows)), truth] if len(rows) else np.zeros(0)
        both = ("sensitivity", "specificity") if binary else ("balanced_accuracy", "f1")
        return Scores(tuple(statistics), ("auroc", "accuracy", *both), np.asarray(right, np.float64))

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        truth, said = _truth(rows), _probability(rows)
        labels = plan.target.labels
        shown = [_positive(plan.target)] if len(labels) == 2 else [label.value for label in labels]
        patients = [str(row["patient"]) for row in rows]
        asked = [Question(labels[value].name, truth == value, said[:, value], patients) for value in shown]
        counts = np.zeros((len(labels), len(labels)))
        for row in rows:
            counts[row["class"], row["call"]] += 1
        return (
            Matrix(
                title="Confusion matrix",
                rows=tuple(label.name for label in labels),
                columns=tuple(label.name for label in labels),
                counts=tuple(tuple(float(v) for v in line) for line in counts),
            ),
            roc_chart(asked),
            precision_recall_chart(asked),
            reliability_chart(asked),
            _class_table(rows, plan),
        )

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        row = self.decide({"logits": [float(value) for value in output.values]}, decision, plan)
        rule = decision["rule"]["en"]
        findings = []
        for label in plan.target.labels:
            measures = {
                "probability": Measure(
                    value=round(row["probability"][label.value], 6), note="calibrated on cases not trained on"
                )
            }
            status: Literal["present", "absent"] = "present" if row["call"] == label.value else "absent"
            findings.append(
                Finding(
                    concept=label.name,
                    code=label.code,
                    status=status,
                    measures=measures,
                    rule=rule,
                    operating_point=_threshold(label, decision, plan),
                )
            )
        return Prediction(tuple(findings))


def _threshold(label: Label, decision: Mapping[str, Any], plan: Plan) -> Threshold:
    """The locked operating point in numbers."""
    point = decision.get("point")
    if point is None:
        weights = decision.get("weights")
        rule = "median" if plan.target.ordered else "largest"
        return Threshold(of=label.name, weight=weights[label.value] if weights else 1.0, rule=rule)
    positive = next(label.name for label in plan.target.labels if label.value == _positive(plan.target))
    rule = point.get("rule", {})
    words = [str(rule[key]) for key in ("name", "value") if rule.get(key) is not None]
    return Threshold(
        of=positive, value=point["threshold"], rule=" ".join(words) or "given", sound=point.get("sound", True)
    )


def _name(case: Case, target: Target) -> str:
    value = case.targets.get(target.columns[0])
    return "" if value is None else str(value)


def _positive(target: Target) -> int:
    """Index of the class whose presence is the finding; the second where none is named."""
    return next((label.value for label in target.labels if label.name == target.positive), 1)


def _weights(counts: Sequence[int]) -> list[float]:
    """Square root of inverse frequency, mean 1 over the cases: rare classes count more, but do not rule."""
    frequency = np.maximum(np.array(counts, float), 1) / max(1, sum(counts))
    weights = np.sqrt(1 / (len(counts) * frequency))
    return [round(float(w), 4) for w in weights / (weights * frequency).sum()]


def _loss(network: nn.Module, batch: Batch, plan: Plan) -> Tensor:
    loss = registry.get("losses", plan["loss"])
    options = {"class_weights": plan["class_weights"], "label_smoothing": plan["label_smoothing"]}
    target, inputs = batch.target["class"], dict(batch.inputs)
    if mixes(network, batch, plan):
        shares = nn.functional.one_hot(target, len(plan.target.labels)).float()
        inputs, target = with_mixup(network, batch, shares, plan)
    result: Tensor = loss(network(inputs), target, options)
    return result


def _logits(rows: Sequence[Row]) -> Floats:
    return np.array([row["logits"] for row in rows], dtype=np.float64)


def _truth(rows: Sequence[Row]) -> npt.NDArray[np.intp]:
    return np.array([row["class"] for row in rows], dtype=np.intp)


def _probability(rows: Sequence[Row]) -> Floats:
    return np.array([row["probability"] for row in rows], dtype=np.float64)


def _one_hot(calls: npt.NDArray[Any], classes: int) -> npt.NDArray[np.intp]:
    return np.asarray(np.eye(classes, dtype=np.intp)[calls])


def _call_statistic(name: str, truth: npt.NDArray[Any], calls: npt.NDArray[Any], labels: Sequence[Label]) -> Statistic:
    metric = registry.get("metrics", name)
    interval = partial(share_interval, truth == calls, np.ones(len(truth), bool)) if name == "accuracy" else None
    whole = _same_classes(truth)

    def of(index: npt.NDArray[np.intp]) -> float:
        averaged = name != "balanced_accuracy" or whole(index)
        return float(metric(truth[index], calls[index])) if averaged else float("nan")

    return Statistic(name, of, metric.unit, metric.better, interval, _names(truth, labels))


def _names(truth: npt.NDArray[Any], labels: Sequence[Label]) -> npt.NDArray[np.str_]:
    return np.asarray(np.array([label.name for label in labels])[truth])


def _same_classes(truth: npt.NDArray[Any]) -> Callable[[npt.NDArray[np.intp]], bool]:
    """Whether a choice of cases holds every class of all cases: a mean over fewer classes is another quantity."""
    present = len(np.unique(truth))
    return lambda index: len(np.unique(truth[index])) == present


def _per_class(
    name: str,
    truth: npt.NDArray[Any],
    said: npt.NDArray[Any],
    chosen: Sequence[int],
    labels: Sequence[Label],
    binary: bool,
) -> list[Statistic]:
    """One statistic for a two-class target; else one a class, and their mean over the classes that all cases define.

    The mean is undefined on a choice of cases that lacks one of these classes.
    """
    metric, known = registry.get("metrics", name), dict[tuple[int, int], float]()

    def of(index: npt.NDArray[np.intp], value: int) -> float:
        # All statistics see the same resamples: what a class has there, the mean over the classes need not ask again.
        key = hash(index.tobytes()), value
        if key not in known:
            mine = (truth[index] == value).astype(said.dtype if said.dtype.kind in "iu" else bool)
            known[key] = float(metric(mine, said[index, value]))
        return known[key]

    own = {value: own_interval(name, truth == value, said[:, value]) for value in chosen}
    single = {
        value: Statistic(
            name if binary else f"{name}/{labels[value].name}",
            partial(of, value=value),
            metric.unit,
            metric.better,
            own[value],
            _names(truth, labels) if binary else one_or_others(truth == value, labels[value].name),
            Ranking(truth == value, said[:, value]) if name == "auroc" else None,
        )
        for value in chosen
    }
    if binary:
        return list(single.values())

    averaged = [value for value in chosen if np.isfinite(of(np.arange(len(truth)), value))]
    whole = _same_classes(truth)

    def macro(index: npt.NDArray[np.intp]) -> float:
        values = [of(index, value) for value in averaged] if whole(index) else []
        return float(np.mean(values)) if values else float("nan")

    mean = Statistic(name, macro, metric.unit, metric.better, counts=_names(truth, labels))
    return [mean, *single.values()]


def _class_table(rows: Sequence[Row], plan: Plan) -> Grid:
    counts = Counter(row["class"] for row in rows)
    cells = [
        (label.name, counts[label.value], sum(row["call"] == label.value for row in rows))
        for label in plan.target.labels
    ]
    return Grid(title="Cases of each class", columns=("class", "true", "said"), rows=tuple(cells))


TASK = Classification()
