"""Masks of a series: which DICOM SEG or RTSTRUCT belongs to it, and what its labels are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from diascope.core.case import FileRef, Label, Target
from diascope.core.errors import DataRefused
from diascope.formats.dicomio.headers import Instance, Series
from diascope.sources.studies.regions import Drawn, region_item, region_labels, region_notes

TARGET_NAME = "mask"
SEG, RTSTRUCT = "dicom_seg", "rtstruct"


def masks_of(instances: Iterable[Instance]) -> list[Instance]:
    """Every SEG, and every RTSTRUCT that encloses something."""
    return [one for one in instances if one.is_segmentation or any(roi.closed for roi in one.rois)]


def mask_of(series: Series, masks: Sequence[Instance]) -> Instance | None:
    """The SEG or RTSTRUCT that refers to a series (by its UID, or by its instances), None where there is none.

    Raises:
        DataRefused: When there are several.
    """
    instances = {one.sop_uid for one in series.instances}
    own = [
        mask
        for mask in masks
        if series.uid in mask.referenced_series_uids or not instances.isdisjoint(mask.referenced_sop_uids)
    ]
    if len(own) > 1:
        kinds = " and ".join(sorted({_kind(one) for one in own}))
        raise DataRefused(
            f"{len(own)} {kinds} objects refer to one series: {', '.join(one.path.name for one in own)}",
            todo="Keep one of them, or list the pairs in a CSV manifest",
        )
    return own[0] if own else None


def mask_target(drawn: Sequence[Drawn], asked: str | None = None) -> Target | None:
    """The mask target of all objects in use; None where there are none.

    Args:
        drawn: SEG or RTSTRUCT, each with the series that it labels.
        asked: The name of a label that alone is to be learnt (its own target then); other names change nothing.

    Raises:
        DataRefused: When both kinds are in use, or a segment number has two names: voxel values would mean different
            things.
    """
    kinds = {_kind(mask) for mask, _ in drawn}
    if len(kinds) > 1:
        raise DataRefused(
            "some series are labelled by a SEG and others by an RTSTRUCT: their labels need not mean the same",
            todo="Keep one kind of them",
        )
    labels = region_labels(drawn) if kinds == {"RTSTRUCT"} else _segments(mask for mask, _ in drawn)
    if not labels:
        return None
    alone = tuple(label for label in labels if label.name == asked)
    if not alone:
        return Target(name=TARGET_NAME, kind="mask", columns=(TARGET_NAME,), labels=labels)
    if kinds == {"RTSTRUCT"}:
        alone = (alone[0].model_copy(update={"value": 1}),)
    return Target(name=alone[0].name, kind="mask", columns=(alone[0].name,), labels=alone)


def mask_ref(mask: Instance, series: Series, target: Target, root: Path) -> FileRef | None:
    """The reference to what a target takes from an object; None where the object has nothing of it."""
    path = mask.path.relative_to(root).as_posix()
    if mask.is_structure_set:
        item = region_item(mask, series, target.labels)
        images = (one.relative_to(root).as_posix() for one in series.paths)
        return FileRef(format=RTSTRUCT, paths=(path, *images), item=item) if item else None
    if target.name == TARGET_NAME:
        return FileRef(format=SEG, paths=(path,))
    number = target.labels[0].value
    there = number in {segment.number for segment in mask.segments}
    return FileRef(format=SEG, paths=(path,), item=str(number)) if there else None


def mask_notes(drawn: Sequence[Drawn], target: Target, masks: Sequence[Instance]) -> list[str]:
    """What the user should know about the labels: regions that are left out, objects that label nothing.

    Args:
        drawn: The objects in use.
        target: What is taken from them.
        masks: All objects of the tree.
    """
    used = {mask.path for mask, _ in drawn}
    unused = sum(one.path not in used for one in masks)
    notes = region_notes([pair for pair in drawn if pair[0].is_structure_set], target)
    if unused:
        notes.append(f"{unused} SEG or RTSTRUCT label no series that is read")
    return notes


def _kind(mask: Instance) -> str:
    return "RTSTRUCT" if mask.is_structure_set else "SEG"


def _segments(segs: Iterable[Instance]) -> tuple[Label, ...]:
    labels: dict[int, Label] = {}
    for seg in segs:
        for segment in seg.segments:
            code = f"{segment.scheme}:{segment.code}" if segment.code else None
            label = Label(name=segment.name, value=segment.number, code=code)
            known = labels.setdefault(segment.number, label)
            if known.name != label.name:
                raise DataRefused(
                    f"segment {segment.number} is {known.name!r} in one SEG and {label.name!r} in {seg.path.name}",
                    todo="Number the segments alike in every SEG",
                )
    return tuple(labels[number] for number in sorted(labels))
