"""What a plan for boxes begins with: pictures are seen whole, volumes in patches around boxes and away from them."""

from __future__ import annotations

import math

from diascope.core.plan import Choice, Fingerprint

SMALLEST = 16.0
"""Voxels of the working grid that a small box of the smallest label should have along a side."""
SIDES = (256, 640)
"""Least and most voxels of the longest side of a picture on the working grid."""
STEP = 32
"""The longest side is a multiple of it: the coarsest stride of the pyramid."""
COARSEST_OF_BOX = 1.0
"""Finest stride that is read, as a share of what a small box has left along a side."""


def choices_of(fingerprint: Fingerprint) -> dict[str, Choice]:
    """The task's part of a plan."""
    deep = any(one.kind == "image" and one.dimensions == 3 for one in fingerprint.inputs.values())
    return {
        **(_volumes(fingerprint) if deep else _pictures(fingerprint)),
        "model": Choice(value="feature_pyramid", kind="rule", reason="small residual network with a pyramid"),
        "mixup": Choice(value=0.0, kind="fixed", reason="two images on each other have no boxes of their own"),
        "learning_rate": Choice(value=2e-3, kind="rule", reason="AdamW with cosine decay from scratch"),
        "augment": Choice(value="scaled", kind="rule", reason="things come in many sizes and anywhere"),
        "operating_point": Choice(
            value={"name": "f1"},
            kind="rule",
            reason="weighs missed and false boxes alike; chosen for each label on validation, then locked",
        ),
    }


def _pictures(fingerprint: Fingerprint) -> dict[str, Choice]:
    side, why = _longest_side(fingerprint)
    return {
        "whole": Choice(value=True, kind="fixed", reason="the whole image is seen at once"),
        "longest_side": Choice(value=side, kind="rule", reason=why),
        "levels": _levels(_finest_level(fingerprint, side)),
        "suppression": Choice(
            value=0.5, kind="fixed", reason="overlap from which on two boxes of a label are taken for one"
        ),
        "foreground": Choice(value=0.0, kind="fixed", reason="no patches"),
        "steps_an_hour": Choice(
            value=8000, kind="rule", reason="boxes from scratch need many steps before they need a wide network"
        ),
        "passes": Choice(value=400, kind="rule", reason="every position of an image is an example"),
    }


def _volumes(fingerprint: Fingerprint) -> dict[str, Choice]:
    sides = [quantiles[1] for quantiles in fingerprint.box_sides.values() if quantiles[1] > 0]
    return {
        "whole": Choice(value=False, kind="fixed", reason="learns from patches on the working grid"),
        "levels": _levels(_finest(min(sides, default=SMALLEST))),
        "suppression": Choice(
            value=0.1,
            kind="fixed",
            reason="overlap from which on two boxes of a label are taken for one: from there on a box hits in volumes",
        ),
        "foreground": Choice(
            value=0.5,
            kind="rule",
            reason="share of patches around a box; the others lie anywhere, mostly away from all",
        ),
    }


def _levels(finest: int) -> Choice:
    return Choice(
        value=list(range(finest, 4)),
        kind="rule",
        reason=f"maps of the pyramid that say boxes: from stride {4 * 2**finest} on, a small box has several positions",
    )


def _longest_side(fingerprint: Fingerprint) -> tuple[int, str]:
    """Voxels of the longest side of a picture on the working grid, so that small boxes of the smallest label show."""
    sides = {name: quantiles[1] for name, quantiles in fingerprint.box_sides.items() if quantiles[1] > 0}
    full = max((max(one.shapes[2][1:]) for one in fingerprint.inputs.values() if one.kind == "image"), default=0)
    if not sides or not full:
        return SIDES[0], "no box to choose by"
    name = min(sides, key=lambda one: sides[one])
    wanted = SMALLEST / sides[name] * full
    side = STEP * math.ceil(min(max(wanted, SIDES[0]), SIDES[1]) / STEP)
    left = sides[name] * min(1.0, side / full)  # no picture is made larger than it is
    return side, f"a quarter of the boxes of {name!r} are below {sides[name]:.0f} voxels; {left:.0f} are left of them"


def _finest_level(fingerprint: Fingerprint, side: int) -> int:
    """0 for stride 4 of the pyramid, 1 for stride 8, ...: small boxes must have several positions."""
    full = max((max(one.shapes[2][1:]) for one in fingerprint.inputs.values() if one.kind == "image"), default=side)
    left = [quantiles[1] * min(1.0, side / full) for quantiles in fingerprint.box_sides.values() if quantiles[1] > 0]
    return _finest(min(left, default=SMALLEST))


def _finest(smallest: float) -> int:
    """The level for boxes of so many voxels along a side."""
    return min(2, max(0, int(math.log2(max(1.0, COARSEST_OF_BOX * smallest / 8)))))
