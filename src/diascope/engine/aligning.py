"""Other labelled data, brought to the names that a release knows: inputs, target column, labels."""

from __future__ import annotations

from collections.abc import Sequence

from diascope.core.case import Case, FileRef, Label, Target
from diascope.core.errors import DataRefused
from diascope.core.plan import Plan


def measurable(cases: Sequence[Case]) -> tuple[list[Case], str]:
    """The cases that a release may be measured on, by the split that their source gives, and what must be said of it.

    Args:
        cases: As a source listed them.

    Returns:
        Without those of train and val where there is a test part, and a warning; empty where none is due.
    """
    taught = sum(case.split in ("train", "val") for case in cases)
    if any(case.split == "test" for case in cases):
        kept = [case for case in cases if case.split in ("test", None)]
        left_out = f"{taught} of {len(cases)} cases are train or val in their source, and were left out"
        return kept, left_out if taught else ""
    doubt = (
        f"THESE CASES MAY HAVE BEEN TRAINED ON: {taught} of {len(cases)} are train or val in their source, which gives "
        "no labelled test part"
    )
    return list(cases), doubt if taught else ""


def in_values_of(target: Target, plan: Plan) -> tuple[Plan, str]:
    """The plan with the voxel values that masks of other data hold, where both know one structure only.

    Args:
        target: What the source calls the target.
        plan: Of the release.

    Returns:
        The plan by which these masks are scored and drawn, and which label was taken for which; empty where they are
        the same. Names stay those of the release.
    """
    theirs, ours = _lone(target), _lone(plan.target)
    if theirs is None or ours is None:
        return plan, ""
    label = ours.model_copy(update={"value": theirs.value})
    scored = plan.target.model_copy(update={"labels": (label,), "ignore": target.ignore})
    alike = (theirs.name, theirs.value) == (ours.name, ours.value)
    note = f"the label {theirs.name!r} (value {theirs.value}) of the data is taken for {ours.name!r} ({ours.value})"
    return plan.model_copy(update={"target": scored}), "" if alike else note


def _lone(target: Target) -> Label | None:
    """The one structure of a mask, None where there are several, or regions."""
    single = target.kind == "mask" and len(target.labels) == 1 and not target.labels[0].members
    return target.labels[0] if single else None


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
    names = input_names(cases[0], plan) if cases else {}
    found = []
    for case in cases:
        targets = {ours: case.targets.get(theirs) for ours, theirs in renamed.items()}
        inputs = {ours: case.inputs[theirs] for ours, theirs in names.items() if theirs in case.inputs}
        found.append(case.model_copy(update={"targets": targets, "inputs": inputs, "split": "test"}))
    return found


def _same_labels(theirs: Target, ours: Target) -> None:
    if theirs.kind != ours.kind or len(theirs.columns) != len(ours.columns):
        raise DataRefused(f"the data has a target of kind {theirs.kind!r}, the release was made for {ours.kind!r}")
    if theirs.unit and ours.unit and theirs.unit != ours.unit:
        raise DataRefused(
            f"the data has a target in {theirs.unit}, and the release answers in {ours.unit}",
            todo="Convert the column, and write its unit in brackets",
        )
    if _lone(theirs) is not None and _lone(ours) is not None:
        return  # `in_values_of` says which is taken for which
    known = {label.name: label for label in ours.labels}
    strange = [label.name for label in theirs.labels if label.name not in known]
    if strange:
        raise DataRefused(
            f"the release does not know the labels {', '.join(strange)}",
            given=f"it knows {', '.join(known) or 'none'}",
            todo="Rename the labels of the data to those of the release",
        )
    moved = [
        label.name
        for label in theirs.labels
        if ours.kind not in ("category", "boxes") and label.value != known[label.name].value
    ]
    if moved:
        raise DataRefused(f"the labels {', '.join(moved)} have other voxel values than in the release")


def input_names(case: Case, plan: Plan) -> dict[str, str]:
    """Plan's input name to the data's; a single image may be called anything.

    Raises:
        DataRefused: When the data has no such input; names it.
    """
    wanted = [*plan["image_inputs"], *plan["table_inputs"]]
    missing = [name for name in wanted if name not in case.inputs]
    if not missing:
        return {name: name for name in wanted}
    images = [name for name, ref in case.inputs.items() if isinstance(ref, FileRef)]
    if len(wanted) == 1 and len(images) == 1 and wanted[0] in plan["image_inputs"]:
        return {wanted[0]: images[0]}
    raise DataRefused(
        f"the data has no input {', '.join(missing)}",
        given=", ".join(case.inputs) or "no input",
        todo="Rename the inputs",
    )
