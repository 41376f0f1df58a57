"""Boxes that enclose nothing, lie outside of their image, were drawn twice or hardly at all; images without a box.

A few of them are slips, and are left out. Where most are, the numbers mean something else (pixels of another size of
the image, shares of its sides), and what would be left to learn from is wrong: that is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from diascope import formats
from diascope.checks import Check
from diascope.checks.judging.words import count, share, some
from diascope.core.boxes import Boxes
from diascope.core.case import Case, FileRef
from diascope.core.errors import DiascopeError
from diascope.core.figure import Gallery, Picture
from diascope.core.problem import Problem, Severity
from diascope.evidence.boxes.matching import MOST
from diascope.planning.survey import Survey
from diascope.reports.pictures import slice_picture

TINY = 3.0
"""Voxels along the shorter side below which a box holds hardly anything."""
OF_MEDIAN = 0.1
"""Share of the median side of its label below which a box is more likely a slip than a small one."""
MOST_BEYOND = 0.5
"""Share of the boxes that lie outside, or reach out of the image, from which on they belong to another one."""
SHOWN = 6
"""Pictures in a gallery; the images are read for it."""
AROUND = 4.0
"""Voxels around a box without extent, so that it can be seen."""
Numbers = Mapping[str, tuple[int, ...]]
"""Case id to the numbers of its boxes."""


@dataclass(frozen=True)
class Drawn:
    """The boxes of one readable case, and (Z, Y, X) of its image."""

    case: Case
    boxes: Boxes
    shape: tuple[int, int, int]


class BoxFaults:
    """What is wrong with single boxes leaves them out, and keeps their image."""

    title = "Boxes without extent, outside of the image, drawn twice or tiny; images without a box"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or target.kind != "boxes" or not target.columns:
            return []
        drawn = _drawn(survey, target.columns[0])
        every = {one.case.id: tuple(range(len(one.boxes.corners))) for one in drawn if one.boxes.corners}
        if _are_shares(drawn):
            shares = _problem(survey, drawn, every, SHARES)
            return [] if shares is None else [shares]
        if _are_flat(drawn):
            flat = _problem(survey, drawn, every, FLAT)
            return [] if flat is None else [flat]
        found = [
            _problem(survey, drawn, _of(drawn, lambda one: one.boxes.without_extent()), WITHOUT_EXTENT),
            _problem(survey, drawn, _of(drawn, lambda one: one.boxes.outside(one.shape)), _outside(drawn)),
            _problem(survey, drawn, _of(drawn, lambda one: one.boxes.reaching_out(one.shape)), REACHING_OUT),
            _problem(survey, drawn, _of(drawn, lambda one: one.boxes.drawn_twice()), TWICE),
            _problem(survey, drawn, _tiny(drawn), SMALL),
            _problem(survey, drawn, _of(drawn, _beyond), MANY),
            _nothing(drawn),
        ]
        return [problem for problem in found if problem is not None]


@dataclass(frozen=True)
class Fault:
    """How a fault of boxes is said.

    Args:
        severity: Of the problem.
        title: `{boxes}` and `{cases}` are filled in.
        detail: What it means and what was done.
        picture: Title of the gallery.
    """

    severity: Severity
    title: str
    detail: str
    picture: str


WITHOUT_EXTENT = Fault(
    "warn",
    "{boxes} without extent in {cases}",
    "Start and stop are one, or change places, as after a click that drew nothing. They are left out, and the images "
    "are kept; draw them again to have them back.",
    "Boxes without extent",
)
OUTSIDE = Fault(
    "warn",
    "{boxes} outside of the image in {cases}",
    "They lie wholly outside, as boxes of another size of the image do. They are left out, and the images are kept.",
    "Images with boxes outside of them",
)
MOSTLY_OUTSIDE = replace(
    OUTSIDE,
    severity="refuse",
    detail="Together with those that reach out they are at least half of all boxes: they were drawn on another size of "
    "the images, or x and y change places. Bring the boxes to the size of the images.",
)
SHARES = Fault(
    "refuse",
    "{boxes} within the first pixel of the image in {cases}",
    "All numbers lie between 0 and 1: they are shares of the sides of the image. Multiply x by its width and y by its "
    "height.",
    "Boxes within the first pixel",
)
FLAT = Fault(
    "refuse",
    "{boxes} in the first slice of a volume in {cases}",
    "No row says where a box lies along z, and the images are volumes. Write zmin and zmax (or z and depth) beside the "
    "other sides, or the middle and the diameter in millimetres.",
    "Volumes whose boxes have no place along z",
)
REACHING_OUT = Fault(
    "note",
    "{boxes} reaching out of the image in {cases}",
    "What lies outside is cut off.",
    "Boxes that reach out of the image",
)
TWICE = Fault(
    "warn",
    "{boxes} drawn twice in {cases}",
    "Corners and label are those of another box of the image. A model would be asked for it twice, so each is kept "
    "once.",
    "Boxes drawn twice",
)
SMALL = Fault(
    "note",
    "{boxes} far smaller than usual in {cases}",
    f"Their shorter side is below {TINY:g} voxels, or their side below a tenth of what is usual for their label. They "
    "are kept; look whether somebody meant them.",
    "Tiny boxes",
)


MANY = Fault(
    "warn",
    f"{{boxes}} beyond the {MOST} of a label in {{cases}}",
    f"At most {MOST} boxes of a label are said in an image, and as many are counted (COCO): of these images some are "
    "always missed. Cut them into parts.",
    f"What lies beyond {MOST} boxes of a label",
)


def _drawn(survey: Survey, column: str) -> list[Drawn]:
    found = []
    for case in survey.cases:
        boxes = case.targets.get(column)
        inputs = survey.facts[case.id].inputs if case.id in survey.facts else {}
        if isinstance(boxes, Boxes) and inputs:
            found.append(Drawn(case, boxes, next(iter(inputs.values())).shape))
    return found


def _of(drawn: list[Drawn], fault: Callable[[Drawn], tuple[int, ...]]) -> Numbers:
    numbers = {one.case.id: fault(one) for one in drawn}
    return {case: found for case, found in numbers.items() if found}


def _beyond(one: Drawn) -> tuple[int, ...]:
    """Numbers of the boxes that come after so many of their label."""
    seen: Counter[str] = Counter()
    found = []
    for number, label in enumerate(one.boxes.labels):
        if number not in one.boxes.ignored:
            seen[label] += 1
            found += [number] * (seen[label] > MOST)
    return tuple(found)


def _are_shares(drawn: list[Drawn]) -> bool:
    """Whether every box of every image lies within its first pixel, and some are no single point."""
    corners = np.concatenate([np.zeros((0, 6)), *(one.boxes.array for one in drawn)])[:, [1, 2, 4, 5]]
    return bool(corners.size and corners.min() >= 0 and corners.max() <= 1 and (corners[:, 2:] > corners[:, :2]).any())


def _are_flat(drawn: list[Drawn]) -> bool:
    """Whether every box of every image is the first slice of a volume: the annotation knows two dimensions."""
    ends = {(corners[0], corners[3]) for one in drawn for corners in one.boxes.corners}
    return ends == {(0.0, 1.0)} and all(one.shape[0] > 1 for one in drawn)


def _outside(drawn: list[Drawn]) -> Fault:
    """How boxes outside are said: of many the images are others."""
    known = sum(len(one.boxes.corners) - len(one.boxes.without_extent()) for one in drawn)
    gone = sum(len(one.boxes.outside(one.shape)) + len(one.boxes.reaching_out(one.shape)) for one in drawn)
    return MOSTLY_OUTSIDE if known and gone >= MOST_BEYOND * known else OUTSIDE


def _tiny(drawn: list[Drawn]) -> Numbers:
    sides: dict[str, list[float]] = {}
    for one in drawn:
        for label, side in zip(one.boxes.labels, _sides(one), strict=True):
            sides.setdefault(label, []).append(side)
    usual = {label: float(np.median(values)) for label, values in sides.items()}

    def tiny(one: Drawn) -> tuple[int, ...]:
        lengths = one.boxes.array[:, 3:] - one.boxes.array[:, :3]
        shorter = lengths[:, 1:].min(axis=1, initial=np.inf)
        left_out = {*one.boxes.without_extent(), *one.boxes.outside(one.shape)}
        return tuple(
            number
            for number, (label, side) in enumerate(zip(one.boxes.labels, _sides(one), strict=True))
            if number not in left_out and (shorter[number] < TINY or side < OF_MEDIAN * usual[label])
        )

    return _of(drawn, tiny)


def _sides(one: Drawn) -> list[float]:
    """The root of the area in the plane of each box."""
    lengths = (one.boxes.array[:, 3:] - one.boxes.array[:, :3]).clip(0)
    return [float(side) for side in np.sqrt(lengths[:, 1] * lengths[:, 2])]


def _problem(survey: Survey, drawn: list[Drawn], numbers: Numbers, fault: Fault) -> Problem | None:
    if not numbers:
        return None
    boxes = count(sum(map(len, numbers.values())), "box", "boxes")
    named = some(f"{case} ({', '.join(str(number + 1) for number in found)})" for case, found in numbers.items())
    return Problem(
        check="boxes",
        severity=fault.severity,
        title=fault.title.format(boxes=boxes, cases=share(len(numbers), len(survey.cases))),
        detail=f"{named} (numbers of the boxes, in the order of the file). {fault.detail}",
        cases=tuple(numbers),
        figure=_gallery(survey, drawn, numbers, fault.picture),
    )


def _nothing(drawn: list[Drawn]) -> Problem | None:
    empty = [one.case.id for one in drawn if not one.boxes.corners]
    every = not any(one.boxes.usable(one.shape).corners for one in drawn)
    if not (empty or every) or not drawn:
        return None
    empty = [one.case.id for one in drawn] if every else empty
    return Problem(
        check="boxes",
        severity="refuse" if every else "note",
        title=f"{share(len(empty), len(drawn))} without any box{' that could be learnt' * every}",
        detail="No box with extent is drawn inside of any image, so there is nothing to learn."
        if every
        else f"{some(empty)}. They are kept as images in which nothing is to be found; an image that nobody looked at "
        "yet looks the same, so look at them.",
        cases=tuple(empty),
    )


def _gallery(survey: Survey, drawn: list[Drawn], numbers: Numbers, title: str) -> Gallery | None:
    """The images with these boxes alone; None where none can be read."""
    by_case = {one.case.id: one for one in drawn}
    pictures: list[Picture] = []
    for case, found in list(numbers.items())[:SHOWN]:
        one = by_case[case]
        ref = next((ref for ref in one.case.inputs.values() if isinstance(ref, FileRef)), None)
        try:
            image = formats.read(ref, survey.root) if ref is not None else None
        except DiascopeError:
            continue
        if image is None or image.shape != one.shape:
            continue
        shown = _visible(one.boxes.chosen(found), one.shape)
        pictures.append(slice_picture(image, caption=case, case=case, true_boxes=shown))
    return Gallery(title=title, pictures=tuple(pictures)) if pictures else None


def _visible(boxes: Boxes, shape: tuple[int, int, int]) -> Boxes:
    """Boxes with a margin where they have no extent of their own, at the border where they are outside."""
    corners = boxes.array
    flat = corners[:, 3:] <= corners[:, :3]
    corners[:, :3] = np.where(flat, corners[:, :3] - AROUND, corners[:, :3])
    corners[:, 3:] = np.where(flat, corners[:, 3:] + AROUND, corners[:, 3:])
    size = np.asarray(shape, np.float64)
    corners[:, :3] = np.clip(corners[:, :3], 0, np.maximum(size - AROUND, 0))
    corners[:, 3:] = np.maximum(np.clip(corners[:, 3:], 0, size), corners[:, :3] + 1)
    return Boxes.of(corners, boxes.labels)


CHECK: Check = BoxFaults()
