"""Checks of signals: flat, cut off, channels, rates, gaps, copies."""

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.signal import Signal
from diascope.testing.factories import a_signal, a_survey_of_signals


def found(check, signals):
    return registry.get("checks", check).look(a_survey_of_signals(signals))


def several(count=12, **changes):
    return [a_signal(seed=number, **changes) for number in range(count)]


def changed(signal, change):
    values = signal.values.copy()
    change(values)
    return signal.with_values(values)


def flat(values):
    values[:] = 3.0


def flat_lead(values):
    values[:, 1] = 0.0


def still(values):
    values[100:180, 0] = values[100, 0]


def cut(values):
    values[:, 0] = np.clip(values[:, 0], -0.05, 0.3)


def gap(values):
    values[20:60] = np.nan


def empty(values):
    values[10:] = np.nan


def test_a_flat_signal_is_left_out_and_a_flat_lead_is_told():
    first, *rest = several()
    (problem,) = found("flat_signal", [changed(first, flat), *rest])
    assert (problem.exclude, problem.severity) == (("case0",), "warn")
    (problem,) = found("flat_signal", [changed(first, flat_lead), *rest])
    assert (problem.exclude, problem.cases) == ((), ("case0",))
    assert "aVR" in problem.detail
    (problem,) = found("flat_signal", [changed(first, still), *rest])
    assert (problem.severity, problem.exclude) == ("note", ())


def test_a_signal_at_its_limit_is_told():
    first, *rest = several()
    (problem,) = found("clipped_signal", [changed(first, cut), *rest])
    assert problem.cases == ("case0",)
    assert "I " in problem.detail


def test_a_signal_without_a_channel_that_nearly_all_have_is_left_out():
    first, *rest = several(20)
    alone = Signal(first.values[:, :1], first.rate, ("I",), ("mV",))
    (problem,) = found("signal_channels", [alone, *rest])
    assert problem.exclude == ("case0",)
    assert "aVR" in problem.detail


def test_a_channel_that_few_have_is_not_read_and_channels_that_nobody_shares_are_refused():
    signals = several(10)
    more = [Signal(np.c_[one.values, one.values[:, 0]], one.rate, ("I", "aVR", "V9")) for one in signals[:3]]
    (problem,) = found("signal_channels", [*more, *signals[3:]])
    assert (problem.severity, problem.exclude) == ("note", ())
    named = [Signal(one.values, one.rate, (f"a{number}", f"b{number}")) for number, one in enumerate(signals)]
    assert [one.severity for one in found("signal_channels", named)] == ["refuse"]


def test_a_unit_of_something_else_is_left_out_and_one_that_a_factor_brings_is_not():
    first, *rest = several(30)
    other = Signal(first.values, first.rate, first.channels, ("mm[Hg]", "mV"))
    (problem,) = found("signal_channels", [other, *rest])
    assert problem.exclude == ("case0",)
    assert found("signal_channels", [Signal(first.values, first.rate, first.channels, ("uV", "mV")), *rest]) == []


@pytest.mark.parametrize(("rate", "severity"), [(120.0, "note"), (250.0, "warn")])
def test_rates_that_differ_are_told(rate, severity):
    (problem,) = found("signal_rates", [*several(3, rate=rate), *several()])
    assert (problem.severity, problem.exclude) == (severity, ())
    assert f"{rate:g} Hz" in problem.title


def test_a_signal_without_time_among_others_is_left_out_and_a_short_one_is_told():
    first, *rest = several()
    timeless = Signal(first.values, 0.0, first.channels, first.units)
    assert found("signal_rates", [timeless, *rest])[0].exclude == ("case0",)
    (problem,) = found("signal_rates", [a_signal(seconds=0.3), *rest])
    assert (problem.cases, problem.exclude) == (("case0",), ())


def test_gaps_are_told_and_what_is_mostly_missing_is_left_out():
    first, second, *rest = several()
    mostly, some = found("signal_gaps", [changed(first, empty), changed(second, gap), *rest])
    assert mostly.exclude == ("case0",)
    assert (some.cases, some.exclude) == (("case1",), ())
    assert "0.4 s" in some.detail


def test_a_signal_that_lies_there_twice_is_a_copy():
    first, *rest = several()
    (problem,) = found("duplicates", [first, *rest, first])
    assert problem.exclude == ("case12",)


def test_what_was_corrected_is_told():
    first, *rest = several()
    told = first.with_values(first.values, note="1 jump(s) in time: 2 s (2 samples) are a gap")
    (problem,) = found("corrections", [told, *rest])
    assert problem.cases == ("case0",)
