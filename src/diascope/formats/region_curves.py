"""An image series over time and a mask as a signal: of each region the mean over its voxels, frame by frame.

Dynamic contrast-enhanced MR, perfusion, the motion of a wall in a cine. The last file is the mask; the others are one
4-D NIfTI or the files of one DICOM series. Every label of the mask is a channel, called as a `labels.json` among the
files says (`{"tumour": 1}`), else `region 1`, ...
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused, UnreadableFile, UnsoundGeometry
from diascope.core.image import Image
from diascope.core.signal import Signal
from diascope.formats import format_of
from diascope.formats.files.reading import foreign
from diascope.formats.waveforms.grid import on_grid

LABELS = "labels.json"
FEWEST_VOXELS = 1
"""That a region must have in a frame."""


class RegionCurves:
    """Chosen by a source and never recognised: it takes two files."""

    kind = "signal"
    suffixes: tuple[str, ...] = (".nii", ".nii.gz", ".dcm")
    writes = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return False

    def read(self, paths: Sequence[Path], item: str | None = None) -> Signal:
        """The curves.

        Raises:
            UnreadableFile: When there is no series or no mask, or the mask marks nothing.
            UnsoundGeometry: When the mask does not lie on the series.
        """
        names = [Path(path) for path in paths if Path(path).name == LABELS]
        files = [Path(path) for path in paths if Path(path) not in names]
        if len(files) < 2:
            listed = ", ".join(map(str, paths)) or "no files"
            raise UnreadableFile(listed, "curves need an image series and a mask", "Give both")
        with foreign(files[-1]):
            if item is not None:
                raise UnreadableFile(files[-1], f"all regions are read together, not {item!r}")
            image, mask = _series(files[:-1]), _mask(files[-1])
            if mask.shape != image.shape or not mask.geometry.is_close(image.geometry):
                raise UnsoundGeometry(
                    f"the mask {files[-1].name} does not lie on the series",
                    given=f"{mask.shape} on {image.shape} voxels",
                    todo="Draw it on a frame of the series, or bring it to its grid",
                )
            return _signal(image, np.asarray(mask.array[0]), _names(names), files[-1])

    def extent(self, paths: Sequence[Path], item: str | None = None) -> None:
        return None

    def write(self, image: Any, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("curves of regions are only read", given=path)


def _series(paths: Sequence[Path]) -> Image:
    """The frames as channels (T, Z, Y, X)."""
    name = format_of(paths[0])
    if name is None:
        raise UnreadableFile(paths[0], "no format reads this image series")
    plugin = registry.get("formats", "dicom_dynamic" if name == "dicom" else name)
    image: Image = plugin.read(paths)
    if image.channels < 2:
        raise UnreadableFile(
            paths[0], "it holds one frame and no series over time", "Give a 4-D image, or all its files"
        )
    return image


def _mask(path: Path) -> Image:
    name = format_of(path)
    if name is None:
        raise UnreadableFile(path, "no format reads this mask")
    mask: Image = registry.get("formats", name).read([path])
    if mask.channels != 1:
        raise UnreadableFile(path, f"a mask has one channel, not {mask.channels}")
    return mask


def _signal(image: Image, mask: npt.NDArray[Any], names: dict[int, str], path: Path) -> Signal:
    values = sorted(int(value) for value in np.unique(mask) if value)
    if not values:
        raise UnreadableFile(path, "the mask marks no region")
    frames = image.array.reshape(image.channels, -1)
    flat = mask.reshape(-1)
    curves = np.stack([_mean(frames[:, flat == value]) for value in values], axis=1)
    channels = tuple(names.get(value, f"region {value}") for value in values)
    unit = image.unit if image.unit not in ("a.u.", "grey") else ""
    times = image.attributes.get("frame_times")
    if times is None:
        return Signal(curves, 0.0, channels, (unit,) * len(channels), history=image.history)
    samples, rate, note = _evenly(np.asarray(times, np.float64), curves)
    history = (*image.history, note) if note else image.history
    return Signal(samples, rate, channels, (unit,) * len(channels), history=history)


def _evenly(
    times: npt.NDArray[np.float64], curves: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], float, str]:
    """Curves at equal steps: contrast is often followed closely at first and seldom later."""
    try:
        return on_grid(times, curves.astype(np.float64))
    except DataRefused:
        if len(times) < 2 or np.diff(times).min() <= 0:
            raise
    step = float(np.median(np.diff(times)))
    even = np.arange(times[0], times[-1] + step / 2, step)
    samples = np.stack([np.interp(even, times, column) for column in curves.T], axis=1).astype(np.float32)
    return samples, float(f"{1 / step:.6g}"), f"frames at uneven times were interpolated to steps of {step:.4g} s"


def _mean(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """(T, N) to (T,): over the voxels that are finite."""
    finite = np.isfinite(values)
    count = finite.sum(axis=1)
    total = np.where(finite, values, 0).sum(axis=1, dtype=np.float64)
    return np.where(count >= FEWEST_VOXELS, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _names(paths: Sequence[Path]) -> dict[int, str]:
    if not paths:
        return {}
    try:
        content = json.loads(paths[0].read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(paths[0], str(error)) from error
    if not isinstance(content, dict) or not all(isinstance(value, int) for value in content.values()):
        raise UnreadableFile(paths[0], "it does not map names to values", 'Write {"tumour": 1}')
    return {value: str(name) for name, value in content.items()}


FORMAT = RegionCurves()
