"""Regions of RT Structure Sets as labels: the names that people gave them, the same voxel value in every study.

ROI numbers mean something in their own file only, so labels are numbered by name, in alphabetical order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from diascope.core.case import Label, Target
from diascope.core.errors import DataRefused
from diascope.formats.dicomio.headers import Instance, Roi, Series
from diascope.formats.rtstruct import SEPARATOR

Drawn = tuple[Instance, Series]
"""A SEG or RTSTRUCT, and the series that it labels."""

OUTLINE = "EXTERNAL"
"""Interpreted type of the patient's outline, which holds every other region (PS3.3 C.8.8.8.1)."""


def region_labels(drawn: Sequence[Drawn]) -> tuple[Label, ...]:
    """One label a name; the outline of the patient only where there is nothing else.

    Raises:
        DataRefused: When two regions of one structure set have the same name.
    """
    every = [roi for mask, series in drawn for roi in _usable(mask, series).values()]
    meant = [roi for roi in every if roi.interpreted_type != OUTLINE] or every
    codes: dict[str, str | None] = {}
    for roi in meant:
        code = f"{roi.scheme}:{roi.code}" if roi.scheme and roi.code else None
        codes[roi.name] = codes.get(roi.name) or code
    return tuple(Label(name=name, value=value, code=codes[name]) for value, name in enumerate(sorted(codes), 1))


def region_item(mask: Instance, series: Series, labels: Sequence[Label]) -> str:
    """The item of the reference that gives each label its value; a label that is not there keeps its place empty."""
    there = _usable(mask, series)
    by_value = {label.value: label.name for label in labels if label.name in there}
    return SEPARATOR.join(by_value.get(value, "") for value in range(1, max(by_value, default=0) + 1))


def region_notes(drawn: Sequence[Drawn], target: Target) -> list[str]:
    """Which regions were left out and why, and which are not drawn everywhere."""
    names = {label.name for label in target.labels}
    left: dict[str, set[str]] = {}
    for mask, series in drawn:
        for roi in mask.rois:
            for why in _reasons(roi, series, names):
                left.setdefault(why, set()).add(roi.name)
    notes = [f"{why}: {', '.join(sorted(found))}" for why, found in sorted(left.items())]
    for name in sorted(names):
        lacking = sum(name not in _usable(mask, series) for mask, series in drawn)
        if lacking:
            effect = "it counts as background there" if len(names) > 1 else "no label there"
            notes.append(f"{lacking} of {len(drawn)} structure sets have no region {name!r}: {effect}")
    return notes


def _reasons(roi: Roi, series: Series, names: Iterable[str]) -> Iterable[str]:
    if not roi.closed:
        yield "regions left out, because they have no closed contour"
    elif not roi.fits(series.first):
        yield "regions left out, because they lie in another frame of reference"
    elif roi.name not in names and roi.interpreted_type == OUTLINE:
        yield "regions left out, because they are the outline of the patient"
    elif roi.name in names and roi.ignored:
        yield "points and open contours left out of the regions"


def _usable(mask: Instance, series: Series) -> Mapping[str, Roi]:
    """The regions that can be drawn on a series, by name."""
    found: dict[str, Roi] = {}
    for roi in mask.rois:
        if roi.closed and roi.fits(series.first):
            if roi.name in found:
                raise DataRefused(
                    f"two regions of {mask.path.name} are called {roi.name!r}", todo="Rename or remove one of them"
                )
            found[roi.name] = roi
    return found
