"""A blind index: what people search for, as keyed hashes of words, so that a search opens few sealed rows or none.

A value becomes words: each component of a name in its place, whole and by its beginnings; numbers and dates likewise. A
pattern becomes words that every match must have; where they say all that the pattern says, nothing is opened.
The hash of a beginning tells how often it occurs, to whoever has the database: that is the price of searching.
"""

from __future__ import annotations

import fnmatch
import hmac
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from diascope.core.errors import BadUsage

Kind = Literal["name", "number", "birth_date", "accession"]
KINDS: tuple[Kind, ...] = ("name", "number", "birth_date", "accession")
SHORTEST = 2
"""Characters of a beginning that is a word. CJK names are short: theirs begin at one character."""
LONGEST = {"name": 8, "number": 16, "birth_date": 8, "accession": 16}
"""Numbers often begin alike; DICOM's SH has 16 characters."""
DIGITS = 16
"""Hexadecimal digits of a hash."""
PLACES = ("0", "1", "2", "3", "4", "inside", "joined")
"""Where a word of a name stands: a component's number, inside of a component, or components written together."""
LONGEST_PATTERN = 256
CJK = re.compile("[⺀-鿿가-퟿豈-﫿\U00020000-\U0003ffff]")
EARLIEST = date(1850, 1, 1)
RANGE = re.compile(r"(\d{8})?-(\d{8})?")


@dataclass(frozen=True)
class Search:
    """A pattern, understood.

    Args:
        words: Of each group, one word at least is a match's; no groups: the words cannot narrow it.
        is_exact: Whether whatever has the words is a match.
        expressions: A value matches when each of them does: on the whole value, or, if `fuzzy`, on one of its words.
        fuzzy: Whether the pattern is of words.
    """

    words: tuple[tuple[str, ...], ...]
    is_exact: bool
    expressions: tuple[re.Pattern[str], ...] = ()
    fuzzy: bool = False

    def matches(self, forms: Iterable[str]) -> bool:
        """Whether one of a value's forms (`forms_of`) matches."""
        for form in forms:
            texts = _texts(form) if self.fuzzy else {form}
            if all(any(one.match(text) for text in texts) for one in self.expressions):
                return True
        return False

    def __repr__(self) -> str:
        return f"Search({len(self.words)} words)"


def folded(text: str) -> str:
    """Without differences of case and width (NFKC, Unicode's case folding), and without DICOM's padding."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip(" \0")


def forms_of(kind: Kind, value: str) -> tuple[str, ...]:
    """What a pattern is compared with: each group of a name (PS3.5 6.2.1: letters, ideographs, sound), each number."""
    parts = folded(value).split("=" if kind == "name" else "\\")
    if kind == "name":
        parts = ["^".join(one.strip() for one in part.split("^")).rstrip("^") for part in parts]
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def words_of(kind: Kind, values: Iterable[str], key: bytes) -> set[str]:
    """The words of values of one kind: hashes, to be stored."""
    found: set[tuple[str, str]] = set()
    for form in (form for value in values for form in forms_of(kind, value)):
        found.add(("whole", form))
        if kind == "name":
            found |= _words_of_name(form)
        else:
            found |= {("0", start) for start in _beginnings(form, LONGEST[kind])}
    return {_hash(key, kind, place, text) for place, text in found}


def searched(kind: Kind, pattern: str, key: bytes, fuzzy: bool = False) -> Search:
    """Understand a pattern.

    Args:
        kind: Of value.
        pattern: DICOM wildcards `*` and `?`, case and width do not matter; a range `19600101-19601231` of dates.
        key: Of the hashes.
        fuzzy: For names: every word of the pattern begins some word of the name, in any order.

    Raises:
        BadUsage: When it is too long to be meant.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise BadUsage("a pattern is longer than any value", given=f"{len(pattern)} characters")
    text = re.sub(r"\*+", "*", folded(pattern)) or "*"
    if kind == "birth_date" and RANGE.fullmatch(text):
        return _range(text, key)
    if kind != "name":
        return _plain(kind, text, key)
    text = next((group for group in text.split("=") if group.strip("^ ")), "*")
    if fuzzy:
        return _fuzzy(text, key)
    return _placed("^".join(one.strip() for one in text.split("^")).rstrip("^"), key)


def _words_of_name(form: str) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    components = form.split("^")
    for place, component in zip(PLACES, components[:5], strict=False):
        found.add((f"{place} whole", component))
        found |= {(place, start) for start in _beginnings(component)}
        for word in _split(component)[1:]:
            found |= {("inside", start) for start in _beginnings(word)}
    return found | {("joined", start) for start in _beginnings(_joined(components))}


def _plain(kind: Kind, text: str, key: bytes) -> Search:
    literal = re.split(r"[*?]", text, maxsplit=1)[0]
    if literal == text:
        return Search(((_hash(key, kind, "whole", text),),), is_exact=True)
    if not _is_indexed(literal):
        return Search((), False, (_expression(text),))
    word = _hash(key, kind, "0", literal[: LONGEST[kind]])
    is_exact = text == f"{literal}*" and len(literal) <= LONGEST[kind]
    return Search(((word,),), is_exact, (_expression(text),))


def _placed(text: str, key: bytes) -> Search:
    """As DICOM means it: the pattern is of the whole name, from its first component on."""
    literal = re.split(r"[*?]", text, maxsplit=1)[0]
    if literal == text:
        return Search(((_hash(key, "name", "whole", text),),), is_exact=True)
    *whole, begun = literal.split("^")
    needed = [_hash(key, "name", f"{place} whole", one) for place, one in zip(PLACES, whole[:5], strict=False)]
    if len(whole) < 5 and _is_indexed(begun):
        needed.append(_hash(key, "name", PLACES[len(whole)], begun[: LONGEST["name"]]))
    # Two words may be of two groups of one name, and an empty component says little: those are looked at.
    is_exact = not whole and len(needed) == 1 and text == f"{literal}*" and len(literal) <= LONGEST["name"]
    return Search(tuple((one,) for one in needed), is_exact, (_expression(text),))


def _fuzzy(text: str, key: bytes) -> Search:
    groups, expressions, is_exact = [], [], True
    for word in (word.strip("*") for word in _split(text)):
        if not word:
            continue
        literal = re.split(r"[*?]", word, maxsplit=1)[0]
        if _is_indexed(literal):
            groups.append(tuple(_hash(key, "name", place, literal[: LONGEST["name"]]) for place in PLACES))
        is_exact &= literal == word and _is_indexed(word) and len(word) <= LONGEST["name"]
        expressions.append(_expression(f"{word}*"))
    return Search(tuple(groups), is_exact and bool(groups), tuple(expressions), fuzzy=True)


def _range(text: str, key: bytes) -> Search:
    """Dates between two, both included, as the fewest years, months and days; nobody was born before 1850."""
    first, last = text.split("-")
    soon = date.today() + timedelta(days=366)
    try:
        day, end = max(_day(first), EARLIEST) if first else EARLIEST, min(_day(last), soon) if last else soon
    except ValueError as error:
        raise BadUsage("a range of dates with a day that there is not", todo="Write 19600101-19601231") from error
    words = []
    while day <= end:
        next_year, next_month = date(day.year + 1, 1, 1), date(day.year + day.month // 12, day.month % 12 + 1, 1)
        if (day.month, day.day) == (1, 1) and next_year - timedelta(days=1) <= end:
            word, following = f"{day:%Y}", next_year
        elif day.day == 1 and next_month - timedelta(days=1) <= end:
            word, following = f"{day:%Y%m}", next_month
        else:
            word, following = f"{day:%Y%m%d}", day + timedelta(days=1)
        words.append(_hash(key, "birth_date", "0", word))
        day = following
    return Search((tuple(words) or ("",),), is_exact=True)


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _joined(components: Sequence[str]) -> str:
    """Family and given name as CJK names are written; nothing for others."""
    joined = "".join(components[:2])
    return joined if CJK.match(joined) else ""


def _texts(form: str) -> set[str]:
    """What a word of a fuzzy pattern may begin."""
    components = form.split("^")
    return {*components[:5], *_split(form), _joined(components)}


def _split(text: str) -> list[str]:
    return [word for word in re.split(r"[\s^,=\-]+", text) if word]


def _beginnings(text: str, longest: int = LONGEST["name"]) -> list[str]:
    shortest = 1 if CJK.match(text) else SHORTEST
    return [text[:size] for size in range(shortest, min(len(text), longest) + 1)]


def _is_indexed(text: str) -> bool:
    return len(text) >= (1 if CJK.match(text) else SHORTEST)


def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(_without_sets(pattern)))


def _without_sets(pattern: str) -> str:
    """DICOM has no `[...]`, fnmatch has. Its expressions never try one `*` in two ways: no pattern is slow."""
    return pattern.replace("[", "[[]")


def _hash(key: bytes, kind: str, place: str, text: str) -> str:
    return hmac.digest(key, "\0".join((kind, place, text)).encode(), "sha256").hex()[:DIGITS]
