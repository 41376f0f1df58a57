"""Rigid registration of two images of one patient (SimpleITK; Mattes mutual information)."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK

from diascope.core.errors import BadUsage, DataRefused
from diascope.core.image import Image

BINS = 32
SHARE = 0.2
"""Of the voxels that are looked at on each level."""
THINNED = (4, 2, 1)
SMOOTHED = (2, 1, 0)
ITERATIONS = 100
FEWEST_SIDE = 4
_UNTYPED: Any = SimpleITK


def rigid(moving: Image, fixed: Image) -> tuple[Image, float]:
    """Turn and shift one image onto another one; nothing is stretched, so that growth stays.

    Args:
        moving: One channel, with millimetres.
        fixed: Likewise.

    Returns:
        `moving` on the grid of `fixed` (its lowest value where it does not reach), and by how many mm the middle of the
        image was moved.

    Raises:
        BadUsage: When an image has no millimetres, or several channels.
        DataRefused: When they do not overlap, or are too small.
    """
    for image in (moving, fixed):
        if image.channels != 1 or not image.geometry.physical:
            raise BadUsage(
                "images with one channel and millimetres can be registered", given=f"{image.channels} channels"
            )
        if min(side for side in image.shape if side > 1) < FEWEST_SIDE or image.is_flat != fixed.is_flat:
            raise DataRefused("the images are too small to be registered, or only one is a volume")
    if fixed.is_flat:
        raise BadUsage("volumes can be registered", given="one slice")
    still, free = _itk(fixed), _itk(moving)
    start = _UNTYPED.CenteredTransformInitializer(
        still, free, _UNTYPED.Euler3DTransform(), _UNTYPED.CenteredTransformInitializerFilter.GEOMETRY
    )
    found = _fit(still, free, start)
    moved = _UNTYPED.Resample(free, still, found, _UNTYPED.sitkLinear, float(moving.array.min()))
    array = np.asarray(SimpleITK.GetArrayFromImage(moved), np.float32)[None]
    middle = np.array(still.TransformContinuousIndexToPhysicalPoint([(side - 1) / 2 for side in still.GetSize()]))
    shift = float(np.linalg.norm(np.array(found.TransformPoint(middle.tolist())) - middle))
    note = f"registered rigidly to another visit: its middle was moved by {shift:.1f} mm"
    history = (*moving.history, note)
    return Image(array, fixed.geometry, moving.modality, moving.unit, dict(moving.attributes), history), shift


def _fit(still: Any, free: Any, start: Any) -> Any:
    method = _UNTYPED.ImageRegistrationMethod()
    # Sums of several threads come in any order: the same images shall give the same bits everywhere.
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(SHARE, 1)
    method.SetInterpolator(_UNTYPED.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, ITERATIONS)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(list(THINNED))
    method.SetSmoothingSigmasPerLevel(list(SMOOTHED))
    method.SetInitialTransform(start, inPlace=False)
    try:
        return method.Execute(still, free)
    except RuntimeError as error:
        raise DataRefused(
            "the images could not be registered", given=str(error).split("ERROR:")[-1].strip()[:120]
        ) from error


def _itk(image: Image) -> Any:
    file: Any = SimpleITK.GetImageFromArray(np.asarray(image.array[0], np.float32))
    file.SetSpacing(image.geometry.steps[::-1])
    file.SetDirection(image.geometry.directions[:, ::-1].ravel().tolist())
    file.SetOrigin(image.geometry.origin)
    return file
