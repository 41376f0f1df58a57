"""Synthesis: new images like those of the data set, by class, with a test that no training image is given away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.case import Case, Target
from diascope.core.errors import BadUsage
from diascope.core.figure import Figure, Gallery
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.sampling import SampleNetwork, ends_of, grey
from diascope.engine.task import Phase, Prediction, Scores
from diascope.models import Gives
from diascope.tasks.sampling.audit import audit
from diascope.tasks.sampling.sheets import sheet, spread
from diascope.tasks.sampling.spaces import of_fixed_network
from diascope.tasks.sampling.statistics import FIXED, Sets, of_sets

KIND = "images"
"""Of the target: what is learnt are the images themselves; a class says which of them are meant."""
FEWEST = 100
"""Patients of whom something may be made: fewer are learnt by heart."""
SHOWN = 8
"""Pictures in a row of a figure."""
AUDIT_SECONDS = 25.0


class Synthesis:
    """What is judged are sets of images: one made image, of the same class, for each real one."""

    summary = "new images like those of the data set, by class"
    needs: Gives = "samples"
    writes: tuple[str, ...] = ("picture", "images")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Images by each target of classes; where there is none, images of which nothing is said."""
        found = tuple(one.model_copy(update={"kind": KIND}) for one in targets if one.kind == "category")
        return found or (Target(name=KIND, kind=KIND, columns=()),)

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        known = {label.name for label in target.labels}
        strange = tuple(case.id for case in cases if target.columns and _name(case, target) not in known)
        found = []
        if strange:
            found.append(
                Problem(
                    check="target",
                    severity="warn",
                    title=f"{len(strange)} cases without a known label",
                    detail="They are left out: nobody says what they are images of.",
                    cases=strange,
                    exclude=strange,
                )
            )
        patients = len({case.patient for case in cases if case.id not in set(strange)})
        if patients < FEWEST:
            found.append(
                Problem(
                    check="few_to_learn_from",
                    severity="refuse",
                    title=f"{patients} patients are too few to make images of",
                    detail=f"Below {FEWEST} a network learns the images by heart, and what it makes are their images.",
                )
            )
        return found

    def stratum(self, case: Case, target: Target) -> str:
        return _name(case, target) if target.columns else ""

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        if any(one.dimensions != 2 for one in fingerprint.inputs.values()):
            raise BadUsage("flat images only can be made", given="volumes, or inputs that are no images")
        return {
            "whole": Choice(value=True, kind="fixed", reason="the whole image is made at once"),
            "model": Choice(
                value="gan", kind="rule", reason="two networks that play against each other: sharp images (or: vae)"
            ),
            "grids": Choice(
                value=[128, 64], kind="rule", reason="the larger one where time leaves enough steps for it"
            ),
            "enough_steps": Choice(value=6000, kind="fixed", reason="a game takes long: more steps before more width"),
            "passes": Choice(value=2000, kind="fixed", reason="the judge sees every image changed, each time anew"),
            "learning_rate": Choice(
                value=3e-4, kind="fixed", reason="Adam's usual one for games; see the model's parts"
            ),
            "betas": Choice(
                value=[0.0, 0.99], kind="fixed", reason="no momentum: the opponent moves (arXiv:1805.08318)"
            ),
            "weight_decay": Choice(value=0.0, kind="fixed", reason="spectral normalisation bounds the judge"),
            "ema": Choice(value=0.999, kind="fixed", reason="averaged weights make what is released"),
            "augment": Choice(value="none", kind="fixed", reason="what is changed before the game would be made"),
            "mirror_reading": Choice(value=False, kind="fixed", reason="two made images have no mean"),
            "foreground": Choice(value=0.0, kind="fixed", reason="no patches"),
            "audit_seconds": Choice(
                value=AUDIT_SECONDS, kind="fixed", reason="training images are read again, and two classifiers trained"
            ),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        number = (
            {label.name: label.value for label in target.labels}.get(_name(case, target)) if target.columns else None
        )
        return {} if number is None else {"class": np.array(number, dtype=np.int64)}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        return SampleNetwork(encoders["image"], len(plan.target.labels), ends_of(plan))

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        axes = tuple(plan["mirror_axes"]) if "mirror_axes" in plan.choices else ()
        return tuple(
            Phase(
                part.name,
                partial(_moves, part=part.name),
                partial(_loss, part=part.name, axes=axes),
                part.every,
                part.rate,
            )
            for part in registry.get("models", plan["model"]).parts
        )

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        ends = ends_of(plan)
        number = int(truth.get("class", 0))
        made = output.values[number * len(ends) : (number + 1) * len(ends)]
        return {
            "case": example.case.id,
            "unit": example.case.group or example.case.patient,
            "class": number,
            "real": _bytes(example.inputs["image"], ends),
            "made": _bytes(made, ends),
        }

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        return {}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        return row

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        sets = Sets.of(rows, of_fixed_network)
        statistics, headline = of_sets(sets, FIXED)
        return Scores(statistics, headline, np.full(len(rows), np.nan), audit=partial(audit, rows, plan=plan))

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        groups = {label.name: label.value for label in plan.target.labels} or {KIND: 0}
        pictures = []
        for name, value in groups.items():
            mine = [row for row in rows if row["class"] == value]
            chosen = [mine[place] for place in spread(len(mine), SHOWN)]
            if chosen:
                both = [np.stack([row[what] for row in chosen]) for what in ("real", "made")]
                pictures.append(sheet(both[0], both[1], f"{name}: real above, made below"))
        return (Gallery(title="Real and made images", pictures=tuple(pictures), note="what is made shows no patient"),)

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        """One image of each class, in the order of the labels."""
        ends = ends_of(plan)
        count = len(output.values) // len(ends)
        made = [output.values[at * len(ends) : (at + 1) * len(ends)] for at in range(count)]
        return Prediction(
            (), images=tuple(Image(_bytes(one, ends)[:, None], Geometry.unknown(), unit="grey") for one in made)
        )


def _name(case: Case, target: Target) -> str:
    value = case.targets.get(target.columns[0]) if target.columns else None
    return "" if value is None else str(value)


def _moves(network: nn.Module, part: str) -> Iterable[nn.Parameter]:
    return cast(SampleNetwork, network).sampling.moves(part)


def _loss(network: nn.Module, batch: Batch, part: str, axes: tuple[int, ...]) -> Tensor:
    samples = cast(SampleNetwork, network)
    images = samples.standard(batch.inputs["image"])
    for axis in axes:
        turned = torch.rand(len(images), device=images.device) < 0.5
        images = torch.where(turned[:, None, None, None, None], images.flip(2 + axis), images)
    return samples.sampling.loss(part, images, batch.target.get("class"))


def _bytes(image: npt.NDArray[Any], ends: Sequence[tuple[float, float]]) -> npt.NDArray[np.uint8]:
    """(C, 1, Y, X) of the working grid as (C, Y, X) grey values."""
    return np.asarray(grey(torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)), ends).numpy()[:, 0])


TASK = Synthesis()
