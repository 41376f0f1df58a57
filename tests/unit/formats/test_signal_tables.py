"""Tables of samples: one row a moment (`signal_csv`), one row a case (`signal_row`)."""

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.errors import BadUsage, UnreadableFile
from diascope.core.signal import Signal

LONG, WIDE = registry.get("formats", "signal_csv"), registry.get("formats", "signal_row")


def written(folder, text, name="a.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_long_table_comes_back_equal(tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    values[3, 1] = np.nan
    signal = Signal(values, 360.0, ("I", "ABP"), ("mV", "mm[Hg]"), start=1.5)
    LONG.write(signal, tmp_path / "a.csv")
    back = LONG.read([tmp_path / "a.csv"])
    assert np.array_equal(back.values, values, equal_nan=True)
    assert (back.rate, back.start, back.channels, back.units) == (360.0, 1.5, signal.channels, signal.units)


def test_a_long_table_without_times_has_no_rate_unless_it_is_declared(tmp_path):
    path = written(tmp_path, "II,V5\n1,2\n3,4\n")
    assert LONG.read([path]).rate == 0
    said = written(tmp_path, '{"rate": 125, "units": ["mV", "mV"]}', "signal.json")
    signal = LONG.read([path, said])
    assert (signal.rate, signal.units) == (125.0, ("mV", "mV"))


def test_a_jump_in_time_is_a_gap_and_is_told(tmp_path):
    signal = LONG.read([written(tmp_path, "time,hr\n0,1\n1,2\n2,3\n5,6\n6,7\n7,8\n")])
    assert np.isnan(signal.values[:, 0]).tolist() == [False] * 3 + [True] * 2 + [False] * 3
    assert signal.history == ("1 jump(s) in time: 2 s (2 samples) are a gap",)


def test_rounded_times_give_the_true_rate(tmp_path):
    rows = "".join(f"{number / 360:.3f},{number}\n" for number in range(200))
    assert LONG.read([written(tmp_path, f"time,II\n{rows}")]).rate == 360


def test_times_on_the_clock_and_units_in_a_second_line(tmp_path):
    rows = "".join(f"'0:{number / 4:06.3f}',{number},1\n" for number in range(9))
    signal = LONG.read([written(tmp_path, f"'Elapsed time','MLII','ABP'\n'mm:ss.mmm','mV','mmHg'\n{rows}")])
    assert (signal.rate, signal.channels, signal.units) == (4.0, ("MLII", "ABP"), ("mV", "mm[Hg]"))
    assert signal.values[:3, 0].tolist() == [0, 1, 2]


def test_dates_give_the_rate_and_are_not_kept(tmp_path):
    rows = "".join(f"2020-03-01 23:{59 - 2 + minute:02d}:00,70\n" for minute in range(3))
    signal = LONG.read([written(tmp_path, f"timestamp,hr [bpm]\n{rows}2020-03-02 00:00:00,71\n")])
    assert (signal.values.shape, signal.start, signal.units) == ((4, 1), 0.0, ("/min",))
    assert signal.rate == pytest.approx(1 / 60, rel=1e-4)


def test_one_recording_of_several(tmp_path):
    path = written(tmp_path, "patient;t (ms);x\na;0;1\na;10;2\nb;0;3\nb;20;4\n")
    assert LONG.read([path], "patient/b").values[:, 0].tolist() == [3, 4]
    assert LONG.read([path], "patient/b").rate == 50
    with pytest.raises(UnreadableFile, match="no row has 'c'"):
        LONG.read([path], "patient/c")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("1,2\n3,4\n", "names no columns"),
        ("time,x\n0,1\n", "one sample has no rate"),
        ("time,x\n0,1\n1,2\n1,3\n2,4\n", "stands still or goes back"),
        ("time,x\n0,1\n1,2\n1.4,3\n3.9,4\n5,5\n7.2,6\n", "equal steps"),
        ("time,x\n0,1\n1,lead off\n2,3\n3,4\n", "line 3: x is 'lead off'"),
        ("time,x\n0,1\n1\n2,3\n", "line 3 has 1 cells"),
        ("time,x\n0,1\nnoon,2\n2,3\n", "'noon' is no time"),
        ("time,x\n0,\n1,\n2,\n", "no column holds samples|no number"),
        ("time\n0\n1\n", "no column holds samples"),
    ],
)
def test_a_broken_long_table_is_refused_with_the_reason(text, why, tmp_path):
    with pytest.raises(UnreadableFile, match=why):
        LONG.read([written(tmp_path, text)])


def test_only_a_table_with_times_is_recognised(tmp_path):
    assert LONG.recognises(written(tmp_path, "time,x\n0,1\n1,2\n"))
    assert not LONG.recognises(written(tmp_path, "age,glucose\n50,1\n61,2\n", "b.csv"))


def test_what_is_no_signal_is_not_written(tmp_path):
    with pytest.raises(BadUsage):
        LONG.write("text", tmp_path / "a.csv")
    with pytest.raises(BadUsage, match="brackets"):
        LONG.write(Signal(np.zeros((2, 1)), 1.0, ("a,b",)), tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.arff"])
def test_a_row_of_a_wide_table(name, tmp_path):
    cells = [["1", "0.5", "1.5", "?"], ["2", "2.5", "3.5", "4.5"]]
    mark = {".csv": ",", ".tsv": "\t", ".txt": "  ", ".arff": ","}[name[1:]]
    head = (
        "@relation r\n@attribute class {1,2}\n" + "".join(f"@attribute s{n} numeric\n" for n in (1, 2, 3)) + "@data\n"
    )
    head = head if name.endswith("arff") else mark.join(["class", "s1", "s2", "s3"]) + "\n"
    path = written(tmp_path, head + "\n".join(mark.join(row) for row in cells), name)
    assert WIDE.read([path], "2/s1:s3").values[:, 0].tolist() == [2.5, 3.5, 4.5]
    # What is missing at the end is not part of the signal.
    assert WIDE.read([path], "1/s1:s3").values[:, 0].tolist() == [0.5, 1.5]
    assert WIDE.read([path], "2/s1:s3").rate == 0


def test_several_spans_are_channels_and_a_declaration_gives_the_rate(tmp_path):
    path = written(tmp_path, "I_1,I_2,II_1,II_2\n1,2,3,4\n")
    said = written(tmp_path, '{"rate": 10, "units": ["mV", "uV"]}', "signal.json")
    signal = WIDE.read([path, said], "1/I_1:I_2/II_1:II_2")
    assert (signal.channels, signal.units, signal.rate) == (("I", "II"), ("mV", "uV"), 10.0)
    assert signal.values.tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (None, "no item"),
        ("1", "no item"),
        ("9/a:c", "no row 9"),
        ("1/a:d", "no column 'd'"),
        ("2/a:c", "b is 'x' and no number"),
        ("3/a:c", "holds no sample"),
        ("1/a:b/c:c", "different numbers of samples"),
    ],
)
def test_a_row_that_is_none_is_refused(item, why, tmp_path):
    with pytest.raises(UnreadableFile, match=why):
        WIDE.read([written(tmp_path, "a,b,c\n1,2,3\n4,x,6\n,,\n")], item)


def test_decimal_commas(tmp_path):
    path = written(tmp_path, "a;b;c\n1,5;2,5;3,5\n")
    assert WIDE.read([path], "1/a:c").values[:, 0].tolist() == [1.5, 2.5, 3.5]


@pytest.mark.parametrize("content", ["[]", '{"hz": 3}', '{"rate": 0}', '{"channels": "II"}', '{"units": ["mV"]}', "{"])
def test_a_broken_declaration_is_refused(content, tmp_path):
    with pytest.raises(UnreadableFile):
        LONG.read([written(tmp_path, "a,b\n1,2\n3,4\n"), written(tmp_path, content, "signal.json")])


def test_a_declared_rate_that_contradicts_the_times_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="100 Hz, its times 1 Hz"):
        LONG.read([written(tmp_path, "time,x\n0,1\n1,2\n"), written(tmp_path, '{"rate": 100}', "signal.json")])
