"""A string over an alphabet as an input: DNA, RNA, protein, with the ambiguity codes of IUPAC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from diascope.core.errors import DataRefused

AlphabetName = Literal["dna", "rna", "protein"]

LETTERS: Mapping[str, str] = MappingProxyType({"dna": "ACGT", "rna": "ACGU", "protein": "ACDEFGHIKLMNPQRSTVWY"})
"""The letters of each alphabet, in the order of the rows that a network sees."""


def _nucleotides(fourth: str) -> dict[str, str]:
    codes = {
        **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
        **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
    }
    return {code: letters.replace("T", fourth) for code, letters in codes.items()}


AMBIGUITY: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "dna": MappingProxyType(_nucleotides("T")),
        "rna": MappingProxyType(_nucleotides("U")),
        "protein": MappingProxyType({"B": "DN", "Z": "EQ", "J": "IL", "X": LETTERS["protein"]}),
    }
)
"""Code to the letters that it may stand for (IUPAC-IUB 1984, Nucleic Acids Research 13:3021; for amino acids 1983,
European Journal of Biochemistry 138:9)."""

GAPS = "-.*"
"""Marks of alignments (a gap) and translations (a stop) that FASTA files hold and that are no letters."""


@dataclass(frozen=True)
class Sequence:
    """A string of letters.

    Args:
        letters: Capitals of the alphabet, or ambiguity codes of it.
        alphabet: "dna", "rna" or "protein".

    Raises:
        DataRefused: When it holds another letter, or none; names the letter and its place.
    """

    letters: str
    alphabet: AlphabetName = "dna"

    def __post_init__(self) -> None:
        if self.alphabet not in LETTERS:
            raise DataRefused(f"there is no alphabet {self.alphabet!r}", given=", ".join(LETTERS))
        if not self.letters:
            raise DataRefused(f"a {self.alphabet} sequence without a letter", todo="Remove the record, or fill it in")
        if (place := unknown_letter(self.letters, self.alphabet)) is not None:
            raise DataRefused(
                f"unknown letter {self.letters[place]!r} at position {place + 1} of a {self.alphabet} sequence",
                given=self.letters[max(0, place - 10) : place + 10],
                todo=f"Use {LETTERS[self.alphabet]} and the codes {''.join(AMBIGUITY[self.alphabet])}",
            )

    @property
    def ambiguous(self) -> int:
        """How many of its letters are ambiguity codes."""
        return sum(letter in AMBIGUITY[self.alphabet] for letter in self.letters)


def unknown_letter(letters: str, alphabet: str) -> int | None:
    """Index of the first letter that an alphabet and its codes do not hold; None where there is none.

    Example:
        >>> unknown_letter("ACGN", "dna"), unknown_letter("ACXT", "dna")
        (None, 2)
    """
    known = {*LETTERS[alphabet], *AMBIGUITY[alphabet]}
    return next((index for index, letter in enumerate(letters) if letter not in known), None)


NUCLEOTIDES = 0.9
"""Share of plain nucleotides from which on letters are those of DNA or RNA: proteins are made of 20, of which A, C, G,
T and N are a quarter (Swiss-Prot: 8.3 + 1.4 + 7.1 + 5.4 + 4.1 %)."""


def alphabet_of(counts: Mapping[str, int]) -> AlphabetName:
    """The alphabet that letters are of, by how often each occurs.

    Example:
        >>> alphabet_of({"A": 10, "U": 3, "N": 1}), alphabet_of({"A": 3, "T": 2, "X": 1}), alphabet_of({"A": 5, "K": 5})
        ('rna', 'dna', 'protein')
    """
    total = sum(counts.values())
    plain = sum(counts.get(letter, 0) for letter in "ACGTUN")
    # Of few letters a single one is a large share: it shall be found as a wrong letter of DNA.
    if total - plain > max(1, (1 - NUCLEOTIDES) * total):
        return "protein"
    return "rna" if counts.get("U", 0) > counts.get("T", 0) else "dna"
