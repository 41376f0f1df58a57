"""Tables of one sample of one channel a row: brought to one row a moment, whatever their order."""

import random

import numpy as np
import pytest

from diascope import formats
from diascope.core import registry
from diascope.core.errors import UnreadableFile
from diascope.formats.signal_csv import FORMAT
from diascope.formats.waveforms.numbers import read_numbers
from diascope.sources import SourceOptions, recognise
from diascope.sources.signals.long import ROWS

TABLE = registry.get("sources", "signal_table")


def lines(patients=3, moments=20, channels=("II", "resp")):
    """`p0` at moment 4 holds 4 in its first channel, 104 in its second; `p1` 1004 and 1104."""
    return [
        f"p{patient},{moment / 50:.2f},{channel},{1000 * patient + 100 * place + moment},{50 + patient}"
        for patient in range(patients)
        for moment in range(moments)
        for place, channel in enumerate(channels)
    ]


def written(path, rows, header="patient,time,channel,value,age"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def test_each_patient_is_a_case_and_each_channel_a_column(tmp_path):
    location = written(tmp_path / "tidy.csv", lines())
    assert recognise(location) == "signal_table"
    listing = TABLE.list(location, SourceOptions())
    assert [case.patient for case in listing.cases] == ["p0", "p1", "p2"]
    assert [case.covariates["age"] for case in listing.cases] == [50, 51, 52]
    signal = formats.read_input(listing.cases[1].inputs["signal"], tmp_path)
    assert signal.channels == ("II", "resp")
    assert signal.rate == 50
    assert np.array_equal(signal.values, [[1000 + moment, 1100 + moment] for moment in range(20)])


def test_the_order_of_the_rows_changes_nothing(tmp_path):
    rows = lines()
    random.Random(0).shuffle(rows)
    listing = TABLE.list(
        written(tmp_path / "tidy.csv", sorted(rows, key=lambda row: row.split(",")[2])), SourceOptions()
    )
    shuffled = TABLE.list(written(tmp_path / "other.csv", rows), SourceOptions())
    for other in shuffled.cases:
        same = next(case for case in listing.cases if case.id == other.id)
        one, two = (formats.read_input(case.inputs["signal"], tmp_path) for case in (same, other))
        assert np.array_equal(one.channel("resp"), two.channel("resp"))


def test_a_channel_that_one_patient_lacks_is_missing_there(tmp_path):
    rows = [row for row in lines() if not row.startswith("p2") or ",II," in row]
    listing = TABLE.list(written(tmp_path / "tidy.csv", rows), SourceOptions())
    signal = formats.read_input(listing.cases[2].inputs["signal"], tmp_path)
    assert np.isnan(signal.channel("resp")).all()
    assert np.array_equal(signal.channel("II"), 2000 + np.arange(20))


def test_a_channel_that_comes_late_in_the_table_is_not_overlooked(tmp_path):
    rows = lines(patients=ROWS // 20 + 2, channels=("II",))
    rows += [f"last,{moment / 50:.2f},resp,{moment},7" for moment in range(20)]
    listing = TABLE.list(written(tmp_path / "tidy.csv", rows), SourceOptions())
    signal = formats.read_input(listing.cases[0].inputs["signal"], tmp_path)
    assert signal.channels == ("II", "resp")


def test_a_recording_alone_needs_no_name_and_keeps_its_units(tmp_path):
    rows = [
        f"{moment / 50},{channel},{moment},{unit}"
        for moment in range(20)
        for channel, unit in (("a", "mV"), ("b", "s"))
    ]
    path = tmp_path / "one.csv"
    written(path, rows, "time,lead,amplitude,unit")
    signal = FORMAT.read([path])
    assert (signal.channels, signal.units, signal.length) == (("a", "b"), ("mV", "s"), 20)


def test_counted_samples_have_an_order_and_no_rate(tmp_path):
    rows = [
        f"c{case},{sample},ch{channel},{sample}"
        for case in range(2)
        for sample in range(20, 0, -1)
        for channel in (1, 2)
    ]
    location = written(tmp_path / "counted.csv", rows, "case_id,reading_id,dim_id,value")
    listing = TABLE.list(location, SourceOptions())
    signal = formats.read_input(listing.cases[0].inputs["signal"], tmp_path)
    assert signal.rate == 0
    assert np.array_equal(signal.channel("ch2"), np.arange(1, 21))


@pytest.mark.parametrize(
    ("row", "why"), [("p0,0.02,II,7,50", "line 122 gives a channel a second value"), ("p0,9,II,high,50", "'high'")]
)
def test_what_is_said_twice_or_is_no_number_is_refused_by_its_line(row, why, tmp_path):
    listing = TABLE.list(written(tmp_path / "tidy.csv", lines()), SourceOptions())
    written(tmp_path / "tidy.csv", [*lines(), row])
    with pytest.raises(UnreadableFile, match=why):
        formats.read_input(listing.cases[0].inputs["signal"], tmp_path)


def test_rows_know_their_lines(tmp_path):
    table = read_numbers(tmp_path / "a.csv", "time,II\n0,1\n1,2\n")
    assert [table.line(row) for row in (0, 1)] == [2, 3]
