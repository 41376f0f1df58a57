"""Families of features that have nothing to do with disease."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from diascope.core.case import Case
from diascope.planning.survey import InputFactsOfCase

MOST_VALUES = 20
"""Header fields with more different values are names or numbers of their own, not groups."""

Floats = npt.NDArray[np.float64]
Seen = Sequence[tuple[Case, InputFactsOfCase]]


def families(seen: Seen) -> dict[str, Floats]:
    """Name of a family to its features (N, D); families in which nothing varies are left out."""
    if not seen:
        return {}
    facts = [of for _, of in seen]
    found = {
        "file size": _columns([(np.log1p(of.file_bytes), of.file_bytes / np.prod(of.shape)) for of in facts]),
        "aspect and size": _columns([_extent(of) for of in facts]),
        "borders": _columns([of.border for of in facts]),
        "corners": np.stack([_corners(of) for of in facts]),
        "header": _header(seen),
    }
    varying = {name: values[:, _varies(values)] for name, values in found.items()}
    return {name: values for name, values in varying.items() if values.shape[1]}


def _columns(rows: Sequence[Sequence[float]]) -> Floats:
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), -1)


def _varies(values: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray(np.ptp(values, axis=0) > 1e-9)


def _extent(facts: InputFactsOfCase) -> tuple[float, ...]:
    z, y, x = np.log(facts.shape)
    return z, y, x, x - y


def _corners(facts: InputFactsOfCase) -> Floats:
    """Mean grey and mean step between neighbours in each corner of the thumbnail: printed letters raise the steps.

    Nothing of the rest of the picture may enter, not even as a scale: the disease is there.
    """
    grey = facts.thumbnail.astype(np.float64) / 255
    side = len(grey) // 5
    ends = (slice(None, side), slice(-side, None))
    parts = [grey[rows, columns] for rows in ends for columns in ends]
    steps = [np.abs(np.diff(part, axis=1)).mean() for part in parts]
    return np.array([*(part.mean() for part in parts), *steps])


def _header(seen: Seen) -> Floats:
    """Header fields, stored type, corrections and site as indicators; spacing as numbers."""
    described = [_fields(case, of) for case, of in seen]
    names = sorted({name for fields in described for name in fields})
    columns = [np.log(np.maximum([of.steps for _, of in seen], 1e-6)).reshape(len(seen), -1)]
    for name in names:
        values = [fields.get(name, "") for fields in described]
        numbers = Counter(values)
        if len(numbers) <= MOST_VALUES:
            columns += [np.array([[value == one] for value in values], np.float64) for one in sorted(numbers)[1:]]
    return np.concatenate(columns, axis=1)


def _fields(case: Case, facts: InputFactsOfCase) -> dict[str, str]:
    plain = {f"attribute {name}": str(value) for name, value in facts.attributes.items()}
    notes = {f"history {note}": "yes" for note in facts.history}
    return {**plain, **notes, "type": facts.dtype, "channels": str(facts.channels), "site": case.site or ""}
