"""Which augmentations, how strong: by dimensions, modality and what the target forbids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from diascope.core import registry
from diascope.core.case import Target
from diascope.core.plan import InputFacts
from diascope.core.presence import LABELS

SIDES = ("left", "right", "links", "rechts", "左", "右")
"""A label with one of these words means that an image must not be mirrored left to right."""
ONE_SIDED = 0.05
"""Of the image's width: a structure that lies by so much on the same side in nearly all masks has a side."""

IMAGE_MOVED, PATCH_MOVED = 32, 4
"""Voxels that a whole image, and a patch, which is cut anywhere as it is, may be moved."""
Strength = Literal["none", "mirror_only", "mirrored", "light", "scaled", "strong"]


Places = Mapping[str, tuple[float, float, float]]
"""As `Fingerprint.label_places`."""


def mirror_axes(facts: InputFacts, target: Target, places: Places | None = None) -> tuple[tuple[int, ...], str]:
    """Array axes (0 = z, 1 = y, 2 = x) that may be mirrored, and why.

    Args:
        facts: Of the first image.
        target: What is to be learnt.
        places: Where its structures lie across the image, measured.
    """
    sided = [label.name for label in target.labels if any(side in label.name.lower() for side in SIDES)]
    if sided:
        return (), f"never mirrored: {sided[0]!r} names a side"
    for name, (low, middle, high) in (places or {}).items():
        if low * high > 0 and abs(middle) >= ONE_SIDED:
            return (), f"never mirrored: {name!r} lies on one side in nearly all masks (measured)"
    if not registry.get("modalities", facts.modality).mirror:
        return (), f"never mirrored: anatomy in {facts.modality} images has sides"
    if facts.modality == "photo":
        return (1, 2), "photographs have no up or left"
    if facts.dimensions == 3 and target.kind in ("category", LABELS):
        return (0, 1, 2), "every axis, as nnU-Net: what tells the classes apart is taken to look alike from any side"
    return (2,), "left and right are alike for this target and modality"


def recipe(facts: InputFacts, strength: Strength, axes: tuple[int, ...], spacing: tuple[float, ...]) -> list[list[Any]]:
    """Names and parameters of the batch transforms, spatial ones first."""
    if strength == "none":
        return []
    mirrored: list[list[Any]] = [["mirror", {"axes": list(axes)}]] if axes else []
    if strength == "mirror_only":
        return mirrored
    if strength == "mirrored":
        # No interpolation: it would blur the fine texture of a coarse grid, and takes a third of a step's time.
        return [*mirrored, ["brightness_contrast", {"probability": 0.3}]]
    if strength == "scaled":
        return _scaled(axes, spacing, PATCH_MOVED if facts.dimensions == 3 else IMAGE_MOVED)
    strong = strength == "strong"
    free = facts.modality == "photo"
    step = float(min(spacing[1:]))
    spatial: list[list[Any]] = [
        [
            "affine_elastic",
            {
                "probability": 0.3 if strong else 0.4,
                "rotation": [180.0 if free else (30.0 if strong else 10.0), *[20.0 if strong else 0.0] * 2],
                "scale": [0.7, 1.4] if strong else [0.9, 1.1],
                "translation": 4 * step,
                "shear": 0.1 if strong else 0.0,
                "elastic": 1.5 * step if strong else 0.0,
                "distance": 12 * step,
                "spacing": list(spacing),
            },
        ]
    ]
    if axes:
        spatial.append(["mirror", {"axes": list(axes)}])
    if not strong:
        return [*spatial, ["brightness_contrast", {"probability": 0.3}]]
    return [
        *spatial,
        ["noise", {"probability": 0.1}],
        ["blur", {"probability": 0.1}],
        ["brightness_contrast", {"probability": 0.2}],
        ["low_resolution", {"probability": 0.15}],
        ["gamma", {"probability": 0.25}],
    ]


def _scaled(axes: tuple[int, ...], spacing: tuple[float, ...], farthest: int) -> list[list[Any]]:
    """For what comes in many sizes and anywhere in the image.

    Nearly every image is moved and magnified, hardly one is turned, and none is deformed: boxes stay boxes.
    """
    step = float(min(spacing[1:]))
    moved = {
        "probability": 0.8,
        "rotation": [5.0, 0.0, 0.0],
        "scale": [0.7, 1.4],
        "translation": farthest * step,
        "spacing": list(spacing),
    }
    mirrored: list[list[Any]] = [["mirror", {"axes": list(axes)}]] if axes else []
    return [
        ["affine_elastic", moved],
        *mirrored,
        ["brightness_contrast", {"probability": 0.5}],
        ["gamma", {"probability": 0.25}],
        ["noise", {"probability": 0.1}],
    ]
