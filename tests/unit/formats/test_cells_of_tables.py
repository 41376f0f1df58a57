"""A cell of a table as a text or a sequence."""

from pathlib import Path

import pytest

from diascope.core.case import FileRef
from diascope.core.errors import UnreadableFile
from diascope.core.sequence import Sequence
from diascope.core.text import Text
from diascope.formats import read_input
from diascope.formats.tables.kept import item_of, span_of, table_of


def a_cell(path: Path, kind: str, item: str | None) -> object:
    ref = FileRef(format=f"{kind}_cell", paths=(path.name,), item=item, kind=kind)
    return read_input(ref, path.parent)


def a_table(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_cell_keeps_commas_quotes_and_lines(tmp_path: Path) -> None:
    path = a_table(tmp_path, 'id,report\n1,"Clear, ""quiet"" lungs.\nNo effusion."\n2,积液\n')
    assert a_cell(path, "text", "1/report") == Text('Clear, "quiet" lungs.\nNo effusion.', "en")
    assert a_cell(path, "text", "2/report") == Text("积液", "zh")


def test_columns_are_joined_in_the_order_that_is_asked_with_their_names(tmp_path: Path) -> None:
    path = a_table(tmp_path, "id,a/b,impression\n1,Clear.,Normal.\n2,,Normal.\n3,,\n")
    item = item_of(1, ("impression", "a/b"))
    assert a_cell(path, "text", item).text == "impression: Normal.\n\na/b: Clear."
    assert a_cell(path, "text", item_of(2, ("a/b", "impression"))).text == "impression: Normal."
    assert a_cell(path, "text", item_of(3, ("a/b", "impression"))).is_empty


def test_rows_are_counted_as_the_tables_of_sources_count_them(tmp_path: Path) -> None:
    path = a_table(tmp_path, "id;report\n\n1;one\n\n2;two\n")
    assert a_cell(path, "text", "2/report").text == "two"


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (None, "which cell"),
        ("report", "no item 'report'"),
        ("1", "no item '1'"),
        ("0/report", "no row 0"),
        ("3/report", "no row 3; the last one is 2"),
        ("1/rapport", "no column 'rapport'"),
    ],
)
def test_a_cell_that_is_not_there_is_named(item: str | None, reason: str, tmp_path: Path) -> None:
    path = a_table(tmp_path, "id,report\n1,one\n2,two\n")
    with pytest.raises(UnreadableFile, match=reason):
        a_cell(path, "text", item)


def test_a_table_is_read_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path = a_table(tmp_path, "id,report\n1,one\n2,two\n")
    first = table_of(path)
    assert table_of(path) is first
    a_table(tmp_path, "id,report\n1,one\n2,another\n")
    assert a_cell(path, "text", "2/report").text == "another"


def test_the_reason_of_a_broken_table_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("id,report\n1,双肺未见异常\n".encode("gb18030"))
    for _ in range(2):
        with pytest.raises(UnreadableFile, match="not UTF-8"):
            a_cell(path, "text", "1/report")


def test_one_letter_a_cell_makes_a_sequence(tmp_path: Path) -> None:
    path = a_table(tmp_path, "id,b1,b2,b3,y\n1,a,c,g,+\n2,t,n,a,-\n")
    assert a_cell(path, "sequence", span_of(2, "b1", "b3")) == Sequence("TNA", "dna")


def test_the_column_tells_the_alphabet(tmp_path: Path) -> None:
    path = a_table(tmp_path, "id,seq\n1,ACGU\n2,ACG\n3,GGU\n")
    assert a_cell(path, "sequence", "2/seq").alphabet == "rna"
    proteins = a_table(tmp_path, "id,seq\n1,MKVLAAGIT\n2,ACG\n3,WWPLKE\n", "p.csv")
    assert a_cell(proteins, "sequence", "2/seq").alphabet == "protein"


@pytest.mark.parametrize(
    ("cell", "reason"), [("ACXT", "row 2: unknown letter 'X' at position 3"), ("", "row 2:.*empty")]
)
def test_a_wrong_letter_names_the_row(cell: str, reason: str, tmp_path: Path) -> None:
    path = a_table(tmp_path, f"id,seq\n1,ACGTACGTACGTACGTACGT\n2,{cell}\n3,ACGT\n")
    with pytest.raises(UnreadableFile, match=reason):
        a_cell(path, "sequence", "2/seq")
