"""Which labels a mask holds, where nothing declares them: `labels.json`, else the values of a few masks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from diascope import formats
from diascope.core.case import FileRef, Label, Scalar, Target
from diascope.core.errors import DataRefused, UnreadableFile

LABELS = "labels.json"
"""Name of a file in the root that declares the labels of masks: `{"vessel": 255}`."""

SAMPLE = 16
"""Number of masks that are read to learn the values."""

MOST_LABELS = 64
"""A mask with more values is a picture, or was stored with loss."""


def mask_target(name: str, refs: Iterable[FileRef | Scalar], root: Path) -> tuple[Target | None, str]:
    """The target of a mask column and a note on where its labels come from; no target where there is no mask.

    Raises:
        DataRefused: When the masks hold too many values, or none but background.
    """
    masks = [ref for ref in refs if isinstance(ref, FileRef)]
    if not masks:
        return None, f"mask {name!r}: no case has one"
    declared = _declared(root)
    if declared:
        return Target(name=name, kind="mask", columns=(name,), labels=declared), f"mask {name!r}: labels of {LABELS}"
    sample = masks[:: max(1, len(masks) // SAMPLE)][:SAMPLE]
    values = _values(sample, root)
    if not values:
        raise DataRefused(
            f"the {len(sample)} masks {name!r} that were looked at hold nothing but 0",
            todo=f"Check the masks, or declare the labels in {LABELS}",
        )
    if len(values) > MOST_LABELS:
        raise DataRefused(
            f"the masks {name!r} hold {len(values)} different values: no labels",
            given=sample[0].paths[0],
            todo="Store masks without loss (PNG, TIFF, NIfTI), one value a structure",
        )
    single = len(values) == 1
    labels = tuple(Label(name=name if single else str(value), value=value) for value in values)
    listed = ", ".join(map(str, values))
    return (
        Target(name=name, kind="mask", columns=(name,), labels=labels),
        f"mask {name!r}: values {listed} beside 0, from {len(sample)} of {len(masks)} masks; {LABELS} may name them",
    )


def _declared(root: Path) -> tuple[Label, ...]:
    path = root / LABELS
    if not path.is_file():
        return ()
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(path, f"no JSON ({error})") from error
    if not isinstance(content, dict) or not all(type(value) is int and value > 0 for value in content.values()):
        raise UnreadableFile(path, "not an object of names and whole numbers above 0", 'Write {"vessel": 255}')
    return tuple(Label(name=name, value=value) for name, value in content.items())


def _values(refs: Sequence[FileRef], root: Path) -> list[int]:
    values: set[int] = set()
    for ref in refs:
        try:
            array = formats.read(ref, root).array
        except UnreadableFile:
            continue  # the survey reads every file and reports this one with the reason
        if len(array) != 1:
            raise DataRefused(
                f"the mask {ref.paths[0]} is a colour picture",
                todo="Store one whole number a structure in a grey PNG, TIFF or NIfTI",
            )
        found = np.unique(array)
        if len(found) > MOST_LABELS + 1 or not np.all(found == np.floor(found)):
            raise DataRefused(
                f"the mask {ref.paths[0]} holds {len(found)} different values: no labels",
                todo="Store masks without loss (PNG, TIFF, NIfTI), one whole number a structure",
            )
        values |= {int(value) for value in found}
    return sorted(values - {0})
