"""An image that a release made of another one, as a file: in the unit and on the grid of its input, marked as made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from diascope.core import registry
from diascope.core.case import FileRef, TableRef
from diascope.core.image import Image
from diascope.engine.task import Prediction
from diascope.store.releases import OpenRelease

MADE = "the image was made by a program and not recorded: it may show what is not there, and hide what is"
NO_SERIES = "the image that was made is written as NIfTI: a derived DICOM series is not written"
VOLUME, PICTURE = "nifti", "picture"
GREY = 255


def made_files(opened: OpenRelease, prediction: Prediction, ref: FileRef | TableRef, folder: Path) -> dict[str, str]:
    """Write the image, and what it is expected to be wrong by; returns kind to file name.

    A picture of 8 bits becomes a PNG, with whole grey values; everything else NIfTI.

    Args:
        opened: The release.
        prediction: With `made`.
        ref: The input that the image lies on.
        folder: Of the answer.
    """
    files: dict[str, str] = {}
    by = f"diascope {opened.release.label} {opened.release.seal[:16]}"
    for kind, image in (("made", prediction.made), ("expected_error", prediction.error)):
        if image is None:
            continue
        marked = replace(image, attributes={**image.attributes, "synthetic": by})
        flat = kind == "made" and isinstance(ref, FileRef) and ref.format == PICTURE and _fits(marked)
        files[kind] = f"{kind}.png" if flat else f"{kind}.nii.gz"
        whole = marked.with_array(marked.array.round().clip(0, GREY).astype(np.uint8)) if flat else marked
        registry.get("formats", PICTURE if flat else VOLUME).write(whole, folder / files[kind])
    return files


def _fits(image: Image) -> bool:
    """Whether the values are grey levels of 8 bits."""
    return image.is_flat and image.unit == "grey" and float(image.array.max()) <= GREY + 1


def is_series(ref: FileRef | TableRef) -> bool:
    """Whether an input is a DICOM series."""
    return isinstance(ref, FileRef) and ref.format == "dicom"
