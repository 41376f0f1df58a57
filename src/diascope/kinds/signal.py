"""Samples of one or several channels: an ECG, vital signs, a dynamic-contrast curve."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope import formats
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import DataRefused
from diascope.core.plan import InputFacts
from diascope.core.signal import Signal
from diascope.kinds import Floats, Kind, Look
from diascope.kinds.signals.measuring import measured
from diascope.kinds.signals.reading import at_rate, in_units, refusals, remarks
from diascope.kinds.signals.units import factor
from diascope.models import InputSpec
from diascope.store.files import file_digest

LONGEST = 4096
"""Samples that a network is given at most: longer signals are brought to a lower rate, which halves until they fit."""
USUAL = 0.95
"""Share of the signals that are not cut."""

Array = npt.NDArray[Any]


class Signals:
    """Every channel standardised on one rate and length, and a last channel that says where there are samples."""

    encoder = "cnn1d"
    alone = "cnn1d"

    def look(self, ref: FileRef, root: Path) -> Look:
        signal = _read(ref, root)
        digest = hashlib.sha256(repr(signal.values.shape).encode() + signal.values.astype("<f4").tobytes()).hexdigest()
        of_file = file_digest(root / path for path in ref.paths)
        return Look(digest, of_file, signal.length, measured(signal), signal.history)

    def facts(self, refs: Sequence[FileRef | TableRef], looks: Sequence[Look | None]) -> InputFacts:
        seen = [look for look in looks if look is not None]
        names = _common([look.facts for look in seen])
        if not names:
            raise DataRefused("the signals have no channel in common", todo="Give all signals the same channels")
        units = [_usual([_of(look, name, "units") for look in seen]) for name in names]

        def of(key: str) -> Floats:
            return np.array(
                [[_number(look, name, unit, key) for name, unit in zip(names, units, strict=True)] for look in seen]
            )

        mean = np.nanmean(of("mean"), axis=0)
        std = np.sqrt(np.nanmean(of("std") ** 2, axis=0) + np.nanvar(of("mean"), axis=0))
        rates = [look.facts["rate"] for look in seen]
        return InputFacts.without_space(
            "signal",
            len(names),
            dimensions=1,
            sizes=np.quantile([look.size for look in seen], (0, 0.05, 0.5, 0.95, 1), method="nearest").tolist(),
            details={
                "channels": names,
                "units": units,
                "rate": float(np.median(rates)),
                "least_rate": float(min(rates)),
                "seconds": _seconds(seen),
                "mean": [float(f"{one:.6g}") for one in mean],
                "std": [float(f"{one:.6g}") for one in np.where(std > 0, std, 1.0)],
                "low": [float(f"{one:.6g}") for one in np.nanmin(of("low"), axis=0)],
                "high": [float(f"{one:.6g}") for one in np.nanmax(of("high"), axis=0)],
            },
        )

    def settings(self, facts: InputFacts) -> dict[str, Any]:
        """One rate and length for all, and what the channels hold.

        `rate` (Hz, 0: samples without time), `length` (samples), `channels`, `units`; of training `least_rate`, and of
        each channel `mean`, `std`, `low`, `high`.
        """
        details = facts.details
        rate, usual = details["rate"], facts.shapes[3][2]
        length = math.ceil(details["seconds"] * rate) if rate else usual
        while length > LONGEST and rate:
            rate, length = rate / 2, -(-length // 2)
        keys = ("least_rate", "channels", "units", "mean", "std", "low", "high")
        return {
            "kind": "signal",
            "rate": rate,
            "length": int(min(length, LONGEST)),
            **{key: details[key] for key in keys},
        }

    def reason(self, settings: Mapping[str, Any]) -> str:
        rate = f" at {settings['rate']:g} Hz" if settings["rate"] else ""
        return f"{len(settings['channels'])} channel(s), {settings['length']} samples{rate}: {USUAL:.0%} are not cut"

    def spec(self, settings: Mapping[str, Any]) -> InputSpec:
        return InputSpec("signal", len(settings["channels"]) + 1, 1, (1, 1, int(settings["length"])))

    def array(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> Array:
        ref = case.inputs.get(name)
        shape = (len(settings["channels"]) + 1, int(settings["length"]))
        if not isinstance(ref, FileRef):
            return np.full(shape, np.nan, np.float32)
        signal = _read(ref, root)
        samples = (in_units(signal, settings, f"{name!r} of case {case.id}") - settings["mean"]) / settings["std"]
        valid = np.isfinite(samples)
        values, valid = at_rate(np.where(valid, samples, 0.0), valid, signal.rate, settings["rate"])
        found = np.zeros(shape, np.float32)
        count = min(len(values), shape[1])
        # What the filter spreads into a gap is no sample.
        found[:-1, :count] = np.where(valid[:count], values[:count], 0.0).T
        found[-1, :count] = valid[:count].any(axis=1)
        return found

    def describe(self, array: Array, settings: Mapping[str, Any]) -> Floats:
        """Of each channel the mean, the spread, five quantiles and the roughness; how much of it there is."""
        present = array[-1] > 0
        if np.isnan(array).all() or not present.any():
            return np.full(8 * (len(array) - 1) + 1, np.nan)
        parts = [_described(channel[present]) for channel in array[:-1]]
        return np.array([*np.concatenate(parts), float(present.mean())])

    def refusals(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        ref = case.inputs.get(name)
        return refusals(_read(ref, root), name, settings) if isinstance(ref, FileRef) else []

    def remarks(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        ref = case.inputs.get(name)
        return remarks(_read(ref, root), name, settings) if isinstance(ref, FileRef) else []


def _read(ref: FileRef, root: Path) -> Signal:
    signal = formats.read_input(ref, root)
    if not isinstance(signal, Signal):
        raise DataRefused(f"{', '.join(ref.paths)} is no signal")
    return signal


def _of(look: Look, name: str, key: str) -> Any:
    return look.facts[key][look.facts["channels"].index(name)]


def _number(look: Look, name: str, unit: str, key: str) -> float:
    """A fact of one channel in the usual unit; nan where it is in a unit of something else, which the check refuses."""
    times = factor(_of(look, name, "units"), unit)
    return float("nan") if times is None else times * float(_of(look, name, key))


def _usual(words: Sequence[str]) -> str:
    """The word that comes most often, but for none."""
    said = [word for word in words if word]
    return max(sorted(set(said)), key=said.count) if said else ""


def _common(seen: Sequence[Mapping[str, Any]]) -> list[str]:
    """Channels that every signal has, in the order of the first, and that hold samples in one at least."""
    if not seen:
        return []
    shared = [name for name in seen[0]["channels"] if all(name in one["channels"] for one in seen)]
    return [name for name in shared if any(one["missing"][one["channels"].index(name)] < 1 for one in seen)]


def _seconds(seen: Sequence[Look]) -> float:
    rates = [look.facts["rate"] for look in seen]
    lengths = [look.size / rate for look, rate in zip(seen, rates, strict=True) if rate]
    return float(np.quantile(lengths, USUAL, method="nearest")) if lengths else 0.0


def _described(channel: Array) -> Floats:
    quantiles = np.quantile(channel, (0.02, 0.25, 0.5, 0.75, 0.98))
    rough = np.log1p(np.abs(np.diff(channel)).mean()) if len(channel) > 1 else 0.0
    return np.array([channel.mean(), channel.std(), *quantiles, rough], float)


KIND: Kind = Signals()
