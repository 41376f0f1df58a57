"""Samples of one or several channels: an ECG, vital signs, a dynamic-contrast curve."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from diascope import formats
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import DataRefused
from diascope.core.plan import InputFacts
from diascope.core.signal import Signal
from diascope.kinds import Floats, Kind, Look
from diascope.models import InputSpec
from diascope.store.files import file_digest

LONGEST = 4096
"""Samples that a network is given at most: longer signals are brought to a lower rate, which halves until they fit."""
USUAL = 0.95
"""Share of the signals that are not cut."""
BEYOND = 3.0
"""Ranges beyond the training range at which a value is no longer read: another unit, or a lost calibration."""
SHORTEST = 0.25
"""Share of the usual length below which a signal is not read."""

Array = npt.NDArray[Any]


class Signals:
    """Every channel standardised on one rate and length, and a last channel that says where there are samples."""

    encoder = "cnn1d"

    def look(self, ref: FileRef, root: Path) -> Look:
        signal = _read(ref, root)
        samples = np.asarray(signal.values, np.float64)
        known = np.isfinite(samples)
        facts = {
            "rate": signal.rate,
            "channels": list(signal.channels),
            "units": list(signal.units),
            "missing": [float(share) for share in 1 - known.mean(axis=0)],
            **{
                key: [_of(samples[:, c], key) for c in range(samples.shape[1])]
                for key in ("mean", "std", "low", "high")
            },
        }
        digest = hashlib.sha256(repr(samples.shape).encode() + signal.values.astype("<f4").tobytes()).hexdigest()
        return Look(digest, file_digest(root / path for path in ref.paths), len(samples), facts, signal.history)

    def facts(self, refs: Sequence[FileRef | TableRef], looks: Sequence[Look | None]) -> InputFacts:
        seen = [look for look in looks if look is not None]
        names = _common([look.facts["channels"] for look in seen])
        if not names:
            raise DataRefused("the signals have no channel in common", todo="Give all signals the same channels")
        places = [[look.facts["channels"].index(name) for name in names] for look in seen]

        def of(key: str) -> Floats:
            return np.array([[look.facts[key][c] for c in at] for look, at in zip(seen, places, strict=True)])

        mean = np.nanmean(of("mean"), axis=0)
        std = np.sqrt(np.nanmean(of("std") ** 2, axis=0) + np.nanvar(of("mean"), axis=0))
        sizes = np.array([look.size for look in seen])
        return InputFacts.without_space(
            "signal",
            len(names),
            dimensions=1,
            sizes=np.quantile(sizes, (0, 0.05, 0.5, 0.95, 1), method="nearest").tolist(),
            details={
                "channels": names,
                "rate": float(np.median([look.facts["rate"] for look in seen])),
                "units": [
                    _usual([look.facts["units"][at[c]] for look, at in zip(seen, places, strict=True)])
                    for c in range(len(names))
                ],
                "seconds": _seconds(seen),
                "mean": [float(f"{one:.6g}") for one in mean],
                "std": [float(f"{one:.6g}") for one in np.where(std > 0, std, 1.0)],
                "low": [float(one) for one in np.nanmin(of("low"), axis=0)],
                "high": [float(one) for one in np.nanmax(of("high"), axis=0)],
            },
        )

    def settings(self, facts: InputFacts) -> dict[str, Any]:
        """One rate and length for all, and what the channels hold.

        `rate` (Hz, 0: samples without time), `length` (samples), `channels`, `units`, and of each channel in training
        `mean`, `std`, `low`, `high`.
        """
        details = facts.details
        rate, usual = details["rate"], facts.shapes[3][2]
        length = math.ceil(details["seconds"] * rate) if rate else usual
        while length > LONGEST and rate:
            rate, length = rate / 2, -(-length // 2)
        keys = ("channels", "units", "mean", "std", "low", "high")
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
        ref, channels = case.inputs.get(name), settings["channels"]
        shape = (len(channels) + 1, int(settings["length"]))
        if not isinstance(ref, FileRef):
            return np.full(shape, np.nan, np.float32)
        signal = _read(ref, root)
        if lacking := [one for one in channels if one not in signal.channels]:
            raise DataRefused(
                f"case {case.id} lacks the channels {', '.join(lacking)} of {name!r}",
                given=", ".join(signal.channels),
                todo="Give the channels that the release was trained on",
            )
        samples = np.stack([signal.channel(one) for one in channels], axis=1).astype(np.float64)
        samples = (samples - settings["mean"]) / settings["std"]
        valid = np.isfinite(samples)
        values, valid = _at_rate(np.where(valid, samples, 0.0), valid, signal.rate, settings["rate"])
        found = np.zeros(shape, np.float32)
        count = min(len(values), shape[1])
        found[:-1, :count], found[-1, :count] = values[:count].T, valid[:count].any(axis=1)
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
        if not isinstance(ref, FileRef):
            return []
        signal = _read(ref, root)
        found = [f"{name}: lacks the channel {one}" for one in settings["channels"] if one not in signal.channels]
        units = dict(zip(settings["channels"], settings["units"], strict=True))
        found += [
            f"{name}: {one} is in {unit}, trained on {units[one]}"
            for one, unit in zip(signal.channels, signal.units, strict=True)
            if unit and units.get(one) and unit != units[one]
        ]
        if bool(signal.rate) != bool(settings["rate"]):
            found.append(f"{name}: {'a' if signal.rate else 'no'} sampling rate is known, in training it was otherwise")
        if _length(signal, settings) < SHORTEST * settings["length"]:
            found.append(f"{name}: {signal.length} samples are too few")
        return [*found, *_beyond(signal, name, settings)]

    def remarks(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        ref = case.inputs.get(name)
        if not isinstance(ref, FileRef):
            return []
        signal = _read(ref, root)
        longer = _length(signal, settings) - settings["length"]
        unit = "s" if settings["rate"] else "samples"
        kept = settings["length"] / (settings["rate"] or 1)
        return [f"{name}: only the first {kept:.4g} {unit} are read"] if longer >= 1 else []


def _read(ref: FileRef, root: Path) -> Signal:
    signal = formats.read_input(ref, root)
    if not isinstance(signal, Signal):
        raise DataRefused(f"{', '.join(ref.paths)} is no signal")
    return signal


def _of(values: Array, what: str) -> float:
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan")
    numbers = {"mean": known.mean(), "std": known.std(), "low": known.min(), "high": known.max()}
    return float(numbers[what])


def _usual(words: Sequence[str]) -> str:
    return max(sorted(set(words)), key=words.count)


def _common(channels: Sequence[Sequence[str]]) -> list[str]:
    """Channels that every signal has, in the order of the first."""
    return [name for name in channels[0] if all(name in one for one in channels)] if channels else []


def _seconds(seen: Sequence[Look]) -> float:
    rates = [look.facts["rate"] for look in seen]
    lengths = [look.size / rate for look, rate in zip(seen, rates, strict=True) if rate]
    return float(np.quantile(lengths, USUAL, method="nearest")) if lengths else 0.0


def _at_rate(values: Floats, valid: Array, have: float, want: float) -> tuple[Floats, Array]:
    """Brought to another rate: a low-pass filter first, so that nothing folds back (polyphase FIR of SciPy)."""
    if not have or not want or math.isclose(have, want):
        return values, valid
    ratio = Fraction(want / have).limit_denominator(1000)
    up, down = ratio.numerator, ratio.denominator
    return np.asarray(resample_poly(values, up, down, axis=0)), resample_poly(valid * 1.0, up, down, axis=0) > 0.5


def _length(signal: Signal, settings: Mapping[str, Any]) -> float:
    """Samples at the rate of the plan."""
    return signal.length * (settings["rate"] / signal.rate if signal.rate and settings["rate"] else 1.0)


def _beyond(signal: Signal, name: str, settings: Mapping[str, Any]) -> list[str]:
    found = []
    for low, high, channel in zip(settings["low"], settings["high"], settings["channels"], strict=True):
        if channel not in signal.channels:
            continue
        values = signal.channel(channel)
        values = values[np.isfinite(values)]
        span = BEYOND * (high - low)
        if not values.size or float(np.ptp(values)) == 0:
            found.append(f"{name}: {channel} says nothing (flat, or without samples)")
        elif values.min() < low - span or values.max() > high + span:
            found.append(
                f"{name}: {channel} reaches from {values.min():.4g} to {values.max():.4g}, "
                f"in training from {low:.4g} to {high:.4g}"
            )
    return found


def _described(channel: Array) -> Floats:
    quantiles = np.quantile(channel, (0.02, 0.25, 0.5, 0.75, 0.98))
    rough = np.log1p(np.abs(np.diff(channel)).mean()) if len(channel) > 1 else 0.0
    return np.array([channel.mean(), channel.std(), *quantiles, rough], float)


KIND: Kind = Signals()
