"""Entities: spans of a text, each with a type and a calibrated confidence.

A bidirectional view of each character gives scores of its tags; a conditional random field above them knows which tags
may follow each other (Lample et al. 2016). The confidence of a span is the exact probability that it is marked so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from diascope.core import registry
from diascope.core.case import Case, Label, Target
from diascope.core.figure import Figure
from diascope.core.finding import Finding, Measure, TextSpan, Threshold
from diascope.core.plan import Choice, Fingerprint, InputFacts, Plan
from diascope.core.problem import Problem
from diascope.core.spans import Spans
from diascope.engine.batch import Example, Output, Row
from diascope.engine.task import Phase, Prediction, Scores
from diascope.evidence.calibration import fit_offsets, fit_temperature, probabilities
from diascope.evidence.spans.operating_point import SpanPoint, SpanRule, choose, said_by
from diascope.models import Gives
from diascope.tasks.spans.candidates import Candidate, apart, candidates_of
from diascope.tasks.spans.figures import figures_of
from diascope.tasks.spans.network import FIRST, LABEL, SpanNetwork, span_loss
from diascope.tasks.spans.scores import scores_of, truth_of

KIND = "text"
WINDOW = {"zh": 128, "": 256}
"""Characters that the network sees at once, by language: words of letters are longer."""
BATCH = 32
PASSES = (12, 200)
"""Over the training texts: beyond the first a network from scratch learns them by heart; of few texts up to the second
are made, until there were so many steps:"""
ENOUGH_STEPS = 700
MOST_LABELS = 60
"""Types that can be learnt at once: the chain of tags grows with their square."""
Floats = npt.NDArray[np.float64]


class Entities:
    """Every character gets a tag; spans are read from the probabilities of whole paths of tags."""

    summary = "spans of a text, each with a type and a calibrated confidence"
    needs: Gives = "tokens"
    writes = ("findings",)
    several = True

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(target for target in targets if target.kind == "spans" and target.labels)

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        missing = tuple(case.id for case in cases if not isinstance(case.targets.get(target.columns[0]), Spans))
        found = []
        if missing:
            found.append(
                Problem(
                    check="target",
                    severity="warn",
                    title=f"{len(missing)} texts in which nobody marked anything",
                    detail="They are left out: a text without spans is one in which nothing is, and that nobody said.",
                    cases=missing,
                    exclude=missing,
                )
            )
        if len(target.labels) > MOST_LABELS:
            found.append(
                Problem(
                    check="target",
                    severity="refuse",
                    title=f"{len(target.labels)} types of entities",
                    detail=f"At most {MOST_LABELS} can be learnt at once. Bring those that matter under fewer names.",
                )
            )
        return found

    def stratum(self, case: Case, target: Target) -> str:
        present = sorted(set(_spans(case, target).labels))
        # Not the bare name of a label: a stratum that is called as one is taken for a class, which has to be frequent.
        return " + ".join(present) + " alone" * (len(present) == 1) if present else "no span"

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        readings, window = _readings(fingerprint)
        return {
            "whole": Choice(value=False, kind="fixed", reason="learns from stretches of a text"),
            "readings": Choice(
                value=readings, kind="rule", reason=f"every character of a text is read, {window} at a time"
            ),
            "encoders": Choice(value={}, kind="fixed", reason="one text is read"),
            "patch": Choice(value=[1, 1, window], kind="rule", reason="characters that the network sees at once"),
            "batch": Choice(value=BATCH, kind="rule", reason="many small steps, from scratch"),
            "model": Choice(value="char_tagger", kind="rule", reason="convolutions over characters: fast on a CPU"),
            "foreground": Choice(value=0.0, kind="fixed", reason="every stretch is learnt from"),
            "mixup": Choice(value=0.0, kind="fixed", reason="two texts on each other are none"),
            "augment": Choice(value="none", kind="fixed", reason="no image"),
            "dropout": Choice(value=0.3, kind="fixed", reason="texts are few; the model has its own beside"),
            "learning_rate": Choice(value=3e-3, kind="rule", reason="AdamW with cosine decay from scratch"),
            "ema": Choice(value=0.995, kind="fixed", reason="averaged weights are what is released; short schedules"),
            "passes": Choice(
                value=_passes(fingerprint, window), kind="rule", reason="beyond it texts are learnt by heart"
            ),
            "operating_point": Choice(
                value={"name": "f1"},
                kind="rule",
                reason="weighs missed and false spans alike; chosen on validation, then locked",
            ),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        spans = case.targets.get(target.columns[0])
        if not isinstance(spans, Spans):
            return {}
        number = {label.name: label.value for label in target.labels}
        label, first = np.zeros(max(1, spans.length), np.uint8), np.zeros(max(1, spans.length), bool)
        for start, stop, name in spans.usable().all:
            label[start:stop] = number[name]
            first[start] = True
        return {LABEL: label, FIRST: first}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        return SpanNetwork(encoders, len(plan.target.labels), plan["dropout"])

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (Phase("network", lambda network: network.parameters(), span_loss),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        text = _text(example, plan)
        found = candidates_of(output.values, len(text), len(plan.target.labels))
        return {
            "case": example.case.id,
            "patient": example.case.patient,
            "text": text,
            "truth": _listed(truth),
            "candidates": [[one.start, one.stop, one.label, one.probability, one.on_path] for one in found],
        }

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        rule = SpanRule.from_json(plan["operating_point"])
        calibration = _calibration(rows, rule)
        chosen = [_chosen(row, calibration, rule) for row in rows]
        said = np.array([one[3] for some in chosen for one in some], np.float64)
        truths = sum(len(row["truth"]) for row in rows)
        point = choose(said, _right(rows, chosen), truths, rule)
        return {**calibration, "point": point.to_json(), "texts": len(rows), "rule": point.words}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        point = SpanPoint.from_json(decision["point"])
        chosen = _chosen(row, decision, point.rule)
        kept = said_by([one[3] for one in chosen], [one[4] for one in chosen], point)
        said = [[*one[:4]] for one, keep in zip(chosen, kept, strict=True) if keep]
        return {**row, "apart": [one[:4] for one in chosen], "said": sorted(said)}

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        return scores_of(rows, plan.target.labels)

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        return figures_of(rows, plan.target.labels, decision)

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        row = self.decide(self.observe(output, example, {}, plan), decision, plan)
        point = SpanPoint.from_json(decision["point"])
        findings = []
        for label in plan.target.labels:
            shared = _shared(label, point)
            mine = [one for one in row["said"] if one[2] == label.value]
            findings += [_finding(shared, one, row["text"], _input(plan)) for one in mine]
            if not mine:
                findings.append(Finding(**shared, status="absent"))
        return Prediction(tuple(findings))


def _spans(case: Case, target: Target) -> Spans:
    spans = case.targets.get(target.columns[0])
    return spans if isinstance(spans, Spans) else Spans(length=0)


def _readings(fingerprint: Fingerprint) -> tuple[dict[str, Any], int]:
    """How the text is read: whole, and by how many characters at a time. Other inputs are not read."""
    texts = {name: facts for name, facts in fingerprint.inputs.items() if facts.kind == KIND}
    if not texts:
        return {}, WINDOW[""]
    name, facts = next(iter(texts.items()))
    window = _window(facts)
    settings = registry.get("kinds", KIND).settings(facts)
    return {name: {**settings, "length": window, "whole": True}}, window


def _window(facts: InputFacts) -> int:
    usual = WINDOW.get(str(facts.details.get("language", "")), WINDOW[""])
    return int(min(usual, 8 * -(-max(8, facts.shapes[4][2]) // 8)))


def _passes(fingerprint: Fingerprint, window: int) -> int:
    """How often the training texts are gone through at most."""
    usual = max((one.shapes[2][2] for one in fingerprint.inputs.values() if one.kind == KIND), default=window)
    stretches = max(1, sum(fingerprint.strata.values())) * -(-max(usual, 1) // window)
    return int(np.clip(-(-ENOUGH_STEPS * BATCH // stretches), *PASSES))


def _input(plan: Plan) -> str:
    return str(next(iter(plan["readings"])))


def _text(example: Example, plan: Plan) -> str:
    """The text that was read, from its code points; what is padded behind it is 0."""
    codes = example.inputs[_input(plan)]
    return "".join(chr(code) for code in codes[: int(np.count_nonzero(codes))])


def _listed(truth: Mapping[str, npt.NDArray[Any]]) -> list[list[int]]:
    """Start, stop and label of the true spans; none where no truth is given."""
    if LABEL not in truth:
        return []
    label, starts = truth[LABEL], np.flatnonzero(truth[FIRST])
    found = []
    for start in starts.tolist():
        behind = np.flatnonzero((label[start + 1 :] != label[start]) | truth[FIRST][start + 1 :])
        stop = start + 1 + (int(behind[0]) if behind.size else len(label) - start - 1)
        found.append([start, stop, int(label[start])])
    return found


def _logit(probability: Floats) -> Floats:
    known = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(known / (1 - known)))


def _kept(row: Row, rule: SpanRule) -> list[Candidate]:
    """Spans none of which share characters: the surest, or those of the most probable path."""
    some = [Candidate(*one) for one in row["candidates"]]
    return [one for one in some if one.on_path] if rule.name == "best_path" else apart(some)


def _right(rows: Sequence[Row], chosen: Sequence[Sequence[Sequence[Any]]]) -> npt.NDArray[np.bool_]:
    """Whether each span of each row is a true one."""
    truth = [set(truth_of(row)) for row in rows]
    return np.array([tuple(one[:3]) in known for known, some in zip(truth, chosen, strict=True) for one in some], bool)


def _calibration(rows: Sequence[Row], rule: SpanRule) -> dict[str, Any]:
    """Offset and temperature of the logit of a span's probability, so that it says how often such a span is right.

    Fitted on spans that could be said: one that a surer one displaced is wrong more often than its probability says,
    and the surer one less often.
    """
    some = [[[one.start, one.stop, one.label, one.probability] for one in _kept(row, rule)] for row in rows]
    said = np.array([one[3] for each in some for one in each], np.float64)
    if not said.size:
        return {"offset": 0.0, "temperature": 1.0, "spans": 0}
    right = _right(rows, some).astype(np.intp)
    logits = np.stack([np.zeros(len(said)), _logit(said)], axis=1)
    offsets = fit_offsets(logits, right)
    temperature = fit_temperature(logits + offsets, right)
    return {"offset": float(offsets[1] - offsets[0]), "temperature": temperature.value, "spans": len(said)}


def _chosen(row: Row, calibration: Mapping[str, Any], rule: SpanRule) -> list[list[Any]]:
    """Spans that could be said, with calibrated confidence."""
    kept = _kept(row, rule)
    if not kept:
        return []
    logits = _logit(np.array([one.probability for one in kept], np.float64)) + calibration["offset"]
    sure = probabilities(logits[:, None], calibration["temperature"])[:, 1]
    return [[one.start, one.stop, one.label, float(p), one.on_path] for one, p in zip(kept, sure, strict=True)]


def _shared(label: Label, point: SpanPoint) -> dict[str, Any]:
    """What every finding of a type says."""
    words = point.rule.name if point.rule.value is None else f"{point.rule.name} {point.rule.value:g}"
    threshold = Threshold(measure="confidence", of=label.name, value=point.threshold, rule=words, sound=point.sound)
    return {"concept": label.name, "code": label.code, "rule": point.words["en"], "operating_point": threshold}


def _finding(shared: Mapping[str, Any], one: Sequence[Any], text: str, name: str) -> Finding:
    start, stop, _, sure = one
    confidence = Measure(value=round(float(sure), 6), note="calibrated on cases not trained on")
    span = TextSpan(input=name, start=start, stop=stop, text=text[start:stop])
    return Finding(**shared, status="present", measures={"confidence": confidence}, span=span)


TASK = Entities()
