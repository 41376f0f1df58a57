"""Texts and sequences as inputs."""

import pytest

from diascope.core.errors import DataRefused
from diascope.core.sequence import AMBIGUITY, LETTERS, Sequence, alphabet_of
from diascope.core.text import Text, language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("No pleural effusion.", "en"),
        ("左肺下叶见 CT 值约 35 HU 结节", "zh"),
        ("Über der Füße", "en"),
        ("", ""),
        ("12 / 7", ""),
        ("Пациент", ""),
    ],
)
def test_the_letters_tell_the_language(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(("text", "empty"), [("", True), (" .\n-", True), ("0", False), ("肺", False)])
def test_a_text_without_letter_or_digit_is_empty(text: str, empty: bool) -> None:
    assert Text(text).is_empty is empty


@pytest.mark.parametrize("alphabet", LETTERS)
def test_codes_stand_for_letters_of_their_alphabet(alphabet: str) -> None:
    for code, letters in AMBIGUITY[alphabet].items():
        assert code not in LETTERS[alphabet]
        assert set(letters) <= set(LETTERS[alphabet])
        assert len(letters) > 1


def test_complements_of_codes_are_codes() -> None:
    """The IUPAC codes are closed under the complement: R (A or G) pairs with Y (T or C)."""
    pairs = dict(zip("ACGT", "TGCA", strict=True))
    meant = {frozenset(letters) for letters in AMBIGUITY["dna"].values()}
    assert {frozenset(pairs[one] for one in letters) for letters in meant} == meant


def test_unknown_letters_are_refused_with_their_place() -> None:
    with pytest.raises(DataRefused, match="unknown letter 'X' at position 3") as caught:
        Sequence("ACXT")
    assert "ACGT" in caught.value.todo
    with pytest.raises(DataRefused, match="without a letter"):
        Sequence("")
    with pytest.raises(DataRefused, match="no alphabet 'dnx'"):
        Sequence("ACGT", "dnx")  # type: ignore[arg-type]


def test_a_rare_wrong_letter_makes_no_protein() -> None:
    assert alphabet_of({"A": 50, "C": 40, "G": 44, "T": 60, "X": 1}) == "dna"
    assert alphabet_of({"A": 5, "L": 9, "K": 7, "G": 3}) == "protein"
    assert alphabet_of({}) == "dna"
