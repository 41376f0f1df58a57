"""From a survey to a fingerprint: what the data is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from diascope.core import registry
from diascope.core.boxes import Boxes
from diascope.core.case import Case, Dataset, Stratum
from diascope.core.errors import DataRefused
from diascope.core.plan import Fingerprint, InputFacts
from diascope.core.presence import LABELS, UNCERTAIN, presence
from diascope.planning.folding import rarest_strata
from diascope.planning.survey import CaseFacts, InputFactsOfCase, MaskFacts, Survey

QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)
ENOUGH_MASKS = 8
"""Of fewer masks nobody can say where a structure lies."""


def fingerprint(dataset: Dataset, survey: Survey, stratum: Callable[[Case], Stratum]) -> Fingerprint:
    """Facts of the training part of a data set (never of its validation or test part).

    Args:
        dataset: After curation.
        survey: Every case read once.
        stratum: The task's stratum of a case.

    Raises:
        DataRefused: When no training case could be read.
    """
    training = [case for case in dataset.part("train") if case.id in survey.facts]
    if not training:
        raise DataRefused("no training case could be read", todo="Run diascope check")
    facts = [survey.facts[case.id] for case in training]
    inputs = {name: _image_facts(name, facts) for name in _image_names(training, facts)}
    inputs |= {name: _facts_of_kind(name, kind, training, facts) for name, kind in _others(training).items()}
    voxels = sum(
        int(np.prod(one.shape)) * one.channels
        for case_facts in survey.facts.values()
        for one in case_facts.inputs.values()
    )
    return Fingerprint(
        dataset=f"{dataset.name}@{dataset.content_hash()[:12]}",
        cases=len(dataset.cases),
        patients=len({case.patient for case in dataset.cases}),
        inputs=inputs,
        order=tuple(
            name for name in dict.fromkeys(name for case in training for name in case.inputs) if name in inputs
        ),
        lacking={name: lacking for name in inputs if (lacking := sum(name not in case.inputs for case in training))},
        strata=dict(Counter(rarest_strata(training, stratum)[0])),
        label_volumes=_label_volumes(dataset, facts),
        label_places=_label_places(dataset, facts),
        box_sides=_box_sides(dataset, training, facts),
        target_values=_target_values(dataset, training),
        target_image=_target_image(dataset, facts),
        pair_difference=_pair_difference(dataset, facts),
        event_times=_event_times(dataset, training),
        label_counts=_label_counts(dataset, training),
        bytes_decoded=4 * voxels,
        seconds_per_case=float(np.mean([one.seconds for one in facts])),
    )


def _image_names(cases: Sequence[Case], facts: Sequence[CaseFacts]) -> list[str]:
    """Images that every case has which has an image at all."""
    names = dict.fromkeys(name for case in cases for name in case.inputs)
    some = [one for one in facts if one.inputs]
    return [name for name in names if some and all(name in one.inputs for one in some)]


def _others(cases: Sequence[Case]) -> dict[str, str]:
    """Inputs that are no images, with their kind."""
    return {name: ref.kind for case in cases for name, ref in case.inputs.items() if ref.kind != "image"}


def _facts_of_kind(name: str, kind: str, cases: Sequence[Case], facts: Sequence[CaseFacts]) -> InputFacts:
    having = [
        (case.inputs[name], one.looks.get(name)) for case, one in zip(cases, facts, strict=True) if name in case.inputs
    ]
    found: InputFacts = registry.get("kinds", kind).facts([ref for ref, _ in having], [look for _, look in having])
    return found


def _image_facts(name: str, facts: Sequence[CaseFacts]) -> InputFacts:
    return _facts_of_images([one.inputs[name] for one in facts if name in one.inputs])


def _target_image(dataset: Dataset, facts: Sequence[CaseFacts]) -> InputFacts | None:
    if dataset.target.kind != "image":
        return None
    seen = [pair.image for one in facts if (pair := one.pairs.get(dataset.target.columns[0])) is not None]
    if not seen:
        return None
    ends = [float(np.median([getattr(one, end) for one in seen])) for end in ("low", "high")]
    return _facts_of_images(seen).model_copy(update={"details": {"range": ends}})


def _pair_difference(dataset: Dataset, facts: Sequence[CaseFacts]) -> tuple[float, ...]:
    column = dataset.target.columns[0] if dataset.target.kind == "image" else ""
    pairs = [pair for one in facts if (pair := one.pairs.get(column)) is not None and np.isfinite(pair.differs)]
    if not pairs:
        return ()
    return float(np.median([one.differs for one in pairs])), float(np.median([one.varies for one in pairs]))


def _facts_of_images(seen: Sequence[InputFactsOfCase]) -> InputFacts:
    flat = {one.shape[0] == 1 for one in seen}
    dimensions: Literal[2, 3] = 2 if flat == {True} else 3
    modality, reason = _modality(seen, dimensions)
    channels = Counter(one.channels for one in seen).most_common(1)[0][0]
    shapes = np.array([one.shape for one in seen], dtype=float)
    steps = np.array([one.steps for one in seen], dtype=float)
    means, stds = np.array([one.mean for one in seen]), np.array([one.std for one in seen])
    return InputFacts(
        kind="image",
        modality=modality,
        channels=channels,
        dimensions=dimensions,
        physical=all(one.physical for one in seen),
        shapes=tuple(_whole(np.quantile(shapes, q, axis=0, method="nearest")) for q in QUANTILES),
        spacings=tuple(_triple(np.quantile(steps, q, axis=0)) for q in QUANTILES),
        intensity=_intensity([one for one in seen if one.channels == channels], channels),
        per_case={"mean": (float(means.mean()), float(means.std())), "std": (float(stds.mean()), float(stds.std()))},
        modality_reason=reason,
        unit=Counter(one.unit for one in seen).most_common(1)[0][0],
        details={"over_time": True} if all(one.attributes.get("over_time") for one in seen) else {},
        extents=tuple(_triple(np.quantile(shapes * steps, q, axis=0)) for q in QUANTILES),
        integer=all(np.dtype(one.dtype).kind in "iu" for one in seen),
    )


def _modality(seen: Sequence[InputFactsOfCase], dimensions: int) -> tuple[str, str]:
    """The modality that most files have; pictures of which no file says it are photographs where most have colour."""
    modality = Counter(one.modality for one in seen).most_common(1)[0][0]
    coloured = sum(one.coloured for one in seen)
    if modality == "unknown" and dimensions == 2 and coloured > len(seen) / 2:
        return "photo", f"no file says what it is, and {coloured} of {len(seen)} pictures are in colour"
    return modality, ""


def _intensity(seen: Sequence[InputFactsOfCase], channels: int) -> dict[str, tuple[float, ...]]:
    """Foreground statistics pooled over cases; the deviation holds both that within and that between cases."""
    table = np.array([one.foreground[:channels] for one in seen if one.foreground], dtype=float)
    mean = table[..., 0].mean(axis=0)
    std = np.sqrt((table[..., 1] ** 2).mean(axis=0) + table[..., 0].var(axis=0))
    return {
        "mean": tuple(map(float, mean)),
        "std": tuple(map(float, std)),
        "low": tuple(map(float, np.median(table[..., 2], axis=0))),
        "high": tuple(map(float, np.median(table[..., 3], axis=0))),
    }


def _label_volumes(dataset: Dataset, facts: Sequence[CaseFacts]) -> dict[str, float]:
    if dataset.target.kind != "mask":
        return {}
    column = dataset.target.columns[0]
    found = {}
    for label in dataset.target.labels:
        values = label.members or (label.value,)
        counts = [sum(one.masks[column].counts.get(v, 0) for v in values) for one in facts if column in one.masks]
        held = [count for count in counts if count]
        found[label.name] = float(np.median(held)) if held else 0.0
    return found


def _box_sides(
    dataset: Dataset, cases: Sequence[Case], facts: Sequence[CaseFacts]
) -> dict[str, tuple[float, float, float, float, float]]:
    if dataset.target.kind != "boxes":
        return {}
    sides: dict[str, list[float]] = {}
    for case, seen in zip(cases, facts, strict=True):
        boxes = case.targets.get(dataset.target.columns[0])
        if not isinstance(boxes, Boxes) or not seen.inputs:
            continue
        shape = next(iter(seen.inputs.values())).shape
        usable = boxes.usable(shape)
        root = 1 / (2 if shape[0] == 1 else 3)
        for label, corners in zip(usable.labels, usable.array, strict=True):
            sides.setdefault(label, []).append(float(np.prod(corners[3:] - corners[:3])) ** root)
    found = {}
    for label, values in sorted(sides.items()):
        a, b, c, d, e = (float(one) for one in np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95)))
        found[label] = (a, b, c, d, e)
    return found


def _target_values(dataset: Dataset, cases: Sequence[Case]) -> tuple[float, ...]:
    if dataset.target.kind != "number":
        return ()
    values = [case.targets.get(dataset.target.columns[0]) for case in cases]
    known = [float(value) for value in values if isinstance(value, int | float)]
    return (float(np.mean(known)), float(np.std(known))) if known else ()


TIMES = ("time_to_event", "time_to_first_event")
"""Kinds of target with a time and an event."""


def _event_times(dataset: Dataset, cases: Sequence[Case]) -> tuple[float, ...]:
    if dataset.target.kind not in TIMES or len(dataset.target.columns) != 2:
        return ()
    when, seen = dataset.target.columns
    times = [
        float(time)
        for case in cases
        if case.targets.get(seen) and isinstance(time := case.targets.get(when), int | float)
    ]
    return tuple(float(one) for one in np.quantile(times, np.linspace(0, 1, 21))) if times else ()


def _label_counts(dataset: Dataset, cases: Sequence[Case]) -> dict[str, tuple[int, int, int]]:
    if dataset.target.kind != LABELS:
        return {}
    found = {}
    for column in dataset.target.columns:
        said = Counter(presence(case.targets.get(column)) for case in cases)
        found[column] = (said[1], said[0], said[UNCERTAIN])
    return found


def _label_places(dataset: Dataset, facts: Sequence[CaseFacts]) -> dict[str, tuple[float, float, float]]:
    if dataset.target.kind != "mask":
        return {}
    masks = [mask for one in facts if (mask := one.masks.get(dataset.target.columns[0])) is not None]
    found = {}
    for label in dataset.target.labels:
        places = [place for mask in masks if (place := _place(mask, label.members or (label.value,))) is not None]
        if len(places) >= ENOUGH_MASKS:
            found[label.name] = _triple(np.quantile(places, (0.05, 0.5, 0.95)))
    return found


def _place(mask: MaskFacts, values: Sequence[int]) -> float | None:
    """Mean place of a structure across the image; None where the mask does not hold it."""
    held = [value for value in values if value in mask.across]
    if not held:
        return None
    return float(np.average([mask.across[value] for value in held], weights=[mask.counts[value] for value in held]))


def _whole(values: npt.NDArray[np.float64]) -> tuple[int, int, int]:
    z, y, x = (int(value) for value in values)
    return z, y, x


def _triple(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    return z, y, x
