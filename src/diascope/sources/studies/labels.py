"""DICOM SEG as the label of a series: which one belongs to it, and what its segments are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from diascope.core.case import FileRef, Label, Target
from diascope.core.errors import DataRefused
from diascope.formats.dicomio.headers import Instance, Series

FORMAT = "dicom_seg"
TARGET_NAME = "mask"


def seg_of(series: Series, segs: Sequence[Instance]) -> Instance | None:
    """The SEG that refers to a series (by its UID, or by its instances), None where there is none.

    Raises:
        DataRefused: When there are several.
    """
    instances = {one.sop_uid for one in series.instances}
    own = [
        seg
        for seg in segs
        if series.uid in seg.referenced_series_uids or not instances.isdisjoint(seg.referenced_sop_uids)
    ]
    if len(own) > 1:
        raise DataRefused(
            f"{len(own)} SEG objects refer to one series: {', '.join(seg.path.name for seg in own)}",
            todo="Keep one of them, or list the pairs in a CSV manifest",
        )
    return own[0] if own else None


def seg_ref(seg: Instance, root: Path) -> FileRef:
    """The reference to all segments of a SEG."""
    return FileRef(format=FORMAT, paths=(seg.path.relative_to(root).as_posix(),))


def seg_target(segs: Iterable[Instance]) -> Target | None:
    """The mask target of all SEG objects in use; None where there are none.

    Raises:
        DataRefused: When a segment number has two names: voxel values would mean different things.
    """
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
    if not labels:
        return None
    ordered = tuple(labels[number] for number in sorted(labels))
    return Target(name=TARGET_NAME, kind="mask", columns=(TARGET_NAME,), labels=ordered)
