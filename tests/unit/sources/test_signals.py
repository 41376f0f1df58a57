"""Sources of signals: samples in the columns of a table, recordings in files, series over time in a manifest."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from diascope import formats
from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.signal import Signal
from diascope.sources import SourceOptions, recognise
from diascope.sources.signals.running import samples_in
from diascope.testing.factories import a_signal

TABLE, FILES = registry.get("sources", "signal_table"), registry.get("sources", "signal_files")
REAL = Path("../shared/data")


def beats(count=20, length=160, seed=0):
    """Rows of one smooth beat each, its second wave early or late."""
    signals = [
        a_signal(number % 2 == 1, seconds=length / 200, rate=200.0, seed=seed + number) for number in range(count)
    ]
    return np.stack([one.values[:, 0] for one in signals]), [
        "late" if number % 2 else "early" for number in range(count)
    ]


def a_table(path, header=True, classes="first", noise=None, name="s{}"):
    values, labels = beats() if noise is None else (noise, ["a", "b"] * (len(noise) // 2))
    labels = [str(int(label == labels[0])) for label in labels] if not header else labels
    names = [name.format(number) for number in range(1, values.shape[1] + 1)]
    lines = [",".join(["label", *names] if classes == "first" else [*names, "label"])] if header else []
    for label, row in zip(labels, values, strict=True):
        cells = [f"{value:.4f}" for value in row]
        lines.append(",".join([label, *cells] if classes == "first" else [*cells, label]))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("classes", ["first", "last"])
def test_a_table_of_samples_is_recognised_by_names_or_smoothness_and_by_nobody_else(header, classes, tmp_path):
    location = a_table(tmp_path / "beats.csv", header, classes)
    assert recognise(location) == "signal_table"
    listing = TABLE.list(location, SourceOptions())
    assert len(listing.cases) == 20
    assert listing.targets[0].name == ("label" if header else "class")
    assert len(listing.targets[0].labels) == 2
    signal = formats.read_input(listing.cases[3].inputs["signal"], listing.root)
    assert np.allclose(signal.values[:, 0], beats()[0][3], atol=1e-4)


def test_a_folder_of_one_table_with_a_declaration_gives_the_rate(tmp_path):
    a_table(tmp_path / "beats.csv")
    (tmp_path / "signal.json").write_text('{"rate": 50, "channels": ["II"], "units": ["mV"]}')
    listing = TABLE.list(str(tmp_path), SourceOptions())
    signal = formats.read_input(listing.cases[0].inputs["signal"], tmp_path)
    assert (signal.rate, signal.channels, signal.units) == (50.0, ("II",), ("mV",))
    assert recognise(str(tmp_path)) == "signal_table"


def test_a_pair_of_tables_is_the_given_split(tmp_path):
    a_table(tmp_path / "Beats_TRAIN.csv", header=False)
    a_table(tmp_path / "Beats_TEST.csv", header=False)
    cases = TABLE.list(str(tmp_path), SourceOptions()).cases
    assert [case.split for case in (cases[0], cases[-1])] in (["train", "test"], ["test", "train"])
    assert len({case.id for case in cases}) == 40


@pytest.mark.parametrize(
    ("what", "name"), [("independent", "gene_{}"), ("independent", "s{}"), ("smooth", "pixel{}"), ("scaled", "f{}")]
)
def test_columns_that_only_look_so_are_a_table_of_values(what, name, tmp_path):
    rng = np.random.default_rng(0)
    values = {
        "independent": rng.normal(size=(40, 60)),
        "smooth": np.cumsum(rng.normal(size=(40, 60)), axis=1),
        "scaled": rng.normal(size=(40, 30)) * np.geomspace(1, 1e6, 30),
    }[what]
    location = a_table(tmp_path / "t.csv", noise=values, name=name)
    assert samples_in(Path(location)) is None
    assert recognise(location) == "table"


def test_other_columns_describe_the_cases(tmp_path):
    values, labels = beats()
    names = ",".join(f"s{number}" for number in range(1, 161))
    lines = [f"patient,age,label,{names}"]
    for number, (label, row) in enumerate(zip(labels, values, strict=True)):
        lines.append(f"p{number // 2},{50 + number},{label}," + ",".join(f"{value:.3f}" for value in row))
    (tmp_path / "b.csv").write_text("\n".join(lines))
    case = TABLE.list(str(tmp_path / "b.csv"), SourceOptions()).cases[5]
    assert (case.patient, case.covariates["age"], case.targets["label"]) == ("p2", 55, "late")


def vitals(path, patients=6, rows=40, step=60.0):
    lines = ["patient_id,age,outcome,time [s],hr [bpm],spo2"]
    for number in range(patients):
        for row in range(rows):
            hr = 70 + 5 * np.sin(row / 4) + number
            lines.append(f"p{number},{60 + number},{number % 2},{row * step:.0f},{hr:.2f},{97 + (row % 3) / 10:.1f}")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_recordings_one_below_the_other_are_cases_and_what_does_not_change_describes_them(tmp_path):
    location = vitals(tmp_path / "vitals.csv")
    assert recognise(location) == "signal_table"
    listing = TABLE.list(location, SourceOptions())
    assert [case.patient for case in listing.cases] == [f"p{number}" for number in range(6)]
    assert listing.cases[3].patient_known
    assert (listing.targets[0].name, listing.cases[3].covariates["age"]) == ("outcome", 63)
    signal = formats.read_input(listing.cases[3].inputs["signal"], listing.root)
    assert (signal.channels, signal.units) == (("hr", "spo2"), ("/min", ""))
    assert signal.rate == pytest.approx(1 / 60, rel=1e-4)
    assert signal.values[0].tolist() == pytest.approx([73.0, 97.0])


@pytest.mark.parametrize(
    ("key", "time", "moment"),
    [
        ("id", "hour", lambda row: row),
        ("stay_id", "charttime", lambda row: f"2020-01-{1 + row // 24:02d} {row % 24:02d}:00:00"),
    ],
    ids=["id and hours", "stay and dates"],
)
@pytest.mark.parametrize("suffix", [".csv", ".arff"])
def test_rows_of_recordings_may_lie_in_any_order_under_other_names_and_in_arff(key, time, moment, suffix, tmp_path):
    rows = [f"c{case},{moment(row)},{100 * case + row},{'ab'[case % 2]}" for row in range(30) for case in range(6)]
    np.random.default_rng(0).shuffle(rows)
    attributes = zip((key, time, "hr", "outcome"), ("string", "string", "numeric", "{a,b}"), strict=True)
    header = {
        ".csv": f"{key},{time},hr,outcome\n",
        ".arff": "@relation r\n" + "".join(f"@attribute {n} {kind}\n" for n, kind in attributes) + "@data\n",
    }
    (tmp_path / f"vitals{suffix}").write_text(header[suffix] + "\n".join(rows) + "\n")
    location = str(tmp_path / f"vitals{suffix}")
    assert recognise(location) == "signal_table"
    listing = TABLE.list(location, SourceOptions())
    assert (len(listing.cases), listing.targets[0].name) == (6, "outcome")
    case = next(one for one in listing.cases if one.id == "c4")
    signal = formats.read_input(case.inputs["signal"], listing.root)
    assert signal.rate == pytest.approx(1 / 3600, rel=1e-4)
    assert signal.values[:, 0].tolist() == [400.0 + row for row in range(30)]


def test_recordings_whose_samples_come_when_they_come_are_refused_and_no_table_of_values(tmp_path):
    rng = np.random.default_rng(0)
    moments = np.cumsum(rng.exponential(60, (6, 40)), axis=1)
    lines = [f"p{case},{moments[case, row]:.0f},{70 + row}" for case in range(6) for row in range(40)]
    (tmp_path / "vitals.csv").write_text("patient,time,hr\n" + "\n".join(lines) + "\n")
    location = str(tmp_path / "vitals.csv")
    assert recognise(location) == "signal_table"
    with pytest.raises(DataRefused, match=r"equal steps.*--source table"):
        TABLE.list(location, SourceOptions())


def test_one_recording_alone_is_a_recording(tmp_path):
    whole = Path(vitals(tmp_path / "vitals.csv")).read_text().splitlines()
    (tmp_path / "new.csv").write_text("\n".join([whole[0], *(line for line in whole if line.startswith("p3,"))]) + "\n")
    assert recognise(str(tmp_path / "new.csv")) == "signal_table"
    listing = TABLE.list(str(tmp_path / "new.csv"), SourceOptions())
    assert [case.patient for case in listing.cases] == ["p3"]


def test_visits_and_survival_are_tables_of_values(tmp_path):
    assert recognise(vitals(tmp_path / "visits.csv", rows=4)) == "table"
    lines = [f"p{number},{number * 7 + 3},{number % 2},{number * 0.5}" for number in range(60)]
    (tmp_path / "survival.csv").write_text("patient,time,event,marker\n" + "\n".join(lines))
    assert recognise(str(tmp_path / "survival.csv")) == "table"


def test_a_column_that_changes_further_down_is_refused(tmp_path):
    location = vitals(tmp_path / "vitals.csv", patients=700)
    text = (tmp_path / "vitals.csv").read_text()
    (tmp_path / "vitals.csv").write_text(text.replace("p699,759,1,600", "p699,12,1,600"))
    with pytest.raises(DataRefused, match="'age' changes within the recording p699"):
        TABLE.list(location, SourceOptions())


def test_a_table_without_samples_is_refused_by_name(tmp_path):
    (tmp_path / "t.csv").write_text("age,label\n50,a\n60,b\n")
    with pytest.raises(DataRefused, match="no table whose columns are samples"):
        TABLE.list(str(tmp_path / "t.csv"), SourceOptions())


def recorded(folder, count=6, kind="csv"):
    """Recordings and a table that names them by their stems."""
    (folder / "records").mkdir(parents=True)
    lines = ["record,patient,label"]
    for number in range(count):
        signal = a_signal(number % 2 == 1, seed=number)
        if kind == "csv":
            registry.get("formats", "signal_csv").write(signal, folder / "records" / f"r{number}.csv")
        else:
            steps = np.round(signal.values * 1000).astype("<i2")
            steps.tofile(folder / "records" / f"r{number}.dat")
            text = f"r{number} 2 100 {len(steps)}\n" + "".join(
                f"r{number}.dat 16 1000/mV 16 0 {steps[0, place]} {int(steps[:, place].sum()) % 65536} 0 {name}\n"
                for place, name in enumerate(signal.channels)
            )
            (folder / "records" / f"r{number}.hea").write_text(text)
        lines.append(f"r{number},p{number},{'late' if number % 2 else 'early'}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return str(folder)


@pytest.mark.parametrize("kind", ["csv", "wfdb"])
def test_recordings_beside_a_table(kind, tmp_path):
    location = recorded(tmp_path, kind=kind)
    assert recognise(location) == "signal_files"
    listing = FILES.list(location, SourceOptions())
    assert [case.patient for case in listing.cases] == [f"p{number}" for number in range(6)]
    assert listing.targets[0].name == "label"
    ref = listing.cases[1].inputs["signal"]
    assert len(ref.paths) == (2 if kind == "wfdb" else 1)
    signal = formats.read_input(ref, tmp_path)
    assert (signal.channels, signal.rate) == (("I", "aVR"), 100.0)
    assert np.allclose(signal.values, a_signal(True, seed=1).values, atol=1e-3)


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/data")
def test_a_table_whose_first_line_names_a_recording_has_no_header(tmp_path):
    """`REFERENCE.csv` of the PhysioNet challenges."""
    location = recorded(tmp_path / "ecg", kind="wfdb")
    table = tmp_path / "ecg" / "labels.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    table.write_text("".join(f"{name},{label}\n" for name, _, label in rows))
    listing = FILES.list(location, SourceOptions())
    assert [case.targets["column_2"] for case in listing.cases] == [label for _, _, label in rows]
    assert "labels.csv has no header: columns are called column_1, column_2" in listing.notes


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/data")
def test_dicom_waveforms_are_recordings_and_no_images(tmp_path):
    real = REAL / "dicom" / "pydicom" / "src" / "pydicom" / "data" / "test_files" / "waveform_ecg.dcm"
    for name in "ab":
        (tmp_path / f"{name}.dcm").write_bytes(real.read_bytes())
    (tmp_path / "labels.csv").write_text("file,label\na.dcm,x\nb.dcm,y\n")
    assert recognise(str(tmp_path)) == "signal_files"
    case = FILES.list(str(tmp_path), SourceOptions()).cases[0]
    assert formats.read_input(case.inputs["signal"], tmp_path).channels[6] == "V1"


def test_recordings_in_a_folder_for_each_class(tmp_path):
    for number in range(50):
        folder = tmp_path / ("late" if number % 2 else "early")
        folder.mkdir(exist_ok=True)
        registry.get("formats", "signal_csv").write(a_signal(seed=number, seconds=0.2), folder / f"r{number}.csv")
    assert recognise(str(tmp_path)) == "signal_files"
    listing = FILES.list(str(tmp_path), SourceOptions())
    assert [case.targets["label"] for case in listing.cases] == ["early"] * 25 + ["late"] * 25


def test_recordings_of_which_nothing_says_what_they_are_are_refused(tmp_path):
    registry.get("formats", "signal_csv").write(a_signal(), tmp_path / "r.csv")
    with pytest.raises(DataRefused, match="nothing says what the recordings are"):
        FILES.list(str(tmp_path), SourceOptions())
    with pytest.raises((DataRefused, BadUsage)):
        recognise(str(tmp_path))


def test_a_manifest_names_signals_of_every_format(tmp_path):
    recorded(tmp_path, kind="wfdb")
    (tmp_path / "manifest.csv").write_text("signal,label\nrecords/r0,early\nrecords/r1.hea,late\n")
    (tmp_path / "labels.csv").unlink()
    assert recognise(str(tmp_path)) == "manifest"
    listing = registry.get("sources", "manifest").list(str(tmp_path), SourceOptions())
    for case in listing.cases:
        assert isinstance(formats.read_input(case.inputs["signal"], listing.root), Signal)
        assert len(case.inputs["signal"].paths) == 2


def test_a_manifest_names_series_over_time_as_frames_and_as_curves(tmp_path):
    for number in range(2):
        values = np.random.default_rng(number).normal(size=(4, 5, 6, 3)).astype(np.float32)
        image = nibabel.Nifti1Image(values, np.eye(4))
        image.header.set_xyzt_units("mm", "sec")
        nibabel.save(image, tmp_path / f"s{number}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(np.ones((4, 5, 6), np.uint8), np.eye(4)), tmp_path / f"m{number}.nii.gz")
    lines = ["case,image_series,curves,regions,label"]
    lines += [f"c{number},s{number}.nii.gz,s{number}.nii.gz,m{number}.nii.gz,{'ab'[number]}" for number in range(2)]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    listing = registry.get("sources", "manifest").list(str(tmp_path), SourceOptions())
    case = listing.cases[1]
    assert formats.read_input(case.inputs["image_series"], tmp_path).channels == 3
    assert formats.read_input(case.inputs["curves"], tmp_path).channels == ("region 1",)
    (tmp_path / "manifest.csv").write_text("case,curves,label\nc0,s0.nii.gz,a\n")
    with pytest.raises(DataRefused, match="have no regions"):
        registry.get("sources", "manifest").list(str(tmp_path), SourceOptions())


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/data")
def test_real_tables_are_told_apart():
    assert recognise(str(REAL / "heartbeats" / "ECG5000_TRAIN.txt")) == "signal_table"
    tables = [path for folder in ("labs", "survival", "radiomics") for path in sorted((REAL / folder).rglob("*.csv"))]
    assert len(tables) > 15
    assert [path.name for path in tables if samples_in(path)] == []
