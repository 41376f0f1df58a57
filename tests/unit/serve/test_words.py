from __future__ import annotations

import fnmatch
import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diascope.core.errors import BadUsage
from diascope.serve.words import folded, forms_of, searched, words_of

KEY = b"k" * 32


def finds(kind: str, pattern: str, value: str, fuzzy: bool = False) -> bool:
    """As a search does: the words first, then, unless they say all, the value."""
    search, words = searched(kind, pattern, KEY, fuzzy), words_of(kind, [value], KEY)
    if not all(words & set(group) for group in search.words):
        return False
    return (search.is_exact and bool(search.words)) or search.matches(forms_of(kind, value))


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("Doe^John", "DOE^JOHN"),
        ("doe^john", "Doe^John^^^"),
        ("DOE*", "Doe^John"),
        ("do*", "Doe^John"),
        ("d*", "Doe^John"),
        ("doe^*", "Doe^John"),
        ("doe^j*", "Doe^John"),
        ("doe^jo*", "Doe^John"),
        ("d?e^john", "Doe^John"),
        ("*john", "Doe^John"),
        ("*ohn*", "Doe^John"),
        ("*", "Doe^John"),
        ("doe^^x*", "Doe^^Xaver"),
        ("van der berg*", "van der Berg^Jan"),
        ("müller*", "MÜLLER^ANNA"),
        ("strasse*", "Straße^Anna"),
        ("ｗａｎｇ＊", "Wang^Xiaoming"),
        ("wang*", "ＷＡＮＧ^Ｘ"),
        ("王*", "Wang^XiaoMing=王^小明"),
        ("王^小*", "Wang^XiaoMing=王^小明"),
        ("王^小明", "Wang^XiaoMing=王^小明"),
        ("wang^xiao*=王*", "Wang^XiaoMing=王^小明"),
        ("ﾔﾏﾀﾞ*", "Yamada^Tarou=山田^太郎=ヤマダ^タロウ"),
        ("abcdefghijklmnop*", "Abcdefghijklmnopqrst^X"),
        ("a[b]*", "A[b]c^X"),
    ],
)
def test_a_name_is_found(pattern: str, value: str) -> None:
    assert finds("name", pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("john*", "Doe^John"),
        ("doe", "Doe^John"),
        ("doe^john", "Doel^John"),
        ("doe^jo*", "Doel^John"),
        ("doe^jo*", "Doe^X^John"),
        ("abcdefghijx*", "Abcdefghijklmnop^X"),
        ("王^明*", "Wang^XiaoMing=王^小明"),
        ("a[b]*", "Ab^X"),
        ("?", "Doe^John"),
        ("doe*", ""),
    ],
)
def test_another_name_is_not(pattern: str, value: str) -> None:
    assert not finds("name", pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("john", "Doe^John"),
        ("john doe", "Doe^John"),
        ("jo do", "Doe^John"),
        ("*john*", "Doe^John"),
        ("berg", "van der Berg^Jan"),
        ("王小明", "Wang^XiaoMing=王^小明"),
        ("王小", "Wang^XiaoMing=王^小明"),
        ("小明", "Wang^XiaoMing=王^小明"),
        ("ｊｏｈｎ", "Doe^John"),
        ("j doe", "Doe^John"),
        ("abcdefghijk", "X^Abcdefghijkl"),
    ],
)
def test_words_of_a_name_are_found_in_any_order(pattern: str, value: str) -> None:
    assert finds("name", pattern, value, fuzzy=True)


@pytest.mark.parametrize(("pattern", "value"), [("ohn", "Doe^John"), ("john x", "Doe^John"), ("小王", "=王^小明")])
def test_other_words_of_a_name_are_not(pattern: str, value: str) -> None:
    assert not finds("name", pattern, value, fuzzy=True)


@pytest.mark.parametrize(
    ("kind", "pattern", "value", "is_found"),
    [
        ("number", "4711", "4711", True),
        ("number", "4711", "47110", False),
        ("number", "47*", "4711", True),
        ("number", "*11", "4711", True),
        ("number", "ab-0*", "AB-01", True),
        ("number", "99", "4711\\99", True),
        ("number", "123456789*", "1234567890", True),
        ("number", "123456780*", "1234567890", False),
        ("birth_date", "19560102", "19560102", True),
        ("birth_date", "1956*", "19560102", True),
        ("birth_date", "19560101-19560103", "19560102", True),
        ("birth_date", "19560102-19560102", "19560102", True),
        ("birth_date", "19560103-19561231", "19560102", False),
        ("birth_date", "19501220-19700110", "19560102", True),
        ("birth_date", "-19560102", "19560102", True),
        ("birth_date", "19560103-", "19560102", False),
        ("birth_date", "19700101-19560101", "19560102", False),
        ("accession", "A.1?3", "a.123", True),
        ("accession", "A.123", "A.124", False),
    ],
)
def test_numbers_and_dates(kind: str, pattern: str, value: str, is_found: bool) -> None:
    assert finds(kind, pattern, value) is is_found


letters = st.text(alphabet="ab王小 ", max_size=4)
values = st.lists(letters, max_size=3).map("^".join)
days = st.dates(date(1850, 1, 1), date.today())
patterns = st.text(alphabet="aAb王小^*?", min_size=1, max_size=7)


@settings(max_examples=300, deadline=None)
@given(pattern=patterns, value=values)
def test_the_words_lose_and_add_nothing(pattern: str, value: str) -> None:
    """Law: with the blind index a pattern finds just what it finds by looking at every name."""
    plain = "^".join(one.strip() for one in folded(pattern).split("^")).rstrip("^")
    plain = plain if folded(pattern).strip("^ ") else "*"
    assert finds("name", pattern, value) is any(fnmatch.fnmatchcase(one, plain) for one in forms_of("name", value))


@settings(max_examples=100, deadline=None)
@given(first=days, last=days, day=days)
def test_a_range_is_a_range(first, last, day) -> None:
    pattern = f"{first:%Y%m%d}-{last:%Y%m%d}"
    assert finds("birth_date", pattern, f"{day:%Y%m%d}") is (first <= day <= last)


@pytest.mark.parametrize(
    ("pattern", "is_exact"),
    [("doe*", True), ("doe^john", True), ("王*", True), ("doe^jo*", False), ("*doe", False), ("d*", False)],
)
def test_what_the_words_answer_opens_no_row(pattern: str, is_exact: bool) -> None:
    assert searched("name", pattern, KEY).is_exact is is_exact


def test_words_say_nothing_without_the_key() -> None:
    words = words_of("name", ["Doe^John"], KEY)
    assert words.isdisjoint(words_of("name", ["Doe^John"], b"x" * 32))
    assert words.isdisjoint(words_of("number", ["Doe^John"], KEY))
    assert all(len(word) == 16 for word in words)


def test_a_pattern_without_end_or_sense_is_refused() -> None:
    with pytest.raises(BadUsage, match="longer"):
        searched("name", "a" * 257, KEY)
    with pytest.raises(BadUsage, match="there is not"):
        searched("birth_date", "19560230-19560301", KEY)


def test_no_pattern_is_slow() -> None:
    """B3: many stars against a long value that nearly matches."""
    began = time.process_time()
    assert not finds("name", "*" + "a*" * 120 + "b", "a" * 1000)
    assert time.process_time() - began < 2
