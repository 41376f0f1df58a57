"""Segmentation: a label for every voxel, of volumes and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.case import Case, FileRef, Label, Target
from diascope.core.errors import UnsoundGeometry
from diascope.core.figure import Bars, Figure, Grid
from diascope.core.finding import Finding, Measure, Place
from diascope.core.image import Image
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.network import DenseNetwork
from diascope.engine.sliding import argmax_labels
from diascope.engine.task import Phase, Prediction, Scores, Statistic
from diascope.models import Gives

METRICS = ("dice", "iou", "hd95", "surface_dice", "volume_error")
DEEP_LEVELS = 3
IGNORED = 255
"""Channel number of voxels that are neither learnt nor scored."""


class Segmentation:
    """Every voxel gets one label (or, with regions, belongs to nested regions)."""

    summary = "a label for every voxel: masks, volumes"
    needs: Gives = "dense"
    writes = ("findings", "picture", "mask")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(target for target in targets if target.kind == "mask")

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        missing = [case.id for case in cases if not isinstance(case.targets.get(target.columns[0]), FileRef)]
        if not missing:
            return []
        return [
            Problem(
                check="target",
                severity="warn",
                title=f"{len(missing)} cases without a mask",
                detail="They are left out: nothing can be learnt from them here.",
                cases=tuple(missing),
                exclude=tuple(missing),
            )
        ]

    def stratum(self, case: Case, target: Target) -> str:
        return case.site or ""

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        smallest = min(fingerprint.label_volumes.values(), default=0.0)
        return {
            "whole": Choice(value=False, kind="fixed", reason="learns from patches on the working grid"),
            "model": Choice(
                value="residual_unet", kind="rule", reason="residual encoder: more steps a minute than a plain U-Net"
            ),
            "loss": Choice(
                value="dice_cross_entropy",
                kind="rule",
                reason=f"overlap and voxels together; smallest structure {smallest:.0f} voxels",
            ),
            "foreground": Choice(
                value=0.5, kind="rule", reason="share of patches centred on a structure, so that rare ones are seen"
            ),
            "learning_rate": Choice(value=2e-3, kind="rule", reason="AdamW with cosine decay on a U-Net"),
            "augment": Choice(value="strong", kind="rule", reason="voxels are many but patients few"),
            "mixup": Choice(value=0.0, kind="fixed", reason="mixing two anatomies is not used for masks"),
            "label_smoothing": Choice(
                value=0.0, kind="fixed", reason="the overlap term already limits over-confidence"
            ),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        mask = masks.get(target.columns[0])
        return {} if mask is None else {"mask": mask.astype(np.uint8)}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        regions = _regions(plan.target)
        values = tuple(label.value for label in plan.target.labels)
        outputs = len(regions) if regions else 1 + len(values)
        reduce = partial(_reduce_regions if regions else _reduce_labels, values=values)
        return DenseNetwork(encoders["image"], outputs, DEEP_LEVELS, reduce)

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (Phase("network", lambda network: network.parameters(), partial(_loss, plan=plan)),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        physical = example.original is not None and example.original[0].physical
        row: Row = {"case": example.case.id, "physical": physical}
        mask = truth["mask"]
        valid = np.ones(mask.shape, bool) if plan.target.ignore is None else mask != plan.target.ignore
        _check_shape(mask, output.values, example.case.id)
        spacing = example.original[0].steps if example.original else (1.0, 1.0, 1.0)
        for label in plan.target.labels:
            values = label.members or (label.value,)
            want = np.isin(mask, values) & valid
            said = (np.isin(output.values, values) if not label.members else output.values == label.value) & valid
            if label.members:
                said |= np.isin(output.values, _inside(label, plan.target)) & valid
            for metric in METRICS:
                row[f"{metric}/{label.name}"] = registry.get("metrics", metric)(want, said, spacing)
        return row

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        return {"rule": "the most probable label of each voxel"}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        return row

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        statistics = []
        for metric in METRICS:
            plugin = registry.get("metrics", metric)
            columns = {label.name: _column(rows, f"{metric}/{label.name}") for label in plan.target.labels}
            mean = partial(_mean_over_labels, tuple(columns.values()))
            unit = plugin.unit if all(row["physical"] for row in rows) or plugin.unit != "mm" else "{pixels}"
            statistics.append(Statistic(f"{metric}", mean, unit, plugin.better))
            if len(columns) > 1:
                statistics += [
                    Statistic(f"{metric}/{name}", partial(_mean, column), unit, plugin.better)
                    for name, column in columns.items()
                ]
        dice = np.stack([_column(rows, f"dice/{label.name}") for label in plan.target.labels])
        headline = (
            "dice",
            *(f"dice/{label.name}" for label in plan.target.labels if len(plan.target.labels) > 1),
            "hd95",
        )
        return Scores(tuple(statistics), headline, _nan_mean(dice, axis=0))

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        names = [label.name for label in plan.target.labels]
        figures: list[Figure] = []
        edges = np.linspace(0, 1, 21)
        for name in names:
            counts, _ = np.histogram(_column(rows, f"dice/{name}"), bins=edges)
            first = int(np.argmax(counts > 0)) if counts.any() else 0
            figures.append(
                Bars(
                    title=f"Dice of {name}: cases",
                    names=tuple(f"{edge:.2f}" for edge in edges[first:-1]),
                    values=tuple(float(count) for count in counts[first:]),
                    unit="cases",
                )
            )
        cells: list[tuple[str | float | int | None, ...]] = [
            (
                name,
                *(
                    round(float(_mean(_column(rows, f"{metric}/{name}"), np.arange(len(rows)))), 4)
                    for metric in METRICS
                ),
            )
            for name in names
        ]
        figures.append(Grid(title="Each structure", columns=("structure", *METRICS), rows=tuple(cells)))
        return tuple(figures)

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        if example.original is None:
            return Prediction(())
        geometry, _ = example.original
        findings = [_finding(label, output, geometry, decision, plan.target) for label in plan.target.labels]
        attributes = {"labels": plan.target.labels}
        mask = Image(output.values[None], geometry, unit="label", attributes=attributes)
        return Prediction(tuple(findings), mask)


def _finding(label: Label, output: Output, geometry: Any, decision: Mapping[str, Any], target: Target) -> Finding:
    values = (label.value, *_inside(label, target)) if label.members else (label.value,)
    where = np.argwhere(np.isin(output.values, values))
    rule = str(decision.get("rule", ""))
    if not len(where):
        return Finding(concept=label.name, code=label.code, status="absent", rule=rule)
    start, stop = where.min(axis=0), where.max(axis=0) + 1
    centre = where.mean(axis=0)
    if geometry.physical:
        millilitres = len(where) * geometry.voxel_volume() / 1000
        volume = Measure(value=round(float(millilitres), 4), unit="mL")
    else:
        volume = Measure(value=float(len(where)), unit="{pixels}")
    measures = {"volume": volume}
    if label.value in output.confidence:
        measures["confidence"] = Measure(
            value=round(output.confidence[label.value], 4), note="mean probability of its voxels, not calibrated"
        )
    place = Place(
        start=(int(start[0]), int(start[1]), int(start[2])),
        stop=(int(stop[0]), int(stop[1]), int(stop[2])),
        centre_mm=_rounded(geometry.to_mm(centre)) if geometry.physical else None,
    )
    return Finding(concept=label.name, code=label.code, status="present", measures=measures, place=place, rule=rule)


def _rounded(point: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 2) for value in point)
    return x, y, z


def _check_shape(truth: npt.NDArray[Any], said: npt.NDArray[Any], case: str) -> None:
    """Raise when a mask does not lie on the image's grid."""
    if truth.shape != said.shape:
        raise UnsoundGeometry(f"the mask of {case} is {truth.shape}, its image {said.shape}", todo="Run diascope check")


def _regions(target: Target) -> tuple[Label, ...]:
    return target.labels if any(label.members for label in target.labels) else ()


def _inside(label: Label, target: Target) -> tuple[int, ...]:
    """Values of the regions that lie wholly inside a region (nested regions are written later)."""
    return tuple(
        other.value for other in target.labels if other is not label and set(other.members) < set(label.members)
    )


def _reduce_labels(logits: Tensor, values: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Arg-max, with the mask's own values (a vessel mask may say 255) in place of channel numbers."""
    labels, probability = argmax_labels(logits)
    if values == tuple(range(1, len(values) + 1)):
        return labels, probability
    return torch.tensor((0, *values), dtype=torch.uint8)[labels.long()], probability


def _channels(mask: Tensor, target: Target) -> Tensor:
    """Mask values to channel numbers, 0 for background; ignored voxels become `IGNORED`."""
    table = torch.zeros(256, dtype=torch.long, device=mask.device)
    for channel, label in enumerate(target.labels, start=1):
        table[label.value] = channel
    if target.ignore is not None:
        table[target.ignore] = IGNORED
    return table[mask.long()]


def _reduce_regions(logits: Tensor, values: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Nested regions: each is painted over the ones before it, as in nnU-Net."""
    probability = torch.sigmoid(logits.float())
    labels = torch.zeros(logits.shape[1:], dtype=torch.uint8)
    for channel, value in zip(probability, values, strict=True):
        labels[channel > 0.5] = value
    return labels, probability.max(dim=0).values


def _loss(network: nn.Module, batch: Batch, plan: Plan) -> Tensor:
    """Deep supervision: the target is sampled down to each level, weights halve with each."""
    loss = registry.get("losses", plan["loss"])
    regions = _regions(plan.target)
    options = {
        "ignore": plan.target.ignore if regions or plan.target.ignore is None else IGNORED,
        "batch_dice": plan["batch_dice"] if "batch_dice" in plan.choices else False,
    }
    mask = batch.target["mask"] if regions else _channels(batch.target["mask"], plan.target)
    levels = network.levels(batch.inputs)  # type: ignore[operator]
    weights = [0.5**index for index in range(len(levels))]
    total = torch.zeros((), device=mask.device)
    for logits, weight in zip(levels, weights, strict=True):
        target = _downsampled(mask, logits.shape[2:])
        if regions:
            target = torch.stack([torch.isin(target, torch.tensor(label.members)) for label in regions], dim=1).float()
        total = total + weight / sum(weights) * loss(logits, target, {**options, "regions": bool(regions)})
    return total


def _downsampled(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """Nearest neighbour by whole strides: (B, Z, Y, X) to the shape of a level."""
    z, y, x = (full // level for full, level in zip(mask.shape[1:], shape, strict=True))
    return mask[:, ::z, ::y, ::x].long()


def _column(rows: Sequence[Row], name: str) -> npt.NDArray[np.float64]:
    return np.array([row.get(name, np.nan) for row in rows], dtype=np.float64)


def _nan_mean(values: npt.NDArray[np.float64], axis: int | None = None) -> Any:
    """Mean of what is defined; nan where nothing is."""
    defined = np.isfinite(values)
    count = defined.sum(axis=axis)
    total = np.where(defined, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _mean(column: npt.NDArray[np.float64], index: npt.NDArray[np.intp]) -> float:
    return float(_nan_mean(column[index]))


def _mean_over_labels(columns: tuple[npt.NDArray[np.float64], ...], index: npt.NDArray[np.intp]) -> float:
    return float(_nan_mean(np.array([_mean(column, index) for column in columns])))


TASK = Segmentation()
