"""Terms of a text (words and pairs of them, or runs of characters), and how much each weighs in it (TF-IDF).

The terms and weights are those of scikit-learn's `TfidfVectorizer`; they are computed here from arrays alone, so that
a release does not depend on its version (tests/golden/test_tfidf.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

WORD = re.compile(r"(?u)\b\w\w+\b")
BLANKS = re.compile(r"\s\s+")
Analyser = Literal["words", "characters"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Occurrence:
    """A term where it stands: (start, end) in the text."""

    term: str
    start: int
    end: int


def decoded(codes: npt.NDArray[Any]) -> str:
    """Code points, 0 after the end, as a text."""
    return "".join(map(chr, codes[codes > 0].tolist()))


def terms(text: str, analyser: Analyser, longest: int) -> Counter[str]:
    """How often each term is in a text.

    Args:
        text: As it was written.
        analyser: What a term is made of.
        longest: The most words, or characters, of a term.
    """
    lower = _lower(text)
    if analyser == "words":
        units: Sequence[str] = WORD.findall(lower)
        between = " "
    else:
        units, between = BLANKS.sub(" ", lower), ""
    counts: Counter[str] = Counter()
    for count in range(1, longest + 1):
        shifted = [units[first:] for first in range(count)]
        counts.update(map(between.join, zip(*shifted, strict=False)))
    return counts


def occurrences(text: str, analyser: Analyser, longest: int) -> Iterator[Occurrence]:
    """The same terms, each where it stands."""
    lower = _lower(text)
    if analyser == "words":
        units = [(match.group(), match.start(), match.end()) for match in WORD.finditer(lower)]
        between = " "
    else:
        units, between = _characters(lower), ""
    for count in range(1, longest + 1):
        for first in range(len(units) - count + 1):
            run = units[first : first + count]
            yield Occurrence(between.join(unit for unit, _, _ in run), run[0][1], run[-1][2])


def _lower(text: str) -> str:
    """Lower case, one place a character: few letters are longer then (İ), and a place would be lost."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _characters(text: str) -> list[tuple[str, int, int]]:
    """Characters with their places; several blanks count as one."""
    found: list[tuple[str, int, int]] = []
    place = 0
    for match in BLANKS.finditer(text):
        found += [(letter, at, at + 1) for at, letter in enumerate(text[place : match.start()], start=place)]
        found.append((" ", match.start(), match.end()))
        place = match.end()
    return found + [(letter, at, at + 1) for at, letter in enumerate(text[place:], start=place)]


@dataclass(frozen=True)
class Vocabulary:
    """Terms with their places, and the inverse document frequency of each.

    Args:
        places: Term to its place.
        idf: (T,).
        analyser: What a term is made of.
        longest: The most words, or characters, of a term.
    """

    places: dict[str, int]
    idf: Floats
    analyser: Analyser
    longest: int

    @classmethod
    def learnt(cls, texts: Sequence[str], analyser: Analyser, longest: int, most: int) -> Vocabulary:
        """The terms of at least two texts, at most so many, those of the most texts first.

        Args:
            texts: Of the training part.
            analyser: What a term is made of.
            longest: The most words, or characters, of a term.
            most: Terms that are kept.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(terms(text, analyser, longest).keys())
        least = 2 if any(count > 1 for count in counts.values()) else 1
        kept = sorted(((-count, term) for term, count in counts.items() if count >= least))[:most]
        words = sorted(term for _, term in kept)
        # One text more that holds every term, as scikit-learn smooths it.
        idf = np.array([np.log((1 + len(texts)) / (1 + counts[term])) + 1 for term in words])
        return cls({term: place for place, term in enumerate(words)}, idf, analyser, longest)

    def matrix(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """(N, T): of each text 1 + log of how often a term is in it, times its idf, brought to length 1."""
        rows, columns, values = [], [], []
        for row, text in enumerate(texts):
            found = terms(text, self.analyser, self.longest)
            counts = {self.places[term]: count for term, count in found.items() if term in self.places}
            weights = np.array([1 + np.log(count) for count in counts.values()])
            weights = weights * self.idf[list(counts)]
            norm = np.sqrt((weights**2).sum())
            rows += [row] * len(counts)
            columns += list(counts)
            values += (weights / norm if norm else weights).tolist()
        shape = (len(texts), len(self.idf))
        return sparse.csr_matrix((np.array(values, np.float64), (rows, columns)), shape=shape)

    def shares(self, text: str, weights: Floats) -> Floats:
        """(len(text),) what each character adds to a score that is linear in `matrix`; their sum is that score.

        What a term adds is shared by the places where it stands, and by their characters.

        Args:
            text: As it was written.
            weights: (T,) of the score.
        """
        found = np.zeros(len(text))
        known = [
            (self.places[one.term], one)
            for one in occurrences(text, self.analyser, self.longest)
            if one.term in self.places
        ]
        counts = Counter(place for place, _ in known)
        row = np.asarray(self.matrix([text]).todense()).ravel()
        for place, one in known:
            found[one.start : one.end] += row[place] * weights[place] / counts[place] / (one.end - one.start)
        return found
