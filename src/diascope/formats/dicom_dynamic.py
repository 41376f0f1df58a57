"""DICOM image series over time as one image whose channels are the frames: DCE-MRI, perfusion, cine.

One series whose files share their positions is parted by temporal position, trigger time or acquisition, each part
being one frame; of a file of many frames without positions (a cine of ultrasound or angiography) each frame is one.
Objects that hold volumes of several times in one file (enhanced MR) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from diascope.core import registry
from diascope.core.errors import BadUsage, UnreadableFile, UnsoundGeometry
from diascope.core.image import Image
from diascope.formats.dicomio.headers import SUFFIXES, Instance, Series, headers, series

MOST = 4096
"""Frames that are read at most."""
PART = re.compile(r".*?(?P<what>temporal_position|trigger_time|acquisition) (?P<value>\S+)")
"""What parts a series over time, and the value of one part; echoes and b-values are no times."""


class DicomDynamic:
    """Chosen by a source and never recognised: a single file does not tell that others lie at other times."""

    suffixes = SUFFIXES[:2]
    writes = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return False

    def read(self, paths: Sequence[Path], item: str | None = None) -> Image:
        """The frames in their order, (T, Z, Y, X).

        Raises:
            UnreadableFile: When there are not several frames.
            UnsoundGeometry: When frames lie in different places.
        """
        if item is not None:
            raise UnreadableFile(paths[0] if paths else "no files", f"frames are read together, not {item!r}")
        instances = headers(paths)
        if len(instances) == 1 and instances[0].frames > 1:
            return _cine(instances[0])
        parts, times = _parts(paths, instances)
        plain = registry.get("formats", "dicom")
        frames = [plain.read(part.paths) for part in parts]
        first = frames[0]
        for frame, part in zip(frames, parts, strict=True):
            if frame.channels != 1:
                raise UnreadableFile(part.paths[0], "pictures in colour are not read over time")
            if frame.shape != first.shape or not frame.geometry.is_close(first.geometry):
                raise UnsoundGeometry(
                    "two frames of a series lie in different places",
                    given=part.part,
                    todo="Bring them to one grid first",
                )
        return _over_time(first, np.concatenate([frame.array for frame in frames]), times)

    def extent(self, paths: Sequence[Path], item: str | None = None) -> None:
        return None

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("series over time are only read", given=path)


def _parts(paths: Sequence[Path], instances: Sequence[Instance]) -> tuple[list[Series], list[float]]:
    """The parts of a series in the order of time, and the seconds of each."""
    found = [part for part in series(instances) if PART.fullmatch(part.part)]
    if len(found) < 2 or sum(len(part.instances) for part in found) < len(instances):
        raise UnreadableFile(
            paths[0] if paths else "no files",
            "these files are not one series of several frames",
            "Give one series whose files differ in temporal position, trigger time or acquisition",
        )
    told = [match for part in found if (match := PART.fullmatch(part.part))]
    values = [float(match["value"]) for match in told]
    order = sorted(range(len(found)), key=lambda place: values[place])
    # Trigger times are milliseconds (0018,1060); positions and acquisitions only count.
    scale = 1e-3 if told[0]["what"] == "trigger_time" else 0.0
    return [found[place] for place in order], [values[place] * scale for place in order]


def _cine(one: Instance) -> Image:
    if one.frames > MOST:
        raise UnreadableFile(one.path, f"{one.frames} frames are more than {MOST}", "Cut the series")
    plain = registry.get("formats", "dicom")
    frames = [plain.read([one.path], f"frame:{number}") for number in range(1, one.frames + 1)]
    if frames[0].channels == 3:
        # A cine that was saved in colour: what moves is seen in its brightness (luma of ITU-R BT.601).
        weights = np.array([0.299, 0.587, 0.114])
        grey = [np.einsum("c,czyx->zyx", weights, frame.array)[None].astype(np.float32) for frame in frames]
        return _over_time(frames[0], np.concatenate(grey), [], "colours were read as brightness")
    return _over_time(frames[0], np.concatenate([frame.array for frame in frames]), [])


def _over_time(first: Image, array: Any, times: Sequence[float], note: str = "") -> Image:
    attributes = {**first.attributes, "over_time": True}
    attributes.pop("sop_uids", None)
    if len(times) > 1 and times[-1] > times[0]:
        attributes["frame_times"] = tuple(round(time - times[0], 6) for time in times)
    history = (*first.history, *([note] if note else []))
    return replace(first, array=array, attributes=attributes, history=history)


FORMAT = DicomDynamic()
