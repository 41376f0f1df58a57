"""`signal.json`: what a table of samples cannot say of itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diascope.core.errors import DataRefused, UnreadableFile
from diascope.core.signal import Signal
from diascope.formats.waveforms.units import ucum

NAME = "signal.json"
KEYS = ("rate", "channels", "units")


@dataclass(frozen=True)
class Declared:
    """What stands there; None where nothing does.

    Args:
        rate: Samples a second.
        channels: Names.
        units: Of each channel.
    """

    rate: float | None = None
    channels: tuple[str, ...] | None = None
    units: tuple[str, ...] | None = None

    def applied(self, signal: Signal, path: Path) -> Signal:
        """The signal with it.

        Raises:
            UnreadableFile: When it contradicts the signal.
        """
        if self.rate is not None and signal.rate and abs(signal.rate - self.rate) > 0.02 * self.rate:
            raise UnreadableFile(path, f"{NAME} says {self.rate:g} Hz, its times {signal.rate:g} Hz", f"Mend {NAME}")
        try:
            return replace(
                signal,
                rate=signal.rate or self.rate or 0.0,
                channels=self.channels or signal.channels,
                units=self.units or signal.units,
            )
        except DataRefused as error:
            raise UnreadableFile(path, f"{NAME} does not fit: {error}", f"Mend {NAME}") from error


def beside(paths: Sequence[Path]) -> tuple[Path, Declared]:
    """The one table among some files, and what the `signal.json` among them says.

    Raises:
        UnreadableFile: When there is not one table, or the declaration is broken.
    """
    said = [Path(path) for path in paths if Path(path).name.lower() == NAME]
    tables = [Path(path) for path in paths if Path(path) not in said]
    if len(tables) != 1 or len(said) > 1:
        listed = ", ".join(map(str, paths[:3])) or "no files"
        raise UnreadableFile(listed, f"one table is needed here, {len(tables)} were given")
    return tables[0], _declared(said[0]) if said else Declared()


def _declared(path: Path) -> Declared:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(path, str(error)) from error
    if not isinstance(content, dict) or not set(content) <= set(KEYS):
        raise UnreadableFile(path, f"it says something else than {', '.join(KEYS)}", "See docs/how-to/signals.md")
    rate, channels, units = (content.get(key) for key in KEYS)
    if rate is not None and not (isinstance(rate, int | float) and rate > 0):
        raise UnreadableFile(path, f"its rate is {rate!r}", "Give samples a second")
    for key, value in (("channels", channels), ("units", units)):
        if value is not None and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise UnreadableFile(path, f"its {key} are {value!r}", "Give a list of texts")
    return Declared(
        None if rate is None else float(rate),
        None if channels is None else tuple(channels),
        None if units is None else tuple(map(ucum, units)),
    )
