"""Filters that a plan names in `preprocess`: around the intensity rule, the same bits in training and in reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from diascope.core import registry
from diascope.core.case import Case, Step
from diascope.core.geometry import Geometry
from diascope.core.plan import Plan
from diascope.engine.orienting import Turn

ONLY = "inputs"
"""Parameter of every filter of a plan: names of the image inputs that it is for; without it, all."""
Steps = Sequence[tuple[str, Mapping[str, Any]]]


def filters_of(plan: Plan, name: str) -> list[tuple[str, dict[str, Any]]]:
    """The filters of one image input with their own parameters, in order."""
    return [(step, own(params)) for step, params in _all(plan) if name in params.get(ONLY, (name,))]


def own(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a filter itself, without the inputs that it is for."""
    return {key: value for key, value in params.items() if key != ONLY}


def filtered(volume: torch.Tensor, geometry: Geometry, intensity: Mapping[str, Any], steps: Steps) -> torch.Tensor:
    """Scaled in intensity, with filters before and after it.

    Filters see the image upright, so that they do the same to a patient whichever way a file stores it.

    Args:
        volume: (C, Z, Y, X) float32 in units of the image, as the file stores it.
        geometry: Where its voxels are.
        intensity: Parameters of the intensity rule.
        steps: Filters with their parameters, in order.

    Returns:
        (C', Z, Y, X) float32, as the file stores it.
    """
    z, y, x = volume.shape[1:]
    turn = Turn.of(geometry, (z, y, x))
    place = turn.geometry(geometry, (z, y, x))
    changed = torch.from_numpy(turn.array(volume.numpy()))
    changed = _through(steps, "before", changed, place)
    changed, _ = registry.get("transforms", "intensity").apply(changed, place, intensity, False)
    changed = _through(steps, "after", changed, place)
    return torch.from_numpy(turn.back(changed.numpy()))


def with_history(case: Case, plan: Plan) -> Case:
    """The case with a line for each filter that its images go through."""
    done = tuple(
        Step(what=name, detail=registry.get("transforms", name).words(own(params))) for name, params in _all(plan)
    )
    return case.model_copy(update={"history": (*case.history, *done)}) if done else case


def _all(plan: Plan) -> Steps:
    """None in plans that were written before there were filters."""
    return plan["preprocess"] if "preprocess" in plan.choices else ()


def _through(steps: Steps, when: str, volume: torch.Tensor, place: Geometry) -> torch.Tensor:
    for name, params in steps:
        transform = registry.get("transforms", name)
        if transform.when == when:
            volume, place = transform.apply(volume, place, params, False)
    return volume
