"""One case, read once: every image input and mask."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef, Target
from diascope.core.errors import DataRefused, DiascopeError
from diascope.core.image import Image
from diascope.engine.orienting import upright
from diascope.engine.placing import frames_apart, matched, placed
from diascope.kinds import Look
from diascope.planning.surveying.facts import CaseFacts, InputFactsOfCase, MaskFacts, PairFacts
from diascope.planning.surveying.measuring import measure
from diascope.store.files import file_digest

IMAGE = "image"
"""Kind of a target whose files hold values with a unit, and no labels."""


def facts_of(case: Case, root: Path, target: Target | None) -> CaseFacts | str:
    """Facts of one case, or why it could not be read.

    Raises:
        DiascopeError: For what is not the data's fault (a missing package, an unknown format).
    """
    start = time.perf_counter()
    ignore = target.ignore if target is not None else None
    try:
        first = _first_image(case, root)
        paired = target.columns if target is not None and target.kind == IMAGE else ()
        refs = {name: ref for name, ref in _files(case.targets) if name not in paired}
        masks = {name: _lying(formats.read(ref, root), first) for name, ref in refs.items()}
        # Shapes and spacings are those of the axes that the network sees, whatever order a file stores them in.
        shown = {name: upright(mask) for name, (mask, _) in masks.items()}
        masked = _masked(shown.values(), ignore)
        inputs: dict[str, InputFactsOfCase] = {}
        looks: dict[str, Look] = {}
        for name, ref in _files(case.inputs):
            if ref.kind != "image":
                looks[name] = registry.get("kinds", ref.kind).look(ref, root)
                continue
            image = first[1] if first is not None and first[0] == name else formats.read(ref, root)
            turned = upright(image)
            inside = masked[1] if masked is not None and masked[0] == turned.shape else None
            seen = measure(turned, *_of_bytes(ref, root), inside)
            inputs[name] = seen if first is None else replace(seen, apart=frames_apart(image, first[1]))
        found = {name: _mask_facts(mask, shown[name].array, apart) for name, (mask, apart) in masks.items()}
        pairs = {name: _pair(ref, root, first) for name, ref in _files(case.targets) if name in paired}
    except (DataRefused, OSError, MemoryError) as error:
        return _reason(error)
    except DiascopeError:
        raise
    except Exception as error:  # a plug-in's fault must name its case, not lose the other thousands
        return f"the reader failed with {type(error).__name__}: {error}"
    return CaseFacts(inputs, found, time.perf_counter() - start, looks, pairs)


def _of_bytes(ref: FileRef, root: Path) -> tuple[int, str]:
    paths = [root / path for path in ref.paths]
    return sum(path.stat().st_size for path in paths), file_digest(paths)


def _files(named: Any) -> Iterable[tuple[str, FileRef]]:
    return ((name, ref) for name, ref in named.items() if isinstance(ref, FileRef))


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


def _first_image(case: Case, root: Path) -> tuple[str, Image] | None:
    """The input on whose grid masks lie, and other inputs are brought to."""
    for name, ref in _files(case.inputs):
        if ref.kind == "image":
            return name, formats.read(ref, root)
    return None


def _lying(mask: Image, first: tuple[str, Image] | None) -> tuple[Image, str]:
    return (mask, "") if first is None else placed(mask, first[1])


def _pair(ref: FileRef, root: Path, first: tuple[str, Image] | None) -> PairFacts:
    """A target image as it lies on the first input, and how far the two are from each other."""
    target, apart = formats.read(ref, root), ""
    if first is not None:
        target, apart = matched(target, first[1])
    seen = measure(upright(target), *_of_bytes(ref, root))
    values = target.array[0].astype(np.float32)
    varies = float(np.abs(values - np.median(values)).mean())
    comparable = first is not None and not apart and first[1].channels == 1
    differs = float(np.abs(values - first[1].array[0].astype(np.float32)).mean()) if first and comparable else np.nan
    return PairFacts(seen, apart, differs, varies)


def _mask_facts(mask: Image, shown: npt.NDArray[Any], apart: str) -> MaskFacts:
    """Facts of a mask as it lies on its image; `shown` are its voxels (C, Z, Y, X) in the one order of axes."""
    marked = np.flatnonzero(shown)
    values, which = np.unique(shown.reshape(-1)[marked], return_inverse=True)
    fractional = [float(value) for value in values if value != int(value)]
    if fractional:
        raise DataRefused(
            "a mask must hold whole numbers", given=f"values such as {fractional[:3]}", todo="Write it as integers"
        )
    names, counts = [int(value) for value in values], np.bincount(which, minlength=len(values))
    width = shown.shape[-1]
    places = np.bincount(which, weights=marked % width + 0.5, minlength=len(values)) / counts / width - 0.5
    found = dict(zip(names, counts.tolist(), strict=True))
    background = {0: shown.size - len(marked)} if len(marked) < shown.size else {}
    across = dict(zip(names, places.tolist(), strict=True))
    return MaskFacts(background | found, mask.shape, apart, mask.history, across)
