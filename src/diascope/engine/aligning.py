"""Other labelled data, brought to the names that a release knows: inputs, target column, labels."""

from __future__ import annotations

from collections.abc import Sequence

from diascope.core.case import Case, FileRef, Target
from diascope.core.errors import DataRefused
from diascope.core.plan import Plan


def aligned(cases: Sequence[Case], target: Target, plan: Plan) -> list[Case]:
    """Cases whose inputs and targets have the plan's names.

    Args:
        cases: As a source listed them.
        target: What the source calls the target.
        plan: Of the release.

    Raises:
        DataRefused: When labels or inputs do not correspond; names them.
    """
    _same_labels(target, plan.target)
    renamed = dict(zip(plan.target.columns, target.columns, strict=True))
    names = _input_names(cases[0], plan) if cases else {}
    found = []
    for case in cases:
        targets = {ours: case.targets.get(theirs) for ours, theirs in renamed.items()}
        inputs = {ours: case.inputs[theirs] for ours, theirs in names.items() if theirs in case.inputs}
        found.append(case.model_copy(update={"targets": targets, "inputs": inputs, "split": "test"}))
    return found


def _same_labels(theirs: Target, ours: Target) -> None:
    if theirs.kind != ours.kind or len(theirs.columns) != len(ours.columns):
        raise DataRefused(f"the data has a target of kind {theirs.kind!r}, the release was made for {ours.kind!r}")
    known = {label.name: label for label in ours.labels}
    strange = [label.name for label in theirs.labels if label.name not in known]
    if strange:
        raise DataRefused(
            f"the release does not know the labels {', '.join(strange)}",
            given=f"it knows {', '.join(known) or 'none'}",
            todo="Rename the labels of the data to those of the release",
        )
    moved = [
        label.name for label in theirs.labels if ours.kind != "category" and label.value != known[label.name].value
    ]
    if moved:
        raise DataRefused(f"the labels {', '.join(moved)} have other voxel values than in the release")


def _input_names(case: Case, plan: Plan) -> dict[str, str]:
    """Plan's input name to the data's; a single image may be called anything."""
    wanted = [*plan["image_inputs"], *plan["table_inputs"]]
    missing = [name for name in wanted if name not in case.inputs]
    if not missing:
        return {name: name for name in wanted}
    images = [name for name, ref in case.inputs.items() if isinstance(ref, FileRef)]
    if len(wanted) == 1 and len(images) == 1:
        return {wanted[0]: images[0]}
    raise DataRefused(
        f"the data has no input {', '.join(missing)}",
        given=", ".join(case.inputs) or "no input",
        todo="Rename the inputs",
    )
