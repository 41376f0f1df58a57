"""FASTA: what a record is, and which files are refused by the name of the record."""

from pathlib import Path

import pytest

from diascope.core.case import FileRef
from diascope.core.errors import UnreadableFile
from diascope.core.sequence import Sequence
from diascope.formats import read_input
from diascope.formats.fasta import records

GOOD = "; a comment\n>one first of two\nacgt\nACRN\n\n>two\nTTGA\n"


def a_file(folder: Path, text: str) -> Path:
    path = folder / "s.fasta"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_record_is_its_lines_in_capitals(tmp_path: Path) -> None:
    a_file(tmp_path, GOOD)
    ref = FileRef(format="fasta", paths=("s.fasta",), item="one", kind="sequence")
    assert read_input(ref, tmp_path) == Sequence("ACGTACRN", "dna")
    assert read_input(ref, tmp_path).ambiguous == 2


def test_the_order_of_the_file_is_kept(tmp_path: Path) -> None:
    assert list(records(a_file(tmp_path, GOOD))) == ["one", "two"]


@pytest.mark.parametrize(("letters", "alphabet"), [("ACGU", "rna"), ("MKVLAAGITW*", "protein"), ("ACGT", "dna")])
def test_the_alphabet_is_that_of_the_whole_file(letters: str, alphabet: str, tmp_path: Path) -> None:
    found = records(a_file(tmp_path, f">a\n{letters.rstrip('*')}\n>b\n{letters.rstrip('*')}\n"))
    assert {one.alphabet for one in found.values()} == {alphabet}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (">one\nACGT\n>one\nACGT\n", "two records are called 'one', one at line 3"),
        (">one\nACGT\n>two\n>three\nACGT\n", "record 'two': a dna sequence without a letter"),
        (">one\nACGTACGTACGT\n>two\nACXTACGTACGT\n", "record 'two': unknown letter 'X' at position 3"),
        (">one\nACGTACGTACGT\n>two\nAC-TACGTACGT\n", "record 'two': unknown letter '-'"),
        (">\nACGT\n", "line 1 has no name"),
        ("ACGT\n>one\nACGT\n", "line 1 stands before the first record"),
        ("\n", "no record"),
    ],
)
def test_what_is_wrong_is_named(text: str, reason: str, tmp_path: Path) -> None:
    path = a_file(tmp_path, text)
    for _ in range(2):
        with pytest.raises(UnreadableFile, match=reason):
            records(path)


def test_of_several_records_one_must_be_named(tmp_path: Path) -> None:
    a_file(tmp_path, GOOD)
    for item, reason in ((None, "holds 2 records"), ("three", "no record 'three'")):
        ref = FileRef(format="fasta", paths=("s.fasta",), item=item, kind="sequence")
        with pytest.raises(UnreadableFile, match=reason):
            read_input(ref, tmp_path)
