"""`Signal`: samples of some channels over time (ECG, vital signs, contrast curves). Plain numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from diascope.core.errors import DataRefused


@dataclass(frozen=True, eq=False)
class Signal:
    """Equally spaced samples of one or several channels; what was not recorded is nan.

    Args:
        values: (T, C), made float32. A gap is nan; a jump in time is filled with nan, so that row `t` is always
            `t / rate` seconds after the first.
        rate: Samples a second (Hz), the same for all channels; 0 where the samples have no time.
        channels: Name of each channel, all different.
        units: UCUM unit of each channel ("mV", "mm[Hg]", "1"); "" where the file does not say.
        start: Seconds from the beginning of the recording (injection, admission) to the first sample.
        attributes: Facts of the file that identify nobody (manufacturer, resolution in bits, limits of the converter).
        history: What was corrected while reading, in words; shown to the user.
    """

    values: npt.NDArray[np.float32]
    rate: float
    channels: tuple[str, ...]
    units: tuple[str, ...] = ()
    start: float = 0.0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "fiu":
            raise DataRefused("a signal is a non-empty array of numbers (T, C)", given=f"shape {values.shape}")
        object.__setattr__(self, "values", np.ascontiguousarray(values, dtype=np.float32))
        object.__setattr__(self, "units", tuple(self.units) or ("",) * len(self.channels))
        if not len(self.channels) == len(self.units) == values.shape[1] or len(set(self.channels)) < values.shape[1]:
            raise DataRefused(
                "a signal has one name, unlike the others, and one unit for each channel",
                given=f"{values.shape[1]} channels, names {self.channels}, units {self.units}",
            )
        if not math.isfinite(self.rate) or self.rate < 0 or not math.isfinite(self.start):
            raise DataRefused(
                "a signal's rate is in Hz (0 where the samples have no time), its start in seconds",
                given=f"rate {self.rate}, start {self.start}",
            )
        if np.isinf(self.values).any():
            raise DataRefused("a signal's samples are numbers, or nan where there is none", given="infinite samples")

    @property
    def length(self) -> int:
        """Number of samples T."""
        return int(self.values.shape[0])

    @property
    def seconds(self) -> float:
        """Time from the first sample to one step after the last; nan where the samples have no time."""
        return self.length / self.rate if self.rate else math.nan

    def channel(self, name: str) -> npt.NDArray[np.float32]:
        """(T,) samples of one channel.

        Raises:
            DataRefused: When there is no such channel.
        """
        if name not in self.channels:
            raise DataRefused(f"the signal has no channel {name!r}", given=", ".join(self.channels))
        return self.values[:, self.channels.index(name)]

    def with_values(
        self, values: npt.NDArray[Any], rate: float | None = None, start: float | None = None, note: str = ""
    ) -> Self:
        """The same channels with other samples (and rate, start), remembering `note`."""
        history = (*self.history, note) if note else self.history
        return replace(
            self,
            values=values,
            rate=self.rate if rate is None else rate,
            start=self.start if start is None else start,
            history=history,
        )
