"""Boxes around what masks mark: every connected part of a mask is a box. Only when named (`--source mask_boxes`).

Any layout with masks will do (`image_masks`, `decathlon`, `nnunet`, `manifest`, DICOM SEG in a `dicom_tree`): the masks
are read once, and what is learnt are the boxes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from diascope import formats
from diascope.core import registry
from diascope.core.boxes import Boxes
from diascope.core.case import Case, FileRef, Label, Target
from diascope.core.errors import BadUsage, DataRefused, UnreadableFile
from diascope.sources import Listing, SourceOptions, recognise
from diascope.sources.folders.drawn import TARGET_NAME, boxes_target, words
from diascope.sources.folders.parts_of_masks import boxes_of_mask


class MaskBoxes:
    """What another source lists, with boxes in place of masks."""

    def recognises(self, location: str) -> str | None:
        # Masks are learnt as masks unless the user says otherwise.
        return None

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the cases of the layout that is there, with the boxes of their masks.

        Values with names (`labels.json`, `dataset.json`) are labels. Without names each value is taken for a thing of
        its own, all of one label: so things that touch stay apart, where they have different values.

        Raises:
            BadUsage: When there are several masks and the user named none.
            DataRefused: When there is none, or nothing is marked in any.
            UnknownName: When there is no mask of the name that the user gave.
        """
        source = recognise(location)
        listing: Listing = registry.get("sources", source).list(location, options)
        target, name = _mask(listing, options, source), options.target or TARGET_NAME
        labels = _labels(target)
        cases, lost = [], []
        for case in listing.cases:
            boxes = _boxes(case, target, labels, listing.root)
            lost += [case.id] if boxes is None and case.targets.get(target.columns[0]) is not None else []
            cases.append(case.model_copy(update={"targets": {name: boxes}}))
        drawn = [one for case in cases if isinstance(one := case.targets[name], Boxes)]
        notes = [f"{source}; every connected part of the mask {target.name!r} is a box: {words(drawn)}"]
        if len(set(labels.values())) < len(labels):
            notes.append(f"{len(labels)} values of {target.name!r} have no names: all are things of one label")
        if lost:
            notes.append(f"{len(lost)} masks, such as that of {lost[0]}, cannot be read, or do not lie on their image")
        boxes_of = boxes_target(drawn, location).model_copy(update={"name": name, "columns": (name,)})
        return replace(listing, cases=tuple(cases), targets=(boxes_of,), notes=(*notes, *listing.notes))


def _mask(listing: Listing, options: SourceOptions, source: str) -> Target:
    masks = [one for one in listing.targets if one.kind == "mask"]
    chosen = [one for one in masks if options.target in (None, one.name)]
    if not chosen:
        raise DataRefused(
            f"{source} lists no mask {options.target or ''}".rstrip(),
            given=", ".join(f"{one.name} ({one.kind})" for one in listing.targets) or "no target",
            todo="Give images with masks (docs/how-to/layouts.md)",
        )
    if len(chosen) > 1:
        raise BadUsage(
            f"{len(chosen)} masks could be boxes: {', '.join(one.name for one in chosen)}", todo="Choose with --target"
        )
    return chosen[0]


def _labels(target: Target) -> dict[int, str]:
    """Value of the mask to the label of its boxes."""
    parts = [(value, label) for label in target.labels for value in label.members or (label.value,)]
    if _unnamed(target.labels):
        return {value: target.name for value, _ in parts}
    return {value: label.name for value, label in parts}


def _unnamed(labels: tuple[Label, ...]) -> bool:
    return len(labels) > 1 and all(label.name == str(label.value) for label in labels)


def _boxes(case: Case, target: Target, labels: dict[int, str], root: Path) -> Boxes | None:
    """The boxes in voxels of the case's image; None where nobody marked anything, or it does not lie on the image."""
    ref, image = case.targets.get(target.columns[0]), next(iter(case.inputs.values()), None)
    if not isinstance(ref, FileRef) or not isinstance(image, FileRef):
        return None
    try:
        mask, size = formats.read(ref, root), formats.extent(image, root)
        if size is None:
            shown = formats.read(image, root)
            return boxes_of_mask(mask, labels, shown.geometry, shown.shape)
        z, y, x = size.shape[1:]
        return boxes_of_mask(mask, labels, size.geometry, (z, y, x))
    except UnreadableFile:
        return None


SOURCE = MaskBoxes()
