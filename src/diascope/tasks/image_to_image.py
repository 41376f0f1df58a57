"""Image to image: one image of a patient made of another one, learnt from pairs that lie on one grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.case import Case, FileRef, Target
from diascope.core.errors import BadUsage, DataRefused, UnsoundGeometry
from diascope.core.figure import Figure
from diascope.core.finding import Finding, Measure
from diascope.core.image import Image
from diascope.core.plan import Choice, Fingerprint, InputFacts, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.task import Phase, Prediction, Scores, Statistic
from diascope.models import Gives
from diascope.tasks.pairs.charts import charts
from diascope.tasks.pairs.errors import COVERED, METRICS, OF_THE_UNIT, expected, fitted, measured, spread_sums
from diascope.tasks.pairs.network import MakingNetwork

GREY = 255.0
"""Peak of images of 8 bits."""
UNCLIPPED = 1e6
"""Beyond any value of an image."""
INPUT, GAIN = "input as it is", "made minus input"
"""Parts of the names of metrics: of the input itself, and the paired difference."""
WITHOUT_CHANGE = ("none", "mirror_only")
"""Augmentations after which input and target are still a pair."""
RULE = "no probability is given, and calibration is not applicable: the errors on validation say what to expect"
ERROR = "expected absolute error"
"""What is said of a case: its own error is not known, since nobody recorded what it should be."""
Floats = npt.NDArray[np.float64]


class ImageToImage:
    """Every voxel gets a value, in the unit of the target; the input itself is what it must be better than."""

    summary = "an image made of another one, learnt from pairs: less noise, another sequence or modality"
    needs: Gives = "dense"
    writes: tuple[str, ...] = ("findings", "picture", "made")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(target for target in targets if target.kind == "image")

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        missing = tuple(case.id for case in cases if not isinstance(case.targets.get(target.columns[0]), FileRef))
        if not missing:
            return []
        return [
            Problem(
                check="target",
                severity="warn",
                title=f"{len(missing)} cases without a target image",
                detail="They are left out: nothing can be learnt from them here.",
                cases=missing,
                exclude=missing,
            )
        ]

    def stratum(self, case: Case, target: Target) -> str:
        return case.site or ""

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        first, made = _pair_of(fingerprint)
        one_unit = (first.unit, first.modality, first.channels) == (made.unit, made.modality, 1)
        apart, varies = (*fingerprint.pair_difference, 0.0, 0.0)[:2]
        scale = [0.0, apart] if one_unit and apart else _whole_scale(made)
        told = (
            f"input and target are in {made.unit}: the network learns what to add to the input"
            if one_unit
            else f"the target is in {made.unit}, the input is not: its values are made anew"
        )
        return {
            "whole": Choice(value=False, kind="fixed", reason="learns from patches"),
            "prepare": Choice(value=[], kind="fixed", reason="voxels stay where they are: resampling would blur them"),
            "model": Choice(value="residual_unet", kind="rule", reason="the network for every voxel"),
            "loss": Choice(value="l1", kind="rule", reason="absolute error: squared error blurs more"),
            "loss_gradient": Choice(value=0.0, kind="rule", reason="weight of edges in the loss; 0: none"),
            "difference": Choice(
                value=one_unit,
                kind="rule",
                reason=told,
            ),
            "intensity": _intensity(fingerprint, one_unit),
            "made_scale": Choice(
                value=scale, kind="measured", reason="start and step of the answer, in the unit of the target"
            ),
            "target_unit": Choice(value=made.unit, kind="measured", reason="as most target files say"),
            "target_modality": Choice(value=made.modality, kind="measured", reason="as most target files say"),
            "data_range": Choice(
                value=_data_range(made), kind="measured", reason="of the targets: the peak of PSNR and SSIM"
            ),
            "beside_input": Choice(
                value=one_unit,
                kind="rule",
                reason=f"the input as it is differs by {apart:.4g}, the target from its median by {varies:.4g} "
                "(means, in the unit)"
                if one_unit
                else "input and target have no unit in common",
            ),
            "foreground": Choice(value=0.0, kind="fixed", reason="no mask says where to look"),
            "learning_rate": Choice(value=3e-3, kind="rule", reason="AdamW with cosine decay on a U-Net"),
            "augment": Choice(value="mirror_only", kind="fixed", reason="what changes values would break the pair"),
            "mirror_axes": Choice(
                value=[2], kind="rule", reason="a mirrored pair is a pair: values are learnt, and not sides"
            ),
            "mixup": Choice(value=0.0, kind="fixed", reason="mixing two anatomies is not used for images"),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        made = masks.get(target.columns[0])
        return {} if made is None else {"image": made.astype(np.float32)}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        if plan["augment"] not in WITHOUT_CHANGE:
            raise BadUsage(
                f"the augmentation {plan['augment']!r} changes an input without its target",
                todo=f"Leave it out, or write --set augment={' or '.join(WITHOUT_CHANGE)}",
            )
        undo = None
        if plan["difference"]:
            rule = plan["intensity"][plan["image_inputs"][0]]
            undo = (rule["mean"][0], rule["std"][0])
        return MakingNetwork(encoders["image"], plan["made_scale"], undo)

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (Phase("network", _parameters, partial(_loss, plan=plan)),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        true, said = truth["image"], _kept(output.values, plan)
        if true.shape != said.shape:
            raise UnsoundGeometry(
                f"the target of {example.case.id} is {true.shape}, what was made {said.shape}",
                todo="Run diascope check",
            )
        row: Row = {"case": example.case.id, **measured(true, said, plan["data_range"])}
        row |= spread_sums(true, said, output.spread)
        if plan["beside_input"] and example.seen is not None:
            beside = measured(true, example.seen.array[0].astype(np.float32), plan["data_range"])
            row |= {f"{name}/{INPUT}": value for name, value in beside.items()}
        return row

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        return {**fitted(rows), "rule": RULE}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        bound = decision["mae_bound"]
        inside = None if bound is None else bool(row["mae"] <= bound)
        return {**row, "inside": inside, "expected": expected(row.get("spread"), decision)}

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        statistics: list[Statistic] = []
        values: dict[str, Floats] = {}
        for name in METRICS:
            metric = registry.get("metrics", name)
            unit = _unit(plan) if name == OF_THE_UNIT else metric.unit
            columns = {name: _column(rows, name)}
            if plan["beside_input"]:
                beside = _column(rows, f"{name}/{INPUT}")
                columns |= {f"{name}/{INPUT}": beside, f"{name}/{GAIN}": columns[name] - beside}
            statistics += [Statistic(key, partial(_mean, one), unit, metric.better) for key, one in columns.items()]
            values |= columns
        inside = np.array([np.nan if row["inside"] is None else float(row["inside"]) for row in rows])
        wrong, told = _column(rows, "mae"), _column(rows, "expected")
        statistics.append(Statistic("below_bound", partial(_mean, inside), better="nearer"))
        statistics.append(Statistic("error_ratio", partial(_ratio, wrong, told), better="nearer"))
        gain = (f"{OF_THE_UNIT}/{GAIN}",) if plan["beside_input"] else ()
        return Scores(tuple(statistics), (*METRICS, *gain, "below_bound"), -wrong, values)

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        columns = {name: _column(rows, name) for name in ("mae", f"mae/{INPUT}", "expected")}
        return charts(columns["mae"], columns[f"mae/{INPUT}"], columns["expected"], _unit(plan)) if rows else ()

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        if example.original is None:
            return Prediction(())
        geometry, unit = example.original[0], plan["target_unit"]
        told = expected(output.spread, decision)
        made = Image(_kept(output.values, plan)[None], geometry, plan["target_modality"], unit)
        error = None if told is None else Image(told[None].astype(np.float32), geometry, unit=unit)
        usual = decision["mae_median"] if told is None else float(np.mean(told))
        bound = decision["mae_bound"]
        note = f"{_whence(told, output.spread)}; "
        note += (
            "too few validation cases for a bound" if bound is None else f"{COVERED:.0%} of cases stay below the end"
        )
        measure = Measure(
            value=None if usual is None else round(usual, 6),
            unit=_unit(plan),
            low=None if bound is None else 0.0,
            high=None if bound is None else round(bound, 6),
            note=note,
        )
        finding = Finding(
            concept=plan.target.name,
            status="measured",
            measures={ERROR: measure},
            rule=str(decision["rule"]),
        )
        return Prediction((finding,), made=made, error=error)


def _pair_of(fingerprint: Fingerprint) -> tuple[InputFacts, InputFacts]:
    """Facts of the first image input and of the target."""
    images = [one for name in fingerprint.order if (one := fingerprint.inputs[name]).kind == "image"]
    if not images or fingerprint.target_image is None:
        raise DataRefused("no pair of images could be read", todo="Run diascope check")
    return images[0], fingerprint.target_image


def _intensity(fingerprint: Fingerprint, one_unit: bool) -> Choice:
    """The rule of the first input, where the answer is added to it; other inputs keep that of their modality."""
    if not one_unit:
        return Choice(value={}, kind="rule", reason="by modality")
    name = next(name for name in fingerprint.order if fingerprint.inputs[name].kind == "image")
    mean, std = _whole_scale(fingerprint.inputs[name])
    rule = {"rule": "window", "low": [-UNCLIPPED], "high": [UNCLIPPED], "mean": [mean], "std": [std]}
    reason = f"{name}: one scale for all images, nothing clipped, so that the answer can be added to it"
    return Choice(value={name: rule}, kind="rule", reason=reason)


def _whole_scale(facts: InputFacts) -> list[float]:
    """Mean and standard deviation of all voxels of all images, air as well: it is made like everything else."""
    (mean, between), (within, _) = facts.per_case["mean"], facts.per_case["std"]
    return [float(mean), float(np.hypot(within, between)) or 1.0]


def _data_range(facts: InputFacts) -> float:
    low, high = facts.details["range"]
    if facts.unit == "grey" and facts.integer and high <= GREY:
        return GREY
    return float(high - low) or 1.0


def _unit(plan: Plan) -> str:
    return f"{{{plan['target_unit']}}}" if plan["target_unit"] in ("a.u.", "grey") else str(plan["target_unit"])


def _kept(values: npt.NDArray[Any], plan: Plan) -> npt.NDArray[Any]:
    """What was made; of pictures of 8 bits what such a file holds, so that what is measured is what is written."""
    eight_bits = plan["target_unit"] == "grey" and plan["data_range"] == GREY
    return values.clip(0, GREY) if eight_bits else values


def _whence(told: Any, spread: Any) -> str:
    """Where the expected error of a case comes from."""
    if told is not None:
        return "mean over voxels"
    why = "without mirrored readings (mirror_reading)" if spread is None else "too few of them"
    return f"median of validation cases, not of this one: {why}"


def _parameters(network: nn.Module) -> Iterable[nn.Parameter]:
    return network.parameters()


def _loss(network: nn.Module, batch: Batch, plan: Plan) -> Tensor:
    start, step = plan["made_scale"][0], plan["made_scale"][1] or 1.0
    made, true = network(batch.inputs), batch.target["image"].float()
    options = {"gradient": plan["loss_gradient"]}
    loss: Tensor = registry.get("losses", plan["loss"])((made - start) / step, (true - start) / step, options)
    return loss


def _column(rows: Sequence[Row], name: str) -> Floats:
    found = [np.nan if (value := row.get(name)) is None else value for row in rows]
    return np.array(found, dtype=np.float64)


def _mean(values: Floats, index: npt.NDArray[np.intp]) -> float:
    known = values[index][np.isfinite(values[index])]
    return float(known.mean()) if known.size else float("nan")


def _ratio(wrong: Floats, told: Floats, index: npt.NDArray[np.intp]) -> float:
    """Actual over expected error; nan without an expected one."""
    total = float(told[index].sum())
    return float(wrong[index].sum()) / total if np.isfinite(total) and total else float("nan")


TASK = ImageToImage()
