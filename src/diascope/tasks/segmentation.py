"""Segmentation: a label for every voxel, of volumes and pictures.

A mask in a file holds the values that its labels declare (255 for a vessel, 2035 for a part of the cortex). A network,
and what is read with it, numbers the labels from 1 on, in the order of the target: `observe` and `decode` translate.
"""

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
from diascope.core.figure import Bars, Figure
from diascope.core.finding import Finding, Measure, Place, Threshold
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
REGION_FROM = 0.5
"""Probability above which a voxel belongs to a region."""
IGNORED = 255
"""Channel number of voxels that are neither learnt nor scored."""
LARGEST_VALUE = (1 << 16) - 1
"""In a mask file."""
MOST_LABELS = IGNORED - 1
"""Label numbers are kept in 8 bits."""


class Segmentation:
    """Every voxel gets one label (or, with regions, belongs to nested regions)."""

    summary = "a label for every voxel: masks, volumes"
    needs: Gives = "dense"
    writes = ("findings", "picture", "mask")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(target for target in targets if target.kind == "mask")

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        missing = tuple(case.id for case in cases if not isinstance(case.targets.get(target.columns[0]), FileRef))
        found = []
        if missing:
            found.append(
                Problem(
                    check="target",
                    severity="warn",
                    title=f"{len(missing)} cases without a mask",
                    detail="They are left out: nothing can be learnt from them here.",
                    cases=missing,
                    exclude=missing,
                )
            )
        unusable = sorted(value for value in _declared(target) if not 0 <= value <= LARGEST_VALUE)
        if len(target.labels) > MOST_LABELS or unusable:
            found.append(
                Problem(
                    check="target",
                    severity="refuse",
                    title=f"masks with {len(target.labels)} labels"
                    + (f" and the value {unusable[-1]}" if unusable else ""),
                    detail=f"At most {MOST_LABELS} labels can be learnt at once, with values from 0 to "
                    f"{LARGEST_VALUE:,}. Declare those that matter, or number them anew.",
                )
            )
        return found

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
        if mask is None:
            return {}
        largest = max(_declared(target), default=0)
        # What nobody declared is background; it must not wrap around into a declared value.
        known = mask if not mask.size or 0 <= mask.min() <= mask.max() <= largest else _within(mask, largest)
        return {"mask": known.astype(np.uint8 if largest <= 255 else np.int32)}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        regions = _regions(plan.target)
        outputs = len(regions) or 1 + len(plan.target.labels)
        return DenseNetwork(encoders["image"], outputs, DEEP_LEVELS, _reduce_regions if regions else argmax_labels)

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
            want = np.isin(mask, label.members or (label.value,)) & valid
            said = np.isin(output.values, _numbers(label, plan.target)) & valid
            for metric in METRICS:
                row[f"{metric}/{label.name}"] = registry.get("metrics", metric)(want, said, spacing)
        return row

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        return {"rule": "the most probable label of each voxel"}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        return row

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        statistics = []
        values: dict[str, npt.NDArray[np.float64]] = {}
        for metric in METRICS:
            plugin = registry.get("metrics", metric)
            columns = {label.name: _column(rows, f"{metric}/{label.name}") for label in plan.target.labels}
            unit = plugin.unit if all(row["physical"] for row in rows) or plugin.unit != "mm" else "{pixels}"
            counts = {name: np.where(np.isfinite(column), name, "") for name, column in columns.items()}
            rarest = min(counts.values(), key=lambda names: np.count_nonzero(names != ""))
            mean = partial(_mean_over_labels, tuple(columns.values()))
            statistics.append(Statistic(metric, mean, unit, plugin.better, counts=rarest))
            if len(columns) > 1:
                statistics += [
                    Statistic(f"{metric}/{name}", partial(_mean, column), unit, plugin.better, counts=counts[name])
                    for name, column in columns.items()
                ]
            names = {name: f"{metric}/{name}" if len(columns) > 1 else metric for name in columns}
            values |= {names[name]: column for name, column in columns.items()}
        dice = np.stack([_column(rows, f"dice/{label.name}") for label in plan.target.labels])
        headline = (
            "dice",
            *(f"dice/{label.name}" for label in plan.target.labels if len(plan.target.labels) > 1),
            "hd95",
        )
        return Scores(tuple(statistics), headline, _nan_mean(dice, axis=0), values)

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        names = [label.name for label in plan.target.labels]
        figures: list[Figure] = []
        for name in names:
            values = _column(rows, f"dice/{name}")
            edges = _bins(values)
            counts, _ = np.histogram(values, bins=edges)
            figures.append(
                Bars(
                    title=f"Dice of {name}: cases",
                    names=tuple(f"{middle:.3f}" for middle in (edges[:-1] + edges[1:]) / 2),
                    values=tuple(float(count) for count in counts),
                    unit="cases",
                    histogram=True,
                )
            )
        return tuple(figures)

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        if example.original is None:
            return Prediction(())
        geometry, _ = example.original
        findings = [_finding(label, output, geometry, decision, plan.target) for label in plan.target.labels]
        attributes = {"labels": plan.target.labels}
        mask = Image(_values(plan.target)[output.values][None], geometry, unit="label", attributes=attributes)
        return Prediction(tuple(findings), mask)


def _bins(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Edges of about a dozen bins from below the least Dice to 1; their width is 0.01, 0.02 or 0.05."""
    known = values[np.isfinite(values)]
    least = float(known.min()) if known.size else 0.0
    width = next((width for width in (0.01, 0.02) if (1 - least) / width <= 14), 0.05)
    bins = max(1, round((1 - np.floor(least / width + 1e-9) * width) / width))
    return np.asarray(np.linspace(1 - bins * width, 1, bins + 1))


def _finding(label: Label, output: Output, geometry: Any, decision: Mapping[str, Any], target: Target) -> Finding:
    numbers = _numbers(label, target)
    counts = _profiles(output.values, numbers)
    size = int(counts[0].sum())
    said: dict[str, Any] = {
        "concept": label.name,
        "code": label.code,
        "rule": str(decision.get("rule", "")),
        "operating_point": _threshold(label),
    }
    if not size:
        return Finding(**said, status="absent")
    ends = [np.flatnonzero(profile)[[0, -1]] for profile in counts]
    start, stop = [first for first, _ in ends], [last + 1 for _, last in ends]
    centre = np.array([profile @ np.arange(len(profile)) / size for profile in counts])
    if geometry.physical:
        millilitres = size * geometry.voxel_volume() / 1000
        volume = Measure(value=round(float(millilitres), 4), unit="mL")
    else:
        volume = Measure(value=float(size), unit="{pixels}")
    measures = {"volume": volume}
    if numbers[0] in output.confidence:
        measures["confidence"] = Measure(
            value=round(output.confidence[numbers[0]], 4), note="mean probability of its voxels, not calibrated"
        )
    place = Place(
        start=(int(start[0]), int(start[1]), int(start[2])),
        stop=(int(stop[0]), int(stop[1]), int(stop[2])),
        centre_mm=_rounded(geometry.to_mm(centre)) if geometry.physical else None,
    )
    return Finding(**said, status="present", measures=measures, place=place)


def _profiles(labels: npt.NDArray[Any], numbers: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """How many voxels of a structure lie in each slice, row and column; one slice at a time, to hold little memory."""
    counts = [np.zeros(length, dtype=np.int64) for length in labels.shape]
    for z, plane in enumerate(labels):
        inside = np.isin(plane, numbers)
        counts[0][z] = np.count_nonzero(inside)
        if counts[0][z]:
            counts[1] += np.count_nonzero(inside, axis=1)
            counts[2] += np.count_nonzero(inside, axis=0)
    return counts


def _threshold(label: Label) -> Threshold:
    """Regions are each said from one half on; of plain labels the most probable wins."""
    if label.members:
        return Threshold(measure="probability of the voxel", of=label.name, value=REGION_FROM, rule="fixed")
    return Threshold(measure="probability of the voxel", of=label.name, rule="largest")


def _rounded(point: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 2) for value in point)
    return x, y, z


def _check_shape(truth: npt.NDArray[Any], said: npt.NDArray[Any], case: str) -> None:
    """Raise when a mask does not lie on the image's grid."""
    if truth.shape != said.shape:
        raise UnsoundGeometry(f"the mask of {case} is {truth.shape}, its image {said.shape}", todo="Run diascope check")


def _regions(target: Target) -> tuple[Label, ...]:
    return target.labels if any(label.members for label in target.labels) else ()


def _numbers(label: Label, target: Target) -> tuple[int, ...]:
    """What a label is called in an output: its own number first, then those of regions that lie wholly inside it.

    Nested regions are written over those around them.
    """
    own = target.labels.index(label) + 1
    inside = (n for n, other in enumerate(target.labels, 1) if n != own and set(other.members) < set(label.members))
    return (own, *inside) if label.members else (own,)


def _declared(target: Target) -> set[int]:
    """Every value that a mask may hold."""
    values = {value for label in target.labels for value in (label.value, *label.members)}
    return values if target.ignore is None else values | {target.ignore}


def _within(mask: npt.NDArray[Any], largest: int) -> npt.NDArray[Any]:
    return np.where((mask >= 0) & (mask <= largest), mask, 0)


def _values(target: Target) -> npt.NDArray[Any]:
    """Label number to the value in a mask, in the narrowest type that holds them all."""
    values = [0, *(label.value for label in target.labels)]
    return np.array(values, dtype=np.uint8 if max(values) <= 255 else np.uint16)


def _channels(mask: Tensor, target: Target) -> Tensor:
    """Mask values to channel numbers, 0 for background; ignored voxels become `IGNORED`."""
    table = torch.zeros(1 + max(_declared(target)), dtype=torch.long, device=mask.device)
    for channel, label in enumerate(target.labels, start=1):
        table[label.value] = channel
    if target.ignore is not None:
        table[target.ignore] = IGNORED
    return table[mask.long()]


def _reduce_regions(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Nested regions: each is painted over the ones before it, as in nnU-Net."""
    probability = torch.sigmoid(logits.float())
    labels = torch.zeros(logits.shape[1:], dtype=torch.uint8)
    for number, channel in enumerate(probability, start=1):
        labels[channel > REGION_FROM] = number
    return labels, probability.max(dim=0).values


def _loss(network: nn.Module, batch: Batch, plan: Plan) -> Tensor:
    """Deep supervision: the target is sampled down to each level, weights halve with each."""
    loss = registry.get("losses", plan["loss"])
    regions = _regions(plan.target)
    options = {
        "ignore": None if plan.target.ignore is None else IGNORED,
        "batch_dice": plan["batch_dice"] if "batch_dice" in plan.choices else False,
    }
    mask = batch.target["mask"] if regions else _channels(batch.target["mask"], plan.target)
    levels = network.levels(batch.inputs)  # type: ignore[operator]
    weights = [0.5**index for index in range(len(levels))]
    total = torch.zeros((), device=mask.device)
    for logits, weight in zip(levels, weights, strict=True):
        target = _downsampled(mask, logits.shape[2:])
        if regions:
            target = _stacked(target, regions, plan.target.ignore)
        total = total + weight / sum(weights) * loss(logits, target, {**options, "regions": bool(regions)})
    return total


def _stacked(mask: Tensor, regions: Sequence[Label], ignore: int | None) -> Tensor:
    """Mask values (B, Z, Y, X) to one channel of 0 and 1 a region; ignored voxels become `IGNORED` in all of them."""
    values = [torch.tensor(label.members or (label.value,), device=mask.device) for label in regions]
    inside = torch.stack([torch.isin(mask, wanted) for wanted in values], dim=1).float()
    return inside if ignore is None else inside.masked_fill((mask == ignore)[:, None], IGNORED)


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
    """Mean over the labels that any case defines; undefined on a choice of cases that lacks one of them."""
    means = [_mean(column, index) for column in columns if np.isfinite(column).any()]
    return float(np.mean(means)) if means else float("nan")


TASK = Segmentation()
