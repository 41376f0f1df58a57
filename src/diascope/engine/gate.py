"""The input gate: declared rules, and a distance in feature space with a stated false-refusal rate (F13)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from diascope.core.evaluation import ColumnRule, Gate, GateRule
from diascope.core.image import Image
from diascope.core.plan import Fingerprint, InputFacts, Plan
from diascope.engine.batch import Example, Output
from diascope.evidence.proportions import proportion
from diascope.kinds import kind_of
from diascope.kinds.tables.rows import column_rules

Floats = npt.NDArray[np.float64]
FALSE_REFUSALS = 0.01
"""Share of images like those in training that the distance may refuse."""
FEWEST = 20
"""Cases below which no distance is fitted."""
FOLDS = 5
"""Each case's distance is measured from a fit on other patients."""
SPREAD = 8.0
"""Standard deviations between cases by which the mean of an image on an absolute scale may differ."""
COLOUR = 0.02
"""Mean difference of the channels, as a share of the range of the image, above which a picture has colour."""
ABSOLUTE = ("window", "windows", "grey", "rgb")
"""Intensity rules that keep the scale of the file: there its numbers mean something."""
SLACK = 2.0
"""Spacing may differ from the training range by this factor; resampling bridges it."""
COMPONENTS = 24
LEAST_SCALE = 0.3
"""Of a table column's spread in training: what its scale in the distance is at least."""


def features(example: Example, output: Output, plan: Plan) -> Floats:
    """What the distance is measured on: how grey values are distributed and change, and the encoder's features.

    Of inputs that are no images what their kind says of them; nan where one is missing.
    """
    parts = [_descriptor(channel) for channel in example.inputs.get("image", ())]
    readings: Mapping[str, Mapping[str, Any]] = plan["readings"]
    parts += [kind_of(one).describe(example.inputs[name], one) for name, one in sorted(readings.items())]
    return np.concatenate([*parts, np.asarray(output.features, float)]).astype(float)


def described(example: Example, plan: Plan) -> Floats:
    """The first part of `features`, which nothing was learnt for: it may be taken from training cases."""
    return features(example, Output(np.zeros(0)), plan)


def _descriptor(channel: npt.NDArray[np.float32]) -> Floats:
    """13 numbers of one channel (Z, Y, X): quantiles, contrast at three scales, and where the content lies."""
    volume = channel[:, ::2, ::2] if channel.size > 500_000 else channel
    quantiles = np.quantile(volume, (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99))
    contrast = [_contrast(volume), *(_contrast(ndimage.uniform_filter(volume, n, mode="nearest")) for n in (3, 7))]
    weight = volume - np.median(volume)
    np.abs(weight, out=weight)
    weight += 1e-6
    rows, columns = weight.sum(axis=(0, 2)), weight.sum(axis=(0, 1))
    centre = [float((line * np.linspace(-1, 1, len(line))).sum() / line.sum()) for line in (rows, columns)]
    spread = float((rows * np.linspace(-1, 1, len(rows)) ** 2).sum() / rows.sum())
    return np.array([*quantiles, *np.log1p(np.array(contrast) * 10), *centre, spread], dtype=float)


def _contrast(volume: npt.NDArray[np.float32]) -> float:
    """Mean step between neighbours in a row."""
    steps = np.diff(volume, axis=2)
    return float(np.abs(steps, out=steps).mean())


def fit_gate(
    plan: Plan, facts: Fingerprint, rows: Sequence[Floats], patients: Sequence[str]
) -> tuple[Gate, dict[str, Floats]]:
    """Rules from the fingerprint, and the distance from the features of training-like cases.

    Args:
        plan: Which inputs are read.
        facts: Of the training part.
        rows: `features` of cases that the network was not trained on, or `described` of any cases.
        patients: Of each row.

    Returns:
        The gate, and the arrays of the distance (`mean`, `scale`, `axes`, `variance`); none below 20 cases.
    """
    rules = tuple(_rule(name, plan, facts) for name in plan["image_inputs"])
    columns = tuple(rule for name in _tables(plan) for rule in _rules_of(name, facts))
    if len(rows) < FEWEST:
        return Gate(rules=rules, columns=columns), {}
    table = np.stack(rows)
    least = _least_scales(plan, table.shape[1])
    folds = _folds(patients)
    apart = np.zeros(len(table))
    for fold in range(FOLDS):
        arrays = _fit_distance(table[folds != fold], least)
        apart[folds == fold] = [distance(row, arrays) for row in table[folds == fold]]
    # Whether a case is refused is asked of a limit that it had no part in.
    limits = [_limit(apart[folds != fold]) for fold in range(FOLDS)]
    beyond = [apart[row] > limits[folds[row]] for row in range(len(table))]
    rate, _, high = proportion(np.array(beyond), patients)
    gate = Gate(
        rules=rules,
        columns=columns,
        distance_limit=_limit(apart),
        false_refusal_rate=rate,
        false_refusal_high=None if math.isnan(high) else high,
        fitted_on=len(table),
    )
    return gate, _fit_distance(table, least)


def _rules_of(name: str, facts: Fingerprint) -> tuple[ColumnRule, ...]:
    return column_rules(name, facts.inputs[name]) if name in facts.inputs else ()


def _least_scales(plan: Plan, width: int) -> Floats:
    """(D,) what the scale of a feature is at least: a rare 1 in a column of zeros must not be infinitely far."""
    found = np.zeros(width)
    tables = _tables(plan)
    if plan["image_inputs"] or len(tables) < len(plan["readings"]):
        return found
    settings = [plan["readings"][name] for name in tables]
    spreads = [one["scales"][column][1] for one in settings for column in one["columns"]]
    found[: len(spreads)] = LEAST_SCALE * np.asarray(spreads)
    return found


def _tables(plan: Plan) -> list[str]:
    """Names of the rows of tables that are read."""
    return sorted(name for name, settings in plan["readings"].items() if settings["kind"] == "table")


def _folds(patients: Sequence[str]) -> npt.NDArray[np.intp]:
    """The fold of each row; a patient is in one only."""
    numbers = {patient: number % FOLDS for number, patient in enumerate(dict.fromkeys(patients))}
    return np.array([numbers[patient] for patient in patients])


def _limit(apart: Floats) -> float:
    """Beyond it lies at most a hundredth.

    By a log-normal tail, since the 99 % quantile of few cases is their maximum, and with room for what few cases do
    not know of its width (99 % of the normal lie below 2.33; the rest is for tails that are heavier).
    """
    logs = np.log(np.maximum(apart, 1e-9))
    width = 2.8 + 3 / math.sqrt(len(apart))
    return float(max(np.quantile(apart, 1 - FALSE_REFUSALS), np.exp(logs.mean() + width * logs.std())))


def _rule(name: str, plan: Plan, facts: Fingerprint) -> GateRule:
    one = facts.inputs[name]
    physical = one.physical and one.dimensions == 3
    low = _scaled(one.spacings[0], 1 / SLACK) if physical else None
    high = _scaled(one.spacings[4], SLACK) if physical else None
    scale = _scale(one) if plan["intensity"][name]["rule"] in ABSOLUTE else {}
    return GateRule(
        intensity=scale,
        input=name,
        modality=one.modality,
        dimensions=one.dimensions,
        channels=one.channels,
        spacing_low=low,
        spacing_high=high,
    )


def _scale(facts: InputFacts) -> dict[str, tuple[float, float]]:
    """Where mean and standard deviation of a whole image may lie, on the scale of the file."""
    span = max(facts.intensity["high"]) - min(facts.intensity["low"])
    found = {}
    for statistic, (middle, spread) in facts.per_case.items():
        margin = SPREAD * spread + 0.1 * span
        found[statistic] = (round(middle - margin, 4), round(middle + margin, 4))
    return found


def _scaled(steps: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    z, y, x = (round(step * factor, 4) for step in steps)
    return z, y, x


def _fit_distance(table: Floats, least: Floats) -> dict[str, Floats]:
    """Whitened principal axes; axes with little variance share a floor, so that few cases do not make them infinite."""
    known = np.isfinite(table)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, table, 0.0).sum(axis=0) / count
    scale = np.sqrt(np.where(known, (table - mean) ** 2, 0.0).sum(axis=0) / count) + 1e-6
    scale = np.maximum(scale, least)
    normal = _normal(table, mean, scale)
    _, singular, axes = np.linalg.svd(normal, full_matrices=False)
    keep = min(COMPONENTS, len(table) // 4, len(singular))
    variance = singular[:keep] ** 2 / max(1, len(table) - 1)
    rest = float(((normal - normal @ axes[:keep].T @ axes[:keep]) ** 2).sum() / max(1, len(table) - 1))
    return {"mean": mean, "scale": scale, "axes": axes[:keep], "variance": np.r_[variance + 0.05, max(rest, 0.05)]}


def _normal(rows: Floats, mean: Floats, scale: Floats) -> Floats:
    """Standardised; what is missing is neither near nor far."""
    return np.asarray(np.where(np.isfinite(rows), (rows - mean) / scale, 0.0))


def distance(row: Floats, arrays: Mapping[str, Floats]) -> float:
    """Mahalanobis distance in the whitened axes, with what lies outside them as one more axis.

    Of a row that holds more than was fitted (learnt features), the first part counts.
    """
    row = row[: len(arrays["mean"])]
    normal = _normal(row, arrays["mean"], arrays["scale"])
    along = arrays["axes"] @ normal
    outside = float(((normal - arrays["axes"].T @ along) ** 2).sum())
    squares = np.r_[along**2, outside] / arrays["variance"]
    return float(np.sqrt(squares.mean()))


def refusals(gate: Gate) -> str:
    """The stated false-refusal rate, in words."""
    rate, high = gate.false_refusal_rate or 0.0, gate.false_refusal_high
    most = f", at most {100 * high:.1f} %" if high is not None else ""
    return f"of images like those it refuses {100 * rate:.1f} %{most}, by {gate.fitted_on} cases"


def broken_rules(gate: Gate, images: Mapping[str, Image], may_lack: bool = False) -> list[str]:
    """Why these images are not what the release was made for; empty where they are.

    Args:
        gate: Of the release.
        images: By input.
        may_lack: Whether the case has inputs of another kind, and no image is needed.
    """
    found = []
    for rule in gate.rules:
        image = images.get(rule.input)
        if image is None and not may_lack:
            found.append(f"the input {rule.input!r} is missing")
        if image is None:
            continue
        found += _broken(rule, image)
    return found


def _broken(rule: GateRule, image: Image) -> list[str]:
    found = []
    if image.modality not in (rule.modality, "unknown") and rule.modality != "unknown":
        found.append(f"{rule.input}: modality {image.modality}, trained on {rule.modality}")
    if image.is_flat != (rule.dimensions == 2):
        found.append(f"{rule.input}: {'2-D' if image.is_flat else '3-D'} image, trained on {rule.dimensions}-D")
    if image.channels != rule.channels and {image.channels, rule.channels} != {1, 3}:
        found.append(f"{rule.input}: {image.channels} channels, trained on {rule.channels}")
    elif rule.channels == 1 and _has_colour(image):
        found.append(f"{rule.input}: a picture in colour, trained on grey ones")
    if image.array.dtype.kind == "f" and not all(np.isfinite(plane).all() for plane in _planes(image)):
        found.append(f"{rule.input}: some voxels are not finite")
    elif float(np.ptp(image.array)) == 0:
        found.append(f"{rule.input}: the image is blank")
    else:
        found += _intensity(rule, image)
    if rule.spacing_low is not None and rule.spacing_high is not None:
        found += _spacing(rule, image, rule.spacing_low, rule.spacing_high)
    return found


def _planes(image: Image) -> Iterator[npt.NDArray[Any]]:
    """Each slice (Y, X) of each channel."""
    return (plane for channel in image.array for plane in channel)


def _has_colour(image: Image) -> bool:
    """Whether the channels differ; a film that was saved in colour is grey all the same."""
    if image.channels != 3:
        return False
    array = image.array.astype(np.float32)
    return bool(np.ptp(array, axis=0).mean() > COLOUR * max(float(np.ptp(array)), 1e-9))


def _intensity(rule: GateRule, image: Image) -> list[str]:
    mean = float(np.mean(image.array, dtype=np.float64))
    # One slice at a time: np.std would hold every voxel in 8 bytes.
    squares = sum(float(np.square(plane - mean, dtype=np.float64).sum()) for plane in _planes(image))
    seen = {"mean": mean, "std": math.sqrt(squares / image.array.size)}
    return [
        f"{rule.input}: {statistic} {seen[statistic]:.4g}, trained on {low:.4g} to {high:.4g} (grey values)"
        for statistic, (low, high) in sorted(rule.intensity.items())
        if not low <= seen[statistic] <= high
    ]


def _spacing(rule: GateRule, image: Image, low: tuple[float, ...], high: tuple[float, ...]) -> list[str]:
    if not image.geometry.physical:
        return [f"{rule.input}: no millimetres, and the release needs them"]
    mine, least, most = sorted(image.geometry.spacing), sorted(low), sorted(high)
    if all(lo <= have <= hi for have, lo, hi in zip(mine, least, most, strict=True)):
        return []
    words = " x ".join(f"{v:.2f}" for v in image.geometry.spacing)
    allowed = " x ".join(f"{lo:.2f}-{hi:.2f}" for lo, hi in zip(low, high, strict=True))
    return [f"{rule.input}: spacing {words} mm, trained on {allowed} mm"]
