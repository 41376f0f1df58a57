"""Putting a mask on the grid of the image that it labels: voxel for voxel, or said to be otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from diascope.core.errors import UnsoundGeometry
from diascope.core.image import Image
from diascope.formats.dicomio.placing import place_on

NEAR = 0.1
"""Of a voxel: affines are written as float32, and positions as decimal text."""

Map = npt.NDArray[np.float64]


def frames_apart(one: Image, other: Image) -> str:
    """That two images lie in different frames of reference, where both name theirs; else empty."""
    ours, theirs = one.geometry.frame_of_reference, other.geometry.frame_of_reference
    if ours and theirs and ours != theirs:
        return f"different frames of reference, {ours} and {theirs}: their millimetres do not correspond"
    return ""


def matched(target: Image, image: Image) -> tuple[Image, str]:
    """A target image on the grid of its input, voxel for voxel: only order and direction of its axes may differ.

    Values are never interpolated to make a pair: what is learnt and measured would be the interpolation.

    Returns:
        The target on the input's grid and an empty text; or the target as it is and why the two are no pair.
    """
    if apart := frames_apart(target, image):
        return target, apart
    if target.channels != 1:
        return target, f"the target image has {target.channels} channels, and one can be made"
    # Without a frame of reference `placed` moves no voxel: it says how the grids differ.
    grid = replace(target.geometry, frame_of_reference=None)
    found, apart = placed(target.with_array(target.array, grid), image)
    return found, apart.replace("the mask", "the target image")


def placed(mask: Image, image: Image) -> tuple[Image, str]:
    """A mask on the grid of its image.

    Where both name the same frame of reference, the header says where the mask lies: one that leaves out empty slices
    (PS3.3 A.51 allows it) is filled up with background, and one on another grid is put on the image's by the nearest
    voxel, which its history says. Without a frame of reference only the order and direction of the axes may differ:
    that a mask of another size lies where its header says would be a guess.

    Args:
        mask: Labels (1, Z, Y, X).
        image: The image.

    Returns:
        The mask on the image's grid and an empty text; or the mask as it is and why it does not lie on the image.
    """
    if apart := frames_apart(mask, image):
        return mask, apart
    if not (mask.geometry.physical and image.geometry.physical):
        return mask, "" if mask.shape == image.shape else _difference(mask, image)
    if mask.shape == image.shape and mask.geometry.is_close(image.geometry, NEAR * min(image.geometry.steps)):
        return mask, ""
    in_one_frame = bool(mask.geometry.frame_of_reference and image.geometry.frame_of_reference)
    axes = _axes(mask, image)
    if axes is None:
        return _nearest(mask, image) if in_one_frame else (mask, _difference(mask, image))
    order, start = axes
    array = mask.array[0].transpose(np.argsort(np.abs(order) - 1))
    for axis in range(3):
        if -(axis + 1) in order:
            array = np.flip(array, axis)
    if not in_one_frame and (array.shape != image.shape or start != (0, 0, 0)):
        return mask, _difference(mask, image)
    return _pasted(mask, array, image, start)


def _axes(mask: Image, image: Image) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
    """Where the axes of a mask go, and where its lowest voxel goes; None where its voxels are not the image's.

    Returns:
        For each axis of the mask the axis of the image, counted from 1, negative where it runs the other way; and the
        index (z, y, x) in the image of the mask's lowest voxel.
    """
    to_image: Map = np.linalg.inv(image.geometry.affine) @ mask.geometry.affine
    # One slice has no next one: what its header says of the distance (its thickness, often) moves nothing.
    long = [axis for axis in range(3) if mask.shape[axis] > 1]
    order = [0, 0, 0]
    for axis in long:
        largest = int(np.abs(to_image[:3, axis]).argmax())
        order[axis] = (largest + 1) * (1 if to_image[largest, axis] > 0 else -1)
    free = [axis for axis in (1, 2, 3) if axis not in np.abs(order)]
    if len({abs(one) for one in order if one}) < len(long):
        return None
    order = [one or free.pop(0) for one in order]
    ends = np.array([[z, y, x] for z in (0, 1) for y in (0, 1) for x in (0, 1)]) * (np.array(mask.shape) - 1)
    whole = np.zeros((3, 3))
    whole[np.abs(order) - 1, range(3)] = np.sign(order)
    base = np.rint(to_image[:3, 3])
    real = ends @ to_image[:3, :3].T + to_image[:3, 3]
    if np.abs(real - (ends @ whole.T + base)).max() > NEAR:
        return None
    z, y, x = (int(value) for value in (ends @ whole.T + base).min(axis=0))
    return (order[0], order[1], order[2]), (z, y, x)


def _pasted(
    mask: Image, array: npt.NDArray[np.generic], image: Image, start: tuple[int, int, int]
) -> tuple[Image, str]:
    out = np.zeros((1, *image.shape), dtype=mask.array.dtype)
    theirs = tuple(slice(max(s, 0), max(s + n, 0)) for s, n in zip(start, array.shape, strict=True))
    ours = tuple(slice(max(-s, 0), max(full - s, 0)) for s, full in zip(start, image.shape, strict=True))
    inside = array[ours]
    lost = np.count_nonzero(array) - np.count_nonzero(inside)
    if lost:
        return mask, f"{lost:,} of its marked voxels lie outside of the image"
    out[0][theirs] = inside
    return mask.with_array(out, image.geometry), ""


def _nearest(mask: Image, image: Image) -> tuple[Image, str]:
    try:
        return place_on(mask, image.geometry, image.shape), ""
    except UnsoundGeometry as error:
        return mask, str(error)


def _difference(mask: Image, image: Image) -> str:
    """Why a mask does not lie on its image, in words."""
    if mask.shape != image.shape:
        return f"the mask is {_by(mask.shape)} voxels, the image {_by(image.shape)} (z, y, x)"
    mask_axes, image_axes = np.round(mask.geometry.affine, 3), np.round(image.geometry.affine, 3)
    if np.allclose(mask_axes[:3, :3], image_axes[:3, :3], atol=1e-2):
        shift = np.linalg.norm(mask_axes[:3, 3] - image_axes[:3, 3])
        return f"the mask's origin is {shift:.2f} mm away from the image's"
    return f"the mask's spacing or orientation differs: {mask_axes[:3, :3].tolist()}, {image_axes[:3, :3].tolist()}"


def _by(shape: tuple[int, int, int]) -> str:
    return " x ".join(map(str, shape))
