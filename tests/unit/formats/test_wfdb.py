"""WFDB records: headers, gaps, segments, and what is refused."""

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.errors import UnreadableFile
from diascope.formats.wfdb import files_of

FORMAT = registry.get("formats", "wfdb")
SAMPLES = np.array([[0, 10], [100, 20], [-32768, 30], [200, 40]], "<i2")


def a_record(folder, header="r 2 250 4\nr.dat 16 200/mV 16 0 0 33068 0 II\nr.dat 16 10(5)/mmHg 16 0 10 100 0 ABP\n"):
    SAMPLES.tofile(folder / "r.dat")
    (folder / "r.hea").write_text(header)
    return folder / "r.hea"


def test_names_units_gain_and_baseline(tmp_path):
    signal = FORMAT.read([a_record(tmp_path)])
    assert (signal.channels, signal.units, signal.rate) == (("II", "ABP"), ("mV", "mm[Hg]"), 250.0)
    assert signal.values[:, 1].tolist() == [0.5, 1.5, 2.5, 3.5]


def test_the_lowest_step_is_a_gap(tmp_path):
    assert np.isnan(FORMAT.read([a_record(tmp_path)]).values[:, 0]).tolist() == [False, False, True, False]


def test_what_a_header_leaves_out_has_its_default(tmp_path):
    signal = FORMAT.read([a_record(tmp_path, "# remark\nr 2\nr.dat 16\nr.dat 16\n")])
    assert (signal.rate, signal.channels, signal.units) == (250.0, ("channel 1", "channel 2"), ("mV", "mV"))
    assert signal.values[1, 0] == np.float32(100 / 200)


def test_a_checksum_that_differs_is_told(tmp_path):
    good = FORMAT.read([a_record(tmp_path)])
    header = (tmp_path / "r.hea").read_text().replace("10 100 0 ABP", "10 101 0 ABP")
    bad = FORMAT.read([a_record(tmp_path, header)])
    assert good.history == ()
    assert "ABP" in bad.history[0]


def test_a_byte_offset_is_skipped(tmp_path):
    header = a_record(tmp_path, "r 2 250 4\nr.dat 16+4 200/mV\nr.dat 16+4 200/mV\n")
    (tmp_path / "r.dat").write_bytes(b"head" + SAMPLES.tobytes())
    assert FORMAT.read([header]).values[1].tolist() == [0.5, np.float32(0.1)]


def test_segments_and_their_gaps(tmp_path):
    a_record(tmp_path)
    (tmp_path / "m.hea").write_text("m/4 2 250 11\nlayout 0\nr 4\n~ 3\nr 4\n")
    (tmp_path / "layout.hea").write_text("layout 2 250 0\n~ 0 200/mV 0 0 0 0 0 II\n~ 0 10/mmHg 0 0 0 0 0 ABP\n")
    signal = FORMAT.read([tmp_path / "m.hea"])
    assert signal.values.shape == (11, 2)
    assert np.isnan(signal.values[4:7]).all()
    assert signal.values[7:, 1].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert {path.name for path in files_of(tmp_path / "m.hea")} == {"m.hea", "r.hea", "r.dat", "layout.hea"}


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("", "does not begin with"),
        ("r 2 250 4\nr.dat 16\n", "announces 2 lines"),
        ("r 0 250 4\n", "announces 0 lines"),
        ("r 1 0 4\nr.dat 16\n", "rate is 0"),
        ("r 1 250 4\nr.dat 516\n", "516 is not read"),
        ("r 1 250 4\n../r.dat 16\n", "another folder"),
        ("r 1 250 4\nno.dat 16\n", "No such file"),
        ("r 1 250 400\nr.dat 16\n", "ends after 8 of 400"),
        ("r 1 250 4\nr.dat 16 gain\n", "no gain"),
        ("r 1 250 4\nr.dat 16 200/mV sixteen\n", "no whole number"),
        ("r 2 250 4\nr.dat 16\nr.dat 80\n", "two storage formats"),
        ("r 1 250 4\n~ 16\n", "names no file"),
        ("r/1 1 250 4\nr 4\n", "segments of its own"),
        ("r/1 1 250 4\n~ 4\n", "nothing was recorded"),
    ],
)
def test_a_broken_record_is_refused_with_the_reason(header, why, tmp_path):
    with pytest.raises(UnreadableFile, match=why):
        FORMAT.read([a_record(tmp_path, header)])
