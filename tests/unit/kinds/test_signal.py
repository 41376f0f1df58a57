"""Signals as arrays: one rate, length and unit for all; gaps; what is refused and what is remarked."""

from pathlib import Path

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.case import Case, FileRef
from diascope.core.errors import DataRefused
from diascope.core.signal import Signal
from diascope.kinds import is_missing
from diascope.kinds.signals.measuring import measured
from diascope.kinds.signals.units import factor
from diascope.testing.factories import a_signal

KIND = registry.get("kinds", "signal")


def a_case(folder: Path, signal: Signal, name: str = "a") -> Case:
    registry.get("formats", "signal_csv").write(signal, folder / f"{name}.csv")
    return Case(
        id=name, patient=name, inputs={"ecg": FileRef(format="signal_csv", paths=(f"{name}.csv",), kind="signal")}
    )


def settings(folder: Path, *signals: Signal) -> dict:
    cases = [a_case(folder, signal, f"train{number}") for number, signal in enumerate(signals)]
    refs = [case.inputs["ecg"] for case in cases]
    return KIND.settings(KIND.facts(refs, [KIND.look(ref, folder) for ref in refs]))


def read(folder: Path, signal: Signal, given: dict) -> np.ndarray:
    return KIND.array(a_case(folder, signal), "ecg", folder, given)


def test_training_signals_become_standardised_and_the_last_channel_says_where(tmp_path):
    signals = [a_signal(seed=number) for number in range(6)]
    given = settings(tmp_path, *signals)
    arrays = np.stack([read(tmp_path, one, given) for one in signals])
    assert arrays.shape == (6, 3, 200)
    assert (arrays[:, -1] == 1).all()
    assert np.allclose(arrays[:, :-1].mean(axis=(0, 2)), 0, atol=1e-4)
    assert np.allclose(arrays[:, :-1].std(axis=(0, 2)), 1, atol=1e-3)
    assert KIND.spec(given).channels == 3
    assert KIND.spec(given).shape == (1, 1, 200)


def test_a_gap_is_zero_and_not_valid_and_a_short_signal_is_padded(tmp_path):
    given = settings(tmp_path, *(a_signal(seed=number) for number in range(3)))
    gapped = a_signal(seed=9)
    values = gapped.values.copy()
    values[50:60], values[70:80, 0] = np.nan, np.nan
    array = read(tmp_path, gapped.with_values(values), given)
    assert (array[:, 50:60] == 0).all()
    assert array[-1].sum() == 190
    assert (array[0, 70:80] == 0).all()
    short = read(tmp_path, a_signal(seconds=1.0), given)
    assert short[-1].sum() == 100
    assert (short[:, 100:] == 0).all()


def test_another_rate_and_unit_give_the_same_wave(tmp_path):
    given = settings(tmp_path, *(a_signal(seed=number) for number in range(3)))
    time = np.arange(400) / 200
    fine = Signal(
        np.stack([np.sin(2 * np.pi * 3 * time), np.cos(2 * np.pi * 3 * time)], 1), 200.0, ("I", "aVR"), ("mV", "mV")
    )
    coarse = Signal(fine.values[::2] * 1000, 100.0, ("I", "aVR"), ("uV", "uV"))
    first, second = read(tmp_path, fine, given), read(tmp_path, coarse, given)
    assert np.allclose(first[:2, 5:-5], second[:2, 5:-5], atol=0.05 * np.abs(second).max())


def test_channels_in_another_order_are_found_by_name(tmp_path):
    given = settings(tmp_path, a_signal())
    signal = a_signal(seed=4)
    turned = Signal(signal.values[:, ::-1], signal.rate, ("aVR", "I"), ("mV", "mV"))
    assert np.array_equal(read(tmp_path, signal, given), read(tmp_path, turned, given))


def test_units_of_training_signals_are_brought_together(tmp_path):
    signal = a_signal()
    micro = Signal(signal.values * 1000, signal.rate, signal.channels, ("uV", "uV"))
    given = settings(tmp_path, signal, signal, micro)
    assert given["units"] == ["mV", "mV"]
    assert given["high"][0] == pytest.approx(float(signal.values[:, 0].max()), rel=1e-4)


def test_only_channels_that_all_have_are_read(tmp_path):
    signal = a_signal()
    more = Signal(np.c_[signal.values, signal.values[:, 0]], signal.rate, ("I", "aVR", "V9"))
    assert settings(tmp_path, more, signal)["channels"] == ["I", "aVR"]
    other = Signal(signal.values, signal.rate, ("x", "y"))
    with pytest.raises(DataRefused, match="no channel in common"):
        settings(tmp_path, signal, other)


def test_a_long_signal_is_brought_to_a_lower_rate(tmp_path):
    given = settings(tmp_path, Signal(np.random.default_rng(0).normal(size=(9000, 1)), 500.0, ("I",)))
    assert (given["rate"], given["length"]) == (125.0, 2250)


def changed(signal: Signal, **parts) -> Signal:
    plain = {"values": signal.values, "rate": signal.rate, "channels": signal.channels, "units": signal.units}
    return Signal(**{**plain, **parts})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"channels": ("I", "V1")}, "lacks the channel aVR"),
        ({"units": ("mV", "mm[Hg]")}, "aVR is in mm[Hg], trained on mV"),
        ({"rate": 0.0}, "no sampling rate is known"),
        ({"rate": 40.0}, "40 Hz, trained on 100 Hz and more"),
        ({"values": np.full((200, 2), 3.0)}, "says nothing"),
        ({"values": a_signal().values * 500}, "reaches from"),
        ({"values": a_signal().values[:30]}, "30 samples are too few"),
    ],
)
def test_what_a_release_was_not_made_for_is_refused(change, why, tmp_path):
    given = settings(tmp_path, *(a_signal(seed=number) for number in range(4)))
    assert KIND.refusals(a_case(tmp_path, a_signal(seed=8)), "ecg", tmp_path, given) == []
    found = KIND.refusals(a_case(tmp_path, changed(a_signal(seed=8), **change)), "ecg", tmp_path, given)
    assert any(why in one for one in found), found


def test_a_channel_that_is_missing_or_of_something_else_cannot_be_read(tmp_path):
    given = settings(tmp_path, a_signal())
    with pytest.raises(DataRefused, match="lacks the channels aVR"):
        read(tmp_path, changed(a_signal(), values=a_signal().values[:, :1], channels=("I",), units=("mV",)), given)
    with pytest.raises(DataRefused, match="read in mV"):
        read(tmp_path, changed(a_signal(), units=("mm[Hg]", "mV")), given)


def test_what_is_cut_or_missing_is_remarked(tmp_path):
    given = settings(tmp_path, a_signal())
    long = a_case(tmp_path, a_signal(seconds=5.0))
    assert KIND.remarks(long, "ecg", tmp_path, given) == ["ecg: only the first 2 s are read"]
    gapped = a_signal()
    values = gapped.values.copy()
    values[:50] = np.nan
    (remark,) = KIND.remarks(a_case(tmp_path, gapped.with_values(values)), "ecg", tmp_path, given)
    assert "25%" in remark


def test_a_case_without_the_input_says_nothing(tmp_path):
    given = settings(tmp_path, a_signal())
    assert is_missing(KIND.array(Case(id="c", patient="p", inputs={}), "ecg", tmp_path, given))


def test_what_is_measured_of_each_channel():
    values = np.zeros((100, 2), np.float32)
    values[:, 0] = np.sin(np.arange(100))
    values[:10, 0], values[40:60, 1] = np.nan, 5
    seen = measured(Signal(values, 10.0, ("a", "b")))
    assert seen["missing"] == pytest.approx([0.1, 0.0])
    assert seen["gap"] == [0.1, 0.0]
    assert seen["flat"] == [0.0, 0.4]
    assert seen["clipped"] == [0.0, 1.0]
    assert (seen["low"][1], seen["high"][1]) == (0, 5)


def test_units_that_a_factor_brings_together():
    assert factor("uV", "mV") == 0.001
    assert factor("kPa", "mm[Hg]") == pytest.approx(7.5006, rel=1e-4)
    assert factor("", "mV") == 1.0
    assert factor("mm[Hg]", "mV") is None
    assert factor("furlong", "mV") is None
