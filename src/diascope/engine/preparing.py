"""One case from file to working grid. Training, evaluation and reading all go through `prepare`: the same bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef, Target
from diascope.core.errors import DataRefused, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Plan
from diascope.engine.batch import Example
from diascope.engine.boxes import with_boxes
from diascope.engine.building import channels_of
from diascope.engine.feeding import Stored
from diascope.engine.filtering import Steps, filtered, filters_of, with_history
from diascope.engine.network import PRESENT
from diascope.engine.orienting import Turn
from diascope.engine.placing import frames_apart, matched, placed
from diascope.formats.dicomio.placing import place_on
from diascope.kinds import arrays_of, is_missing
from diascope.store.files import changed_file
from diascope.transforms.intensity import POINTWISE
from diascope.transforms.resampling.volume import onto

IMAGE = "image"
"""Kind of a target whose files hold values with a unit, and no labels."""
IN_SPACE = ("resample", "crop_pad")
"""Steps of `prepare` that a target image goes through as well: they change where voxels are."""
SLAB = 1 << 24
"""Voxels that are scaled at once."""


def read_images(case: Case, root: Path, names: tuple[str, ...]) -> dict[str, Image]:
    """The image inputs of a case, as they are in the files, in the order of `names`."""
    images: dict[str, Image] = {}
    for name in () if may_lack(case, names) else names:
        ref = case.inputs.get(name)
        if not isinstance(ref, FileRef):
            raise DataRefused(f"case {case.id} has no image input {name!r}", given=", ".join(case.inputs) or "none")
        unchanged(case, ref, root)
        images[name] = formats.read(ref, root)
    return images


def may_lack(case: Case, names: tuple[str, ...]) -> bool:
    """Whether a case has none of the images, but inputs of another kind: it is read without."""
    kinds = {ref.kind for ref in case.inputs.values()}
    return bool(kinds - {"image"}) and not any(name in case.inputs for name in names)


def unchanged(case: Case, ref: FileRef, root: Path) -> None:
    """Raise when a file is gone, or is not the one that was looked at when the data was curated.

    Raises:
        DataRefused: Names the file.
    """
    if (changed := changed_file(ref, root)) is not None:
        raise DataRefused(
            f"{changed} of case {case.id} has changed or vanished since the data was checked",
            todo="Run diascope fit again: the checks must see what is trained on",
        )


def read_masks(case: Case, root: Path, target: Target, like: Image | None) -> dict[str, npt.NDArray[Any]]:
    """The masks of a case as (Z, Y, X) label maps on the grid of its first image; of a target image its values.

    Raises:
        UnsoundGeometry: When a target image does not lie on the first image, voxel for voxel.
    """
    masks = {}
    for column in target.columns:
        ref = case.targets.get(column)
        if not isinstance(ref, FileRef):
            continue
        unchanged(case, ref, root)
        mask = formats.read(ref, root)
        if like is not None and target.kind == IMAGE:
            mask, apart = matched(mask, like)
            if apart:
                raise UnsoundGeometry(f"case {case.id} is no pair: {apart}", todo="See diascope check")
            mask = mask.with_array(mask.array.astype(np.float32))
        elif like is not None:
            mask, apart = placed(mask, like)
            # The data check has seen each mask on its own image; the first input of a release may be another one.
            mask = place_on(mask, like.geometry, like.shape) if apart else mask
        masks[column] = np.asarray(mask.array[0])
    return masks


def stack(images: Mapping[str, Image], plan: Plan) -> tuple[torch.Tensor, Geometry]:
    """All image inputs, filtered and scaled in intensity, as channels on the grid of the first.

    Raises:
        UnsoundGeometry: When two images lie in different frames of reference.
    """
    names = tuple(plan["image_inputs"])
    first = images[names[0]]
    parts = []
    for name in names:
        image = images[name]
        if apart := frames_apart(image, first):
            raise UnsoundGeometry(f"{name!r} and {names[0]!r}: {apart}", todo="Register them first")
        volume = _scaled(image, plan["channels"][name], plan["intensity"][name], filters_of(plan, name))
        if image is not first and (image.shape != first.shape or not image.geometry.is_close(first.geometry)):
            volume = onto(volume, image.geometry, first.geometry, first.shape, order=1)
        parts.append(volume)
    return parts[0] if len(parts) == 1 else torch.cat(parts), first.geometry


def _scaled(image: Image, channels: int, params: Mapping[str, Any], filters: Steps = ()) -> torch.Tensor:
    """(C, Z, Y, X) float32; a large volume slab by slab, so that it is held only once. Filters see all of it."""
    if filters:
        volume = _with_channels(torch.from_numpy(image.array.astype(np.float32)), channels)
        return filtered(volume, image.geometry, params, filters)
    scale = registry.get("transforms", "intensity").apply

    def whole(array: npt.NDArray[Any]) -> torch.Tensor:
        volume = _with_channels(torch.from_numpy(array.astype(np.float32)), channels)
        scaled: torch.Tensor = scale(volume, image.geometry, params, False)[0]
        return scaled

    depth = max(1, SLAB // (image.shape[1] * image.shape[2]))
    if depth >= image.shape[0] or params["rule"] not in POINTWISE:
        return whole(image.array)
    first = whole(image.array[:, :depth])
    volume = torch.empty((len(first), *image.shape))
    volume[:, :depth] = first
    for z in range(depth, image.shape[0], depth):
        volume[:, z : z + depth] = whole(image.array[:, z : z + depth])
    return volume


def prepare(case: Case, images: Mapping[str, Image], plan: Plan, root: Path) -> Example:
    """A case as the network sees it; with several inputs, `present` says which of them it has (by sorted names).

    Args:
        case: The manifest row.
        images: What `read_images` gave.
        root: Folder that relative paths start at.
        plan: Its `prepare` choice lists the transforms of the image inputs, in order.
    """
    inputs: dict[str, npt.NDArray[Any]] = {}
    geometry, original = None, None
    names = tuple(plan["image_inputs"])
    if names and not images:
        inputs["image"] = np.zeros((channels_of(plan), *plan["patch"]), np.float32)
    elif names:
        volume, geometry = stack(images, plan)
        original = (geometry, images[names[0]].shape)
        volume, geometry = _upright(volume, original)
        for name, params in plan["prepare"]:
            volume, geometry = registry.get("transforms", name).apply(volume, geometry, params, False)
        inputs["image"] = np.ascontiguousarray(volume.numpy(), dtype=np.float32)
    inputs |= arrays_of(case, root, plan)
    if len(inputs) > 1:
        has = [bool(images) if name == "image" else not is_missing(inputs[name]) for name in sorted(inputs)]
        inputs[PRESENT] = np.array(has, np.float32)
    seen = images[names[0]] if images and plan.target.kind == IMAGE else None
    return Example(with_history(case, plan), inputs, {}, geometry, original, seen)


def prepared(case: Case, root: Path, plan: Plan) -> tuple[Example, dict[str, npt.NDArray[Any]]]:
    """One case read and prepared, with its masks on the grid of the image as it was read."""
    names = tuple(plan["image_inputs"])
    images = read_images(case, root, names)
    first = images[names[0]] if images else None
    masks = read_masks(case, root, plan.target, first)
    return prepare(case, images, plan, root), masks


def stored_cases(cases: Sequence[Case], root: Path, plan: Plan) -> list[Stored]:
    """A few cases prepared in memory, with targets."""
    found = []
    for case in cases:
        example = with_target(*prepared(case, root, plan), plan)
        arrays = {f"input/{k}": v for k, v in example.inputs.items()} | {
            f"target/{k}": v for k, v in example.target.items()
        }
        found.append(Stored(case.id, arrays))
    return found


def with_target(example: Example, masks: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Example:
    """The example with its target on the working grid, as the task encodes it."""
    moved = {}
    for column, mask in masks.items():
        labels = plan.target.kind != IMAGE
        volume = torch.from_numpy(np.ascontiguousarray(mask[None], dtype=_narrow(mask) if labels else np.float32))
        volume, geometry = _upright(volume, example.original or (Geometry.unknown(), mask.shape))
        for name, params in plan["prepare"]:
            if labels or name in IN_SPACE:
                volume, geometry = registry.get("transforms", name).apply(volume, geometry, params, labels)
        moved[column] = volume[0].numpy()
    case = example.case
    if example.original is not None and example.geometry is not None:
        z, y, x = example.inputs["image"].shape[1:]
        case = with_boxes(case, plan.target, example.original, (example.geometry, (z, y, x)))
    target = registry.get("tasks", plan.task).encode(case, moved, plan.target)
    return Example(example.case, example.inputs, target, example.geometry, example.original)


def truth_of(example: Example, masks: Mapping[str, npt.NDArray[Any]], plan: Plan) -> dict[str, npt.NDArray[Any]]:
    """The target of a case as the task encodes it, on the grid of the image as it was read."""
    case = example.case
    if example.original is not None:
        case = with_boxes(case, plan.target, example.original, example.original)
    encoded: dict[str, npt.NDArray[Any]] = registry.get("tasks", plan.task).encode(case, masks, plan.target)
    return encoded


def _narrow(mask: npt.NDArray[Any]) -> type[np.integer[Any]]:
    """What holds a mask's values: a byte a voxel nearly always, an eighth of what torch would take by default."""
    return np.uint8 if not mask.size or 0 <= mask.min() <= mask.max() <= 255 else np.int64


def _upright(volume: torch.Tensor, stored: tuple[Geometry, tuple[int, int, int]]) -> tuple[torch.Tensor, Geometry]:
    """A volume as it was stored, in the order of axes that the network knows."""
    turn = Turn.of(*stored)
    return (
        (volume, stored[0])
        if turn == Turn()
        else (torch.from_numpy(turn.array(volume.numpy())), turn.geometry(*stored))
    )


def _with_channels(volume: torch.Tensor, wanted: int) -> torch.Tensor:
    """Grey to colour by repeating it, colour to grey by luma (ITU-R BT.601)."""
    have = volume.shape[0]
    if have == wanted:
        return volume
    if have == 1:
        return volume.expand(wanted, -1, -1, -1).clone()
    if wanted == 1 and have == 3:
        return torch.einsum("c,czyx->zyx", torch.tensor([0.299, 0.587, 0.114]), volume)[None]
    raise DataRefused(f"an image with {have} channels cannot be read where {wanted} are expected")
