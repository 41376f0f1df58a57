"""A signal keeps its samples, names and time together."""

import numpy as np
import pytest

from diascope.core.errors import DataRefused
from diascope.core.signal import Signal


def a_signal(**changes):
    given = {"values": np.arange(8.0).reshape(4, 2), "rate": 2.0, "channels": ("I", "II"), "units": ("mV", "mV")}
    return Signal(**{**given, **changes})


def test_samples_are_float32_and_a_gap_is_nan():
    signal = a_signal(values=np.array([[1, 2], [np.nan, 4]]))
    assert signal.values.dtype == np.float32
    assert np.isnan(signal.values[1, 0])


def test_length_seconds_and_channels():
    signal = a_signal()
    assert (signal.length, signal.seconds) == (4, 2.0)
    assert signal.channel("II").tolist() == [1, 3, 5, 7]
    with pytest.raises(DataRefused, match="no channel 'V1'"):
        signal.channel("V1")


def test_samples_without_time_have_no_seconds():
    assert np.isnan(a_signal(rate=0.0).seconds)


def test_units_may_be_unknown():
    assert a_signal(units=()).units == ("", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"values": np.zeros(4)},
        {"values": np.zeros((0, 2))},
        {"values": np.array([["a", "b"]])},
        {"values": np.array([[np.inf, 0]])},
        {"channels": ("I", "I")},
        {"channels": ("I",)},
        {"units": ("mV",)},
        {"rate": -1.0},
        {"rate": float("nan")},
        {"start": float("inf")},
    ],
)
def test_what_is_no_signal_is_refused(changes):
    with pytest.raises(DataRefused):
        a_signal(**changes)


def test_other_samples_keep_the_names_and_remember_why():
    halved = a_signal().with_values(np.zeros((2, 2)), rate=1.0, note="resampled from 2 Hz")
    assert (halved.rate, halved.channels, halved.history) == (1.0, ("I", "II"), ("resampled from 2 Hz",))
