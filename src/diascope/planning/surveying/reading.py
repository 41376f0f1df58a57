"""One case, read once: every image input and mask."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope import formats
from diascope.core.case import Case, FileRef, Target
from diascope.core.errors import DataRefused, DiascopeError, UnreadableFile
from diascope.core.image import Image
from diascope.planning.surveying.facts import CaseFacts, InputFactsOfCase, MaskFacts
from diascope.planning.surveying.measuring import measure
from diascope.store.files import file_digest


def facts_of(case: Case, root: Path, target: Target | None) -> CaseFacts | str:
    """Facts of one case, or why it could not be read.

    Raises:
        DiascopeError: For what is not the data's fault (a missing package, an unknown format).
    """
    start = time.perf_counter()
    ignore = target.ignore if target is not None else None
    try:
        masks = {name: formats.read(ref, root) for name, ref in _files(case.targets)}
        masked = _masked(masks.values(), ignore)
        inputs: dict[str, InputFactsOfCase] = {}
        first: Image | None = None
        for name, ref in _files(case.inputs):
            if ref.kind != "image":
                _must_exist(ref, root)
                continue
            image = formats.read(ref, root)
            first = first or image
            inside = masked[1] if masked is not None and masked[0] == image.shape else None
            inputs[name] = measure(image, *_of_bytes(ref, root), inside)
        found = {name: _mask_facts(mask, first) for name, mask in masks.items()}
    except (DataRefused, OSError, MemoryError) as error:
        return _reason(error)
    except DiascopeError:
        raise
    except Exception as error:  # a plug-in's fault must name its case, not lose the other thousands
        return f"the reader failed with {type(error).__name__}: {error}"
    return CaseFacts(inputs, found, time.perf_counter() - start)


def _of_bytes(ref: FileRef, root: Path) -> tuple[int, str]:
    paths = [root / path for path in ref.paths]
    return sum(path.stat().st_size for path in paths), file_digest(paths)


def _files(named: Any) -> Iterable[tuple[str, FileRef]]:
    return ((name, ref) for name, ref in named.items() if isinstance(ref, FileRef))


def _must_exist(ref: FileRef, root: Path) -> None:
    for path in ref.paths:
        if not (root / path).is_file():
            raise UnreadableFile(root / path, "no such file")


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory to read it"
    return str(error)


def _masked(masks: Iterable[Image], ignore: int | None) -> tuple[tuple[int, int, int], npt.NDArray[np.intp]] | None:
    """Shape and flat indices of the voxels that any mask marks; None without masks."""
    marked: npt.NDArray[np.bool_] | None = None
    for mask in masks:
        inside = ((mask.array != 0) & (mask.array != ignore)).any(axis=0)
        if marked is None:
            marked = inside
        elif marked.shape == inside.shape:
            marked = marked | inside
    if marked is None:
        return None
    z, y, x = marked.shape
    return (z, y, x), np.flatnonzero(marked)


def _mask_facts(mask: Image, image: Image | None) -> MaskFacts:
    values, counts = np.unique(mask.array, return_counts=True)
    fractional = [float(value) for value in values if value != int(value)]
    if fractional:
        raise DataRefused(
            "a mask must hold whole numbers", given=f"values such as {fractional[:3]}", todo="Write it as integers"
        )
    found = {int(value): int(count) for value, count in zip(values, counts, strict=True)}
    return MaskFacts(found, mask.shape, _difference(mask, image) if image is not None else "")


def _difference(mask: Image, image: Image) -> str:
    """Why a mask does not lie on its image; empty where it does."""
    if mask.shape != image.shape:
        return f"the mask is {_by(mask.shape)} voxels, the image {_by(image.shape)} (z, y, x)"
    if not (mask.geometry.physical and image.geometry.physical):
        return ""
    # A tenth of a voxel allows for affines that were written as float32.
    if mask.geometry.is_close(image.geometry, tolerance_mm=0.1 * min(image.geometry.steps)):
        return ""
    mask_axes, image_axes = np.round(mask.geometry.affine, 3), np.round(image.geometry.affine, 3)
    if np.allclose(mask_axes[:3, :3], image_axes[:3, :3], atol=1e-2):
        shift = np.linalg.norm(mask_axes[:3, 3] - image_axes[:3, 3])
        return f"the mask's origin is {shift:.2f} mm away from the image's"
    return f"the mask's spacing or orientation differs: {mask_axes[:3, :3].tolist()}, {image_axes[:3, :3].tolist()}"


def _by(shape: tuple[int, int, int]) -> str:
    return " x ".join(map(str, shape))
