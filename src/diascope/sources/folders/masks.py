"""Which labels a mask holds, where nothing declares them: `labels.json`, else the values of all masks."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope import formats
from diascope.core.case import FileRef, Label, Target, Truth
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.formats.files.union import UNION
from diascope.sources.folders.named import LABELS, LARGEST, read_named

MOST_LABELS = 64
"""A mask with more values is a picture, or was stored with loss."""

NO_MASKS = "images to be made of others lie in a folder targets, or a column target_image"
"""Where what was taken for masks may belong."""

NEAR = 65536
"""Values that are no further apart are found by marking them in a table, which is ten times faster than sorting."""


def mask_target(name: str, refs: Iterable[Truth], root: Path) -> tuple[Target | None, str]:
    """The target of a mask column and a note on where its labels come from; no target where there is no mask.

    Every mask is read: a structure that only few patients have is a structure.

    Raises:
        DataRefused: When the masks hold too many values, or none but background, or masks of several structures would
            have to be united.
    """
    masks = [ref for ref in refs if isinstance(ref, FileRef)]
    if not masks:
        return None, f"mask {name!r}: no case has one"
    declared = {value: title for value, title in read_named(root).items() if value}
    if any(value > LARGEST for value in declared):
        raise DataRefused(f"{LABELS} names {max(declared)}; labels are whole numbers from 1 to {LARGEST}", given=root)
    if declared:
        labels = tuple(Label(name=title, value=value) for value, title in declared.items())
        note = f"mask {name!r}: labels of {LABELS}"
    else:
        labels, note = _learnt(name, masks, root)
    united = next((ref for ref in masks if ref.item == UNION), None)
    if united is not None and len(labels) > 1:
        raise DataRefused(
            f"several masks belong to one image, and the masks {name!r} hold {len(labels)} labels, so they cannot be "
            "united",
            given=", ".join(united.paths),
            todo="Keep one mask an image, or draw all structures into it, each with a value of its own",
        )
    return Target(name=name, kind="mask", columns=(name,), labels=labels), note


def _learnt(name: str, masks: Sequence[FileRef], root: Path) -> tuple[tuple[Label, ...], str]:
    """Labels that the values of the masks are, and a note."""
    counts: Counter[int] = Counter()
    first: dict[int, str] = {}
    # Decoders leave the interpreter lock; what a mask holds is small.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None) as threads:
        for ref, found in zip(masks, threads.map(partial(_values, root=root), masks), strict=True):
            counts.update(found)
            first |= {value: ref.paths[0] for value in found if value not in first}
            if len(counts) > MOST_LABELS + 1:
                raise DataRefused(
                    f"the masks {name!r} hold {len(counts)} different values: no labels",
                    given=ref.paths[0],
                    todo=f"Store masks without loss (PNG, TIFF, NIfTI), one value a structure; {NO_MASKS}",
                )
    values = sorted(set(counts) - {0})
    if not values:
        raise DataRefused(
            f"the {len(masks)} masks {name!r} hold nothing but 0",
            todo=f"Check the masks, or declare the labels in {LABELS}",
        )
    if values[0] < 0 or values[-1] > LARGEST:
        wrong = values[0] if values[0] < 0 else values[-1]
        raise DataRefused(
            f"the mask {first[wrong]} holds {wrong}; labels are whole numbers from 1 to {LARGEST}",
            todo="Give the structures other numbers",
        )
    single = len(values) == 1
    labels = tuple(Label(name=name if single else str(value), value=value) for value in values)
    listed = ", ".join(f"{value} (in {counts[value]})" for value in values)
    return labels, f"mask {name!r}: values {listed} beside 0 in {len(masks)} masks; {LABELS} may name them"


def _values(ref: FileRef, root: Path) -> set[int]:
    try:
        array = formats.read(ref, root).array
    except UnreadableFile:
        return set()  # the survey reads every file and reports this one with the reason
    if len(array) != 1:
        raise DataRefused(
            f"the mask {ref.paths[0]} is a colour picture",
            todo="Store one whole number a structure in a grey PNG, TIFF or NIfTI",
        )
    values: set[int] = set()
    for plane in array[0]:
        values |= _whole(plane, ref.paths[0])
        if len(values) > MOST_LABELS + 1:
            raise DataRefused(
                f"the mask {ref.paths[0]} holds {len(values)} different values: no labels",
                todo=f"Store masks without loss (PNG, TIFF, NIfTI), one whole number a structure; {NO_MASKS}",
            )
    return values


def _whole(plane: npt.NDArray[Any], path: str) -> set[int]:
    """The different values of a plane.

    Raises:
        DataRefused: When one is no whole number.
    """
    measured = plane.dtype.kind not in "iub"
    if measured and not (np.isfinite(plane).all() and np.array_equal(plane, np.floor(plane))):
        raise DataRefused(
            f"the mask {path} holds values that are no whole numbers: no labels",
            todo=f"Store masks without loss (PNG, TIFF, NIfTI), one whole number a structure; {NO_MASKS}",
        )
    low, high = int(plane.min()), int(plane.max())
    if high - low >= NEAR:
        return {int(value) for value in np.unique(plane)}
    seen = np.zeros(high - low + 1, dtype=bool)
    seen[plane.astype(np.int64) - low] = True
    return set((np.flatnonzero(seen) + low).tolist())
