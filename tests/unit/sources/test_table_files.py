from __future__ import annotations

import codecs
import datetime
import decimal
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io.arff

from diascope.core.errors import DataRefused, MissingPackage, UnreadableFile
from diascope.sources.tables.files import SUFFIXES, columns_of, read_table, unit_of
from diascope.sources.tables.sheet import Sheet

DATA = Path(__file__).parents[4] / "shared" / "data"


def written(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(folder: Path, text: str | bytes, name: str = "t.csv") -> Sheet:
    path = written(folder, text, name)
    sheet = read_table(path)
    assert columns_of(path) == sheet.columns
    return sheet


def column(sheet: Sheet, name: str) -> list[str | None]:
    return [row[name] for row in sheet.rows]


def refused(folder: Path, text: str | bytes, match: str, name: str = "t.csv") -> None:
    with pytest.raises(UnreadableFile, match=match):
        read_table(written(folder, text, name))


# Headers


@pytest.mark.parametrize(
    "text",
    [
        "6,148,72,0.627\n1,85,66,0.351\n",
        "5,1,1\n5,4,4\n3,1,?\n",
        "?,1,2\n3,4,5\n",
        "'40-49','premeno','no'\n'50-59','ge40','no'\n'40-49','premeno','yes'\n",
        "0,t,a,+\n1,g,a,-\n2,t,c,+\n3,g,a,-\n",
        "P1,male,no\nP2,female,no\nP3,male,yes\n",
        "P1,2020-01-02,120/80,7\nP2,2020-01-03,110/70,8\n",
        "1,5;2,5;3,5\n1,5;4,5;6,5\n",
        "EI,ATRINS-1,  CCAGCTGCATCACAGG\nEI,ATRINS-2,  AGACCCGCCGGGAGGN\n",
        "s1,ccagctgcatcacagg\ns2,agacccgccgggaggc\n",
        "ill,There is a small effusion on the left.\nwell,No effusion.\nill,Effusion.\n",
        "病,左侧胸腔少量积液，余肺野未见明显异常。\n无,双肺未见异常。\n病,胸腔积液。\n",
    ],
)
def test_a_first_row_of_values_is_no_header(text: str, tmp_path: Path) -> None:
    sheet = table(tmp_path, text)
    count = len(sheet.columns)
    assert sheet.columns == tuple(f"column_{number}" for number in range(1, count + 1))
    assert len(sheet.rows) == text.count("\n")
    assert f"t.csv has no header: columns are called column_1 to column_{count}" in sheet.notes


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Age,1,2,3,Class\n65,0.7,0.1,187,1\n62,1,2,3,2\n", ("Age", "1", "2", "3", "Class")),
        ("0,1,2,3\n5.1,a,7,8\n4.9,b,7,8\n", ("0", "1", "2", "3")),
        ("name,class\nx,y\n", ("name", "class")),
        (
            "id,How often did you cough in the last week.\n1,never\n",
            ("id", "How often did you cough in the last week."),
        ),
        ("Na,K\n140,4\n", ("Na", "K")),
        ("id,age,,,\n1,40,,,\n2,50,,,\n", ("id", "age")),
    ],
)
def test_a_header_may_hold_numbers(text: str, columns: tuple[str, ...], tmp_path: Path) -> None:
    sheet = table(tmp_path, text)
    assert sheet.columns == columns
    said = [note for note in sheet.notes if "taken as its header, though it holds mostly numbers" in note]
    assert len(said) == (columns[1] in ("1", "2"))


def test_a_header_within_joined_files_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "sex,dx\nm,ill\nsex,dx\nf,well\n", "line 3 repeats the header")


def test_nameless_last_columns_may_be_left_out_of_rows(tmp_path: Path) -> None:
    sheet = table(tmp_path, 'id,"dx",\n1,M\n2,B,\n3,M,x\n')
    assert sheet.columns == ("id", "dx")
    assert column(sheet, "dx") == ["M", "B", "M"]
    assert "columns of t.csv without a name: 1, left out" in sheet.notes


def test_names_lose_quotes_and_line_breaks(tmp_path: Path) -> None:
    assert table(tmp_path, "'age', \"Potassium\n (mmol/L)\"\n1,2\n").columns == ("age", "Potassium (mmol/L)")


# Cells


def test_quotes_blanks_and_tabs_are_no_part_of_a_cell(tmp_path: Path) -> None:
    sheet = table(tmp_path, "dm,cad,note\n'40-49', yes,\"a, b\"\n\tno,\t?, \"c\"\n'it''s',no,O'Brien\n")
    assert column(sheet, "dm") == ["40-49", "no", "it''s"]
    assert column(sheet, "cad") == ["yes", None, "no"]
    assert column(sheet, "note") == ["a, b", "c", "O'Brien"]


@pytest.mark.parametrize(
    "cell", ["", " ", "NA", "n/a", "NaN", "null", "?", "-", "--", ".", "#N/A", "n.a.", "\\N", "<NA>"]
)
def test_what_counts_as_missing(cell: str, tmp_path: Path) -> None:
    sheet = table(tmp_path, f"a,b\n1,{cell}\n2,3\n")
    assert column(sheet, "b") == [None, "3"]
    assert any(repr(cell) in note for note in sheet.notes) == bool(cell.strip())


@pytest.mark.parametrize("cell", ["none", "unknown", "nd", "inf", "#DIV/0!", "0", "-1"])
def test_what_is_a_value(cell: str, tmp_path: Path) -> None:
    assert column(table(tmp_path, f"a,b\n1,{cell}\n2,3\n"), "b") == [cell, "3"]


def test_a_minus_beside_a_plus_is_a_value(tmp_path: Path) -> None:
    sheet = table(tmp_path, "protein,ph\n-,-\n+,5\n++,6\n?,7\n")
    assert column(sheet, "protein") == ["-", "+", "++", None]
    assert column(sheet, "ph") == [None, "5", "6", "7"]


def test_identifiers_keep_their_zeros(tmp_path: Path) -> None:
    assert column(table(tmp_path, "id,a\n007,1\n010,2\n"), "id") == ["007", "010"]


# Delimiters, decimal commas, encodings


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
def test_delimiters_are_told_by_the_rows(delimiter: str, suffix: str, tmp_path: Path) -> None:
    rows = [["name", "a b", "c"], ["x y", "1", "2"], ["z", "3", "4"]]
    sheet = table(tmp_path, "\r\n".join(map(delimiter.join, rows)), f"t{suffix}")
    assert sheet.columns == ("name", "a b", "c")
    assert column(sheet, "name") == ["x y", "z"]


def test_a_header_with_more_commas_than_semicolons(tmp_path: Path) -> None:
    assert table(tmp_path, "a;b (x, y, z)\n1;2\n").columns == ("a", "b (x, y, z)")


def test_blanks_part_cells_in_a_text_file_alone(tmp_path: Path) -> None:
    sheet = table(tmp_path, "   1.0e+00  -2.5\n   2.0e+00   3.5\n", "t.txt")
    assert sheet.rows == ({"column_1": "1.0e+00", "column_2": "-2.5"}, {"column_1": "2.0e+00", "column_2": "3.5"})
    assert table(tmp_path, 'a  b\n1\t"x y"\n', "t.txt").rows == ({"a": "1", "b": "x y"},)
    assert table(tmp_path, "full name\nAnna Meyer\n").columns == ("full name",)


def test_prose_is_no_table(tmp_path: Path) -> None:
    assert columns_of(written(tmp_path, "These are notes.\nThey are longer, or not.\n", "README.txt")) == ()
    assert columns_of(written(tmp_path, "cat\ndog\n", "classes.txt")) == ()


def test_decimal_commas_become_points_where_a_whole_column_has_them(tmp_path: Path) -> None:
    sheet = table(tmp_path, "a;b;c;d\n12,5;1,015;x,1;1\n?;1,020;2,5;2\n,5;-3e2;3,5;3\n")
    assert column(sheet, "a") == ["12.5", None, ".5"]
    assert column(sheet, "b") == ["1.015", "1.020", "-3e2"]
    assert column(sheet, "c") == ["x,1", "2,5", "3,5"]
    assert "decimal commas of t.csv were read as points: a, b" in sheet.notes


def test_a_comma_that_may_part_thousands_is_left(tmp_path: Path) -> None:
    sheet = table(tmp_path, "wbc;k\n7,800;4\n12,100;5\n")
    assert column(sheet, "wbc") == ["7,800", "12,100"]
    assert "'7,800' in the column 'wbc' of t.csv may be 7800 or 7.800: left as text" in sheet.notes


def test_commas_in_a_table_of_commas_stay(tmp_path: Path) -> None:
    assert column(table(tmp_path, 'a,b\n"12,5",1\n'), "a") == ["12,5"]


@pytest.mark.parametrize(
    "raw",
    [
        codecs.BOM_UTF8 + "größe,b\n1,µ\n".encode(),
        codecs.BOM_UTF16_LE + "größe\tb\n1\tµ\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "größe,b\r\n1,µ\r\n".encode("utf-16-be"),
    ],
)
def test_unicode_with_its_mark(raw: bytes, tmp_path: Path) -> None:
    assert table(tmp_path, raw).rows == ({"größe": "1", "b": "µ"},)


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        ("姓名,性别\n张三,男\n".encode("gb18030"), r"not UTF-8 at byte 0, it looks like GB18030.*CSV in UTF-8"),
        ("Größe,Maß\nmännlich,5 µmol\n".encode("cp1252"), r"not UTF-8 at byte 2, it looks like cp1252.*CSV in UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "zero bytes"),
        (codecs.BOM_UTF16_LE + b"a", r"not UTF-16 at byte 2\."),
    ],
)
def test_other_encodings_are_refused(raw: bytes, match: str, tmp_path: Path) -> None:
    refused(tmp_path, raw, match)


# What is refused


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "the table is empty"),
        ("\n , \n", "the table is empty"),
        ("a,b\n", "no rows"),
        ("a,b,a\n1,2,3\n", "two columns have one name: 'a'"),
        ("Unnamed: 0,Unnamed: 1\n1,2\n", "no column with a name"),
        ("a,b\n1,2\n1\n", "line 3 has 1 cells and the header 2"),
        ("a,b\n1,2\n1,2,3\n", "line 3 has 3 cells and the header 2"),
        ("1,2\n3,4\n5\n", "line 3 has 1 cells and the first line 2"),
        ("a,b\nr1,1,2\nr2,3,4\n", r"every line has 3 cells and the header 2.*\(row names\?\)"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
    ],
)
def test_a_bad_table_is_refused(text: str, match: str, tmp_path: Path) -> None:
    refused(tmp_path, text, match)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n", "t.xlsx")
    with pytest.raises(DataRefused, match=r"no table file. Given: \.xlsx. Give \.csv, "):
        read_table(path)
    assert columns_of(path) == ()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_are_asked_of_anything(suffix: str, tmp_path: Path) -> None:
    assert columns_of(tmp_path / f"absent{suffix}") == ()
    assert columns_of(written(tmp_path, b"", f"empty{suffix}")) == ()
    assert columns_of(written(tmp_path, b"PAR1\x89HDF\xff\xfe\0\0\xff", f"noise{suffix}")) == ()
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    assert columns_of(folder) == ()
    for name in ("absent", "empty", "noise", "folder"):
        with pytest.raises((UnreadableFile, MissingPackage)):
            read_table(tmp_path / f"{name}{suffix}")


# Units


@pytest.mark.parametrize(
    ("column", "plain", "unit"),
    [
        ("glucose [mg/dL]", "glucose", "mg/dL"),
        ("Potassium(mmol/L)", "Potassium", "mmol/L"),
        ("eGFR (mL/min/1.73 m²)", "eGFR", "mL/min/1.73 m²"),
        ("WBC (×10⁹/L)", "WBC", "×10⁹/L"),
        ("RBC (10*6/uL)", "RBC", "10*6/uL"),
        ("PLT (K/µL)", "PLT", "K/µL"),
        ("BMI (kg/m^2)", "BMI", "kg/m^2"),
        ("BP [mm[Hg]]", "BP", "mm[Hg]"),
        ("GLUCOSE (MG/DL)", "GLUCOSE", "MG/DL"),
        ("protein (mg/24h)", "protein", "mg/24h"),
        ("SpO2 (%)", "SpO2", "%"),
        ("stay (days)", "stay", "days"),
        ("FEV1 [L]", "FEV1", "L"),
    ],
)
def test_units(column: str, plain: str, unit: str) -> None:
    assert unit_of(column) == (plain, unit)


@pytest.mark.parametrize(
    "column",
    [
        *("smoker (yes/no)", "anaemia (0=no, 1=yes)", "sex (M/F)", "lesion(s)", "Magnesium (Mg)", "Potassium (K)"),
        *("Apgar (5 min)", "stage (V)", "IOP (L)", "tumour (pT)", "diabetes (dm)", "score (0-10)", "score (10)"),
        *("age_years", "(mg)", "glucose", "a [mg/dL] fasting", "hepatitis (C)"),
    ],
)
def test_what_is_no_unit(column: str) -> None:
    assert unit_of(column) == (column, "")


# ARFF

ARFF = """% a comment
@RELATION 'kidney disease'
@attribute 'age in years' numeric
@attribute\tgrade {low,' mid',"high, very"}
@attribute sg{1.005,1.010}
@attribute mark {+,-}
@attribute note string
@attribute day date "yyyy-MM-dd"
@DATA
48,low, 1.005,+,'it\\'s, well',2020-01-02

?,\t?,?,?,?,?
% another
1.50,'high, very',\t1.010 ,-,größer,?
"""


def test_arff(tmp_path: Path) -> None:
    sheet = table(tmp_path, ARFF, "t.arff")
    assert sheet.columns == ("age in years", "grade", "sg", "mark", "note", "day")
    assert [tuple(row.values()) for row in sheet.rows] == [
        ("48", "low", "1.005", "+", "it's, well", "2020-01-02"),
        (None,) * 6,
        ("1.50", "high, very", "1.010", "-", "größer", None),
    ]
    assert "grade is one of low, mid, high, very, declared in this order" in sheet.notes


def test_declared_values_are_never_missing(tmp_path: Path) -> None:
    text = "@attribute a {-,none,missing}\n@attribute b real\n@data\n-,-\nmissing,1\nnone,?\n"
    sheet = table(tmp_path, text, "t.arff")
    assert column(sheet, "a") == ["-", "missing", "none"]
    assert column(sheet, "b") == [None, "1", None]
    assert "cells of t.arff that count as missing: '-' (1), '?' (1)" in sheet.notes


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("@attribute a real\n@data\n", "no rows"),
        ("@attribute a real\n1\n", "line 2 declares nothing"),
        ("@attribute a real\n", "no line '@data'"),
        ("@data\n1\n", "no attribute"),
        ("@attribute a relational\n@data\n", "line 1 .* kind 'relational'"),
        ("@attribute a\n@data\n", "line 1 .* kind 'nothing'"),
        ("@attribute a real\n@attribute a real\n@data\n1,2\n", "two columns have one name"),
        ("@attribute a real\n@attribute b real\n@data\n1,2\n1\n", "line 5 has 1 cells and there are 2 attributes"),
        ("@attribute a real\n@attribute b real\n@data\n1,2,\n", "line 4 has 3 cells"),
        ("@attribute a real\n@data\n1\nx\n", "line 4: a is a number, not 'x'"),
        ("@attribute a {u,v}\n@data\nw\n", "line 3: a is one of u, v, not 'w'"),
        ("@attribute a real\n@data\n{0 1}\n", "line 3 is sparse"),
    ],
)
def test_a_bad_arff_is_refused(text: str, match: str, tmp_path: Path) -> None:
    refused(tmp_path, text, match, "t.arff")


# HDF5


def hdf5(folder: Path, sets: dict[str, Any]) -> Path:
    h5py = pytest.importorskip("h5py")
    path = folder / "t.h5"
    with h5py.File(path, "w") as file:
        for name, values in sets.items():
            file[name] = values
    return path


def test_deepsurv(tmp_path: Path) -> None:
    x = np.array([[0.1, 2.0], [np.nan, 3.0]], np.float32)
    part = {"x": x, "t": np.array([5, 6], np.float32), "e": np.array([1, 0], np.int32)}
    path = hdf5(tmp_path, {f"{name}/{key}": values for name in ("test", "train") for key, values in part.items()})
    sheet = read_table(path)
    assert sheet.columns == columns_of(path) == ("x1", "x2", "time", "event", "split")
    assert column(sheet, "split") == ["test", "test", "train", "train"]
    assert tuple(sheet.rows[1].values()) == (None, "3.0", "6.0", "0", "test")
    assert np.float32(sheet.rows[0]["x1"] or "") == x[0, 0]
    assert float(sheet.rows[0]["x1"] or "") == float(x[0, 0])
    assert "groups of t.h5 and their rows: test (2), train (2)" in sheet.notes


def test_one_group_makes_no_split_and_other_groups_are_none(tmp_path: Path) -> None:
    assert read_table(hdf5(tmp_path, {"train/a": [1, 2]})).columns == ("a",)
    sheet = read_table(hdf5(tmp_path, {"berlin/a": [1], "rome/a": [2, 3]}))
    assert column(sheet, "group") == ["berlin", "rome", "rome"]


def test_columns_and_matrices(tmp_path: Path) -> None:
    path = hdf5(tmp_path, {"age": [40, 50], "dx": ["größer", "?"], "ill": np.array([True, False])})
    sheet = read_table(path)
    assert columns_of(path) == ("age", "dx", "ill")
    assert [tuple(row.values()) for row in sheet.rows] == [("40", "größer", "true"), ("50", None, "false")]
    assert read_table(hdf5(tmp_path, {"m": [[1, 2], [3, 4]]})).rows == ({"m1": "1", "m2": "2"}, {"m1": "3", "m2": "4"})


@pytest.mark.parametrize(
    ("sets", "match"),
    [
        ({}, "it holds nothing"),
        ({"a": [1, 2], "b": [1]}, r"it holds a \(2,\) int64, b \(1,\) int64"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8)}, r"images \(2, 4, 4, 3\) uint8"),
        ({"a": [[1]], "b": [[1]]}, "it is no table"),
        ({"g/h/a": [1]}, "it holds g/, g/h/, g/h/a"),
        ({"g/a": [1], "b": [1]}, "it is no table"),
        ({"g/a": [1], "h/b": [1]}, "it is no table"),
        ({"a": np.array([(1, 2)], dtype=[("x", "i4"), ("y", "i4")])}, "it is no table"),
        ({"a": 5}, "it is no table"),
        ({"x": np.zeros((0, 2)), "t": np.zeros(0), "e": np.zeros(0)}, "no rows"),
        ({"x": [[1, 2]], "x1": [1]}, "two columns have one name: 'x1'"),
    ],
)
def test_other_hdf5_is_refused(sets: dict[str, Any], match: str, tmp_path: Path) -> None:
    path = hdf5(tmp_path, sets)
    with pytest.raises(UnreadableFile, match=match):
        read_table(path)


def test_links_out_of_the_file_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    hdf5(tmp_path, {"a": [1, 2]}).rename(tmp_path / "other.h5")
    path = hdf5(tmp_path, {"b": [1, 2]})
    with h5py.File(path, "a") as file:
        file["a"] = h5py.ExternalLink("other.h5", "a")
    assert columns_of(path) == ()
    with pytest.raises(UnreadableFile, match=r"it holds b \(2,\) int64\. "):
        read_table(path)


# Parquet


def parquet(folder: Path, columns: dict[str, Any]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    path = folder / "t.parquet"
    importlib.import_module("pyarrow.parquet").write_table(pyarrow.table(columns), path)
    return path


def test_typed_values_read_back_equal(tmp_path: Path) -> None:
    path = parquet(
        tmp_path,
        {
            "int": [9007199254740993, None],
            "float": [0.1, float("nan")],
            "bool": [True, False],
            "text": ["größer", "?"],
            "date": [datetime.date(2020, 1, 2), None],
            "time": [datetime.datetime(2020, 1, 2, 3, 4, 5), None],
            "decimal": [decimal.Decimal("1.50"), None],
            "none": [None, None],
        },
    )
    sheet = read_table(path)
    assert columns_of(path) == sheet.columns
    assert tuple(sheet.rows[0].values()) == (
        *("9007199254740993", "0.1", "true", "größer", "2020-01-02", "2020-01-02T03:04:05", "1.50", None),
    )
    assert tuple(sheet.rows[1].values()) == (None, None, "false", None, None, None, None, None)


def test_parquet_of_pandas(tmp_path: Path) -> None:
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    grade = pandas.Categorical(["low", "high"], ["low", "mid", "high"], ordered=True)
    frame = pandas.DataFrame({"grade": grade, "n": pandas.array([1, None], "Int64")}, index=[7, 9])
    frame.to_parquet(tmp_path / "t.pq")
    sheet = read_table(tmp_path / "t.pq")
    assert sheet.rows == ({"grade": "low", "n": "1"}, {"grade": "high", "n": None})
    assert columns_of(tmp_path / "t.pq") == sheet.columns
    assert "grade is one of low, mid, high, declared in this order" in sheet.notes
    assert "columns of t.pq without a name: 1, left out" in sheet.notes


def test_columns_that_are_no_cells_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"a": [1], "signal": [[1.0, 2.0]], "picture": [b"x"]})
    with pytest.raises(UnreadableFile, match=r"signal \(list<.*>\), picture \(binary\)"):
        read_table(path)
    with pytest.raises(UnreadableFile, match="no rows"):
        read_table(parquet(tmp_path, {"a": np.zeros(0)}))


@pytest.mark.parametrize(("name", "package"), [("t.parquet", "pyarrow"), ("t.h5", "h5py")])
def test_an_absent_package_is_named(name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str) -> None:
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingPackage, match=rf"'{package}'.*pip install 'diascope\[tables\]'"):
        read_table(written(tmp_path, b"", name))
    assert columns_of(tmp_path / name) == ()


# Real files

REAL = [
    # file, rows, columns, missing cells, whether it has a header
    ("labs/breast-cancer-wisconsin.csv", 699, 10, 16, False),
    ("labs/breast-cancer.csv", 286, 10, 9, False),
    ("labs/ckd_kidney.csv", 400, 15, 518, True),
    ("labs/haberman.csv", 306, 4, 0, False),
    ("labs/hepatitis.csv", 155, 20, 167, False),
    ("labs/ilpd_indian_liver.csv", 579, 10, 0, True),
    ("labs/oasis_cross-sectional.csv", 436, 12, 1239, True),
    ("labs/oasis_longitudinal.csv", 373, 15, 21, True),
    ("labs/pima-indians-diabetes.csv", 768, 9, 0, False),
    ("labs/pima_with_header.csv", 768, 9, 0, True),
    ("labs/wdbc.csv", 569, 32, 0, True),
    ("sequences/promoters.csv", 106, 59, 0, False),
    ("sequences/splice.csv", 3190, 3, 0, True),
    ("heartbeats/ECG5000_TRAIN.txt", 500, 141, 0, False),
    ("survival/GBSG2.arff", 686, 10, 0, True),
    ("survival/veteran.arff", 137, 8, 0, True),
    ("survival/whas500.arff", 500, 16, 0, True),
    ("survival/gbsg_cancer_train.h5", 1546, 9, 0, True),
    ("survival/metabric_IHC4_clinical_train.h5", 1523, 11, 0, True),
    ("survival/support_train.h5", 7098, 16, 0, True),
    ("survival/whas_train.h5", 1310, 8, 0, True),
]


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(("file", "rows", "columns", "missing", "header"), REAL)
def test_real_files(file: str, rows: int, columns: int, missing: int, header: bool) -> None:
    if file.endswith(".h5"):
        pytest.importorskip("h5py")
    sheet = read_table(DATA / file)
    assert (len(sheet.rows), len(sheet.columns)) == (rows, columns)
    assert sum(cell is None for row in sheet.rows for cell in row.values()) == missing
    assert (sheet.columns[0] != "column_1") == header
    assert columns_of(DATA / file) == sheet.columns


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize("file", [row[0] for row in REAL if row[0].endswith(".arff")])
def test_arff_as_scipy_reads_it(file: str) -> None:
    data, meta = scipy.io.arff.loadarff(DATA / file)
    sheet = read_table(DATA / file)
    for name, kind in zip(meta.names(), meta.types(), strict=True):
        ours = column(sheet, name)
        if kind == "numeric":
            assert [float(cell or "nan") for cell in ours] == data[name].tolist()
        else:
            assert ours == [cell.decode() for cell in data[name]]
