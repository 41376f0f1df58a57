"""DICOM waveforms: 12-lead, general and ambulatory ECG, haemodynamic and respiratory curves, EEG (PS3.3 A.34).

Of several groups of channels in one object those that were recorded are read, not those that were computed from them
(median beats); `group:N` (from 0) reads one. Foreign bytes are parsed in the child process of `dicomio.decoder`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diascope.core.errors import BadUsage, UnreadableFile
from diascope.core.signal import Signal
from diascope.formats.dicomio.decoder import decoder
from diascope.formats.dicomio.headers import SUFFIXES, is_waveform
from diascope.formats.files.reading import numbered, only
from diascope.formats.waveforms.units import ucum

PREFIXES = ("Lead ",)
"""What codes put before the name of a channel: `Lead I (Einthoven)` is `I`."""


class DicomWaveform:
    """Read only; identities in the header are not copied."""

    kind = "signal"
    suffixes = SUFFIXES[:2]
    writes = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return is_waveform(path)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Signal:
        path = only(paths)
        groups = decoder().waveforms(path)
        number = numbered(item, "group", len(groups), path)
        chosen, notes = ([number], ()) if number is not None else _chosen(groups, path)
        first = groups[chosen[0]]
        parts = [decoder().samples(path, one, _shape(groups[one])) for one in chosen]
        names = names_of([channel["name"] for one in chosen for channel in groups[one]["channels"]])
        units = tuple(ucum(channel["unit"]) for one in chosen for channel in groups[one]["channels"])
        values = np.concatenate(parts, axis=1)
        return Signal(values, first["rate"], names, units, first["start"], history=notes)

    def extent(self, paths: Sequence[Path], item: str | None = None) -> None:
        return None

    def write(self, image: Any, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("DICOM waveforms are only read", given=path)


def _shape(group: Mapping[str, Any]) -> tuple[int, int]:
    return group["samples"], len(group["channels"])


def _chosen(groups: Sequence[Mapping[str, Any]], path: Path) -> tuple[list[int], tuple[str, ...]]:
    """The groups that were recorded, where they can lie side by side.

    Raises:
        UnreadableFile: When they have different rates, lengths or beginnings.
    """
    recorded = [number for number, one in enumerate(groups) if one["original"]] or list(range(len(groups)))
    alike = {(groups[one]["rate"], groups[one]["samples"], groups[one]["start"]) for one in recorded}
    if len(alike) > 1:
        listed = ", ".join(
            f"group:{one} ({groups[one]['label'] or 'no label'}, {groups[one]['samples']} samples at "
            f"{groups[one]['rate']:g} Hz)"
            for one in recorded
        )
        raise UnreadableFile(path, f"its groups of channels differ: {listed}", "Choose one as the item of the file")
    left = [one["label"] or f"group {number}" for number, one in enumerate(groups) if number not in recorded]
    return recorded, (f"computed from the recording, and not read: {', '.join(left)}",) if left else ()


def names_of(given: Sequence[str]) -> tuple[str, ...]:
    """`Lead aVR` as `aVR`; a name that comes twice, or not at all, gets a number."""
    found: list[str] = []
    for number, name in enumerate(given, 1):
        plain = name
        for prefix in PREFIXES:
            plain = plain.removeprefix(prefix)
        plain = plain.removesuffix(" (Einthoven)").strip() or f"channel {number}"
        found.append(plain if plain not in found else f"{plain} ({number})")
    return tuple(found)


FORMAT = DicomWaveform()
