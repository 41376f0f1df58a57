"""A signal with the channels, units and rate that a plan reads, and why it cannot be read so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from diascope.core.errors import DataRefused
from diascope.core.signal import Signal
from diascope.kinds.signals.units import factor

BEYOND = 3.0
"""Ranges beyond the training range at which a value is no longer read: another unit, or a lost calibration."""
SHORTEST = 0.25
"""Share of the usual length below which a signal is not read."""
SLACK = 2.0
"""By so much the rate may be lower than the lowest in training: what was not sampled cannot be brought back."""

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def in_units(signal: Signal, settings: Mapping[str, Any], who: str) -> Floats:
    """(T, C) samples of the plan's channels, in its units.

    Raises:
        DataRefused: When the signal lacks a channel, or has one in a unit of something else.
    """
    if lacking := [one for one in settings["channels"] if one not in signal.channels]:
        raise DataRefused(
            f"{who} lacks the channels {', '.join(lacking)}",
            given=", ".join(signal.channels),
            todo="Give the channels that the release was trained on",
        )
    columns = []
    for name, want in zip(settings["channels"], settings["units"], strict=True):
        have = signal.units[signal.channels.index(name)]
        times = factor(have, want)
        if times is None:
            raise DataRefused(f"{who} has {name!r} in {have}, and it is read in {want}", todo="Convert the channel")
        columns.append(signal.channel(name).astype(np.float64) * times)
    return np.stack(columns, axis=1)


def at_rate(values: Floats, valid: Flags, have: float, want: float) -> tuple[Floats, Flags]:
    """Brought to another rate: a low-pass filter first, so that nothing folds back (polyphase FIR of SciPy).

    Args:
        values: (T, C), 0 where nothing is known.
        valid: (T, C).
        have: Rate in Hz; 0 where samples have no time, and then they stay as they are.
        want: That of the plan.
    """
    if not have or not want or math.isclose(have, want):
        return values, valid
    ratio = Fraction(want / have).limit_denominator(1000)
    up, down = ratio.numerator, ratio.denominator
    # Ends go on as they are: zeros beyond them would bend what does not lie around zero.
    brought = np.asarray(resample_poly(values, up, down, axis=0, padtype="line"))
    return brought, resample_poly(valid * 1.0, up, down, axis=0, padtype="line") > 0.5


def samples_at(signal: Signal, settings: Mapping[str, Any]) -> float:
    """Its length in samples of the plan's rate."""
    return signal.length * (settings["rate"] / signal.rate if signal.rate and settings["rate"] else 1.0)


def refusals(signal: Signal, name: str, settings: Mapping[str, Any]) -> list[str]:
    """Why a signal is not what a release was made for: channels, units, rate, length, values."""
    found = [f"{name}: lacks the channel {one}" for one in settings["channels"] if one not in signal.channels]
    units = dict(zip(settings["channels"], settings["units"], strict=True))
    found += [
        f"{name}: {one} is in {unit}, trained on {units[one]}"
        for one, unit in zip(signal.channels, signal.units, strict=True)
        if one in units and factor(unit, units[one]) is None
    ]
    if bool(signal.rate) != bool(settings["rate"]):
        found.append(f"{name}: {'a' if signal.rate else 'no'} sampling rate is known, in training it was otherwise")
    elif signal.rate * SLACK < (least := settings.get("least_rate", 0.0)):
        found.append(f"{name}: {signal.rate:g} Hz, trained on {least:g} Hz and more")
    if samples_at(signal, settings) < SHORTEST * settings["length"]:
        found.append(f"{name}: {signal.length} samples are too few")
    return found if found else _beyond(signal, name, settings)


def remarks(signal: Signal, name: str, settings: Mapping[str, Any]) -> list[str]:
    """What of a signal is not read, or read otherwise."""
    found = []
    if samples_at(signal, settings) - settings["length"] >= 1:
        unit = "s" if settings["rate"] else "samples"
        found.append(f"{name}: only the first {settings['length'] / (settings['rate'] or 1):.4g} {unit} are read")
    missing = float(np.isnan(in_units(signal, settings, name)).mean())
    return [*found, f"{name}: {missing:.0%} of the samples are missing"] if missing >= 0.005 else found


def _beyond(signal: Signal, name: str, settings: Mapping[str, Any]) -> list[str]:
    found = []
    samples = in_units(signal, settings, name)
    for place, channel in enumerate(settings["channels"]):
        values, low, high = samples[:, place], settings["low"][place], settings["high"][place]
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
