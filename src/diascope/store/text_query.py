"""What is looked for in reports: words, phrases, Chinese; and where a text holds it.

Latin words and numbers are the tokens of SQLite's `unicode61` (`35HU` is two of them, as there may be a blank). Chinese
has no blanks between words: every two neighbours make a token (and the last character of a run one of its own), so that
a run of any length is found exactly, also one of two characters such as 积液, which SQLite's trigrams cannot find
(docs/how-to/texts.md, measured).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from diascope.core.errors import BadUsage
from diascope.core.text import HAN

_LETTER = rf"(?:(?!{HAN.pattern})[^\W\d_])"
_RUNS = re.compile(rf"(?P<han>(?:{HAN.pattern})+)|(?P<word>{_LETTER}+)|(?P<number>\d+)|(?P<other>.)", re.DOTALL)
_PART = re.compile(r'(?P<sign>-)?"(?P<phrase>[^"]*)"|(?P<bar>\|)|(?P<plain>[^\s"|]+)')
AROUND = 70
"""Characters that a snippet shows before the first word that was found."""
LONG = 220
"""Characters of a snippet."""


@dataclass(frozen=True)
class Term:
    """One thing that is looked for.

    Args:
        words: As given, without quotes.
        prefix: Whether the last word may go on (`cardio*`).
        without: Whether texts that hold it are left out (`-fracture`).
    """

    words: str
    prefix: bool = False
    without: bool = False


@dataclass(frozen=True)
class Query:
    """Groups of which every one must be found, by any of its terms; and what must not be found."""

    groups: tuple[tuple[Term, ...], ...]
    without: tuple[Term, ...] = ()

    @property
    def expression(self) -> str:
        """The query in the language of SQLite's FTS5."""
        wanted = " AND ".join("(" + " OR ".join(map(_fts, group)) + ")" for group in self.groups)
        return wanted + "".join(f" NOT {_fts(term)}" for term in self.without)


def parsed(text: str) -> Query:
    """What a person typed: words that must all occur, `"a phrase"`, `a OR b`, `-left out`, `beg*`.

    Raises:
        BadUsage: When nothing is looked for, or the query makes no sense.
    """
    if text.count('"') % 2:
        raise BadUsage("a quotation mark is missing", given=text, todo='Write phrases as "pleural effusion"')
    groups: list[list[Term]] = []
    without: list[Term] = []
    alternative = False
    for term in _terms(text):
        if term is None:
            if alternative or not groups:
                raise BadUsage("OR stands between two words", given=text)
            alternative = True
        elif term.without:
            without.append(term)
        elif alternative:
            groups[-1].append(term)
            alternative = False
        else:
            groups.append([term])
    if alternative or not groups:
        raise BadUsage("nothing is looked for", given=text or "an empty query", todo="Name at least one word to find")
    return Query(tuple(map(tuple, groups)), tuple(without))


def _terms(text: str) -> Iterator[Term | None]:
    """The terms in their order; None stands for OR."""
    for part in _PART.finditer(text):
        if part["bar"] or part["plain"] in ("OR", "AND"):
            if part["plain"] != "AND":
                yield None
            continue
        sign = part["sign"] is not None or (part["plain"] or "").startswith("-")
        words = part["phrase"] if part["phrase"] is not None else (part["plain"] or "").removeprefix("-")
        prefix = words.endswith("*")
        if indexed(words).strip():
            yield Term(words.rstrip("*"), prefix, sign)


def indexed(text: str) -> str:
    """A text as the index holds it: Chinese runs as pairs, everything else as it is."""
    return "".join(_pairs(run) for run in _RUNS.finditer(unicodedata.normalize("NFKC", text)))


def _pairs(run: re.Match[str]) -> str:
    han = run["han"]
    if han is None:
        return f" {run[0]} " if run["word"] or run["number"] else " "
    return " " + " ".join((*map("".join, pairwise(han)), han[-1])) + " "


def _fts(term: Term) -> str:
    """A phrase of FTS5. The last character of a Chinese run may begin a pair of the text."""
    words = indexed(term.words).split()
    open_end = bool(HAN.match(words[-1]))
    if open_end and len(words) > 1 and HAN.match(words[-2]) and words[-2].endswith(words[-1]):
        # The pair before it says the same, and need not be the end of a run.
        words, open_end = words[:-1], False
    return '"' + " ".join(words) + '"' + (" *" if term.prefix or open_end else "")


def places(text: str, query: Query) -> list[tuple[int, int]]:
    """Where a text holds what is looked for: (start, end), in order, not overlapping."""
    folded, origin = _folded(text)
    found: list[tuple[int, int]] = []
    for group in query.groups:
        for term in group:
            pattern = _pattern(term)
            found += [(origin[m.start()], origin[m.end() - 1] + 1) for m in pattern.finditer(folded) if m.end()]
    kept: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if kept and start < kept[-1][1]:
            kept[-1] = (kept[-1][0], max(end, kept[-1][1]))
        else:
            kept.append((start, end))
    return kept


def _pattern(term: Term) -> re.Pattern[str]:
    pieces = [run for run in _RUNS.finditer(_folded(term.words)[0]) if not run["other"]]
    joined = r"[\W_]*".join(re.escape(run[0]) for run in pieces)
    same = [_LETTER if run["word"] else r"\d" if run["number"] else "" for run in (pieces[0], pieces[-1])]
    before = rf"(?<!{same[0]})" if same[0] else ""
    after = rf"{same[1]}*" if term.prefix and same[1] else rf"(?!{same[1]})" if same[1] else ""
    return re.compile(before + joined + after)


def _folded(text: str) -> tuple[str, list[int]]:
    """Lower case without accents, and for each of its characters the place in the text."""
    letters: list[str] = []
    origin: list[int] = []
    for place, letter in enumerate(text):
        plain = [one for one in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(one)]
        for one in "".join(plain).lower():
            letters.append(one)
            origin.append(place)
    return "".join(letters), origin


def snippet(text: str, marks: Sequence[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """The part of a text around most of what was found, on one line, and the places in it."""
    best = max(marks, key=lambda mark: sum(mark[0] <= other[1] <= mark[0] + LONG for other in marks), default=(0, 0))
    start = max(0, best[0] - AROUND)
    while 0 < start < best[0] and text[start - 1].isalnum() and not HAN.match(text[start - 1]):
        start += 1
    end = min(len(text), start + LONG)
    ahead = "… " if start else ""
    part = ahead + re.sub(r"\s", " ", text[start:end]) + (" …" if end < len(text) else "")
    shift = len(ahead) - start
    return part, [(a + shift, b + shift) for a, b in marks if start <= a and b <= end]
