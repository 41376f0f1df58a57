"""Masks of label changes, on the grid of their image: what the release drew, with what readers drew in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy import RowMapping

from diascope.core import registry
from diascope.core.errors import DataRefused
from diascope.core.image import Image
from diascope.serve.feedback.answers import AnnotationOf, ReadingOf
from diascope.serve.feedback.judging import MaskOf
from diascope.serve.service import Service
from diascope.serve.viewing.drawings import drawing_row, named, voxels_of
from diascope.serve.viewing.masks import release_mask
from diascope.serve.viewing.series import opened, series_by_id

MOST = 255
"""Names in all masks together."""


def values_of(readings: Iterable[ReadingOf], annotations: Iterable[AnnotationOf]) -> dict[str, int]:
    """The voxel value of each name, the same in every mask: those of the releases first, in their order.

    Raises:
        DataRefused: When there are more than a mask can hold.
    """
    names: dict[str, None] = {}
    for one in readings:
        labels = one.target.labels if one.target is not None and one.target.kind == "mask" else ()
        plain = [label for label in labels if label.value > 0 and not label.members]
        names |= dict.fromkeys(label.name for label in sorted(plain, key=lambda label: label.value))
    for said in annotations:
        names |= dict.fromkeys(said.labels if said.asks == "masks" else ())
    if len(names) > MOST:
        raise DataRefused(
            "the masks hold too many names for one folder",
            given=f"{len(names)}",
            todo="Gather one release or one labelling at a time",
        )
    return {name: value for value, name in enumerate(names, start=1)}


def write_mask(service: Service, series: int, mask: MaskOf, values: Mapping[str, int], path: Path) -> None:
    """Write a mask as NIfTI.

    Args:
        service: That has the series and the drawings.
        series: Id of the row.
        mask: How it is made.
        values: Name to voxel value; a name that is not in it gets the value 1.
        path: Ends in `.nii.gz`.

    Raises:
        DataRefused: When the series is no one volume or film, or a drawing does not lie on it.
    """
    row = series_by_id(service, series)
    if row is None:
        raise DataRefused("the series was deleted")
    with opened(service, row) as shown:
        frames = shown.part(1)
        if len(shown.parts) != 1 or frames.geometry is None:
            raise DataRefused("its frames are no one volume or film, so that a mask lies nowhere on it")
        geometry, shape = frames.geometry, frames.shape
    found = np.zeros(shape, np.uint8)
    if mask.result:
        _begin(service, mask, row, values, found)
    shared = len(set(mask.drawings.values())) < len(mask.drawings)
    for name, drawing in mask.drawings.items():
        value = values.get(name, 1)
        found[found == value] = 0
        found[_drawn(service, drawing, name, shape, strictly=shared)] = value
    registry.get("formats", "nifti").write(Image(found[None], geometry, unit="label"), path)


def _begin(
    service: Service, mask: MaskOf, row: RowMapping, values: Mapping[str, int], found: npt.NDArray[np.uint8]
) -> None:
    """Put in what the release drew, without what is not there."""
    said = release_mask(service, mask.result, row)
    if said is None:
        return  # the release found nothing
    voxels = np.frombuffer(said.voxels, np.uint8).reshape(said.shape)
    for label in said.labels:
        if label.name in values and label.name not in mask.gone:
            found[voxels == label.value] = values[label.name]


def _drawn(service: Service, drawing: str, name: str, shape: Sequence[int], strictly: bool) -> npt.NDArray[np.bool_]:
    """The voxels of a name in a drawing; a drawing of one thing may call it otherwise, unless it was drawn for several.

    Raises:
        DataRefused: When it does not lie on the frames.
    """
    row = drawing_row(service, drawing)
    if row is None:
        raise DataRefused("a drawing was deleted", given=drawing)
    voxels = voxels_of(service, row)
    if voxels.shape != tuple(shape):
        raise DataRefused("a drawing does not lie on the frames of its series", given=drawing)
    labels = named(row)
    mine = [label.value for label in labels if label.name == name]
    alone = len(labels) == 1 and not strictly
    inside: npt.NDArray[np.bool_] = np.isin(voxels, mine) if mine or not alone else voxels > 0
    return inside
