"""The plan of a model that is fitted at once, or that comes as it is."""

from __future__ import annotations

from diascope.core import registry
from diascope.core.plan import Choice
from diascope.engine.building import input_specs
from diascope.models import learns
from diascope.planning.draft import Draft, Setting, plan_of
from diascope.planning.grid import Grid
from diascope.planning.starting import refuse_start

REPORT = 10.0
"""Seconds for evaluation, importance of columns and the report of a table."""
LIBRARIES = 1.5
"""GB of libraries and one table."""


def draft_at_once(draft: Draft, grid: Grid, setting: Setting, each: float) -> None:
    """Put into a draft what such a model needs beside the inputs.

    Args:
        draft: With inputs, grid and model.
        grid: Of the images, where there are any.
        setting: What all plans share.
        each: Seconds of one fit.
    """
    refuse_start(draft)
    dataset, facts = setting.dataset, setting.facts
    model = registry.get("models", draft.choices["model"].value)
    _images(draft, grid)
    spec = next(iter(input_specs(plan_of(draft, dataset, setting.seed)).values()))
    asked = dict(draft.choices["answer"].value) if "answer" in draft.choices else {}
    asked |= {name: draft.choices[name].value for name in asked if name in draft.choices}
    draft.put("model_options", {**model.options(spec), **asked}, "rule", "the estimator's own, and what the task asks")
    if "loss" in draft.choices:
        draft.choices["loss"] = Choice(value=None, kind="fixed", reason="fitted at once, by the estimator's own loss")
    draft.put("steps", 0, "fixed", "fitted at once")
    draft.put("precision", "fp32", "fixed", "an estimator's arithmetic")
    draft.put("mirror_axes", [], "fixed", "no image")
    fits, gigabytes = max(1, len(dataset.folds)), LIBRARIES
    if not learns(model):
        draft.put("origin", {}, "fixed", "made elsewhere: nothing is learnt here")
        cost = model.cost(spec, draft.choices["model_options"].value)
        fits, gigabytes = 1, round(LIBRARIES + (4 * cost.parameters + cost.activation_bytes) / 1e9, 2)
    reads = len(dataset.cases) * facts.seconds_per_case * fits
    minutes = round((setting.budget.spent_seconds + reads + each * fits + REPORT) / 60, 2)
    draft.put("predicted_minutes", minutes, "rule", "looking, reading, fitting and the report")
    draft.put("predicted_gb", gigabytes, "rule", "libraries and one table")


def _images(draft: Draft, grid: Grid) -> None:
    """Whole images of one size; there is one way to read them."""
    if draft.choices["image_inputs"].value:
        draft.put("patch", list(grid.shape), "rule", "whole images of one size")
        draft.put("backend", "torch", "fixed", "what was not made of torch's layers is called from torch")
        draft.put("read_precision", "fp32", "fixed", "of that back end")
