"""Tables of reports and sequences: what counts as one, two tables as one, and what is not read."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from diascope import formats
from diascope.core.errors import DataRefused, DiascopeError
from diascope.sources import Listing, SourceOptions, recognise
from diascope.sources.fasta import SOURCE as FASTA
from diascope.sources.sequence_table import SOURCE as SEQUENCES
from diascope.sources.tables.joined import bare
from diascope.sources.tables.written import is_prose, is_sequences, is_terms, written_in
from diascope.sources.text_files import SOURCE as FILES
from diascope.sources.text_table import SOURCE as TEXTS

REPORT = "The lungs are clear and there is no effusion in study {n}."
BASES = "ACGT"


def write(path: Path, rows: list[list[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return path


def reports(path: Path, count: int = 30, **columns: object) -> Path:
    """A report a row, and further columns: a text with `{n}`, or a function of the row."""
    names = list(columns)
    rows: list[list[object]] = [["uid", "report", *names]]
    for n in range(count):
        rest = [one(n) if callable(one) else str(one).format(n=n) for one in columns.values()]
        rows.append([n, REPORT.format(n=n), *rest])
    return write(path, rows)


def listed(source: object, path: Path, **options: object) -> Listing:
    return source.list(str(path), SourceOptions.model_validate(options))  # type: ignore[attr-defined]


def text_of(listing: Listing, place: int = 0, name: str = "text") -> str:
    read = formats.read_input(listing.cases[place].inputs[name], listing.root)
    return read.text if name == "text" else read.letters


def a_sequence(n: int, length: int = 40) -> str:
    return "".join(BASES[(n * 7 + place * place + n * place) % 4] for place in range(length))


@pytest.mark.parametrize(
    ("cells", "prose"),
    [
        ([REPORT.format(n=n) for n in range(9)], True),
        ([f"两肺纹理清晰，未见明显实变影，第{n}例。" for n in range(9)], True),
        (["Chest PA and lateral"] * 9, False),
        ([f"{n} 1.5 2.5 3.5 4.5 5.5 6.5 7.5 8.5" for n in range(9)], False),
        ([f"case {n}" for n in range(9)], False),
        ([], False),
    ],
)
def test_sentences_are_told_from_other_cells(cells: list[str], prose: bool) -> None:
    assert is_prose(cells) is prose


@pytest.mark.parametrize(
    ("cells", "terms"),
    [
        (["Cardiomegaly;Effusion", "normal", "Effusion;Mass", "Mass;Cardiomegaly"], True),
        (["fever, cough, asthma"] * 4, True),
        (["a|b", "b|c", "c"], True),
        ([REPORT.format(n=n) for n in range(9)], False),
        (["yes", "no"], False),
        ([], False),
    ],
)
def test_lists_of_terms_are_told_from_sentences(cells: list[str], terms: bool) -> None:
    assert is_terms(cells) is terms


@pytest.mark.parametrize(
    ("cells", "sequences"),
    [
        ([a_sequence(n) for n in range(9)], True),
        ([a_sequence(n).lower() for n in range(9)], True),
        ([a_sequence(n).replace("T", "U") for n in range(9)], True),
        ([*(a_sequence(n) for n in range(19)), "ACGTXXACGTACGTACGT"], True),
        (["MKVLAAGIVGLLLAQWSEPRTHNDC" * 2] * 9, True),
        (["CAT", "TAG", "ACT"], False),
        (["NORMAL", "ABNORMAL"] * 5, False),
        ([REPORT] * 9, False),
        ([], False),
    ],
)
def test_sequences_are_told_from_words(cells: list[str], sequences: bool) -> None:
    assert is_sequences(cells) is sequences


def test_a_table_of_reports_is_no_table_of_values(tmp_path: Path) -> None:
    path = reports(tmp_path / "r.csv", label=lambda n: n % 2)
    assert recognise(str(path)) == "text_table"
    listing = listed(TEXTS, path)
    assert text_of(listing, 3) == REPORT.format(n=3)
    assert [case.id for case in listing.cases[:2]] == ["0", "1"]
    assert listing.targets[0].name == "label"


def test_a_table_of_values_with_a_remark_stays_one(tmp_path: Path) -> None:
    names = [f"{one}{other}" for one in ("so", "po", "ca", "fe") for other in ("dium", "tein", "lcium", "rritin", "x")]
    rows: list[list[object]] = [["age", *names, "remark", "label"]]
    rows += [
        [40 + n, *((n * 7919 * (c + 3)) % 97 / 7.0 for c in range(20)), REPORT.format(n=n), n % 2] for n in range(30)
    ]
    assert recognise(str(write(tmp_path / "t.csv", rows))) == "table"


def test_further_columns_of_sentences_are_joined_in_order(tmp_path: Path) -> None:
    path = reports(tmp_path / "r.csv", impression="Normal chest in {n}.", label=lambda n: n % 2)
    listing = listed(TEXTS, path)
    assert text_of(listing, 2) == f"report: {REPORT.format(n=2)}\n\nimpression: Normal chest in 2."
    assert text_of(listed(TEXTS, path, without=["report"]), 2) == "Normal chest in 2."
    assert any("report, impression" in note for note in listing.notes)


def test_terms_and_names_are_not_read_and_that_is_said(tmp_path: Path) -> None:
    path = reports(
        tmp_path / "r.csv", mesh=lambda n: ["Mass;Lung", "normal", "Effusion;Lung"][n % 3], label=lambda n: n % 2
    )
    listing = listed(TEXTS, path)
    assert "Mass" not in "".join(text_of(listing, place) for place in range(6))
    assert any("mesh" in note and "give the answer away" in note for note in listing.notes)
    assert all("mesh" not in case.covariates for case in listing.cases)


def test_two_tables_are_joined_by_the_ids_of_both(tmp_path: Path) -> None:
    reports(tmp_path / "reports.csv", 30)
    write(tmp_path / "labels.csv", [["file", "label"], *([f"CXR{n}.png", n % 2] for n in range(29, 1, -1))])
    assert recognise(str(tmp_path)) == "text_table"
    listing = listed(TEXTS, tmp_path)
    assert [case.targets["label"] for case in listing.cases[:5]] == [None, None, "0", "1", "0"]
    assert any("'file'" in note and "'uid'" in note for note in listing.notes)
    assert any("2 of 30 rows of reports.csv have no row" in note for note in listing.notes)


def test_tables_without_a_common_id_are_refused(tmp_path: Path) -> None:
    reports(tmp_path / "reports.csv", 30)
    write(tmp_path / "labels.csv", [["file", "label"], *([f"X{n}", n % 2] for n in range(100, 130))])
    with pytest.raises(DataRefused, match="no column by which"):
        listed(TEXTS, tmp_path)


def test_tables_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    reports(tmp_path / "reports.csv", 30, sex=lambda n: "fm"[n % 2])
    rows: list[list[object]] = [[n, "f", n % 2] for n in range(30)]
    write(tmp_path / "labels.csv", [["uid", "sex", "label"], *rows])
    with pytest.raises(DataRefused, match="'sex' says different things"):
        listed(TEXTS, tmp_path)


@pytest.mark.parametrize(
    ("cells", "keys"),
    [
        (["CXR1", "CXR12"], ["1", "12"]),
        (["a/7.txt", "a/8.txt"], ["7", "8"]),
        (["7", "77"], ["7", "77"]),
        (["anna", "anton"], ["anna", "anton"]),
        (["P100", "P101"], ["100", "101"]),
    ],
)
def test_ids_without_what_all_begin_with(cells: list[str], keys: list[str]) -> None:
    assert bare(cells) == keys


def test_a_table_of_sequences(tmp_path: Path) -> None:
    rows = [["class", "name", "sequence"], *([["EI", "N"][n % 2], f"s{n}", a_sequence(n)] for n in range(30))]
    path = write(tmp_path / "s.csv", rows)
    assert recognise(str(path)) == "sequence_table"
    listing = listed(SEQUENCES, path)
    assert text_of(listing, 4, "sequence") == a_sequence(4)
    assert [label.name for label in listing.targets[0].labels] == ["EI", "N"]


def test_one_letter_a_column_without_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", [[n, *a_sequence(n, 20).lower(), "+-"[n % 2]] for n in range(30)])
    assert recognise(str(path)) == "sequence_table"
    listing = listed(SEQUENCES, path)
    assert text_of(listing, 4, "sequence") == a_sequence(4, 20)
    assert listing.targets[0].columns == ("column_22",)


def test_fasta_with_a_table_and_alone(tmp_path: Path) -> None:
    (tmp_path / "s.fasta").write_text("".join(f">s{n} x\n{a_sequence(n)}\n" for n in range(12)))
    write(tmp_path / "labels.csv", [["id", "class"], *([f"s{n}", "ab"[n % 2]] for n in range(11))])
    assert recognise(str(tmp_path)) == "fasta"
    listing = listed(FASTA, tmp_path)
    assert [case.targets["class"] for case in listing.cases[:2]] == ["a", "b"]
    assert listing.cases[11].targets["class"] is None
    assert recognise(str(tmp_path / "s.fasta")) == "fasta"
    assert listed(FASTA, tmp_path / "s.fasta").targets == ()


def test_two_records_of_one_name_in_two_files_are_refused(tmp_path: Path) -> None:
    for name in ("a.fa", "b.fa"):
        (tmp_path / name).write_text(">one\nACGTACGT\n")
    with pytest.raises(DataRefused, match="two FASTA files have a record 'one'"):
        listed(FASTA, tmp_path)


def text_files(folder: Path, count: int = 12, prefix: str = "r") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        (folder / f"{prefix}{n}.txt").write_text(REPORT.format(n=n))


def test_text_files_and_a_table_that_names_them(tmp_path: Path) -> None:
    text_files(tmp_path)
    write(tmp_path / "labels.csv", [["report", "label"], *([f"r{n}", n % 2] for n in range(12))])
    assert recognise(str(tmp_path)) == "text_files"
    listing = listed(FILES, tmp_path)
    answers = {case.id: case.targets["label"] for case in listing.cases}
    assert answers["r3"] == "1"
    assert answers["r10"] == "0"


def test_folders_of_text_files_are_classes_and_parts(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("normal", "ill"):
            text_files(tmp_path / part / name, 3)
    assert recognise(str(tmp_path)) == "text_files"
    listing = listed(FILES, tmp_path)
    case = next(case for case in listing.cases if case.id == "test/ill/r1")
    assert (case.targets["label"], case.split) == ("ill", "test")
    (tmp_path / "stray.txt").write_text(REPORT)
    with pytest.raises(DataRefused, match="beside the folders"):
        listed(FILES, tmp_path)


def test_one_text_file_is_a_case_without_a_label(tmp_path: Path) -> None:
    text_files(tmp_path, 1)
    assert recognise(str(tmp_path / "r0.txt")) == "text_files"
    assert listed(FILES, tmp_path / "r0.txt").targets == ()


def test_numbers_in_a_text_file_are_a_table(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("\n".join(f"{n} {n * 1.5} {n % 2}" for n in range(30)))
    assert recognise(str(path)) == "table"


@pytest.mark.parametrize("source", [TEXTS, SEQUENCES, FASTA, FILES])
def test_what_is_not_there_is_refused(source: object, tmp_path: Path) -> None:
    with pytest.raises(DiascopeError):
        listed(source, tmp_path / "nothing")


def test_a_broken_table_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\x00\x01\x02")
    with pytest.raises((ValueError, DiascopeError)):
        written_in(tmp_path / "t.csv")
    assert TEXTS.recognises(str(tmp_path / "t.csv")) is None


SITES = ("left lung", "right lung", "lingula", "both bases", "the hilum")
WHAT = ("opacity", "nodule", "effusion", "atelectasis", "scar")


def test_short_reports_are_texts_where_their_column_is_called_so(tmp_path: Path) -> None:
    rows = [[n, f"{WHAT[n % 5]} {SITES[n // 5 % 5]}", n % 2] for n in range(60)]
    assert recognise(str(write(tmp_path / "a.csv", [["id", "impression", "abnormal"], *rows]))) == "text_table"
    assert recognise(str(write(tmp_path / "b.csv", [["id", "place", "abnormal"], *rows]))) == "table"


def test_a_column_of_few_answers_is_none_of_reports_whatever_it_is_called(tmp_path: Path) -> None:
    rows = [[n, f"{WHAT[n % 5]} found", n % 2] for n in range(60)]
    assert recognise(str(write(tmp_path / "a.csv", [["id", "findings", "abnormal"], *rows]))) == "table"
