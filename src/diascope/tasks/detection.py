"""Detection: boxes around what is found, each with a label and a calibrated probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from diascope.core.boxes import Boxes, moved_corners
from diascope.core.case import Case, Label, Target
from diascope.core.errors import BadUsage
from diascope.core.figure import Figure
from diascope.core.finding import Finding, Measure, Place, Threshold
from diascope.core.geometry import Geometry
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Example, Output, Row
from diascope.engine.boxes import as_rows
from diascope.engine.task import Phase, Prediction, Scores
from diascope.evidence.boxes.matching import Matches, pooled
from diascope.evidence.boxes.operating_point import BoxPoint, BoxRule, choose
from diascope.evidence.calibration import fit_offsets, fit_temperature, probabilities
from diascope.models import Gives
from diascope.tasks.boxes.candidates import Said, suppressed
from diascope.tasks.boxes.charts import figures_of
from diascope.tasks.boxes.choosing import choices_of
from diascope.tasks.boxes.hits import FIRST, IN_PICTURE, IN_VOLUME, Hits
from diascope.tasks.boxes.loss import box_loss
from diascope.tasks.boxes.network import BoxNetwork
from diascope.tasks.boxes.scores import scores_of

Floats = npt.NDArray[np.float64]


class Detection:
    """Each box is found by itself; of those that overlap and have one label the surest stays."""

    summary = "boxes around what is found, each with a label and a calibrated probability"
    needs: Gives = "pyramid"
    writes = ("findings", "picture", "boxes")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(target for target in targets if target.kind == "boxes" and target.labels)

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        missing = tuple(case.id for case in cases if not isinstance(case.targets.get(target.columns[0]), Boxes))
        if not missing:
            return []
        return [
            Problem(
                check="target",
                severity="warn",
                title=f"{len(missing)} cases in which nobody drew boxes",
                detail="They are left out: an image without boxes is one in which nothing is, and that nobody said.",
                cases=missing,
                exclude=missing,
            )
        ]

    def stratum(self, case: Case, target: Target) -> str:
        present = sorted(set(_boxes(case, target).labels))
        # Not the bare name of a label: a stratum that is called as one is taken for a class, which has to be frequent.
        return " + ".join(present) + " alone" * (len(present) == 1) if present else "no box"

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        return choices_of(fingerprint)

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        return {"boxes": as_rows(_boxes(case, target), _numbers(target))}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        z, y, x = plan["patch"]
        if plan.choices.get("slices") is not None and plan["slices"]:
            raise BadUsage(
                "boxes in volumes are learnt in three dimensions", given=f"slices={plan['slices']}", todo="Leave it out"
            )
        return BoxNetwork(encoders["image"], len(plan.target.labels), plan["levels"], (z, y, x))

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (Phase("network", lambda network: network.parameters(), box_loss),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        said = _said(output, example, plan)
        row: Row = {
            "case": example.case.id,
            "patient": example.case.patient,
            "corners": said.corners,
            "labels": said.labels,
            "scores": said.scores,
            "truth": truth["boxes"],
        }
        return {**row, "matches": [_hits(plan).matches(row, number) for number in range(len(plan.target.labels))]}

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        rule = BoxRule.from_json(plan["operating_point"])
        found: dict[str, Any] = {}
        for number, label in enumerate(plan.target.labels):
            some: list[Matches] = [row["matches"][number] for row in rows]
            calibration = _calibration(some)
            said = [_calibrated_matches(one, calibration) for one in some]
            point = choose(pooled(said), rule, FIRST)
            found[label.name] = {**calibration, "point": point.to_json(), "rule": point.words}
        return {"labels": found, "images": len(rows), "rule": _rule(rule)}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        matches, said = [], []
        for number, label in enumerate(plan.target.labels):
            mine = decision["labels"][label.name]
            one = _calibrated_matches(row["matches"][number], mine)
            matches.append(one)
            said.append(one.scores >= mine["point"]["threshold"])
        return {**row, "matches": matches, "said": said}

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        return scores_of(rows, plan.target.labels, _hits(plan))

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        thresholds = {name: one["point"]["threshold"] for name, one in decision.get("labels", {}).items()}
        return figures_of(rows, plan.target.labels, thresholds, _hits(plan))

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        said = _said(output, example, plan)
        geometry, shape = example.original or (Geometry.unknown(), _shape(plan))
        findings: list[Finding] = []
        kept: list[tuple[Floats, str, float]] = []
        for number, label in enumerate(plan.target.labels):
            mine = decision["labels"][label.name]
            scores = calibrated(said.scores[said.labels == number], mine)
            called = scores >= mine["point"]["threshold"]
            boxes = said.corners[said.labels == number][called]
            some = [(corners, label.name, float(score)) for corners, score in zip(boxes, scores[called], strict=True)]
            kept += some
            findings += [_finding(label, one, (geometry, shape), mine) for one in some]
            if not some:
                findings.append(Finding(**_said_of(label, mine), status="absent"))
        found = Boxes.of(
            np.array([corners for corners, _, _ in kept]),
            [name for _, name, _ in kept],
            scores=[round(score, 6) for _, _, score in kept],
        )
        return Prediction(tuple(findings), boxes=found)


def _boxes(case: Case, target: Target) -> Boxes:
    boxes = case.targets.get(target.columns[0])
    return boxes if isinstance(boxes, Boxes) else Boxes()


def _hits(plan: Plan) -> Hits:
    return IN_PICTURE if plan["whole"] else IN_VOLUME


def _numbers(target: Target) -> dict[str, int]:
    return {label.name: number for number, label in enumerate(target.labels)}


def _shape(plan: Plan) -> tuple[int, int, int]:
    z, y, x = plan["patch"]
    return z, y, x


def _said(output: Output, example: Example, plan: Plan) -> Said:
    """Boxes on the grid of the image as it was read, inside of it."""
    said = suppressed(output.values, plan["suppression"])
    corners, shape = said.corners, _shape(plan)
    if example.original is not None and example.geometry is not None:
        corners = moved_corners(corners, example.geometry.index_map(example.original[0]))
        shape = example.original[1]
    inside = np.clip(corners, 0, np.tile(np.asarray(shape, np.float64), 2))
    there = (inside[:, :3] < inside[:, 3:]).all(axis=1)
    return Said(inside[there], said.labels[there], said.scores[there])


def _calibration(some: Sequence[Matches]) -> dict[str, Any]:
    """Offset and temperature of the logit of a score, so that it says how often a box of this score hits."""
    counted = [~one.ignored[FIRST] for one in some]
    scores = np.concatenate([np.zeros(0), *(one.scores[mine] for one, mine in zip(some, counted, strict=True))])
    hits = np.concatenate([np.zeros(0), *(one.hits[FIRST][mine] for one, mine in zip(some, counted, strict=True))])
    logits = np.stack([np.zeros(len(scores)), _logit(scores)], axis=1)
    if not len(logits):
        return {"offset": 0.0, "temperature": 1.0, "boxes": 0}
    offsets = fit_offsets(logits, hits.astype(np.intp))
    temperature = fit_temperature(logits + offsets, hits.astype(np.intp))
    return {"offset": float(offsets[1] - offsets[0]), "temperature": temperature.value, "boxes": len(scores)}


def calibrated(scores: Floats, decision: Mapping[str, Any]) -> Floats:
    """(N,) scores as probabilities that a box hits."""
    if not len(scores):
        return scores
    logits = (_logit(scores) + decision["offset"])[:, None]
    return np.asarray(probabilities(logits, decision["temperature"])[:, 1])


def _calibrated_matches(one: Matches, decision: Mapping[str, Any]) -> Matches:
    return Matches(calibrated(one.scores, decision), one.hits, one.ignored, one.truths)


def _logit(scores: Floats) -> Floats:
    known = np.clip(scores, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(known / (1 - known)))


def _rule(rule: BoxRule) -> dict[str, str]:
    value = "" if rule.value is None else f" {rule.value:g}"
    return {
        "en": f"each label has a threshold of its own, chosen on validation ({rule.name}{value})",
        "zh-CN": f"每个标签各有阈值，在验证部分选定（{rule.name}{value}）",
    }


def _said_of(label: Label, decision: Mapping[str, Any]) -> dict[str, Any]:
    point = BoxPoint.from_json(decision["point"])
    words = point.rule.name if point.rule.value is None else f"{point.rule.name} {point.rule.value:g}"
    threshold = Threshold(of=label.name, value=point.threshold, rule=words, sound=point.sound)
    return {"concept": label.name, "code": label.code, "rule": str(decision["rule"]), "operating_point": threshold}


def _finding(
    label: Label,
    one: tuple[Floats, str, float],
    grid: tuple[Geometry, tuple[int, int, int]],
    decision: Mapping[str, Any],
) -> Finding:
    (corners, _, score), (geometry, shape) = one, grid
    start = np.minimum(np.floor(corners[:3]), np.asarray(shape) - 1).astype(int)
    stop = np.maximum(np.ceil(corners[3:]).astype(int), start + 1)
    physical = geometry.physical
    steps = np.asarray(geometry.steps if physical else (1.0, 1.0, 1.0))
    extent = (corners[3:] - corners[:3]) * steps
    names = ("width", "height") if shape[0] == 1 else ("width", "height", "depth")
    measures = {"probability": Measure(value=round(score, 6), note="calibrated on cases not trained on")}
    for axis, name in zip((2, 1, 0), names, strict=False):
        measures[name] = Measure(value=round(float(extent[axis]), 2), unit="mm" if physical else "{pixels}")
    centre = (corners[:3] + corners[3:]) / 2 - 0.5
    place = Place(
        start=(int(start[0]), int(start[1]), int(start[2])),
        stop=(int(stop[0]), int(stop[1]), int(stop[2])),
        centre_mm=_rounded(geometry.to_mm(centre)) if physical else None,
    )
    return Finding(**_said_of(label, decision), status="present", measures=measures, place=place)


def _rounded(point: Floats) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 2) for value in point)
    return x, y, z


TASK = Detection()
